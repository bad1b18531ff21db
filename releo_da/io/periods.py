r"""Composites: a value that stands for a period and not for an instant, the option ``composite``.

    composite: {days: 10}                      the date is the first of 10 days
    composite: {days: 16, date: middle}        the date is the middle of 16 days
    composite: {days: 10, date: end}           the date is the last of 10 days, included
    composite: {end: last}                     a column or variable of the last day, included
    composite: {calendar: dekad}               the third of the month in which the date lies

The time of the value is the middle of its period, and so is the sun; a time of day, of the date or
by ``overpass``, is that of the day in the middle. What was seen may come from
any day of it: with the day uniform over the length L its standard deviation is L / sqrt(12), and a
surface that changes by ``change`` per day adds to the observation error

    sd = change * L / sqrt(12)          in the unit of the value

of each channel. ``change`` is 0 unless given: a composite of many dates is a mean or a median,
whose error in time is smaller than that of the best date of a period.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from releo_da.io.names import listed, require
from releo_da.io.times import isoformat, to_days
from releo_da.types import InputError

CompositeOption = dict[str, object]
FORMS = ("days", "end", "calendar")
CALENDARS = ("dekad", "month")
DATES = {"start": (0.0, 0.0), "middle": (-0.5, 0.0), "end": (-1.0, 1.0)}
"""From the date that is given to the start of the period: in its length, and days added to it."""

LONGEST = 400.0
"""Days; a longer period is a wrong option."""


def check_composite(option: Mapping[str, object] | None, where: str) -> None:
    """Refuse a composite that is none.

    Raises:
        InputError: not one of the forms above, or a wrong number in it.
    """
    if option is None:
        return
    for key in option:
        require(key, (*FORMS, "date", "change"), where, "option")
    if sum(form in option for form in FORMS) != 1:
        raise InputError(
            f"{where}: {dict(option)} is no period; write one of {{days: 10}}, {{end: column}} and "
            "{calendar: dekad}"
        )
    if "date" in option:
        if "days" not in option:
            raise InputError(f"{where}: 'date' goes with 'days' only; remove it")
        require(option["date"], DATES, f"{where}, date", "place")
    if "calendar" in option:
        require(option["calendar"], CALENDARS, f"{where}, calendar", "calendar")
    days = option.get("days", 1)
    if not isinstance(days, int | float) or isinstance(days, bool) or not 0 < days <= LONGEST:
        raise InputError(f"{where}, days: '{days}' is no length; give 1 to {LONGEST:.0f} days")


def middles(
    days: NDArray[np.float64],
    option: Mapping[str, object],
    ends: NDArray[np.float64] | None,
    where: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle and length of the period of each date, ``[row]`` days.

    Args:
        days: ``[row]`` the dates that are given, without a time of day.
        option: the option ``composite``, checked.
        ends: ``[row]`` the last days, where the option names them.
        where: file and key, for messages.

    Raises:
        InputError: a period ends before it starts.
    """
    if "calendar" in option:
        start, length = _calendar(days, str(option["calendar"]))
    elif ends is not None:
        start, length = days, np.floor(ends) + 1 - days
        wrong = np.flatnonzero(~((length > 0) & (length <= LONGEST)))
        if wrong.size:
            first = wrong[0]
            raise InputError(
                f"{where}: a period lasts from {isoformat(start[first])} to "
                f"{isoformat(ends[first])}; give a last day on or after the first"
            )
    else:
        length = np.full(len(days), float(option["days"]))  # type: ignore[arg-type]
        lengths, more = DATES[str(option.get("date", "start"))]
        start = days + lengths * length + more
    return start + length / 2, length


def change_of(
    option: Mapping[str, object] | None, channels: Mapping[str, object], where: str
) -> NDArray[np.float64]:
    """What each channel may change per day, ``[channel]``.

    Raises:
        InputError: it is no number of 0 or more, or names a channel that is not read.
    """
    given = (option or {}).get("change", 0.0)
    if not isinstance(given, Mapping):
        given = dict.fromkeys(channels, given)
    for name in given:
        require(name, channels, f"{where}, change", "channel")
    found = [given.get(name, 0.0) for name in channels]
    for number in found:
        plain = isinstance(number, int | float) and not isinstance(number, bool)
        if not plain or not 0 <= float(number) < np.inf:  # type: ignore[arg-type]
            raise InputError(
                f"{where}, change: '{number}' is no change per day; give 0 or more, "
                f"of all channels or of each of {listed(channels)}"
            )
    return np.array(found, dtype=np.float64)


def _calendar(days: NDArray[np.float64], kind: str) -> tuple[NDArray, NDArray]:
    """Start and length of the month, or the third of it, in which a day lies."""
    stamps = np.floor(days).astype(np.int64).astype("datetime64[D]")
    month = stamps.astype("datetime64[M]")
    first, after = to_days(month), to_days(month + 1)
    if kind == "month":
        return first, after - first
    third = np.minimum((np.floor(days) - first) // 10, 2)
    start = first + 10 * third
    return start, np.where(third < 2, start + 10, after) - start
