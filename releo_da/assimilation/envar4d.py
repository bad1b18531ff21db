r"""4DEnVar: the variational analysis over a window without a tangent linear model.

The background ensemble, carried once through the window by `observe`, gives the sensitivities S of
`linalg`; no derivative of a model is needed. With d(w) = R^-1/2 (y - H(x(w))) the cost

    J(w) = |w|^2 / 2 + |d(w)|^2 / 2,     x(w) = mean(X) + A'w / sqrt(N-1)            w: [N]

is minimised with S held fixed: outer iterations observe the state x(w) alone, one member instead
of N, and w <- (I + SS')^-1 S (d + S'w). A pixel whose cost rose takes half of its step; one that
moves less than ``tolerance`` background spreads stands still. One iteration is the `etkf` over a
window (with H of the mean in place of the mean of H from the second on), and where H is linear it
is all there is. The anomalies are contracted as in `etkf`.

Between `etkf` (linearises once) and `ienks` (carries N members through the window every time).
Cost: N evaluations of H for one state, and one for each further iteration.

Reference: Liu, Xiao and Wang (2008), An ensemble-based four-dimensional variational data
assimilation scheme, part I, Mon. Wea. Rev. 136, 3363-3373; Desroziers, Camino and Berre (2014),
4DEnVar: link with 4D state formulation of variational assimilation, Q. J. R. Meteorol. Soc. 140,
2097-2110.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import (
    acted,
    anomalies,
    contract,
    gauss_newton_weights,
    innovation_factor,
    mean_shift,
    precision_root,
    settled,
    used,
    weighted,
    weights_cost,
)
from releo_da.types import Analysis, InputError, Noise, Observe


def envar4d(
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
    """Ensemble-variational analysis, over a window or at one time (Liu et al. 2008).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisitions, evaluated for the ensemble once and for one
            state in each further iteration.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: not used; the scheme is deterministic.
        memory: returned as it is.
        iterations: innovations that are computed; 1 is the plain `etkf`.
        tolerance: a pixel is done when its mean moves less than this many background spreads.

    Raises:
        InputError: ``iterations`` is below 1.
        ValueError: fewer than two members.
    """
    if iterations < 1:
        raise InputError(f"envar4d: iterations must be at least 1, got {iterations}")
    predicted = observe(prior)
    s, d = weighted(predicted, y, precision)
    lower, root = innovation_factor(s), precision_root(precision)
    best = s.new_zeros((*s.shape[:2], 1))
    cost = weights_cost(best, d)
    target = gauss_newton_weights(s, lower, d, best)
    moving = acted(precision)
    for _ in range(iterations - 1):
        if settled(moving):
            break
        seen = observe(_mean(prior, target))[:, 0]
        d = root * (y - seen)
        tried = weights_cost(target, d)
        better = tried <= cost
        step = torch.where(better, gauss_newton_weights(s, lower, d, target), (best + target) / 2)
        best = torch.where(moving & better, target, best)
        cost = torch.where(moving & better, tried, cost)
        moving = moving & ((step - target).square().sum((1, 2), keepdim=True) > tolerance**2)
        target = torch.where(moving, step, target)
    a = anomalies(prior)
    ensemble = prior + mean_shift(target, a) + contract(s, lower, a)
    return Analysis(ensemble, predicted, used(precision, lower), memory)


def _mean(prior: Tensor, w: Tensor) -> Tensor:
    """x(w), ``[pixel, 1, latent]``."""
    return prior.mean(1, keepdim=True) + mean_shift(w, anomalies(prior))
