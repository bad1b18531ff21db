"""What a run hides from itself in order to be scored on it.

    {every: 3, offset: 0}               clear dates of each pixel, by their number, in a pass of its
                                        own; the run itself uses every date
    {sensor: hls_l30, within_days: 1}   all of one sensor, in the run itself and in fits; scored
                                        where another saw the pixel within so many days
    {channel: B08}                      one channel of every sensor that has it, in the run itself
                                        and in fits; scored wherever it was seen

All are masks ``[pixel, acquisition]``: a hidden value keeps its number and carries infinite error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch

from releo_da.diagnostics.baselines import withheld as withheld_dates
from releo_da.diagnostics.scores import Array
from releo_da.runs.timeline import hide
from releo_da.sensors import labels
from releo_da.types import Acquisition, InputError

Channels = Mapping[str, tuple[str, ...]]
"""For each sensor, its channels."""


class Held(NamedTuple):
    """What one case of the verification hides and what of it is scored.

    Attributes:
        hidden: ``[pixel, acquisition]`` bool.
        scored: ``[pixel, acquisition]`` bool, a part of ``hidden``.
        channel: the label of the only channel that is meant; all of them if empty.
    """

    hidden: Array
    scored: Array
    channel: str = ""

    def of(self, variable: str) -> bool:
        """Whether values of a channel, or of an index, are hidden by themselves."""
        return self.channel in ("", variable)


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

    def shown(self, acquisitions: Sequence[Acquisition], channels: Channels) -> list[Acquisition]:
        """What fits may learn from: everything."""
        return list(acquisitions)

    def visible(self, channels: Channels) -> Channels:
        """The channels that a fit or a run may see: all."""
        return channels

    def held(self, acquisitions: Sequence[Acquisition], channels: Channels) -> dict[str, Held]:
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

    def shown(self, acquisitions: Sequence[Acquisition], channels: Channels) -> list[Acquisition]:
        """What fits may learn from: the other sensors."""
        return [a for a in acquisitions if a.sensor != self.sensor]

    def visible(self, channels: Channels) -> Channels:
        """The channels that a fit or a run may see: those of the other sensors."""
        return {name: own for name, own in channels.items() if name != self.sensor}

    def held(self, acquisitions: Sequence[Acquisition], channels: Channels) -> dict[str, Held]:
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


class WithholdChannel(NamedTuple):
    """Withhold one channel of every sensor that has it; score it wherever it was seen."""

    channel: str

    @property
    def every(self) -> int:
        """Dates by which smoothing baselines are given their residuals: the default rule's."""
        return Withhold().every

    @property
    def sensor(self) -> str:
        """No sensor is hidden."""
        return ""

    @property
    def passes(self) -> int:
        """The run itself hides the channel."""
        return 0

    def shown(self, acquisitions: Sequence[Acquisition], channels: Channels) -> list[Acquisition]:
        """What fits may learn from: the other channels."""
        return [
            hide(a, torch.ones_like(a.seen[:, 0]), columns(self.channel, channels, a))
            for a in acquisitions
        ]

    def visible(self, channels: Channels) -> Channels:
        """The channels that a fit or a run may see: the others of each sensor."""
        named = labels(channels)
        return {
            sensor: tuple(
                n for n, label in zip(own, named[sensor], strict=True) if label != self.channel
            )
            for sensor, own in channels.items()
        }

    def held(self, acquisitions: Sequence[Acquisition], channels: Channels) -> dict[str, Held]:
        """What is withheld, and scored: every value of the channel.

        Raises:
            InputError: no sensor has the channel, or no other.
        """
        known = list(dict.fromkeys(name for names in labels(channels).values() for name in names))
        if self.channel not in known or len(known) < 2:
            raise InputError(
                f"score.withhold: cannot withhold the channel '{self.channel}' of a series with "
                f"the channels {', '.join(known)}; name one of two or more"
            )
        seen = [(a.seen & columns(self.channel, channels, a)).any(-1) for a in acquisitions]
        hidden = torch.stack(seen, 1).cpu().numpy()
        return {"smoothed": Held(hidden, hidden, self.channel)}


def columns(channel: str, channels: Channels, acquisition: Acquisition) -> torch.Tensor:
    """Which channels of an acquisition have a label, ``[channel]`` bool."""
    named = labels(channels)[acquisition.sensor]
    return torch.tensor([n == channel for n in named], device=acquisition.values.device)


Rule = Withhold | WithholdSensor | WithholdChannel
HidesFromRun = WithholdSensor | WithholdChannel
"""Rules that hide from the run itself; the others hide in a pass of their own."""


def clear(acquisitions: Sequence[Acquisition]) -> Array:
    """Dates on which a pixel was seen, ``[pixel, acquisition]`` bool."""
    return torch.stack([a.seen.any(-1) for a in acquisitions], 1).cpu().numpy()
