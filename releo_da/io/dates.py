"""When the rows of a table were seen: the option ``time``.

    time: date                               a column of ISO text (also 20240311), UTC
    time: {text: date, format: "%d.%m.%Y"}   another text
    time: {ordinal: dates}                   days of the proleptic calendar, 0001-01-01 is day 1
    time: {days: day, since: 2000-12-31}     days, whole or not, after the start of a day
    time: {year: year, day_of_year: doy}     1 January is day 1; a number in place of year holds
    time: {year: year, day_of_year: day, composite: first}
                                             the day seen in a composite that starts on the day
                                             ``first``: earlier days belong to the next year

A table that gives days without a time of day may be given an approximate ``overpass``, "10:30" UTC,
at which the sun is computed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.io.names import require
from releo_da.io.periods import CompositeOption, check_composite, middles
from releo_da.io.tables import number_column, row_name
from releo_da.io.times import parse_moment, to_days
from releo_da.types import InputError

TimeOption = str | dict[str, object]
FORMS = (
    frozenset({"text", "format"}),
    frozenset({"ordinal"}),
    frozenset({"days", "since"}),
    frozenset({"year", "day_of_year"}),
    frozenset({"year", "day_of_year", "composite"}),
)
FIRST_ORDINAL = 719163
"""Proleptic ordinal of 1970-01-01."""

PLAUSIBLE = (parse_moment("1900-01-01", ""), parse_moment("2200-01-01", ""))
"""Dates outside are taken for a wrong option (ordinal days read as days since 1970, say)."""


class Moments(NamedTuple):
    """When rows were seen.

    Attributes:
        days: ``[row]`` days since 1970-01-01 UTC, of a composite the middle of its period.
        length: ``[row]`` days that the period of a composite lasts, 0 of a single pass.
    """

    days: NDArray[np.float64]
    length: NDArray[np.float64]


def moments_of(
    table: pd.DataFrame,
    option: TimeOption,
    overpass: str | int | None,
    composite: CompositeOption | None,
    where: str,
) -> Moments:
    """When each row was seen.

    Args:
        table: the rows.
        option: the option ``time``.
        overpass: time of day of the rows; None where the dates have one, or it does not matter.
        composite: the option ``composite`` of `releo_da.io.periods`, or None.
        where: the file, for messages.

    Raises:
        InputError: as `row_days`, a composite is none, or dates have a time of day and ``overpass``
            gives another.
    """
    check_composite(composite, f"{where}: key 'composite'")
    days = row_days(table, option, where)
    length = np.zeros(len(days))
    if composite is not None:
        ends = None if "end" not in composite else row_days(table, str(composite["end"]), where)
        hour = days - np.floor(days)
        days, length = middles(days - hour, composite, ends, f"{where}: key 'composite'")
        days = np.where(hour > 0, np.floor(days) + hour, days)
    if overpass is None:
        return Moments(days, length)
    if composite is None and np.any(days != np.floor(days)):
        raise InputError(
            f"{where}: key 'overpass': the dates have a time of day already; remove the option"
        )
    return Moments(np.floor(days) + _time_of_day(overpass, f"{where}: key 'overpass'"), length)


def row_days(table: pd.DataFrame, option: TimeOption, where: str) -> NDArray[np.float64]:
    """Days since 1970-01-01 UTC of each row.

    Args:
        table: the rows.
        option: the option ``time``.
        where: the file, for messages.

    Raises:
        InputError: the option is none of the above, a column is missing, or a date is wrong or
            missing.
    """
    key = f"{where}: key 'time'"
    days = _text(table, option, key) if isinstance(option, str) else _counted(table, option, key)
    low, high = PLAUSIBLE
    wrong = np.flatnonzero(~((days >= low) & (days < high)))
    if wrong.size:
        row = table.iloc[wrong[0]]
        shown = ", ".join(str(row[name]) for name in _columns(option) if name in table.columns)
        remedy = "correct the row, or say otherwise what the column holds"
        if isinstance(option, str) and re.search(r"\d[./-]\d", shown):
            remedy = (
                "correct the row; where days or months come first, say which: "
                f'{{text: {option}, format: "%d/%m/%Y"}}, or "%m/%d/%Y"'
            )
        raise InputError(
            f"{key}: {row_name(table, int(table.index[wrong[0]]))} gives '{shown}', which is no "
            f"date between 1900 and 2200 as in 2024-03-31; {remedy}"
        )
    return days


def _columns(option: TimeOption) -> list[str]:
    """Names of the columns that an option reads."""
    names = [option] if isinstance(option, str) else option.values()
    return [name for name in names if isinstance(name, str)]


def _text(table: pd.DataFrame, column: str, where: str) -> NDArray[np.float64]:
    """Days of ISO texts; of numbers only those of eight digits, as in 20240311."""
    require(column, table.columns, where, "column")
    held = table[column]
    if pd.api.types.is_numeric_dtype(held):
        held = held.astype("Int64", errors="ignore").astype("string")
        eight = held.str.fullmatch(r"\d{8}").fillna(False)
        if not eight.all():
            raise InputError(
                f"{where}: the column '{column}' holds numbers such as {held.iloc[0]}; say what "
                f"they count: {{ordinal: {column}}}, {{days: {column}, since: 2000-01-01}} or "
                f"{{year: 2000, day_of_year: {column}}}"
            )
        return to_days(pd.to_datetime(held, format="%Y%m%d", errors="coerce").to_numpy())
    stamps = pd.to_datetime(held, format="ISO8601", errors="coerce", utc=True)
    return to_days(stamps.dt.tz_localize(None).to_numpy())


def _formatted(table: pd.DataFrame, column: str, pattern: str, where: str) -> NDArray[np.float64]:
    """Days of texts in a format of ``strftime``."""
    require(column, table.columns, where, "column")
    if "%" not in pattern:
        raise InputError(f"{where}: format '{pattern}' has no codes; write such as %d.%m.%Y")
    texts = table[column].convert_dtypes().astype("string")
    return to_days(pd.to_datetime(texts, format=pattern, errors="coerce").to_numpy())


def _counted(table: pd.DataFrame, option: Mapping[str, object], where: str) -> NDArray[np.float64]:
    """Days of counts: ordinal, since an origin, or of the year."""
    if set(option) not in FORMS:
        raise InputError(
            f"{where}: {dict(option)} is not a time; write the name of a column of ISO dates, "
            "{ordinal: column}, {days: column, since: date}, {year: column, day_of_year: column} "
            "or {text: column, format: '%d.%m.%Y'}"
        )

    def numbers(name: str) -> NDArray[np.float64]:
        given = option[name]
        if isinstance(given, int | float) and not isinstance(given, bool):
            return np.full(len(table), float(given))
        return number_column(table, str(given), f"{where}, {name}").to_numpy()

    if "text" in option:
        return _formatted(table, str(option["text"]), str(option["format"]), where)
    if "ordinal" in option:
        return numbers("ordinal") - FIRST_ORDINAL
    if "days" in option:
        since = parse_moment(option["since"], f"{where}, since")  # type: ignore[arg-type]
        return numbers("days") + since
    year, day = numbers("year"), numbers("day_of_year")
    if "composite" in option:
        year = year + (day < numbers("composite"))
    good = (year >= 1900) & (year < 2200)
    start = (np.where(good, year, 1970).astype(np.int64) - 1970).astype("datetime64[Y]")
    first, after = to_days(start), to_days(start + 1)
    good &= (day >= 1) & (day < after - first + 1)  # a common year has no day 366
    return np.where(good, first + day - 1, np.nan)


def _time_of_day(overpass: str | int, where: str) -> float:
    """Fraction of a day; YAML itself reads 10:30 without quotes as 630, minutes."""
    if isinstance(overpass, int) and 0 <= overpass < 1440:
        return overpass / 1440
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", str(overpass))
    if found and int(found[1]) < 24 and int(found[2]) < 60:
        return (60 * int(found[1]) + int(found[2])) / 1440
    raise InputError(f"{where}: '{overpass}' is no time of day; write it as \"10:30\", UTC")
