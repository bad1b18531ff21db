r"""FilterPy's ensemble Kalman filter, pixel by pixel: an implementation by others to compare with.

For each pixel and its seen channels, with sample covariances of the members x_i and h_i = H(x_i),

    x_i <- x_i + C_xh (C_hh + R)^-1 (y + R^1/2 e_i - h_i)

which is the analysis of `enkf` but for its perturbations e_i: FilterPy draws its own from numpy's
global state and does not centre them, so its mean is the Kalman mean in distribution only. That
state is seeded here from ``noise``, pixel by pixel, and put back afterwards: a run is as
reproducible as with any other scheme.

It is a reference and no tool for maps: it loops over pixels in Python (about 4,000 pixels a second
with 32 members, 12 latents and 10 channels), works on the CPU in float64 and carries no gradient. A
pixel whose members are not finite is returned as it is.

Reference: Labbe, FilterPy (https://filterpy.readthedocs.io), class EnsembleKalmanFilter; Evensen
(2003), The ensemble Kalman filter: theoretical formulation and practical implementation, Ocean
Dynamics 53, 343-367.
"""

from __future__ import annotations

import numpy as np
import torch
from filterpy.kalman import EnsembleKalmanFilter
from torch import Tensor

from releo_da.assimilation.linalg import check_members
from releo_da.types import Analysis, Noise, Observe


@torch.no_grad()
def filterpy(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
) -> Analysis:
    """Stochastic EnKF of the package FilterPy, as a reference (Labbe).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated once.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: seeds FilterPy's perturbations.
        memory: returned as it is.

    Raises:
        ValueError: fewer than two members.
    """
    check_members(prior.shape[1])
    predicted = observe(prior)
    seeds = noise((len(prior), 1, 1)).float().cpu().view(torch.int32).flatten().numpy()
    sigmas, seen, values, weights = (
        t.detach().cpu().double().numpy() for t in (prior, predicted, y, precision)
    )
    analysed = sigmas.copy()
    kept = np.random.get_state()
    try:
        for p in range(len(sigmas)):
            used = weights[p] > 0
            if used.any() and np.isfinite(sigmas[p]).all() and np.isfinite(seen[p]).all():
                np.random.seed(int(seeds[p]) & 0x7FFFFFFF)
                analysed[p] = one_pixel(
                    sigmas[p], seen[p][:, used], values[p, used], weights[p, used]
                )
    finally:
        np.random.set_state(kept)
    moved = torch.from_numpy(analysed - sigmas).to(prior)
    return Analysis(prior + moved.nan_to_num(0.0), predicted, precision, memory)


def one_pixel(
    sigmas: np.ndarray, seen: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """FilterPy's members after the update, ``[member, latent]``; hx reads the table ``seen``."""
    rows = iter(seen)
    peer = EnsembleKalmanFilter(
        x=sigmas.mean(0),
        P=np.eye(sigmas.shape[1]),
        dim_z=len(values),
        dt=1.0,
        N=len(sigmas),
        hx=lambda sigma: next(rows),
        fx=lambda sigma, dt: sigma,
    )
    peer.sigmas, peer.R = sigmas.copy(), np.diag(1.0 / weights)
    peer.update(values)
    return np.asarray(peer.sigmas)
