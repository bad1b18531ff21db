"""Baselines that read only the pixel itself: persistence, straight lines, Savitzky-Golay.

    persistence       x(t) = y(s), s the latest date seen
    linear            x(t) = y(a) + (t - a) / (b - a) (y(b) - y(a)), a <= t <= b the nearest seen
    savitzky_golay    the straight lines sampled daily, then a local polynomial of `order` fitted
                      by least squares in a moving window (Savitzky and Golay 1964,
                      doi:10.1021/ac60214a047; for NDVI Chen et al. 2004,
                      doi:10.1016/j.rse.2004.03.014)

Outside the first and last seen date straight lines continue as constants. None of the three
learns anything, and none has a distribution of its own: their residuals on a training part are
their spread. Cost O(pixel x date), daily methods O(pixel x day).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.signal import savgol_filter

from releo_da.diagnostics.baselines.series import (
    Array,
    Baseline,
    Prediction,
    Series,
    following,
    in_chunks,
    last_usable,
    latest,
    take,
)

WINDOW, ORDER = 31, 3  # days, degree
CHUNK = 2048  # pixels on the daily grid at once


def nothing(training: Series) -> None:
    """Nothing is learned from a training part."""


def persistence(series: Series, horizon: float = 0.0) -> Prediction:
    """The last value seen, at least `horizon` days old; ``[pixel, date]``."""
    usable = last_usable(series.times, horizon)
    index = np.where(usable >= 0, latest(series.seen)[:, usable], -1)
    return Prediction(take(series.values, index))


def linear(series: Series) -> Prediction:
    """Straight lines between the values seen, at the dates of the series."""
    return Prediction(linear_at(series, series.times))


def linear_at(series: Series, times: Array) -> Array:
    """Straight lines between the values seen, constant outside them.

    Args:
        series: what was seen, ``[pixel, date]``.
        times: ``[time]`` days, where values are wanted.

    Returns:
        ``[pixel, time]``; NaN for a pixel that saw nothing.
    """
    at = np.searchsorted(series.times, times, side="right") - 1
    before = np.where(at >= 0, latest(series.seen)[:, at], -1)
    from_ = np.searchsorted(series.times, times, side="left")
    count = len(series.times)
    after = np.where(from_ < count, following(series.seen)[:, np.minimum(from_, count - 1)], count)
    axis = np.broadcast_to(series.times, series.values.shape)
    y0, y1 = take(series.values, before), take(series.values, after)
    t0, t1 = take(axis, before), take(axis, after)
    gap = t1 - t0
    weight = np.divide(times - t0, gap, out=np.zeros(gap.shape), where=gap > 0)
    inside = y0 + weight * (y1 - y0)
    return np.where(np.isnan(y0), y1, np.where(np.isnan(y1), y0, inside))


def savitzky_golay(series: Series, window: int = WINDOW, order: int = ORDER) -> Prediction:
    """A moving polynomial over the daily straight lines.

    Args:
        series: what was seen.
        window: days of the moving window (odd); shortened where the series is shorter.
        order: degree of the polynomial.
    """
    daily = np.arange(np.floor(series.times[0]), np.ceil(series.times[-1]) + 1.0)
    window = min(window, len(daily) - (len(daily) + 1) % 2)
    if window <= order:
        return linear(series)
    return in_chunks(partial(smooth_daily, daily, window, order), series, CHUNK)


def smooth_daily(daily: Array, window: int, order: int, series: Series) -> Prediction:
    """One block of pixels: to daily values, smoothed, and back to the dates of the series.

    A pixel that saw nothing (of a channel that only one of several sensors has) stays unknown.
    """
    smooth = linear_at(series, daily)
    known = np.isfinite(smooth).all(1)
    if known.any():
        smooth[known] = savgol_filter(smooth[known], window, order, axis=1)
    without_gaps = Series(daily, smooth, np.isfinite(smooth))
    return Prediction(linear_at(without_gaps, series.times))


PERSISTENCE = Baseline(
    "persistence",
    nothing,
    lambda _, s: persistence(s),
    lambda _, s, h: persistence(s, h),
    lambda _, s, pairs: Prediction(s.values[pairs.pixel, pairs.origin]),
)
LINEAR = Baseline("linear", nothing, lambda _, s: linear(s))
SAVITZKY_GOLAY = Baseline("savitzky_golay", nothing, lambda _, s: savitzky_golay(s))
