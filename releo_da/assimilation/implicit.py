r"""The derivative of a minimum, by the implicit function theorem.

Where J(v, theta) = |v|^2 / 2 + |r(v, theta)|^2 / 2 is smallest its gradient is 0, so

    dv = -H^-1 d(grad J),      H the Hessian of J by v, whole and not that of Gauss-Newton

whatever way led to v (`minimise`). When a gradient comes back, H is solved for by conjugate
gradients, with products by a second reverse derivative of r: nothing of the path is kept, and
memory does not grow with the iterations. Cost: as many evaluations of r, three times each, as there
are CG steps, at most 4 k.

Short of the minimum the same formula gives another number, and it can be far off: where H is flat,
or r strongly nonlinear, a v near enough for the analysis is not near enough for its gradient. So
problems that have not arrived are counted in a warning where gradients are asked for.

Reference: Krantz and Parks (2013), The Implicit Function Theorem, Birkhaeuser; Nocedal and Wright
(2006), Numerical Optimization, 2nd ed., Springer, section 5.1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from releo_da.assimilation.minimise import Arrival, Residual, conjugate_gradients, cost_of


class _Minimiser(torch.autograd.Function):
    """v of gradient J = 0, with dv = -H^-1 d(gradient)."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, v: Tensor, hessian: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.hessian = hessian
        return v.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        steps = 4 * grad.shape[-1]
        precise = torch.finfo(grad.dtype).eps
        return -conjugate_gradients(ctx.hessian, grad, steps, 10.0 * precise), None, None


def attached(arrival: Arrival, residual: Residual) -> Tensor:
    """A minimiser with its derivative by whatever ``residual`` depends on.

    Args:
        arrival: where J is smallest, without a derivative.
        residual: r, through which gradients reach the parameters.

    Warns:
        UserWarning: gradients are asked for and some problems have not arrived.
    """
    v = arrival.v.detach()
    if not torch.is_grad_enabled() or not residual(v).requires_grad:
        return v
    still = int(arrival.moving.sum())
    if still:
        warnings.warn(
            f"{still} of {arrival.moving.numel()} minimisations ended before their minimum, where "
            "gradients are those of the minimum; give more iterations or a larger tolerance",
            stacklevel=2,
        )
    leaf = v.clone().requires_grad_()
    r = residual(leaf)
    (gradient,) = torch.autograd.grad(cost_of(leaf, r).sum(), leaf, create_graph=True)

    def hessian(p: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(gradient, leaf, p, retain_graph=True)
        return product

    found: Tensor = _Minimiser.apply(gradient, v, hessian)
    return found
