r"""Which seasons a pixel has: windows of time from trough to trough, by calendar year of the peak.

The windows of a pixel are those of one curve, the mean of its ensemble: members differ in the dates
of a season, and in whether they have it, but speak of the same one. A trough parts two seasons
where the curve halves and doubles again, counted from its lowest value and with half of the
amplitude A that a season of a member must have,

    g = log(y - min y + A / 2)    falls and rises by log 2    (`releo_da.diagnostics.turning`)

so that a dip of a dense canopy to two thirds is no trough, and a catch crop of a tenth of the crop
before it is a season. Half the amplitude, so that a season which few members have is listed with
its low probability.

A window reaches half a year from the peak of that curve at most, so that members which know little
are not asked for a season of another year.

A season belongs to the calendar year of its peak; of each year the highest `per_year` are kept and
numbered in time. So every pixel has the same places for seasons, ``[year x number]``, of which some
stay empty. A curve that has only fallen, or only risen, has no season yet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.turning import spans, turns

REACH = 183.0
"""Days from the peak of the mean to either end of its window, at most."""


class Seasons(NamedTuple):
    """What counts as a season, and where it starts and ends.

    Attributes:
        variable: whose curve it is.
        amplitude: by how much a curve rises and falls at least, in its unit.
        start: share of the rise that is done at the start.
        end: share of the fall that is left at the end.
        per_year: at most so many a calendar year.
    """

    variable: str
    amplitude: float
    start: float = 0.25
    end: float = 0.15
    per_year: int = 2


class Windows(NamedTuple):
    """From when to when each season is looked for; NaN where a pixel has none.

    Attributes:
        first: ``[season, pixel]`` days since 1970-01-01.
        last: ``[season, pixel]``.
    """

    first: Array
    last: Array


def years(times: Array) -> Array:
    """Calendar years that a run touches, ``[year]``."""
    days = np.floor(np.asarray(times, float)[[0, -1]]).astype("datetime64[D]")
    first, last = days.astype("datetime64[Y]").astype(int) + 1970
    return np.arange(first, last + 1)


def windows(times: Array, curves: Array, wanted: Seasons, spanned: Array | None = None) -> Windows:
    """The windows of each pixel.

    Args:
        times: ``[date]`` days since 1970-01-01, ascending.
        curves: ``[pixel, date]``, finite.
        wanted: what counts as a season.
        spanned: ``[year]`` calendar years; those of the times unless given.

    Returns:
        ``[season, pixel]``, ``season = year x per_year``, ordered in time.
    """
    spanned = years(times) if spanned is None else spanned
    above = curves - curves.min(1, keepdims=True)
    found = turns(np.log(above + wanted.amplitude / 2), np.log(2.0))
    first, last = spans(found.trough)
    year = np.floor(times).astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    peak = found.peak.copy()
    peak[:, :1] = False  # it only fell from there
    opens, closes = [], []
    number = min(wanted.per_year, len(times))
    row = np.arange(len(curves))[:, None]
    for one in spanned:
        here = peak & (year == one)
        highest = np.argsort(np.where(here, -curves, np.inf), axis=1, kind="stable")[:, :number]
        # In time; places that hold no peak come last.
        highest = np.sort(np.where(here[row, highest], highest, len(times)), axis=1)
        known = highest < len(times)
        at = np.where(known, highest, 0)
        begin = np.maximum(times[first[row, at]], times[at] - REACH)
        finish = np.minimum(times[last[row, at]], times[at] + REACH)
        opens.append(np.where(known, begin, np.nan).T)
        closes.append(np.where(known, finish, np.nan).T)
        missing = np.full((wanted.per_year - number, len(curves)), np.nan)
        opens.append(missing)
        closes.append(missing)
    return Windows(np.concatenate(opens), np.concatenate(closes))
