r"""The serial ensemble square root filter: one channel after the other, each a scalar problem.

With S and d as in `linalg`, s = S[:, c] the anomalies of channel c after the channels before it
were used, v = s's its variance in units of its error, and Z = [A, S] state and predicted anomalies
side by side, one channel does

    mean       x <- x + A's d_c / ((1 + v) sqrt(N-1)),   d <- d - S's d_c / (1 + v)
    anomalies  Z <- Z - s (s'Z) / (1 + v + sqrt(1 + v))

which contracts s itself by 1/sqrt(1 + v), the factor of the ensemble adjustment filter (EAKF), and
regresses everything else on it. Mean and covariance after all channels are those of the Kalman
filter; the members differ from those of `etkf` by a rotation. H is evaluated once: the predictions
of later channels are carried along by regression.

A localization enters between the two: what a latent (or a later channel) receives from channel c
is multiplied by a coefficient (`releo_da.assimilation.localization.sl_eakf`).

Cost per pixel: 4 N C (C + L) multiplications in C steps, beside one evaluation of H. Steps follow
one another, so `etkf` is faster for as many channels as a sensor has.

Reference: Whitaker and Hamill (2002), Ensemble data assimilation without perturbed observations,
Mon. Wea. Rev. 130, 1913-1924; Anderson (2003), A local least squares framework for ensemble
filtering, Mon. Wea. Rev. 131, 634-642.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import anomalies, weighted
from releo_da.types import Analysis, Noise, Observe


def serial_update(
    prior: Tensor,
    predicted: Tensor,
    y: Tensor,
    precision: Tensor,
    taper: Tensor | None = None,
) -> Tensor:
    """Analysis ensemble by scalar updates in the order of the channels.

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        predicted: H of each member, ``[pixel, member, channel]``.
        y: observations, ``[pixel, channel]``, finite also where not seen.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        taper: ``[channel, latent + channel]``, what of an update by a channel reaches each latent
            and each predicted channel; everything where it is None.

    Returns:
        The analysis ensemble, ``[pixel, member, latent]``, member i paired with member i of prior.

    Raises:
        ValueError: fewer than two members.
    """
    s, d = weighted(predicted, y, precision)
    members, latents = prior.shape[1:]
    scale = (members - 1) ** -0.5
    start = torch.cat([anomalies(prior), s], -1)
    # What is added to prior and innovation, so that nothing seen means nothing changed.
    spread, moved = torch.zeros_like(start), torch.zeros_like(start[:, :1])
    for c in range(s.shape[-1]):
        z = start + spread
        own = z[..., latents + c : latents + c + 1]
        variance = 1.0 + own.square().sum(1, keepdim=True)
        reach = own.mT @ z
        if taper is not None:
            reach = reach * taper[c]
        innovation = d[:, None, c : c + 1] - moved[..., latents + c : latents + c + 1]
        moved = moved + reach * (innovation / variance)
        spread = spread - own * (reach / (variance + variance.sqrt()))
    return prior + scale * moved[..., :latents] + spread[..., :latents]


def ensrf(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
) -> Analysis:
    """Serial square-root analysis, EnSRF or EAKF (Whitaker and Hamill 2002; Anderson 2003).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated once.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: not used; the scheme is deterministic.
        memory: returned as it is.

    Raises:
        ValueError: fewer than two members.
    """
    predicted = observe(prior)
    return Analysis(serial_update(prior, predicted, y, precision), predicted, precision, memory)
