"""Observations that are hidden while fitting, so that a fit serves forecasts and gaps as well.

A filter that sees every acquisition is judged by how it goes on for a few days. Each epoch hides
other observations: some on their own, and of some pixels all within one stretch of weeks. They are
predicted, and count, but are not assimilated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Gaps(NamedTuple):
    """How observations are hidden while fitting.

    Attributes:
        single: probability that a pixel's acquisition is hidden on its own.
        stretch: probability that a pixel has one long gap.
        days: shortest and longest gap.
    """

    single: float = 0.2
    stretch: float = 0.6
    days: tuple[float, float] = (15.0, 75.0)


GAPS = Gaps()
"""What is hidden unless a configuration says otherwise."""

NONE = Gaps(0.0, 0.0)
"""Nothing is hidden."""


def hidden(times: Sequence[float], pixels: int, gaps: Gaps, generator: torch.Generator) -> Tensor:
    """Which acquisitions are not assimilated in an epoch, ``[time, pixel]`` bool."""
    axis = torch.tensor(times, dtype=torch.float64)[:, None]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    single = uniform(len(times), pixels) < gaps.single
    start = axis[0] + uniform(pixels) * (axis[-1] - axis[0])
    length = gaps.days[0] + uniform(pixels) * (gaps.days[1] - gaps.days[0])
    stretch = (axis >= start) & (axis < start + length) & (uniform(pixels) < gaps.stretch)
    return single | stretch
