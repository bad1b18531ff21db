"""Three special functions whose derivatives stay accurate where naive forms do not.

`absorbed` is the fraction of isotropic light that a layer of optical depth k absorbs,

    A(k) = 1 - 2 E3(k),     dA/dk = 2 E2(k),     dE2/dk = -E1(k) = -(exp(-k) - E2(k)) / k,

with E_n the exponential integrals. All follow from h(k) = exp(k) E2(k), since 2 E3 = exp(-k) - k E2
and A = k E2 - expm1(-k) has no cancellation. h is a Stieltjes function,

    h(k) = integral from 0 to inf of  s exp(-s) / (s + k)  ds,

so a short sum of terms w / (k + p) with positive w and p fits it on the whole half line: that is
the float32 form (error of A at most 7e-8, of dA/dk 6e-6). In float64, E1 comes from its power
series below k = 2, and E2 from its continued fraction above it, both to rounding error.

`phi(x) = (exp(x) - 1) / x` is the mean of exp(x s) over s in [0, 1].

`arc(z) = arctan(sqrt(z)) / sqrt(z)`, which for z < 0 is artanh(sqrt(-z)) / sqrt(-z): one analytic
function of z > -1.

Each is a `torch.autograd.Function` with a forward-mode rule and batching under `torch.func.vmap`.
Higher derivatives follow too, because what the rules use (E2, phi, arc) is itself an output that
carries its own derivative.

Reference: Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 5.1.11 and 5.1.22.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

# h(k) ~ sum of _WEIGHTS / (k + _POLES): a minimax-like fit over k >= 0, weighted with
# (k + 0.02) exp(-k), that is with the effect of h on A and on its slope.
_POLES = (
    5.904754598219248e-05,
    9.610996675635998e-04,
    7.506874449193985e-03,
    3.886898453653043e-02,
    1.5277892333459914e-01,
    4.9495164320176177e-01,
    1.396708438379045e00,
    3.6312721300051405e00,
)
_WEIGHTS = (
    1.1947352152113231e-08,
    2.1550782605378505e-06,
    1.0181058369623078e-04,
    2.164901661275299e-03,
    2.5268552908359998e-02,
    1.6405292095682752e-01,
    4.751075871731027e-01,
    3.314815781679509e-01,
)
_EULER = 0.5772156649015329
_TINY = 1e-30
"""Moves an argument off exact zero without changing any other."""


def _scaled_e2(k: Tensor) -> Tensor:
    """exp(k) E2(k) for k > 0, elementwise."""
    if k.dtype != torch.float64:
        total = torch.zeros_like(k)
        for pole, weight in zip(_POLES, _WEIGHTS, strict=True):
            total.add_((k + pole).reciprocal_(), alpha=weight)
        return total
    near, far = k.clamp(max=2.0), k.clamp(min=2.0)
    term, entire = torch.full_like(k, -1.0), torch.zeros_like(k)
    for n in range(1, 28):
        term = term * near / -n
        entire = entire + term / n
    series = 1.0 - near * near.exp() * (entire - near.log() - _EULER)
    fraction = far + 82.0
    for n in range(40, 0, -1):
        fraction = far + 2.0 * n - n * (n + 1.0) / fraction
    return torch.where(k < 2.0, series, fraction.reciprocal())


class _Absorbed(torch.autograd.Function):
    """k -> (A, E2)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(k: Tensor) -> tuple[Tensor, Tensor]:
        minus = (-k).expm1_()
        e2 = (minus + 1.0).mul_(_scaled_e2(k))
        return torch.addcmul(-minus, k, e2), e2

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0], output[1])
        ctx.save_for_forward(inputs[0], output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, grad_e2: Tensor | None) -> Tensor | None:
        k, e2 = ctx.saved_tensors
        total = None if grad is None else 2.0 * grad * e2
        if grad_e2 is not None:
            higher = -grad_e2 * ((-k).exp() - e2) / k
            total = higher if total is None else total + higher
        return total

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> tuple[Tensor, Tensor]:
        k, e2 = ctx.saved_tensors
        return 2.0 * tangent * e2, -tangent * ((-k).exp() - e2) / k


class _Phi(torch.autograd.Function):
    """x -> (exp(x) - 1) / x."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        x = x + _TINY
        return x.expm1().div_(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def slope(x: Tensor, value: Tensor) -> Tensor:
        """(exp(x) - phi(x)) / x, by its series, sum of n x^(n-1) / (n+1)!, where that cancels."""
        small = x.abs() < 0.1
        near = torch.where(small, x, torch.zeros_like(x))
        far = torch.where(small, torch.ones_like(x), x)
        series = torch.zeros_like(x)
        for n in range(9 if x.dtype == torch.float64 else 5, 0, -1):
            series = series * near + n / math.factorial(n + 1)
        return torch.where(small, series, (1.0 + far * value - value) / far)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * _Phi.slope(*ctx.saved_tensors)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent * _Phi.slope(*ctx.saved_tensors)


class _Arc(torch.autograd.Function):
    """z -> arctan(sqrt(z)) / sqrt(z), z > -1."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        root = z.abs().sqrt_().add_(_TINY)
        hyperbolic = root.clamp(max=1.0 - torch.finfo(z.dtype).eps).atanh_()
        return torch.where(z < 0.0, hyperbolic, root.atan()).div_(root)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def slope(z: Tensor, value: Tensor) -> Tensor:
        """(1 / (1 + z) - arc(z)) / (2 z), by its series where that cancels."""
        small = z.abs() < 0.05
        near = torch.where(small, z, torch.zeros_like(z))
        far = torch.where(small, torch.ones_like(z), z)
        series = torch.zeros_like(z)
        for n in range(10, 0, -1):
            series = (-1.0) ** n * n / (2.0 * n + 1.0) + near * series
        return torch.where(small, series, (1.0 / (1.0 + far) - value) / (2.0 * far))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * _Arc.slope(*ctx.saved_tensors)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent * _Arc.slope(*ctx.saved_tensors)


def absorbed(k: Tensor) -> Tensor:
    """Fraction of isotropic light absorbed by a layer of optical depth ``k`` > 0, any shape."""
    return _Absorbed.apply(k)[0]


def phi(x: Tensor) -> Tensor:
    """The mean of exp(x s) over s in [0, 1], that is (exp(x) - 1) / x; any shape."""
    return _Phi.apply(x)


def arc(z: Tensor) -> Tensor:
    """arctan(sqrt(z)) / sqrt(z) for z >= 0 and its continuation to z > -1; any shape."""
    return _Arc.apply(z)
