r"""The stochastic ensemble Kalman filter: every member meets its own perturbed observations.

With S, d and Lo as in `linalg` and e_i of mean 0 and variance 1,

    x_i <- x_i + A' S (Lo Lo')^-1 (d + e_i - sqrt(N-1) S_i) / sqrt(N-1)

which is x_i + K (y + R^1/2 e_i - H(x_i)) with the Kalman gain K of the ensemble covariances. The
e_i are standard normal draws, centred over members, so that the mean is the Kalman mean exactly.
Centring takes 1/N off their variance; the factor sqrt(N / (N-1)) puts it back, so that every member
meets the error that the observation has. The covariance is then in expectation

    P_a + K R K' / (N-1),    P_a that of the Kalman filter:

the second term vanishes as N grows, and works against the spread that small ensembles lack. The
square root of `etkf` has no such noise: prefer it, unless members must not keep their arrangement
from cycle to cycle.

Cost per pixel: N C^2 + 3 N C L + C^3/3 multiplications, beside one evaluation of H.

Reference: Burgers, van Leeuwen and Evensen (1998), Analysis scheme in the ensemble Kalman filter,
Mon. Wea. Rev. 126, 1719-1724.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import anomalies, innovation_factor, used, weighted
from releo_da.types import Analysis, Noise, Observe


def enkf(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
) -> Analysis:
    """Perturbed-observations analysis (Burgers et al. 1998).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated once.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: gives the perturbations, ``[pixel, member, channel]``.
        memory: returned as it is.

    Raises:
        ValueError: fewer than two members.
    """
    predicted = observe(prior)
    s, d = weighted(predicted, y, precision)
    members = prior.shape[1]
    drawn = anomalies(noise(predicted.shape)) * (members / (members - 1)) ** 0.5
    innovations = (d[:, None] + drawn) * (members - 1) ** -0.5 - s
    lower = innovation_factor(s)
    weights = torch.cholesky_solve(s.mT @ anomalies(prior), lower)
    return Analysis(prior + innovations @ weights, predicted, used(precision, lower), memory)
