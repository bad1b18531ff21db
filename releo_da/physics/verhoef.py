"""Verhoef's distribution of leaf inclination, by its average slope a and its bimodality b.

The fraction of leaves less steep than theta is F = 2 (x - theta) / pi, where x solves

    G(x) = x - a sin x - (b / 2) sin 2x - 2 theta = 0.

Named cases (a, b): planophile (1, 0), erectophile (-1, 0), plagiophile (0, -1), extremophile
(0, 1), uniform (0, 0), close to spherical (-0.35, -0.15). With |a| + |b| <= 1, G does not decrease
and there is one root. Laguerre's iteration takes the slope and the curvature of G, and from
x = 2 theta + a sin 2 theta + (b / 2) sin 4 theta it reaches rounding error in 6 steps. Derivatives
are those of the implicit function,

    dx/da = sin x / G',   dx/db = sin 2x / (2 G'),   G' = 1 - a cos x - b cos 2x.

G' vanishes at one point only: at (0, -1) all leaves stand at 45 degrees and dx/da is infinite
there; a floor under G' keeps it finite.

Reference: Verhoef (1998), Theory of radiative transfer models applied in optical remote sensing of
vegetation canopies, thesis, Wageningen Agricultural University, section 3.3.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_STEPS = 6
_DEGREE = 3.0
"""Laguerre's iteration is that of a polynomial of this degree: G is close to a cubic at (0, -1),
the one place where roots are hard to find."""
_FLOOR = 1e-6
"""Least slope G' by which a derivative is divided."""
_TINY = 1e-8
"""Keeps a step at (0, -1) small, where G and its first two derivatives are rounding errors."""


class _Root(torch.autograd.Function):
    """(2 theta, a, b) -> x, elementwise."""

    generate_vmap_rule = True

    @staticmethod
    def forward(p: Tensor, a: Tensor, b: Tensor) -> Tensor:
        half = 0.5 * b
        x = p + a * p.sin() + half * (2.0 * p).sin()
        for _ in range(_STEPS):
            sine, cosine = x.sin(), x.cos()
            double = 2.0 * sine * cosine
            value = x - p - a * sine - half * double
            slope = 1.0 - a * cosine - b * (1.0 - 2.0 * sine * sine)
            bend = a * sine + 2.0 * b * double
            square = (_DEGREE - 1.0) ** 2 * slope * slope
            root = (square - _DEGREE * (_DEGREE - 1.0) * value * bend).abs().sqrt()
            step = _DEGREE * value / (slope + root + _TINY)
            x = (x - step).clamp(0.0, math.pi)
        return x

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:], output)
        ctx.save_for_forward(*inputs[1:], output)

    @staticmethod
    def slopes(a: Tensor, b: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """dx/dp, dx/da, dx/db."""
        double = 2.0 * x
        inverse = 1.0 / (1.0 - a * x.cos() - b * double.cos()).clamp_min(_FLOOR)
        return inverse, x.sin() * inverse, 0.5 * double.sin() * inverse

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        by_p, by_a, by_b = _Root.slopes(*ctx.saved_tensors)
        return grad * by_p, grad * by_a, grad * by_b

    @staticmethod
    def jvp(ctx: Any, dp: Tensor | None, da: Tensor | None, db: Tensor | None) -> Tensor:
        slopes = _Root.slopes(*ctx.saved_tensors)
        terms = [s * d for s, d in zip(slopes, (dp, da, db), strict=True) if d is not None]
        return torch.stack(terms).sum(0)


def steeper(lidfa: Tensor, lidfb: Tensor, edges: Tensor) -> Tensor:
    """Fraction of leaves steeper than given inclinations.

    Args:
        lidfa: average leaf slope, 1 flat to -1 upright, ``[...]``.
        lidfb: bimodality, ``[...]``; ``|lidfa| + |lidfb|`` at most 1.
        edges: inclinations in radians, float64 ``[e]``.

    Returns:
        ``[e, ...]``, of the dtype of ``lidfa``; worked out in float64.
    """
    a, b = torch.broadcast_tensors(lidfa.double(), lidfb.double())
    theta = edges.to(a.device).view(-1, *[1] * a.dim())
    x = _Root.apply(*torch.broadcast_tensors(2.0 * theta, a, b))
    return (1.0 - 2.0 / math.pi * (x - theta)).to(lidfa.dtype)
