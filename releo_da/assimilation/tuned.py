r"""Observation errors estimated online: a factor of R per channel that follows the innovations.

With the weighted innovation d and G = I + S'S of `linalg`, in units of the errors as used, the
statistic of Desroziers (`desroziers`) for the error of channel c over its assumed variance is

    z_c = d_c (G^-1 d)_c,      E z_c = 1 + (G^-1)_cc (q_c - 1)

if the variance is in truth q_c times what is assumed and the spread of the ensemble is right. The
residual y - H(x_a) is taken from the gain (it is G^-1 d), so H is not evaluated again. After each
analysis, for the channels that were used,

    log f_c <- log f_c + (1 - damping) (z_c - 1)

so f_c rests where E z_c = 1: at the right variance. With a correlation C of the errors, which
`whitened` inside uses, G = C + S'S and z_c = d_c (C G^-1 d)_c: the same residual, in other units.
Left out, C would be taken for variances that are wrong. A channel that says little about its own
error, because the background is much less certain than it ((G^-1)_cc near 0), moves slowly of
itself.

The factors ride in ``memory["error@"]``, ``[pixel, C]``, as logarithms (0 is none). A key of that
form belongs to the sensor of the acquisition, and the loop keeps one of each
(`releo_da.cycling.memory`), so sensors do not share factors. Spread and errors are told apart by
the gain only: with an ensemble whose spread is wrong this estimates the wrong R. Cost per pixel:
N C^2 + C^3/3, twice that with C.

Reference: Li, Kalnay and Miyoshi (2009), Simultaneous estimation of covariance inflation and
observation errors within an ensemble Kalman filter, Q. J. R. Meteorol. Soc. 135, 523-533.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from releo_da.assimilation.linalg import innovation_factor, weighted
from releo_da.assimilation.whitening import Correlation, checked, error_factor, independent
from releo_da.types import PER_SENSOR, Analysis, InputError, Noise, Observe, Scheme

ERROR = f"error{PER_SENSOR}"
"""Key of the memory that holds log factors of R, ``[pixel, channel]``, of one sensor."""


def tuned(
    scheme: Scheme,
    damping: float = 0.98,
    largest: float = 9.0,
    correlation: Correlation = 0.0,
) -> Scheme:
    """Multiply the error variances by factors that earlier innovations ask for.

    The ``precision`` of the result is that of the acquisition where a value was used, so that only
    refusals show as 0.

    Args:
        scheme: meets the corrected precision.
        damping: what is kept of the past in each cycle; the estimate averages over about
            1 / (1 - damping) acquisitions.
        largest: bound of the factor of the variance; 1 / ``largest`` bounds it below.
        correlation: that of `whitened` inside; a configuration fills it in.

    Raises:
        InputError: ``damping`` outside [0, 1], ``largest`` below 1, or no correlation.
    """
    if not 0.0 <= damping <= 1.0:
        raise InputError(f"tuned: damping must lie between 0 and 1, got {damping}")
    if not largest >= 1.0:
        raise InputError(f"tuned: largest must be at least 1, got {largest}")
    bound, given = math.log(largest), checked(correlation, "tuned")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        rest = {name: kept for name, kept in memory.items() if name != ERROR}
        log = memory.get(ERROR, torch.zeros_like(y))
        result = scheme(prior, observe, y, precision * torch.exp(-log), noise, rest)
        used = result.precision > 0
        excess = statistic(result.predicted, y, result.precision, given) - 1.0
        moved = (log + (1.0 - damping) * excess).clamp(-bound, bound)
        kept = torch.where(used, moved, log)
        told = torch.where(used, precision, 0.0)
        return result._replace(precision=told, memory={**result.memory, ERROR: kept})

    return analyse


def statistic(
    predicted: Tensor, y: Tensor, precision: Tensor, correlation: float | Tensor = 0.0
) -> Tensor:
    """z, of mean 1 where errors are as assumed, 0 for masked channels, ``[pixel, channel]``."""
    s, d = weighted(predicted, y, precision)
    lower = error_factor(correlation, precision)
    white, innovation = independent(s, d, lower)
    residual = torch.cholesky_solve(innovation[..., None], innovation_factor(white))
    return d * (residual if lower is None else lower @ residual)[..., 0]
