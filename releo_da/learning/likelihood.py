r"""The likelihood of innovations through the differentiable filter.

    log p(y_1..T) = sum_t log N(y_t; mean H(x_t), S_t + R_t),    S_t = cov H(x_t) over members

where x_t is the background ensemble at t. With R = D^1/2 C D^1/2 of variances D and a correlation C
between channels, W = D^-1/2 (0 where nothing was seen, and C there as in the identity) and
U = chol(C + W S W), each term needs no inverse and masks are exact:

    log N = -1/2 [ |U^-1 W d|^2 + 2 log |U| + sum_seen log(2 pi D) ],    d = y - mean H.

Undetected cloud would dominate a Gaussian likelihood, so each pixel's acquisition is a mixture of
the Gaussian and, with probability ``contamination``, a broad one (S + R plus a bright offset common
to all channels and an independent part); the analysis uses an acquisition with the posterior
probability that it is clean.

References: Chen, Sanz-Alonso and Willett (2022), SIAM J. Math. Data Sci. 4, 801-833 (auto-
differentiable EnKF); Kennedy, O'Hagan (2001) for discrepancy as part of the model.
Shapes: ``predicted [pixel, member, channel]``; result ``[pixel]``. Cost O(C^2 (N + C)) per pixel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.whitening import correlation_matrix, masked_correlation

BROAD = (0.15, 0.04)
"""Standard deviations of the common and of the independent part of a contaminated acquisition."""

CONTAMINATION = 1e-6
"""Prior probability that a pixel's acquisition is cloud or otherwise wrong."""


class Likelihood(NamedTuple):
    """Log-likelihood of each pixel's acquisition and the probability that it is clean."""

    log_density: Tensor
    clean: Tensor


def _log_normal(d: Tensor, covariance: Tensor, precision: Tensor, between: Tensor) -> Tensor:
    """Log N(d; 0, covariance + R) over the seen channels, ``[pixel]``; ``between`` is C."""
    seen = precision > 0
    safe = torch.where(seen, precision, torch.ones_like(precision))
    w = torch.where(seen, safe.sqrt(), torch.zeros_like(precision))
    lower = torch.linalg.cholesky(between + w[:, :, None] * covariance * w[:, None, :])
    white = torch.linalg.solve_triangular(lower, (w * d)[..., None], upper=False)[..., 0]
    logs = 2.0 * lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    norm = torch.where(seen, math.log(2.0 * math.pi) - safe.log(), 0.0).sum(-1)
    return -0.5 * (white.square().sum(-1) + logs + norm)


def innovation_likelihood(
    predicted: Tensor,
    y: Tensor,
    precision: Tensor,
    contamination: float = CONTAMINATION,
    correlation: float | Tensor = 0.0,
) -> Likelihood:
    """Robust log-likelihood of the innovations of one acquisition.

    Args:
        predicted: ``[pixel, member, channel]`` H of the background members.
        y: ``[pixel, channel]`` observed values.
        precision: ``[pixel, channel]`` 1 / R, 0 where nothing was seen.
        contamination: prior probability that a pixel's acquisition is cloud or otherwise wrong;
            0 for a plain Gaussian.
        correlation: of the errors between channels (`releo_da.assimilation.whitening.checked`).
    """
    mean = predicted.mean(1)
    anomalies = (predicted - mean[:, None]) / math.sqrt(predicted.shape[1] - 1)
    covariance = anomalies.transpose(1, 2) @ anomalies
    d = y - mean
    between = masked_correlation(correlation_matrix(correlation, y), precision > 0)
    good = _log_normal(d, covariance, precision, between)
    if contamination <= 0.0:
        return Likelihood(good, torch.ones_like(good))
    common, own = BROAD
    eye = torch.eye(d.shape[-1], dtype=d.dtype, device=d.device)
    bad = _log_normal(d, covariance + common**2 + own**2 * eye, precision, between)
    good, bad = good + math.log1p(-contamination), bad + math.log(contamination)
    both = torch.logaddexp(good, bad)
    return Likelihood(both, (good - both).exp().detach())
