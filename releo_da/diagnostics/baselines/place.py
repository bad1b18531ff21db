r"""Climatologies of the place itself: what this pixel showed in other years of the training part.

    day of year   mean of the values within `w` days of the same day of the year
    harmonic      a_0 + sum_k a_k cos + b_k sin of the pixel, three harmonics

both drawn towards the pooled seasonal mean of `releo_da.diagnostics.baselines.climatology` by the
weight of one observation, so that a season without values, or a pixel without past, has the pooled
one. Values of the target's own calendar year are never used: in the scored years that changes
nothing, and in the training years it makes residuals what they will be later, since a climatology
that has seen a value looks better there than it is. `w` is the one of `WINDOWS` with the least
squared error in the training part, predicted so.

The past of a scored pixel is read from the scored series itself, up to the end of the training
part, so pixels need not be those of the training part; nor may it reach into what is scored, which
`until` sees to.
Cost O(pixel x date x year).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.baselines.climatology import (
    YEAR,
    fit_harmonic,
    harmonic_of_place,
    seasonal,
)
from releo_da.diagnostics.baselines.series import Array, Baseline, Prediction, Series
from releo_da.diagnostics.leads import Pairs

WINDOWS = (8.0, 15.0, 22.0, 30.0, 45.0)


class Past(NamedTuple):
    """What the training part says of a climatology.

    Attributes:
        pooled: coefficients of the pooled seasonal mean.
        end: last day of the training part.
        window: days on either side of a day of the year.
    """

    pooled: Array
    end: float
    window: float


def fit_past(training: Series) -> Past:
    """The pooled mean and the end of the training part; no window."""
    return Past(fit_harmonic(training), float(training.times.max()), np.nan)


def fit_day_of_year(training: Series) -> Past:
    """The same with the best window."""
    past = fit_past(training)

    def error(window: float) -> float:
        predicted = day_of_year(past._replace(window=window), training).mean
        return float(np.sum((predicted - training.values)[training.seen] ** 2))

    return past._replace(window=min(WINDOWS, key=error))


def years(times: Array) -> Array:
    """The calendar year of each date, ``[date]`` int64."""
    moments = np.floor(np.asarray(times, float)).astype("datetime64[D]")
    return moments.astype("datetime64[Y]").astype(np.int64) + 1970


def usable(past: Past, series: Series, year: int) -> Array:
    """Which values a climatology may use for targets of a year, ``[pixel, date]`` bool."""
    return series.seen & ((series.times <= past.end) & (years(series.times) != year))


def day_of_year(past: Past, series: Series) -> Prediction:
    """The mean about the day of the year, ``[pixel, date]``."""
    pooled = seasonal(past.pooled, series.times)
    apart = np.abs(series.times[:, None] - series.times) % YEAR
    near = np.minimum(apart, YEAR - apart) <= past.window
    mean = np.tile(pooled, (len(series.values), 1))
    for year in np.unique(years(series.times)):
        wanted = years(series.times) == year
        held = usable(past, series, year)
        departure = np.where(held, series.values - pooled, 0.0)
        weight = held.astype(float) @ near[:, wanted]
        mean[:, wanted] += departure @ near[:, wanted] / (weight + 1.0)
    return Prediction(mean)


def harmonic(past: Past, series: Series) -> Prediction:
    """The harmonic curve of the pixel, ``[pixel, date]``."""
    mean = np.empty(series.values.shape)
    for year in np.unique(years(series.times)):
        wanted = years(series.times) == year
        rest = series._replace(seen=usable(past, series, year))
        mean[:, wanted] = harmonic_of_place(past.pooled, rest).mean[:, wanted]
    return Prediction(mean)


def until(past: Past, moment: float) -> Past:
    """The same with no past of a scored pixel at a moment or later."""
    return past._replace(end=min(past.end, float(np.nextafter(moment, -np.inf))))


def at_targets(prediction: Prediction, pairs: Pairs) -> Prediction:
    """A prediction of dates as one of pairs, whatever their origin, ``[pair]``."""
    return Prediction(prediction.mean[pairs.pixel, pairs.target])


PLACE_DAY_OF_YEAR = Baseline(
    "place_day_of_year",
    fit_day_of_year,
    between=lambda past, series, pairs: at_targets(day_of_year(past, series), pairs),
    until=until,
)
PLACE_HARMONIC = Baseline(
    "place_harmonic",
    fit_past,
    between=lambda past, series, pairs: at_targets(harmonic(past, series), pairs),
    until=until,
)
