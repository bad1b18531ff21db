"""Dates that are brighter than both their neighbours in time: what a cloud mask missed.

Cloud, haze and snow brighten the shortest wavelengths most, where vegetation and soil are dark and
change slowly. A pixel's value in the shortest channel of its sensor is suspicious where it exceeds
both the last value seen before it and the first after it by `BRIGHTER` within `WITHIN` days.

Shapes: stacked [time, pixel]; cost O(time pixel). Reference: blue test of Hagolle et al. (2010),
Remote Sens. Environ. 114, 1747-1755, sect. 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from releo_da.sensors import load_sensor
from releo_da.types import Acquisition

BRIGHTER, WITHIN = 0.06, 30.0
SHORT = 700.0
"""Longest wavelength (nm) that is judged."""


def shortest(sensor: str, channels: Sequence[str]) -> int | None:
    """Position of a sensor's channel of the shortest wavelength, None where all are long."""
    described = load_sensor(sensor)
    centres = [described.centres[k] for k in described.index(channels)]
    short = [k for k, c in enumerate(centres) if not math.isnan(c) and c < SHORT]
    return min(short, key=lambda k: centres[k], default=None)


def brighter(
    acquisitions: Sequence[Acquisition], channels: Mapping[str, tuple[str, ...]]
) -> tuple[Tensor, Tensor]:
    """Which values are suspiciously bright, and which could be judged, ``[time, pixel]`` bool.

    Args:
        acquisitions: in time order.
        channels: for each sensor, the channels of its acquisitions.
    """
    place = {sensor: shortest(sensor, names) for sensor, names in channels.items()}
    size = (len(acquisitions), acquisitions[0].values.shape[0])
    values, seen = torch.zeros(size), torch.zeros(size, dtype=torch.bool)
    for t, a in enumerate(acquisitions):
        k = place[a.sensor]
        if k is not None:
            values[t], seen[t] = a.values[:, k].cpu(), a.seen[:, k].cpu()
    times = torch.tensor([a.time for a in acquisitions], dtype=torch.float64)
    before, known_before = _last(values, seen, times)
    after, known_after = (x.flip(0) for x in _last(values.flip(0), seen.flip(0), -times.flip(0)))
    judged = seen & known_before & known_after
    return judged & (values > torch.maximum(before, after) + BRIGHTER), judged


def _last(values: Tensor, seen: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """The last value seen before each time, and whether there is one within `WITHIN` days."""
    count = torch.arange(len(times))[:, None]
    latest = torch.where(seen, count, -1).cummax(0).values
    earlier = torch.cat([torch.full_like(latest[:1], -1), latest[:-1]])
    row = earlier.clamp_min(0)
    near = times[:, None] - times[row] <= WITHIN
    return values.gather(0, row), (earlier >= 0) & near
