"""What every baseline reads and returns: series with gaps, predictions, withheld dates.

A series is a table ``values [pixel, date]`` on one axis of dates, and ``seen [pixel, date]`` says
which values may be used. A date that a pixel did not see costs nothing but a False, so all
pixels of a run share one axis and every method is vectorised over pixels.

The rule of withholding (the same for the assimilation and for what it is compared with): number
the clear dates of a pixel from 0; withhold date i where ``i % every == offset``, but never the
first or the last one, so that what is withheld always lies between two seen values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from releo_da.diagnostics.leads import Pairs
from releo_da.types import InputError

Array = NDArray[Any]


class Series(NamedTuple):
    """Values of one variable on a common axis of dates.

    Attributes:
        times: ``[date]`` days since 1970-01-01, ascending (equal ones are allowed).
        values: ``[pixel, date]``; whatever stands where nothing was seen is never read.
        seen: ``[pixel, date]`` bool, True where the value may be used.
    """

    times: Array
    values: Array
    seen: Array


class Prediction(NamedTuple):
    """What a baseline says of every date.

    Attributes:
        mean: ``[pixel, date]``, NaN where the method has no answer.
        sd: ``[pixel, date]`` standard deviation of a new observation (noise included), or None
            where the method has no distribution of its own.
    """

    mean: Array
    sd: Array | None = None


class Baseline(NamedTuple):
    """A method to beat: fitted on a training part, applied to any other series.

    Attributes:
        name: its key in the scores.
        fit: ``fit(training) -> fitted``; what the next two receive (None if nothing is learned).
        smooth: ``smooth(fitted, series) -> Prediction`` from the values seen before and after
            each date; None where the method cannot.
        forecast: ``forecast(fitted, series, horizon) -> Prediction`` of each date t from the
            values seen at t - horizon or earlier; None where the method cannot.
        between: ``between(fitted, series, pairs) -> Prediction`` along ``[pair]``, of each target
            from the values seen up to its origin; None where the method cannot.
        until: ``until(fitted, moment) -> fitted``, of a method that has a past of the scored pixel
            besides: nothing of it after the moment is used. None where there is no such past.
    """

    name: str
    fit: Callable[[Series], Any]
    smooth: Callable[[Any, Series], Prediction] | None = None
    forecast: Callable[[Any, Series, float], Prediction] | None = None
    between: Callable[[Any, Series, Pairs], Prediction] | None = None
    until: Callable[[Any, float], Any] | None = None


def series(times: Array, values: Array, seen: Array | None = None) -> Series:
    """A checked series in float64.

    Args:
        times: ``[date]`` days since 1970-01-01, or datetime64.
        values: ``[pixel, date]``; values that are not finite count as not seen.
        seen: ``[pixel, date]`` bool; everything finite when left out.

    Raises:
        InputError: where shapes disagree or dates descend.
    """
    values = np.asarray(values, float)
    times = days(times)
    if values.ndim != 2 or values.shape[1] != len(times):
        raise InputError(
            f"a series needs values [pixel, date]; got {values.shape} for {len(times)} dates"
        )
    if np.any(np.diff(times) < 0):
        raise InputError("the dates of a series must ascend; sort them together with the values")
    finite = np.isfinite(values)
    if seen is not None and np.shape(seen) != values.shape:
        raise InputError(f"`seen` has shape {np.shape(seen)}, the values have {values.shape}")
    seen = finite if seen is None else np.asarray(seen, bool) & finite
    return Series(times, np.where(finite, values, np.nan), seen)


def days(times: Array) -> Array:
    """Float64 days since 1970-01-01, ``[date]``, from days or datetime64."""
    times = np.asarray(times)
    if np.issubdtype(times.dtype, np.datetime64):
        return times.astype("datetime64[us]").astype(np.int64) / 86_400e6
    return times.astype(float)


def part(
    whole: Series, pixels: Array | None = None, period: tuple[float, float] | None = None
) -> Series:
    """The pixels (bool or indices) and the dates (first, last; inclusive) of a training part."""
    if pixels is not None:
        whole = Series(whole.times, whole.values[pixels], whole.seen[pixels])
    if period is not None:
        inside = (whole.times >= period[0]) & (whole.times <= period[1])
        whole = Series(whole.times[inside], whole.values[:, inside], whole.seen[:, inside])
    return whole


def thinned(whole: Series, count: int = 512) -> Series:
    """At most `count` pixels, evenly spaced: enough to fit a few numbers on."""
    step = max(1, -(-len(whole.values) // count))
    return Series(whole.times, whole.values[::step], whole.seen[::step])


def in_chunks(method: Callable[[Series], Prediction], whole: Series, size: int) -> Prediction:
    """`method` over blocks of `size` pixels, so that its memory does not grow with the scene."""
    parts = [
        method(Series(whole.times, whole.values[i : i + size], whole.seen[i : i + size]))
        for i in range(0, max(len(whole.values), 1), size)
    ]
    sds = [found.sd for found in parts if found.sd is not None]
    sd = np.concatenate(sds) if sds else None
    return Prediction(np.concatenate([found.mean for found in parts]), sd)


def withheld(seen: Array, every: int, offset: int) -> Array:
    """Which clear dates are withheld for scoring.

    Args:
        seen: ``[pixel, date]`` bool, the clear dates in time order.
        every: one in how many.
        offset: the remainder k of ``i % every == k``.

    Returns:
        ``[pixel, date]`` bool; never the first or the last clear date of a pixel.
    """
    seen = np.asarray(seen, bool)
    number = np.cumsum(seen, axis=1) - 1
    last = number[:, -1:] if seen.shape[1] else number
    return seen & (number % every == offset) & (number > 0) & (number < last)


def latest(seen: Array) -> Array:
    """Index of the latest date seen at or before each date, -1 before the first.

    ``[pixel, date]`` bool -> int.
    """
    return np.maximum.accumulate(np.where(seen, np.arange(seen.shape[1]), -1), axis=1)


def following(seen: Array) -> Array:
    """Index of the first date seen at or after each date, ``date count`` after the last."""
    count = seen.shape[1]
    index = np.where(seen, np.arange(count), count)
    return np.minimum.accumulate(index[:, ::-1], axis=1)[:, ::-1]


def last_usable(times: Array, horizon: float) -> Array:
    """Index of the last date at least `horizon` days older than each date, -1 if none; [date].

    Counted in calendar days (UTC): two passes of a 10-day orbit lie 10 days apart, although the
    second may come a few seconds early. Horizon 0 allows the date itself and nothing later.
    """
    if horizon <= 0:
        return np.arange(len(times))
    day = np.floor(times)
    return np.searchsorted(day, day - horizon, side="right") - 1


def take(values: Array, index: Array) -> Array:
    """``values[pixel, index[pixel, date]]``, NaN where the index lies outside the axis."""
    inside = (index >= 0) & (index < values.shape[1])
    return np.where(inside, np.take_along_axis(values, np.where(inside, index, 0), 1), np.nan)
