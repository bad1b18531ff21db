r"""Random numbers of pixels that agree where pixels are near: the ensemble as a set of fields.

Independent draws make every member salt and pepper: what one pixel is told says nothing of the
next, and the covariance between two pixels is sampling noise alone. Here the standard-normal
numbers e of a block of 256 ids, which prior and model noise are made of, become

    z = L e,    L L' = C,    C_ij = share k(|s_i - s_j| / length) + (1 - share) [i = j]

    exponential   k(r) = exp(-r)                          rough, as across borders of fields
    matern32      k(r) = (1 + sqrt(3) r) exp(-sqrt(3) r)  smooth once

with s the places of the pixels. Each pixel's own numbers stay standard normal, so a run of one
pixel is what it was, and the covariance of the whole is C times that of the latents (separable).

C is that of all ids of a block whose place is known, whether the run holds them or not, so of a
grid the draws depend neither on chunking nor on which of its pixels were ever clear. Blocks are
independent of each other: a field ends at the border of its block. Ids without a place are
independent of all others.

Cost: one Cholesky of 256 x 256 per block, kept for as many blocks as a run goes back to (1 KiB per
pixel); 256 multiplications per number drawn.

Reference: Chiles and Delfiner (2012), Geostatistics, 2nd ed., sections 2.5.1 (covariances) and
7.2.2 (simulation by the Cholesky factor); Evensen (2003), Ocean Dynamics 53, 343-367, section 4.1
on members as fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.tapers import distances
from releo_da.cycling.draws import BLOCK, Mix
from releo_da.types import InputError

Kernel = Literal["exponential", "matern32"]
"""Correlation as a function of distance."""

Places = Callable[[Tensor], Tensor]
"""``places(ids)``, ``[id, dimension]`` float64; NaN where nothing is known of an id."""

STAGES = ("initial", "forecast", "ahead", "truth", "recovery", "window", "climatology")
"""Stages whose numbers make states; errors of observation and clouds stay a pixel's own."""

COINCIDENT = 1e-8
"""Added to the variance, so that pixels of one place leave C positive definite."""


class Correlated(NamedTuple):
    """How far prior and model noise of one pixel agree with those of another.

    Attributes:
        length: distance in the unit of the places, metres where a coordinate system is known.
        kernel: correlation as a function of distance.
        share: of the variance that is correlated; the rest is each pixel's own.
    """

    length: float
    kernel: Kernel = "exponential"
    share: float = 1.0


def correlated(length: float, kernel: Kernel = "exponential", share: float = 1.0) -> Correlated:
    """Prior and model noise that are correlated between pixels.

    Args:
        length: distance at which the correlation has fallen to 1/e (``matern32``: to 0.48), in
            metres where a coordinate system is known, else in the unit of the places.
        kernel: ``exponential`` or ``matern32``.
        share: of the variance that is correlated; the rest is each pixel's own.

    Raises:
        InputError: ``length`` is not positive, or ``share`` not from 0 to 1.
    """
    if not 0.0 < length < math.inf:
        raise InputError(f"correlated: length must be positive, got {length}")
    if not 0.0 <= share <= 1.0:
        raise InputError(f"correlated: share must lie in 0..1, got {share}")
    return Correlated(length, kernel, share)


def covariance(place: Tensor, wanted: Correlated) -> Tensor:
    """C of pixels at places ``[pixel, dimension]`` (NaN: unknown), ``[pixel, pixel]``."""
    r = distances(place, place) / wanted.length
    if wanted.kernel == "matern32":
        r = math.sqrt(3.0) * r
        near = (1.0 + r) * torch.exp(-r)
    else:
        near = torch.exp(-r)
    matrix = wanted.share * torch.nan_to_num(near, nan=0.0)
    return matrix.fill_diagonal_(1.0)


def mixer(places: Places, wanted: Correlated, kept: int = BLOCK) -> Mix:
    """What makes fields of the numbers of a block, for `releo_da.cycling.draws.block_draws`.

    Args:
        places: of any id.
        wanted: length, kernel and share.
        kept: how many blocks are held in memory, those used last, of 0.25 MiB each: as many as a
            piece of work can be of where a run finishes one before the next, all where it goes
            through all of them at each time.
    """

    @lru_cache(maxsize=kept)
    def factor(block: int) -> Tensor:
        ids = torch.arange(block * BLOCK, (block + 1) * BLOCK)
        matrix = covariance(places(ids), wanted)
        matrix.diagonal().add_(COINCIDENT)
        return torch.linalg.cholesky(matrix).float()

    def mix(block: int, stage: str, drawn: Tensor) -> Tensor:
        if not stage.startswith(STAGES):
            return drawn
        return (factor(block) @ drawn.flatten(1)).view_as(drawn)

    return mix
