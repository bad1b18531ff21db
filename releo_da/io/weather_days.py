"""Days without gaps: short ones are filled in time, long ones named.

A day between two known ones, at most `SHORT` in a row, takes the straight line between them;
nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from releo_da.io.names import listed
from releo_da.io.stencils import Stencil
from releo_da.io.times import isoformat
from releo_da.types import InputError

Array = NDArray[np.float64]

SHORT = 3
"""Days in a row, at most, that are interpolated."""


class Daily(NamedTuple):
    """Weather of consecutive days.

    Attributes:
        first: day since 1970-01-01 of the first row.
        values: ``[day, site, element]``, NaN where unknown.
        stencil: sites of each pixel.
    """

    first: int
    values: Array
    stencil: Stencil


def by_days(
    days: NDArray[np.int64], site: NDArray[np.intp], sites: int, rows: Array, where: str
) -> tuple[int, Array]:
    """Rows brought to consecutive days, ``[row, element] -> [day, site, element]``.

    Args:
        days: ``[row]`` days since 1970-01-01.
        site: ``[row]`` place on the axis of sites.
        sites: length of that axis.
        rows: values.
        where: file, for messages.

    Returns:
        The first day, and the values, NaN where there is no row.

    Raises:
        InputError: a site has two rows of one day.
    """
    first = int(days.min())
    place = (days - first) * sites + site
    counts = np.bincount(place)
    if counts.max() > 1:
        one = int(np.argmax(counts > 1))
        raise InputError(
            f"{where}: {counts[one]} rows of {_date(first + one // sites)}"
            + (f" at site {one % sites + 1} of {sites}" if sites > 1 else "")
            + "; give one row per day (sums or means of hours), name the column of sites by "
            "'site', or keep one station by 'select'"
        )
    values = np.full((int(days.max()) - first + 1, sites, rows.shape[1]), np.nan)
    values[days - first, site] = rows
    return first, values


def completed(
    daily: Daily, elements: Sequence[str], period: Sequence[float] | None, where: str
) -> tuple[Daily, int]:
    """The consecutive days on which everything is known.

    Args:
        daily: as read.
        elements: names, for messages.
        period: first and last day that must be among them; else all but the ends of the file.
        where: file, for messages.

    Returns:
        The days, and how many values were interpolated.

    Raises:
        InputError: days are missing; the message lists them.
    """
    values, filled = interpolated(daily.values)
    whole = np.asarray(np.isfinite(values).all((1, 2)))
    known = np.flatnonzero(whole)
    if not known.size:
        raise InputError(f"{where}: on no day are {listed(elements)} known at every site")
    if period is None:
        start, end = int(known[0]), int(known[-1])
    else:
        start, end = (int(np.floor(day)) - daily.first for day in period)
    asked = np.arange(start, end + 1)
    inside = (asked >= 0) & (asked < whole.size)
    there = inside & whole[np.clip(asked, 0, whole.size - 1)]
    if not there.all():
        lost = asked[~there]
        runs = np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1)
        named = listed(_run(daily.first + run[0], daily.first + run[-1]) for run in runs)
        file = _run(daily.first, daily.first + whole.size - 1)
        raise InputError(
            f"{where}: {lost.size} days are missing{_which(values, lost, inside[~there], elements)}"
            f": {named} (the file holds {file}; gaps of up to {SHORT} days are interpolated). "
            "Complete the file, or shorten 'period'"
        )
    while start > 0 and whole[start - 1]:
        start -= 1
    while end + 1 < whole.size and whole[end + 1]:
        end += 1
    return daily._replace(first=daily.first + start, values=values[start : end + 1]), filled


def interpolated(values: Array) -> tuple[Array, int]:
    """Values with short gaps along the first axis filled, and how many were."""
    known = np.isfinite(values)
    day = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    before = np.maximum.accumulate(np.where(known, day, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, day, len(values))[::-1], axis=0)[::-1]
    short = ~known & (before >= 0) & (after < len(values)) & (after - before - 1 <= SHORT)
    left = np.take_along_axis(values, np.maximum(before, 0), 0)
    right = np.take_along_axis(values, np.minimum(after, len(values) - 1), 0)
    share = (day - before) / np.maximum(after - before, 1)
    return np.where(short, left + share * (right - left), values), int(short.sum())


def _which(
    values: Array, lost: NDArray[np.intp], inside: NDArray[np.bool_], elements: Sequence[str]
) -> str:
    """The element that is missing, where it is not all of them."""
    held = values[lost[inside]]
    if inside.all() and held.size and np.isfinite(held).any():
        wrong = [n for k, n in enumerate(elements) if not np.isfinite(held[..., k]).all()]
        return f" of {', '.join(wrong)}"
    return ""


def _date(day: float) -> str:
    return isoformat(float(day))[:10]


def _run(first: float, last: float) -> str:
    return _date(first) if first == last else f"{_date(first)} to {_date(last)}"
