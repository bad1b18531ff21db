r"""Updates for operators that are strongly nonlinear over the spread of the background.

A single update linearises H once, over a wide background, and may land far from where y is
matched. Two remedies, both equal to the Kalman update when H is linear:

`multiple`  takes the likelihood in parts: K updates with precision / K, observing anew in between
            (p(y|x) = prod p(y|x)^(1/K)). Steps are short, so each linearisation is local.
            Around the stochastic filter it is `esmda`.

`iterated`  Gauss-Newton in ensemble space. With weights w, state x(w) = mean(X) + A'w / sqrt(N-1)
            and innovation d(w) = R^-1/2 (y - mean H(E(w))), it minimises

                J(w) = |w|^2 / 2 + |d(w)|^2 / 2                                      w: [N]

            where the ensemble that is observed, E = x(w) + T A, has already the analysis spread
            of the last iteration. Its predicted anomalies divided by T are the sensitivities S of
            background size (see `linalg`), and with S the step is

                w <- S (I + S'S)^-1 (d + S'w),      T <- (I + SS')^-1/2

            A pixel whose cost rose takes half of its last step instead; one whose step is shorter
            than ``tolerance`` stands still. Both are decided per pixel, so that a pixel's result
            does not depend on its neighbours.

Cost: K or ``iterations`` evaluations of H, each with one ETKF update beside it.

Reference: Emerick and Reynolds (2013), Ensemble smoother with multiple data assimilation, Comput.
Geosci. 55, 3-15; Bocquet and Sakov (2014), An iterative ensemble Kalman smoother, Q. J. R.
Meteorol. Soc. 140, 1521-1535, here its transform variant without a window.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.enkf import enkf
from releo_da.assimilation.linalg import (
    anomalies,
    contract,
    expand,
    gauss_newton_weights,
    innovation_factor,
    mean_shift,
    settled,
    used,
    weighted,
    weights_cost,
)
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme


def multiple(scheme: Scheme, times: int = 2) -> Scheme:
    """Assimilate the same observations ``times`` times with precision / ``times`` each.

    A value that ``scheme`` refuses the first time stays refused. ``predicted`` and ``memory`` are
    those of the first update, that is of the background. Put inflation outside of it, where it acts
    once, and screening as well.

    Raises:
        InputError: ``times`` is below 1.
    """
    if times < 1:
        raise InputError(f"multiple: times must be at least 1, got {times}")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        first = scheme(prior, observe, y, precision / times, noise, memory)
        ensemble = first.ensemble
        for _ in range(times - 1):
            ensemble = scheme(ensemble, observe, y, first.precision, noise, memory).ensemble
        told = torch.where(first.precision > 0, precision, 0.0)
        return first._replace(ensemble=ensemble, precision=told)

    return analyse


def esmda(times: int = 4) -> Scheme:
    """Ensemble smoother with multiple data assimilation (Emerick and Reynolds 2013).

    The stochastic filter (`enkf`) ``times`` times with precision / ``times`` and new perturbations
    each time: short for ``multiple(enkf, times)``.

    Args:
        times: number of updates.

    Raises:
        InputError: ``times`` is below 1.
    """
    return multiple(enkf, times)


class _Iterate(NamedTuple):
    """Where the minimisation stands: weights, sensitivities, their factor, and the cost there."""

    w: Tensor  # [pixel, member, 1]
    s: Tensor  # [pixel, member, channel]
    lower: Tensor  # [pixel, channel, channel]
    cost: Tensor  # [pixel, 1, 1]


def iterated(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
    *,
    iterations: int = 3,
    tolerance: float = 1e-3,
) -> Analysis:
    """Iterated square-root analysis: Gauss-Newton with the ensemble's own sensitivities.

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated at most ``iterations`` times.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: not used; the scheme is deterministic.
        memory: returned as it is.
        iterations: evaluations of the operator; 1 is the plain `etkf`.
        tolerance: a pixel is done when its mean moves less than this many background spreads.

    Raises:
        InputError: ``iterations`` is below 1.
        ValueError: fewer than two members.
    """
    if iterations < 1:
        raise InputError(f"iterated: iterations must be at least 1, got {iterations}")
    background = observe(prior)
    s, d = weighted(background, y, precision)
    w = s.new_zeros((*s.shape[:2], 1))
    best = _Iterate(w, s, innovation_factor(s), weights_cost(w, d))
    told = used(precision, best.lower)
    target = gauss_newton_weights(best.s, best.lower, d, best.w)
    moved = (target - best.w).square().sum((1, 2), keepdim=True) > tolerance**2
    for _ in range(iterations - 1):
        if settled(moved):
            break
        predicted = observe(_ensemble(prior, target, best))
        tried, d = _evaluate(predicted, y, precision, target, best)
        better = tried.cost <= best.cost
        half = (best.w + target) / 2
        step = torch.where(better, gauss_newton_weights(tried.s, tried.lower, d, tried.w), half)
        best = _choose(moved & better, tried, best)
        moved = moved & ((step - target).square().sum((1, 2), keepdim=True) > tolerance**2)
        target = torch.where(moved, step, target)
    return Analysis(_ensemble(prior, target, best), background, told, memory)


def _ensemble(prior: Tensor, w: Tensor, at: _Iterate) -> Tensor:
    """x(w) + T A as prior plus increment, ``[pixel, member, latent]``."""
    a = anomalies(prior)
    return prior + mean_shift(w, a) + contract(at.s, at.lower, a)


def _evaluate(
    predicted: Tensor, y: Tensor, precision: Tensor, w: Tensor, last: _Iterate
) -> tuple[_Iterate, Tensor]:
    """The iterate at ``w`` from H of the ensemble with the spread of ``last``, and d there."""
    z, d = weighted(predicted, y, precision)
    s = z + expand(last.s, last.lower, z)
    return _Iterate(w, s, innovation_factor(s), weights_cost(w, d)), d


def _choose(where: Tensor, left: _Iterate, right: _Iterate) -> _Iterate:
    """Field by field, ``left`` at the pixels where ``where`` and ``right`` elsewhere."""
    return _Iterate(*(torch.where(where, a, b) for a, b in zip(left, right, strict=True)))
