"""One clock: float64 days since 1970-01-01 UTC, and the ways dates are written in files and YAML.

A float64 day number of this century resolves 4e-12 d, a third of a microsecond, so an acquisition
time survives the round trip through it to the millisecond.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from releo_da.types import InputError

NANOSECONDS = 86_400e9
Moment = str | float | datetime.date | datetime.datetime


def to_days(times: ArrayLike) -> NDArray[np.float64]:
    """Days since 1970-01-01 of datetime64 values (UTC), same shape; NaN where not a time."""
    stamps = np.asarray(times).astype("datetime64[ns]")
    days = stamps.astype(np.int64) / NANOSECONDS
    return np.where(np.isnat(stamps), np.nan, days)


def from_days(days: ArrayLike) -> NDArray[np.datetime64]:
    """datetime64[ms] (UTC) of days since 1970-01-01, rounded to the millisecond."""
    milliseconds = np.rint(np.asarray(days, dtype=np.float64) * 86_400e3)
    return milliseconds.astype(np.int64).astype("datetime64[ms]")


def today() -> float:
    """Days since 1970-01-01 by the clock of the machine."""
    return datetime.datetime.now(datetime.UTC).timestamp() / 86_400.0


def isoformat(days: float) -> str:
    """ISO 8601 text of a day number, to the second: ``2018-03-01T10:54:40``."""
    return str(from_days(days).astype("datetime64[s]"))


def parse_moment(moment: Moment, where: str) -> float:
    """Days since 1970-01-01 of a date, a time or a text in ISO 8601 (UTC unless it says else).

    Raises:
        InputError: the text is not a date.
    """
    if isinstance(moment, bool):
        raise InputError(f"{where}: '{moment}' is not a date; write it as 2018-03-31")
    if isinstance(moment, int | float):
        return float(moment)
    try:
        stamp = pd.Timestamp(moment)
    except (ValueError, TypeError):
        stamp = pd.NaT
    if stamp is pd.NaT:
        raise InputError(f"{where}: '{moment}' is not a date; write it as 2018-03-31")
    if stamp.tzinfo is not None:
        stamp = stamp.tz_convert("UTC").tz_localize(None)
    return float(to_days(stamp.to_datetime64()))


def parse_period(period: Sequence[Moment] | None, where: str) -> tuple[float, float]:
    """First and last day number of a period, both included; a last date counts to its midnight.

    Args:
        period: two moments, or None for all times.
        where: file and key, for messages.

    Raises:
        InputError: there are not two moments, one is not a date, or they are in wrong order.
    """
    if period is None:
        return -np.inf, np.inf
    if isinstance(period, str) or len(period) != 2:
        raise InputError(f"{where}: '{period}' is not a period; write [2018-01-01, 2018-12-31]")
    start, end = (parse_moment(moment, where) for moment in period)
    if end == np.floor(end):
        end = np.nextafter(end + 1, -np.inf)
    if not start <= end:
        raise InputError(
            f"{where}: the period starts on {isoformat(start)}, after its end on {isoformat(end)};"
            " exchange the two dates"
        )
    return start, end
