"""What a run hides from itself in order to be scored on it.

    {every: 3, offset: 0}               clear dates of each pixel, by their number, in a pass of its
                                        own; the run itself uses every date
    {sensor: hls_l30, within_days: 1}   all of one sensor, in the run itself and in fits; scored
                                        where another saw the pixel within so many days

Both are masks ``[pixel, acquisition]``: a hidden value keeps its number and carries infinite error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch

from releo_da.diagnostics.baselines import withheld as withheld_dates
from releo_da.diagnostics.scores import Array
from releo_da.types import Acquisition, InputError


class Held(NamedTuple):
    """What one case of the verification hides and what of it is scored.

    Attributes:
        hidden: ``[pixel, acquisition]`` bool.
        scored: ``[pixel, acquisition]`` bool, a part of ``hidden``.
    """

    hidden: Array
    scored: Array


class Withhold(NamedTuple):
    """Withhold the clear days of each pixel whose number is ``offset`` modulo ``every``.

    ``offset: all`` runs every offset in turn; the scores are then means over the offsets.
    """

    every: int = 3
    offset: int | Literal["all"] = 0

    @property
    def sensor(self) -> str:
        """No sensor is hidden from the run itself."""
        return ""

    @property
    def passes(self) -> int:
        """Number of passes beside the run itself."""
        return self.every if self.offset == "all" else 1

    def held(self, acquisitions: Sequence[Acquisition]) -> dict[str, Held]:
        """What is withheld, by case of the verification."""
        seen = clear(acquisitions)
        if self.offset == "all":
            offsets = {f"smoothed_{k}": k for k in range(self.every)}
        else:
            offsets = {"smoothed": self.offset}
        # What several sources saw of a pixel on one day is one date: one must not tell the other.
        _, first, date = np.unique(
            np.floor([a.time for a in acquisitions]), return_index=True, return_inverse=True
        )
        dates = np.logical_or.reduceat(seen, first, axis=1)
        masks = {
            case: withheld_dates(dates, self.every, k)[:, date] & seen
            for case, k in offsets.items()
        }
        return {case: Held(mask, mask) for case, mask in masks.items()}


class WithholdSensor(NamedTuple):
    """Withhold all of one sensor; score it where another saw the pixel within some days."""

    sensor: str
    within_days: float = math.inf

    @property
    def every(self) -> int:
        """Dates by which smoothing baselines are given their residuals: the default rule's."""
        return Withhold().every

    @property
    def passes(self) -> int:
        """The run itself hides the sensor."""
        return 0

    def held(self, acquisitions: Sequence[Acquisition]) -> dict[str, Held]:
        """What is withheld: every value of the sensor; of it the pairs are scored.

        Days are calendar days, as times of day may be approximate.

        Raises:
            InputError: the series does not hold the sensor, or no other.
        """
        sensors = sorted({a.sensor for a in acquisitions})
        if self.sensor not in sensors or len(sensors) < 2:
            raise InputError(
                f"score.withhold: cannot withhold the sensor '{self.sensor}' of a series of "
                f"{', '.join(sensors)}; name one of two or more"
            )
        seen = clear(acquisitions)
        mine = np.array([a.sensor == self.sensor for a in acquisitions])
        day = np.floor([a.time for a in acquisitions])
        near = np.abs(day[:, None] - day) <= self.within_days
        paired = (seen & ~mine).astype(np.int64) @ (near & ~mine[:, None]) > 0
        hidden = seen & mine
        return {"smoothed": Held(hidden, hidden & paired)}


Rule = Withhold | WithholdSensor


def clear(acquisitions: Sequence[Acquisition]) -> Array:
    """Dates on which a pixel was seen, ``[pixel, acquisition]`` bool."""
    return torch.stack([a.seen.any(-1) for a in acquisitions], 1).cpu().numpy()
