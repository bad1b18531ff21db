r"""Start, peak and end of a season, read off a curve within its window.

    peak    the highest value; between dates the vertex of the parabola through it and its
            neighbours
    start   before the peak the last time that  y <= low + share (high - low),  with low the lowest
            value of the window before the peak
    end     after the peak the first time that  y <= low + share (high - low),  with low the lowest
            value of the window after it

with straight lines between dates. The shares are 25 % for the start and 15 % for the end unless
given otherwise, the thresholds of the High-Resolution Vegetation Phenology and Productivity product
of the Copernicus Land Monitoring Service, made by TIMESAT (Jonsson and Eklundh 2004,
doi:10.1016/j.cageo.2004.05.006).

A curve has the season if both its rise and its fall reach the amplitude. A period that cuts a rise
in two hides how low it began: where the lowest value is the first date of the period and the start
would follow within `EDGE` days, it lies no later than that and perhaps before the period, and is
minus infinity. A fall that the period cuts ends at plus infinity. So start <= peak <= end.

All seasons, pixels and members of a block at once; cost O(season x pixel x member x date).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.seasons.windows import Seasons, Windows

EDGE = 30.0
"""Days for which a curve stays low at the edge of a period if it has not been cut."""

KINDS = ("start", "peak", "end")
"""Dates of a season, in this order."""


class Dates(NamedTuple):
    """The dates of each season; NaN where a curve has no such season.

    Attributes:
        start: ``[season, pixel, member]`` days since 1970-01-01; -inf where it is cut.
        peak: ``[season, pixel, member]``.
        end: ``[season, pixel, member]``; inf where it is cut.
        maximum: ``[season, pixel, member]``, value at the peak.
        windows: where they were looked for.
        period: first and last date of the curves.
    """

    start: Array
    peak: Array
    end: Array
    maximum: Array
    windows: Windows
    period: tuple[float, float] = (-np.inf, np.inf)


def dates_in(times: Array, curves: Array, inside: Windows, wanted: Seasons) -> Dates:
    """The dates of the curves of an ensemble.

    Args:
        times: ``[date]`` days since 1970-01-01, ascending.
        curves: ``[pixel, member, date]``, finite; member i is one trajectory through all dates.
        inside: ``[season, pixel]``.
        wanted: thresholds.

    Returns:
        NaN throughout where there are fewer than three dates.
    """
    if len(times) < 3:
        nothing = np.full((len(inside.first), *curves.shape[:2]), np.nan)
        return Dates(nothing, nothing, nothing, nothing, inside)
    parts = [
        _of_window(times, curves, first, last, wanted)
        for first, last in zip(inside.first, inside.last, strict=True)
    ]
    start, peak, end, high = (np.stack(one) for one in zip(*parts, strict=True))
    return Dates(start, peak, end, high, inside, (float(times[0]), float(times[-1])))


def _of_window(
    times: Array, curves: Array, first: Array, last: Array, wanted: Seasons
) -> tuple[Array, Array, Array, Array]:
    """Start, peak, end and maximum of one season, ``[pixel, member]`` each."""
    count = len(times)
    place = np.arange(count)
    held = ((times >= first[:, None]) & (times <= last[:, None]))[:, None]
    top = np.where(held, curves, -np.inf).argmax(-1)[..., None]
    high = np.take_along_axis(curves, top, -1)[..., 0]
    before, after = held & (place <= top), held & (place >= top)
    rising = np.where(before, curves, np.inf)
    falling = np.where(after, curves, np.inf)
    low, lowest = rising.min(-1), falling.min(-1)
    there = (high - low >= wanted.amplitude) & (high - lowest >= wanted.amplitude)
    with np.errstate(invalid="ignore"):  # of an empty window nothing is kept
        begins = low + wanted.start * (high - low)
        ends = lowest + wanted.end * (high - lowest)
    below = before & (rising <= begins[..., None])
    start = crossing(times, curves, count - 1 - below[..., ::-1].argmax(-1), begins)
    under = after & (falling <= ends[..., None])
    end = crossing(times, curves, under.argmax(-1) - 1, ends)
    start = np.where((rising.argmin(-1) == 0) & (start < times[0] + EDGE), -np.inf, start)
    # The last of equally low dates: a curve that rests at the edge has ended before it.
    lowest_at = count - 1 - falling[..., ::-1].argmin(-1)
    end = np.where((lowest_at == count - 1) & (end > times[-1] - EDGE), np.inf, end)
    found = start, vertex(times, curves, top[..., 0]), end, high
    start, peak, end, high = (np.where(there, one, np.nan) for one in found)
    return start, peak, end, high


def crossing(times: Array, curves: Array, index: Array, level: Array) -> Array:
    """When a curve passes a level between a date and the next one, ``[pixel, member]``."""
    at = np.clip(index, 0, len(times) - 2)
    y0 = np.take_along_axis(curves, at[..., None], -1)[..., 0]
    y1 = np.take_along_axis(curves, at[..., None] + 1, -1)[..., 0]
    gap = y1 - y0
    share = np.divide(level - y0, gap, out=np.zeros(gap.shape), where=gap != 0)
    return times[at] + np.clip(share, 0.0, 1.0) * (times[at + 1] - times[at])


def vertex(times: Array, curves: Array, top: Array) -> Array:
    """When the parabola through a highest value and its neighbours is highest."""
    at = np.clip(top, 1, len(times) - 2)
    y = [np.take_along_axis(curves, at[..., None] + k, -1)[..., 0] for k in (-1, 0, 1)]
    left, right = times[at] - times[at - 1], times[at + 1] - times[at]
    rise, fall = (y[1] - y[0]) / left, (y[2] - y[1]) / right
    bend = rise - fall  # above 0 where the middle is a maximum
    flat = (bend <= 0) | (at != top)
    moved = np.divide(rise * right + fall * left, 2 * bend, out=np.zeros(top.shape), where=~flat)
    return np.where(flat, times[top], times[at] + np.clip(moved, -left, right))
