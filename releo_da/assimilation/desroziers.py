r"""Observation and background errors estimated from innovations, residuals and increments.

With the innovation d_ob = y - H(x_b), the residual d_oa = y - H(x_a) and the increment
d_ab = H(x_a) - H(x_b), an analysis with the right error covariances has (expectation over cases)

    E d_oa d_ob' = R         E d_ab d_ob' = S = HPH'

`desroziers` gathers both over pixels and acquisitions of one sensor, and `estimate` reads R and
HPH' off the sums. Sums of parts add up (`joined`), in a fixed order whatever the workers, and old
ones can fade (`faded`), which makes an estimate that follows a changing error. What the statistics
can not do: R and HPH' are told apart by the assumed gain only, so iterate, and change either
slowly. `tuned` does that online, within a scheme.

Cost per pixel: C^2.

Reference: Desroziers, Berre, Chapnik and Poli (2005), Diagnosis of observation, background and
analysis-error statistics in observation space, Q. J. R. Meteorol. Soc. 131, 3385-3396.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.types import InputError


class Desroziers(NamedTuple):
    """Sums over cases for one sensor; add two by `joined`.

    Attributes:
        cases: how many in which both channels were used, ``[channel, channel]``.
        residual: sum of d_oa d_ob', likewise.
        increment: sum of d_ab d_ob', likewise.
        bias: sum of d_ob, ``[channel]``.
    """

    cases: Tensor
    residual: Tensor
    increment: Tensor
    bias: Tensor


@torch.no_grad()
def desroziers(background: Tensor, analysis: Tensor, y: Tensor, precision: Tensor) -> Desroziers:
    """The sums of one acquisition.

    Args:
        background: H of the background mean (or mean of H), ``[pixel, channel]``.
        analysis: the same of the analysis.
        y: observations, ``[pixel, channel]``.
        precision: as used, ``[pixel, channel]``, 0 where not seen or refused.
    """
    used = (precision > 0).to(y)
    innovation = (y - background) * used
    return Desroziers(
        used.mT @ used,
        ((y - analysis) * used).mT @ innovation,
        ((analysis - background) * used).mT @ innovation,
        innovation.sum(0),
    )


def joined(left: Desroziers, right: Desroziers) -> Desroziers:
    """The sums of both."""
    return Desroziers(*(a + b for a, b in zip(left, right, strict=True)))


def faded(sums: Desroziers, damping: float) -> Desroziers:
    """Sums that count less: join new ones to these for an online estimate.

    Args:
        sums: of the past.
        damping: what is kept, in [0, 1]; the memory is 1 / (1 - damping) acquisitions long.

    Raises:
        InputError: ``damping`` is not in [0, 1].
    """
    if not 0.0 <= damping <= 1.0:
        raise InputError(f"desroziers: damping must lie between 0 and 1, got {damping}")
    return Desroziers(*(damping * part for part in sums))


class Estimate(NamedTuple):
    """What the sums say; NaN where two channels were never used together.

    Attributes:
        error: R, symmetric, ``[channel, channel]``.
        background: HPH', likewise.
        bias: mean innovation, ``[channel]``.
    """

    error: Tensor
    background: Tensor
    bias: Tensor


def estimate(sums: Desroziers, known: Tensor | None = None, weight: float = 0.0) -> Estimate:
    """R and HPH' of a sensor.

    Args:
        sums: over as many cases as there are.
        known: R as assumed, ``[channel, channel]``; it fills what the sums do not cover.
        weight: of ``known`` in cases: the estimate moves away from it as cases outnumber these.

    Raises:
        InputError: ``weight`` is negative, or positive without ``known``.
    """
    if weight < 0.0 or (weight > 0.0 and known is None):
        raise InputError(
            f"desroziers: weight is {weight}; it must not be negative and needs the known R"
        )
    some = sums.cases > 0
    count = torch.where(some, sums.cases, 1.0)
    residual = 0.5 * (sums.residual + sums.residual.mT) / count
    increment = 0.5 * (sums.increment + sums.increment.mT) / count
    if known is not None:
        share = torch.where(some, sums.cases, 0.0)
        error = known + share / (share + weight).clamp(min=1e-30) * (residual - known)
        error = torch.where(some, error, known)
    else:
        error = torch.where(some, residual, torch.nan)
    bias = torch.where(some.diagonal(), sums.bias / count.diagonal(), torch.nan)
    return Estimate(error, torch.where(some, increment, torch.nan), bias)
