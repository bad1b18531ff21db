r"""The ensemble transform Kalman filter, by triangular factors in observation space.

With S, d and Lo as in `linalg` (S'S + I = Lo Lo'), the analysis of one pixel is

    mean       x_a = x_b + A' S (Lo Lo')^-1 d / sqrt(N-1)        [L]
    anomalies  A_a = A - S Q,  Q = (Lo + I)^-T Lo^-1 S'A         [N, L]

The first line is the Kalman gain of the ensemble covariances, the second Andrews' modified gain:
mean and covariance are those of the Kalman filter, without an eigendecomposition (whose gradient
is not finite here, because more members than channels means repeated eigenvalues) and without an
N x N matrix. Since Lo^-1 S'A = (Lo + I)' Q, the increment of the mean is
Q'(d + Lo^-1 d) / sqrt(N-1). Both lines are one product, to which a member brings its own
innovation d_n:

    x_n <- x_n + Q' (d_n + Lo^-1 d) / sqrt(N-1),  d_n = R^-1/2 (y - Y_n)

`elimination` finds Q and Lo^-1 d. The result is written as prior plus increment: where nothing was
seen the increment is exactly 0 and the analysis is the background, bit by bit. A channel of
precision 0 acts exactly like a channel that is not there. Gradients reach the prior, the
observations and the precision. A pixel whose G rounding has spoilt (`linalg`) keeps its background
and returns precision 0: its values are refused.

Cost per pixel: N C^2 + 3 N C L + C^2 (C/3 + 2L) multiplications, beside one evaluation of H. The
option ``root: symmetric`` takes the symmetric square root instead (`square_root`), which moves the
members least and costs 5 to 15 times the time; ``kernel: compiled`` takes one compiled loop over
pixels (`compiled`), some six times as fast on a CPU.

Reference: Bishop, Etherton and Majumdar (2001), Adaptive sampling with the ensemble transform
Kalman filter, Mon. Wea. Rev. 129, 420-436; the square root is Andrews' (1968), AIAA J. 6.
"""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor

from releo_da.assimilation import compiled
from releo_da.assimilation.elimination import gains
from releo_da.assimilation.linalg import (
    anomalies,
    innovation_factor,
    mean_shift,
    refused,
    settled,
    weighted,
)
from releo_da.assimilation.square_root import contraction
from releo_da.types import Analysis, Noise, Observe

REFINED = 2
"""Solves in member space, each for what the one before left over; one alone loses digits there."""


def update(prior: Tensor, predicted: Tensor, y: Tensor, precision: Tensor) -> Tensor:
    """Analysis ensemble from the background and its predicted observations.

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        predicted: H of each member, ``[pixel, member, channel]``.
        y: observations, ``[pixel, channel]``, finite also where not seen.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.

    Returns:
        The analysis ensemble, ``[pixel, member, latent]``, member i paired with member i of prior.

    Raises:
        ValueError: fewer than two members.
    """
    return transformed(prior, *weighted(predicted, y, precision))[0]


def transformed(prior: Tensor, s: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """The analysis ensemble, and which pixels keep their background, ``[pixel]``."""
    q, innovation, lost = gains(s.mT @ s, s.mT @ anomalies(prior), d)
    shift = (d + innovation) * (prior.shape[1] - 1) ** -0.5
    moved = (shift[:, None] - s) @ q
    if not settled(lost):  # S may itself not be finite there
        moved = moved.masked_fill(lost[:, None, None], 0.0)
    return moved.add_(prior), lost


def symmetric_transformed(prior: Tensor, s: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """`transformed` with the symmetric square root: same mean and covariance, other members.

    The root is for anomalies only: T T (S d) is the mean as well, but subtracts numbers of the
    order of the squared precision from each other, and rounding would be all that is left. With
    more channels than members the factor is that of the smaller I + SS'.
    """
    few = s.shape[-1] <= s.shape[-2]
    lower = innovation_factor(s if few else s.mT)
    lost = refused(lower)
    if not settled(lost):  # S may itself not be finite there, which no eigenvector survives
        s, d = s.masked_fill(lost[:, None, None], 0.0), d.masked_fill(lost[:, None], 0.0)
    if few:
        w = s @ torch.cholesky_solve(d[..., None], lower)
    else:
        w = torch.zeros_like(s[..., :1])
        for _ in range(REFINED):
            w = w + torch.cholesky_solve(s @ (d[..., None] - s.mT @ w) - w, lower)
    a = anomalies(prior)
    return prior + mean_shift(w, a) + contraction(a.mT, s).mT, lost


def etkf(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
    *,
    root: Literal["triangular", "symmetric"] = "triangular",
    kernel: Literal["plain", "compiled"] = "plain",
) -> Analysis:
    """Deterministic square-root analysis; the default scheme (Bishop et al. 2001).

    Exact for a linear operator and Gaussian errors up to the sampling of the prior; for a
    nonlinear one it linearises once, over the spread of the background.

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated once.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: not used; the scheme is deterministic.
        memory: returned as it is.
        root: ``triangular`` is fastest; ``symmetric`` moves the members least.
        kernel: ``compiled`` takes the triangular root through one compiled loop (`compiled`) where
            that is possible, and warns once where it is not.

    Raises:
        ValueError: fewer than two members.
    """
    predicted = observe(prior)
    if kernel == "compiled" and root == "triangular":
        reason = compiled.reason_against(prior, predicted, y, precision)
        if reason is None:
            found, lost = compiled.transformed(prior, predicted, y, precision)
            used = precision.masked_fill(lost[:, None], 0.0)
            return Analysis(found, predicted, used, memory)
        warnings.warn(f"etkf: the plain kernel takes over, since {reason}", stacklevel=2)
    chosen = symmetric_transformed if root == "symmetric" else transformed
    ensemble, lost = chosen(prior, *weighted(predicted, y, precision))
    return Analysis(ensemble, predicted, precision.masked_fill(lost[:, None], 0.0), memory)
