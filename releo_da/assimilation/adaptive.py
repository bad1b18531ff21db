r"""Inflation that is estimated from the innovations, per latent, as the cycles go.

The background anomalies of a latent are multiplied by the root of its factor L. If the variance is
then still too small by a factor q, innovations d have E |d|^2 = q tr(S'S) + p for p seen channels
(in units of their error, S after the inflation; `linalg`). One acquisition estimates q, and how
uncertain that estimate is, as

    q_o = (|d|^2 - p) / tr(S'S),      V_o = 2 p (1 + p / tr(S'S))^2 / p^2

and a scalar Kalman filter joins it with q = 1, which is uncertain by v = ``variance``; between
cycles the factor fades towards 1:

    L <- L (1 + c (q_o - 1) v / (v + V_o)),      L <- 1 + damping (L - 1)

A latent follows the innovations only as far as they say anything about it: c is the share of its
variance that the analysis took away. So what nobody observes is never inflated, and a pixel that
sees nothing changes nothing but the fading.

The factors ride in ``memory["inflation"]``, ``[pixel, latent]``, as logarithms: 0 is none. Cost per
pixel: N (C + L), beside the scheme's. ``predicted`` of the result is H of the inflated background.

Reference: Anderson (2009), Spatially and temporally varying adaptive covariance inflation for
ensemble filters, Tellus A 61, 72-83; Miyoshi (2011), The Gaussian approach to adaptive covariance
inflation and its implementation with the local ensemble transform Kalman filter, Mon. Wea. Rev.
139, 1519-1535 (the filter of the factor).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from releo_da.assimilation.background import refuse_appended
from releo_da.assimilation.linalg import acted, anomalies, weighted
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme

INFLATION = "inflation"
"""Key of the memory that holds log factors, ``[pixel, latent]``."""


def adaptive(
    scheme: Scheme,
    variance: float = 0.04,
    damping: float = 0.99,
    largest: float = 4.0,
) -> Scheme:
    """Inflate the background by factors that innovations of earlier cycles ask for.

    Args:
        scheme: meets the inflated background.
        variance: of a latent's factor from cycle to cycle; larger follows faster, and noise too.
        damping: share of the excess over 1 that is kept per cycle.
        largest: bound of the factor of the variance; 1 / ``largest`` bounds it below.

    Raises:
        InputError: ``variance`` not positive, ``damping`` outside [0, 1], ``largest`` below 1;
            in use: a window with noise among the latents.
    """
    if not variance > 0.0:
        raise InputError(f"adaptive: variance must be positive, got {variance}")
    if not 0.0 <= damping <= 1.0:
        raise InputError(f"adaptive: damping must lie between 0 and 1, got {damping}")
    if not largest >= 1.0:
        raise InputError(f"adaptive: largest must be at least 1, got {largest}")
    bound = math.log(largest)

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        refuse_appended(memory, "adaptive")
        held = memory.get(INFLATION)
        rest = {name: kept for name, kept in memory.items() if name != INFLATION}
        factor = torch.ones_like(prior[:, 0])
        start, seen = prior, acted(precision)
        if held is not None:
            factor = 1.0 + damping * torch.expm1(held)
            more = torch.where(seen, (factor.sqrt() - 1.0)[:, None], 0.0)
            start = prior + more * anomalies(prior)
        result = scheme(start, observe, y, precision, noise, rest)
        used = acted(result.precision)
        learned = _learned(start, result.ensemble)
        kept = torch.where(used[:, 0], factor * _correction(result, y, learned, variance), factor)
        memory = {**result.memory, INFLATION: kept.log().clamp(-bound, bound)}
        # The inflation is undone where nothing was used, unless something moved the pixel all the
        # same: what its neighbours saw.
        idle = ~used & (result.ensemble == start).flatten(1).all(-1)[:, None, None]
        ensemble = torch.where(idle, prior, result.ensemble)
        return result._replace(ensemble=ensemble, memory=memory)

    return analyse


def _learned(before: Tensor, after: Tensor) -> Tensor:
    """Share of the variance of each latent that an analysis took away, ``[pixel, latent]``."""
    prior, left = (anomalies(x).square().sum(1) for x in (before, after))
    some = prior > 0
    share = 1.0 - torch.where(some, left, 1.0) / torch.where(some, prior, 1.0)
    return share.clamp(0.0, 1.0)


def _correction(result: Analysis, y: Tensor, learned: Tensor, variance: float) -> Tensor:
    """What the innovations multiply the factors by, ``[pixel, latent]``."""
    s, d = weighted(result.predicted, y, result.precision)
    number = (result.precision > 0).sum(-1, keepdim=True).to(s).clamp(min=1.0)
    trace = s.square().sum((1, 2))[:, None]
    told = trace > 0
    trace = torch.where(told, trace, 1.0)
    estimate = (d.square().sum(-1, keepdim=True) - number) / trace
    uncertain = 2.0 / number * (1.0 + number / trace).square()
    moved = 1.0 + learned * (estimate - 1.0) * variance / (variance + uncertain)
    return torch.where(told, moved, 1.0).clamp(min=1e-3)
