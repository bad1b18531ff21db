"""Whether a series lies within what an encoder was trained on: how far north, with which gaps.

The weights say what made them. Seasons enter by the day of the year, so an encoder of one
hemisphere takes the spring of the other for autumn; where a gap is longer than any that it has met,
it goes to its prior by a law that no training has shaped. Neither ends a run: log and report tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releo_da.config.encoder_weights import Kept
from releo_da.io.series import Series

KIND = "encoder_range"
"""Of the records of a log."""

DEGREES = 10.0
"""A place may be so much farther north or south than those that were trained on."""


def beyond_training(kept: Kept, series: Series) -> list[dict[str, Any]]:
    """Records of what the encoder has not met in training, as far as its weights tell.

    Args:
        kept: the encoder.
        series: what it is asked about.
    """
    known = "lat" in series.pixels.coords
    return outside(
        kept,
        [a.time for a in series.acquisitions],
        series.pixels["lat"].values if known else np.zeros(0),
    )


def outside(kept: Kept, dates: Iterable[float], degrees: NDArray[Any]) -> list[dict[str, Any]]:
    """The same of dates (days) and latitudes (degrees north, NaN where unknown)."""
    told, found = kept.made.get("train"), []
    if not isinstance(told, Mapping):
        return []
    days = told.get("days")
    times = sorted(set(dates))
    gap = max((later - one for one, later in pairwise(times)), default=0.0)
    if isinstance(days, list) and days and gap > float(days[-1]):
        found.append(
            f"nothing was seen for {gap:.0f} days; the encoder was trained on windows of at most "
            f"{float(days[-1]):.0f}, and goes to its prior in between"
        )
    north = sorted(latitudes(told))
    if north:
        here = degrees[np.isfinite(degrees)]
        far = (here < north[0] - DEGREES) | (here > north[-1] + DEGREES)
        if far.any():
            found.append(
                f"{int(far.sum())} of {here.size} pixels lie more than {DEGREES:g} degrees "
                f"beyond the latitudes that the encoder was trained at ({north[0]:g} to "
                f"{north[-1]:g} north); its seasons may not be theirs"
            )
    return [{"kind": KIND, "message": message} for message in found]


def latitudes(told: Mapping[str, Any]) -> Iterator[float]:
    """Latitudes (degrees north) of the simulated series that weights were trained on."""
    entries = told.get("series")
    for entry in entries.values() if isinstance(entries, Mapping) else ():
        vary = entry.get("vary") if isinstance(entry, Mapping) else None
        drawn = vary.get("latitude") if isinstance(vary, Mapping) else None
        if isinstance(drawn, list):
            yield from map(float, drawn)
            continue
        source = entry.get("source") if isinstance(entry, Mapping) else None
        twin = source.get("twin") if isinstance(source, Mapping) else None
        place = twin.get("place") if isinstance(twin, Mapping) else None
        if isinstance(place, list) and len(place) == 2:
            yield float(place[1])
