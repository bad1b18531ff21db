r"""The deterministic ensemble Kalman filter: the gain for the mean, half of it for the anomalies.

With S, d and Lo as in `linalg` and K' = S (Lo Lo')^-1 S' (member space),

    mean       x_a = x_b + A' S (Lo Lo')^-1 d / sqrt(N-1)        [L]
    anomalies  A_a = A - K' A / 2                                [N, L]

The covariance is P - KHP + KHPH'K'/4: that of the Kalman filter to first order in the gain, and
larger beyond it, which acts as an inflation where observations are strong. It is linear in the
anomalies, hence cheap to localize in state space, and needs no square root.

Cost per pixel: N C^2 + 3 N C L + C^3/3 multiplications, beside one evaluation of H.

Reference: Sakov and Oke (2008), A deterministic formulation of the ensemble Kalman filter: an
alternative to ensemble square root filters, Tellus A 60, 361-371.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import anomalies, innovation_factor, used, weighted
from releo_da.types import Analysis, Noise, Observe


def denkf(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
) -> Analysis:
    """Half-gain analysis of the anomalies (Sakov and Oke 2008).

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
    s, d = weighted(predicted, y, precision)
    scale = (prior.shape[1] - 1) ** -0.5
    lower = innovation_factor(s)
    weights = torch.cholesky_solve(s.mT @ anomalies(prior), lower)
    ensemble = prior + (scale * d[:, None] - 0.5 * s) @ weights
    return Analysis(ensemble, predicted, used(precision, lower), memory)
