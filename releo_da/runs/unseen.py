"""For how long pixels are not seen: the longest gap of a series, on which forecasts depend.

A gap begins with the first date of the series, or with a date on which the pixel is seen, and ends
on the next; the days after the last look are one as well. Cost: one pass over the dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from releo_da.io.strips import Stream
from releo_da.types import Acquisition

PIXELS = 2**16
"""Pixels of a map that are looked at together."""


def longest(acquisitions: Sequence[Acquisition]) -> float:
    """The longest time (days) for which any pixel is not seen, from the first acquisition on."""
    return longest_between((a.time, a.seen.any(-1).cpu()) for a in acquisitions)


def longest_between(looks: Iterable[tuple[float, Tensor]]) -> float:
    """The same of dates in order: of each its time and which pixels were seen, ``[pixel]`` bool."""
    found, last = 0.0, torch.zeros(0, dtype=torch.float64)
    for time, seen in looks:
        last = last if len(last) else torch.full(seen.shape, time, dtype=torch.float64)
        found = max(found, float((time - last).max()))
        last[seen] = time
    return found


def longest_of(stream: Stream) -> float:
    """The same of all pixels of a map that is read in parts."""
    times = [a.time for a in stream.sample.acquisitions]
    found = 0.0
    for part in torch.arange(len(stream.clear)).split(PIXELS):
        seen = torch.from_numpy(stream.seen(part.numpy()))
        found = max(found, longest_between(zip(times, seen.unbind(1), strict=True)))
    return found
