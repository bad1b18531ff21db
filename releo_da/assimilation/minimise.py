r"""Minimisers of |v|^2 / 2 + |r(v)|^2 / 2, for many small problems side by side.

Every row of ``[pixel, n]`` is a problem of its own, with control v ``[.., k]`` and weighted
residual r ``[.., C]``. Rows share the calls of r and nothing else: step lengths, convergence and
failure are decided per row by masks, and one that has arrived stands still, so its result does not
depend on its neighbours. With M = dr/dv, never formed,

    gauss_newton   (I + M'M) p = -(v + M'r) by conjugate gradients; v <- v + p, halved while the
                   cost rises
    lbfgs          p from the last pairs of steps and gradient changes; v <- v + p, halved until
                   the cost falls by a tenth of a thousandth of what the slope promises. Without a
                   pair, and after a search that found no lower cost, p is the step to the minimum
                   along the gradient g if r were linear, -g g'g / g'(I + M'M)g: with accurate
                   observations the Hessian is of order 1e4 and -g itself leads far away

v is preconditioned already (`background`): the first term's Hessian is I, so the number of CG steps
is bounded by what observations determine, not by the conditioning of B.

Products with M' and M are reverse and forward derivatives (`torch.func`). Cost in evaluations of r:
about 3 per CG step, 3 for an L-BFGS gradient, 1 for a trial step, 2 for a step without a pair
(on an accelerator, where nothing is asked of single problems, for every step).

The path to a minimum carries no gradient; `implicit` gives the minimum its own.

Reference: Nocedal and Wright (2006), Numerical Optimization, 2nd ed., Springer, algorithms 5.2, 7.4
and section 10.3; Courtier, Thepaut and Hollingsworth (1994), Q. J. R. Meteorol. Soc. 120,
1367-1387.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.linalg import settled

Residual = Callable[[Tensor], Tensor]
"""``r(v)``: ``[pixel, n, k] -> [pixel, n, C]``."""


class Arrival(NamedTuple):
    """Where minimisers end.

    Attributes:
        v: ``[pixel, n, k]``.
        moving: True for problems whose iterations were used up before they arrived,
            ``[pixel, n, 1]``.
    """

    v: Tensor
    moving: Tensor


HALVINGS = 8
"""Halvings of a step before a problem gives up on its direction."""
ARMIJO = 1e-4
"""Share of the decrease promised by the slope that an L-BFGS step must bring."""
CURVED = 1e-12
"""Least s'y / y'y of a pair of step s and gradient change y that is used."""


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products along the last axis, kept as ``[.., 1]``."""
    return (a * b).sum(-1, keepdim=True)


def cost_of(v: Tensor, r: Tensor) -> Tensor:
    """J, ``[pixel, n, 1]``."""
    return 0.5 * (dot(v, v) + dot(r, r))


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor], right: Tensor, steps: int, tolerance: float
) -> Tensor:
    """Solution x of ``apply(x) = right``, symmetric positive definite, problem by problem.

    Args:
        apply: ``[.., k] -> [.., k]``.
        right: ``[.., k]``.
        steps: at most.
        tolerance: a problem is done when its residual has shrunk by this factor.
    """
    x, residual, direction = torch.zeros_like(right), right, right
    size = dot(right, right)
    target, tiny = tolerance**2 * size, torch.finfo(size.dtype).tiny
    for _ in range(steps):
        moving = size > target
        if settled(moving):
            break
        applied = apply(direction)
        bend = dot(direction, applied)
        moving = moving & (bend > 0)  # a direction without curvature ends its problem
        length = torch.where(moving, size / torch.where(moving, bend, 1.0), 0.0)
        x = x + length * direction
        residual = residual - length * applied
        smaller = dot(residual, residual)
        direction = torch.where(moving, residual + smaller / size.clamp(min=tiny) * direction, 0.0)
        size = torch.where(moving, smaller, 0.0)
    return x


def _pulled(residual: Residual, at: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor]]]:
    """R there, and products with M' there."""
    found: Any = torch.func.vjp(residual, at)
    r, pull = found
    return r, pull


def gauss_newton(
    residual: Residual, v: Tensor, iterations: int, inner: int, tolerance: float
) -> Arrival:
    """The minimiser from ``v`` on, by at most ``iterations`` linearisations.

    Args:
        residual: r.
        v: first guess, ``[pixel, n, k]``.
        iterations: linearisations.
        inner: CG steps in each.
        tolerance: a problem is done when its step is shorter (v is in background spreads).
    """
    moving = torch.ones_like(v[..., :1], dtype=torch.bool)
    for _ in range(iterations):
        if settled(moving):
            break
        at = v
        r, pull = _pulled(residual, at)
        gradient = at + pull(r)[0]

        def hessian(
            p: Tensor, at: Tensor = at, pull: Callable[[Tensor], tuple[Tensor]] = pull
        ) -> Tensor:
            return p + pull(torch.func.jvp(residual, (at,), (p,))[1])[0]

        step = conjugate_gradients(hessian, -gradient, inner, min(0.1 * tolerance, 1e-3))
        step = torch.where(moving, step, 0.0)
        length = _backtracked(residual, at, step, cost_of(at, r), torch.zeros_like(r[..., :1]))
        v = at + length * step
        moving = moving & (dot(step, step) * length**2 > tolerance**2)
    return Arrival(v, moving)


def lbfgs(
    residual: Residual, v: Tensor, iterations: int, tolerance: float, pairs: int = 10
) -> Arrival:
    """The minimiser from ``v`` on by limited-memory BFGS.

    Args:
        residual: r.
        v: first guess, ``[pixel, n, k]``.
        iterations: steps.
        tolerance: a problem is done when its gradient is shorter.
        pairs: steps that are remembered.
    """

    def evaluate(at: Tensor) -> tuple[Tensor, Tensor]:
        r, pull = _pulled(residual, at)
        return cost_of(at, r), at + pull(r)[0]

    steps: list[Tensor] = []
    changes: list[Tensor] = []
    cost, gradient = evaluate(v)
    scale = torch.ones_like(cost)
    fresh = torch.ones_like(cost, dtype=torch.bool)
    for _ in range(iterations):
        moving = dot(gradient, gradient) > tolerance**2
        if settled(moving):
            break
        if not settled(fresh & moving):
            scale = torch.where(fresh, _along(residual, v, gradient), scale)
        direction = -_inverse_hessian(gradient, steps, changes, scale)
        slope = dot(direction, gradient)
        downhill = slope < 0
        direction = torch.where(downhill, direction, -scale * gradient)
        slope = torch.where(downhill, slope, -scale * dot(gradient, gradient))
        direction = torch.where(moving, direction, 0.0)
        length = _backtracked(residual, v, direction, cost, ARMIJO * slope)
        step = length * direction
        v = v + step
        cost, new = evaluate(v)
        change, gradient = new - gradient, new
        # a search that failed says that its pairs describe another place: begin anew
        fresh = moving & (length == 0)
        steps = [torch.where(fresh, 0.0, s) for s in [*steps[1 - pairs :], step]]
        changes = [torch.where(fresh, 0.0, y) for y in [*changes[1 - pairs :], change]]
        size = dot(change, change)
        curved = dot(step, change) > CURVED * size
        scale = torch.where(curved, dot(step, change) / torch.where(curved, size, 1.0), scale)
    return Arrival(v, dot(gradient, gradient) > tolerance**2)


def _along(residual: Residual, v: Tensor, gradient: Tensor) -> Tensor:
    """Length of -gradient that leads to the minimum along it where r is linear, ``[.., 1]``."""
    moved = torch.func.jvp(residual, (v,), (gradient,))[1]
    size = dot(gradient, gradient)
    bend = size + dot(moved, moved)
    return torch.where(bend > 0, size / torch.where(bend > 0, bend, 1.0), 1.0)


def _inverse_hessian(
    gradient: Tensor, steps: list[Tensor], changes: list[Tensor], scale: Tensor
) -> Tensor:
    """The two-loop recursion; a pair without positive curvature is left out per problem."""
    q, shares = gradient, []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        curved = dot(s, y) > CURVED * dot(y, y)
        rho = torch.where(curved, 1.0 / torch.where(curved, dot(s, y), 1.0), 0.0)
        share = rho * dot(s, q)
        q = q - share * y
        shares.append((rho, share))
    q = scale * q
    for s, y, (rho, share) in zip(steps, changes, reversed(shares), strict=True):
        q = q + (share - rho * dot(y, q)) * s
    return q


def _backtracked(
    residual: Residual, v: Tensor, step: Tensor, cost: Tensor, promised: Tensor
) -> Tensor:
    """The first of 1, 1/2, 1/4 .. that lowers the cost by ``promised`` times itself, or 0.

    Rounding of the cost is forgiven, or a problem at its minimum could not take its last step.
    """
    length, trial = torch.zeros_like(cost), 1.0
    open_ = dot(step, step) > 0
    slack = 10.0 * torch.finfo(cost.dtype).eps * cost.abs()
    for _ in range(HALVINGS):
        if settled(open_):
            break
        tried = v + trial * step
        good = open_ & (cost_of(tried, residual(tried)) <= cost + trial * promised + slack)
        length = torch.where(good, trial, length)
        open_ = open_ & ~good
        trial *= 0.5
    return length
