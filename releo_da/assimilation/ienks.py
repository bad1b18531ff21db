r"""The iterative ensemble Kalman smoother: Gauss-Newton in ensemble space, over a window.

With weights w, the state x(w) = mean(X) + A'w / sqrt(N-1) at the start of the window (or at the
time of the observations, then it is an iterative filter) and d(w) = R^-1/2 (y - mean H(E(w))), it
minimises

    J(w) = zeta |w|^2 / 2 + |d(w)|^2 / 2                                             w: [N]

by w <- (zeta I + SS')^-1 S (d + S'w). The sensitivities S come from an ensemble about x(w), carried
through the window with it:

    transform   E = x(w) + T A, T = (zeta I + SS')^-1/2 of the last iteration, S = T^-1 Z
    bundle      E = x(w) + eps A, S = Z / eps: a finite difference, for a tangent linear model

with Z the weighted anomalies of H(E). The analysis anomalies are T A. zeta is 1, or, with
``finite_size``, c / (e + |w|^2 / (N-1)) as in `enkf_n` (Bocquet's IEnKS-N), taken anew in each
iteration. A pixel whose mean moves less than ``tolerance`` background spreads stands still.

`iterated` is the same without a window's options and with a safeguard: it halves a step that makes
things worse, where this takes every step, as published. With one iteration both are `etkf`.

Cost: ``iterations`` evaluations of H with N members, that is of the model over the window.

Reference: Sakov, Oliver and Bertino (2012), An iterative EnKF for strongly nonlinear systems, Mon.
Wea. Rev. 140, 1988-2004; Bocquet and Sakov (2014), An iterative ensemble Kalman smoother, Q. J. R.
Meteorol. Soc. 140, 1521-1535.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.enkf_n import hyperprior, trace_of_gain
from releo_da.assimilation.linalg import (
    acted,
    anomalies,
    contract,
    expand,
    innovation_factor,
    mean_shift,
    settled,
    used,
    weighted,
)
from releo_da.types import Analysis, InputError, Noise, Observe


class _At(NamedTuple):
    """Sensitivities at an iterate in units of zeta^1/2, and zeta."""

    s: Tensor  # [pixel, member, channel]
    lower: Tensor  # [pixel, channel, channel]
    zeta: Tensor  # [pixel, 1, 1]


def ienks(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
    *,
    iterations: int = 10,
    tolerance: float = 1e-4,
    sensitivities: Literal["transform", "bundle"] = "transform",
    eps: float = 1e-4,
    finite_size: float | None = None,
) -> Analysis:
    """Iterative ensemble Kalman smoother or filter (Bocquet and Sakov 2014).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisitions, evaluated at most ``iterations`` times.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: not used; the scheme is deterministic.
        memory: returned as it is.
        iterations: evaluations of the operator; 1 is the plain `etkf`.
        tolerance: a pixel is done when its mean moves less than this many background spreads.
        sensitivities: ``transform`` over the analysis spread, ``bundle`` by finite differences.
        eps: size of a bundle in background spreads; of the order 1e-4 needs float64.
        finite_size: the tuning of `enkf_n`; None does not correct for sampling.

    Raises:
        InputError: ``iterations`` is below 1, ``eps`` or ``finite_size`` not positive.
        ValueError: fewer than two members.
    """
    _check(iterations, eps, finite_size)
    background = observe(prior)
    s, d = weighted(background, y, precision)
    w = s.new_zeros((*s.shape[:2], 1))
    at = _at(s, w, finite_size)
    told = used(precision, at.lower)
    moving = acted(told)
    for iteration in range(iterations):
        if iteration > 0:
            if settled(moving):
                break
            predicted = observe(_ensemble(prior, w, at, eps if sensitivities == "bundle" else None))
            z, d = weighted(predicted, y, precision)
            s = z / eps if sensitivities == "bundle" else _back(z, at)
            new = _at(s, w, finite_size)
            at = _At(*(torch.where(moving, a, b) for a, b in zip(new, at, strict=True)))
        target = torch.where(moving, _step(at, d, w), w)
        moving = moving & ((target - w).square().sum((1, 2), keepdim=True) > tolerance**2)
        w = target
    found = torch.where(acted(told), _ensemble(prior, w, at, None), prior)
    return Analysis(found, background, told, memory)


def _check(iterations: int, eps: float, finite_size: float | None) -> None:
    if iterations < 1:
        raise InputError(f"ienks: iterations must be at least 1, got {iterations}")
    for name, value in {"eps": eps, "finite_size": finite_size}.items():
        if value is not None and not value > 0.0:
            raise InputError(f"ienks: {name} must be positive, got {value}")


def _at(s: Tensor, w: Tensor, finite_size: float | None) -> _At:
    """The iterate's factor, S scaled by its zeta."""
    if finite_size is None:
        return _At(s, innovation_factor(s), torch.ones_like(w[:, :1]))
    members = s.shape[1]
    prior = hyperprior(trace_of_gain(s), members, finite_size)
    reach = w.square().sum((1, 2)) / (members - 1)
    zeta = (prior.covariance / (prior.mean + reach))[:, None, None]
    scaled = s / zeta.sqrt()
    return _At(scaled, innovation_factor(scaled), zeta)


def _step(at: _At, d: Tensor, w: Tensor) -> Tensor:
    """Minimiser of J with H linearised at w, ``[pixel, member, 1]``."""
    root = at.zeta.sqrt()
    right = d[..., None] + root * (at.s.mT @ w)
    return at.s @ torch.cholesky_solve(right, at.lower) / root


def _ensemble(prior: Tensor, w: Tensor, at: _At, eps: float | None) -> Tensor:
    """x(w) + T A, or x(w) + eps A for a bundle, ``[pixel, member, latent]``."""
    a = anomalies(prior)
    mean = mean_shift(w, a)
    if eps is not None:
        return prior + mean + (eps - 1.0) * a
    root = at.zeta.sqrt()
    return prior + mean + (contract(at.s, at.lower, a) + (1.0 - root) * a) / root


def _back(z: Tensor, at: _At) -> Tensor:
    """T^-1 Z, ``[pixel, member, channel]``."""
    return at.zeta.sqrt() * (z + expand(at.s, at.lower, z))
