r"""Double-logistic phenology: every season of a pixel rises once and falls once.

    y(t) = b + (m - b) L(t) - (m - c) R(t),    L = sigmoid((t - s) / p),  R = sigmoid((t - a) / q)

with the level m of the full canopy, the levels b before and c after the season, and the days s
and a at which half of the rise and of the fall are done (Zhang et al. 2003,
doi:10.1016/S0034-4257(02)00135-9, for each flank; Beck et al. 2006,
doi:10.1016/j.rse.2005.10.021, for both at once, with b = c).

Seasons come from the data: the Whittaker curve of the pixel (`ROUGHNESS`) is parted at troughs
between peaks that differ from them by at least a tenth of its range
(`releo_da.diagnostics.turning`), so that there may be several a year, or one across two years. What
was seen in a season and `OVERLAP` days around it counts, and there neighbouring seasons fade into
each other. The start values t0 read off that curve are the centre of a prior as well, as seven
numbers are more than a cloudy season determines:

    minimise over t = (b, c, m, s, a, log p, log q)
        sum_seen (y - y(t))^2 / range^2  +  strength sum_i (t_i - t0_i)^2 / width_i^2

by Levenberg's and Marquardt's steps of all seasons of all pixels at once, kept within bounds; a
season that has converged takes no further part. The strength is the one that best predicts withheld
dates of the training part. Nothing was seen in a season: its curve is that of the start values.

There is no forecast. In the midst of a season its level, its fall and its end are not in the data;
they would be the mean of the training part, which `harmonic` is already.
Cost O(season x date) per step, some ten steps.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.baselines.series import (
    Array,
    Baseline,
    Prediction,
    Series,
    in_chunks,
    thinned,
    withheld,
)
from releo_da.diagnostics.baselines.whittaker import daily_curves
from releo_da.diagnostics.turning import spans, turns

ROUGHNESS = 1e2  # of the curve that parts seasons: waves of about a month pass
PARTED = 0.1  # share of the range of that curve by which peaks and troughs differ
OVERLAP = 15.0  # days
STRENGTHS = (1e-3, 1e-2)
FOLDS, FEW = 3, 64  # dates left out in turn, and pixels, when the strength is chosen
CHUNK = 2048  # pixels
STEPS, CLOSE = 100, 1e-2  # at most; and the share of a width below which a step ends
WIDTHS = np.array([0.2, 0.2, 0.2, 15.0, 15.0, 0.5, 0.5])  # of levels in ranges
SLOWEST = 60.0  # days, of p and q


class Seasons(NamedTuple):
    """All seasons of all pixels, with what was seen in each; seasons of a pixel are neighbours.

    Attributes:
        pixel: ``[season]`` row of the series.
        first: ``[season]`` days, of its parting.
        last: ``[season]`` days.
        scale: ``[season]`` range of the curve of its pixel.
        start: ``[season, 7]`` start values, levels in ranges, dates in days from `first`.
        low: ``[season, 7]`` lower bounds.
        high: ``[season, 7]`` upper bounds.
    """

    pixel: Array
    first: Array
    last: Array
    scale: Array
    start: Array
    low: Array
    high: Array


def curve_of(found: Array, days: Array) -> Array:
    """The curves at days of each season, ``[season, 7], [season, day] -> [season, day]``."""
    b, c, m, s, a, p, q = (part[:, None] for part in found.T)
    rise, fall = sigmoid((days - s) / np.exp(p)), sigmoid((days - a) / np.exp(q))
    return b + (m - b) * rise - (m - c) * fall


def slopes(found: Array, days: Array) -> Array:
    """Derivatives of `curve_of`, ``[season, day, 7]``."""
    b, c, m, s, a, p, q = (part[:, None] for part in found.T)
    x, z = (days - s) / np.exp(p), (days - a) / np.exp(q)
    rise, fall = sigmoid(x), sigmoid(z)
    up, down = (m - b) * rise * (1 - rise), (m - c) * fall * (1 - fall)
    parts = [1 - rise, fall, rise - fall, -up / np.exp(p), down / np.exp(q), -up * x, down * z]
    return np.stack(parts, -1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def seasons(series: Series) -> Seasons:
    """The seasons of each pixel and their start values."""
    days, curve = daily_curves(ROUGHNESS, series)
    # Before the first value and after the last one that curve is a line: it ends at the extremes.
    least = np.where(series.seen, series.values, np.inf).min(1, keepdims=True)
    most = np.where(series.seen, series.values, -np.inf).max(1, keepdims=True)
    curve = np.clip(curve.T, least, most)
    height = np.ptp(curve, axis=1)
    height = np.where(height > 0, height, 1.0)
    parting = turns(curve, PARTED * height).trough
    first, last = spans(parting)
    opens = parting.copy()
    opens[:, 0] = True
    pixel, begin = opens.nonzero()
    end = last[pixel, begin]
    inside = (np.arange(len(days)) >= begin[:, None]) & (np.arange(len(days)) <= end[:, None])
    level = curve[pixel] / height[pixel, None]
    top = np.where(inside, level, -np.inf).argmax(1)
    row = np.arange(len(pixel))
    b, c, m = level[row, begin], level[row, end], level[row, top]
    before = inside & (np.arange(len(days)) <= top[:, None])
    after = inside & (np.arange(len(days)) >= top[:, None])

    def day_below(share: float, base: Array, flank: Array) -> Array:
        """How many days of a flank lie below a share of it, which is where it passes the share."""
        return (flank & (level < (base + share * (m - base))[:, None])).sum(1)

    s, a = day_below(0.5, b, before), end - begin - day_below(0.5, c, after)
    # Between a quarter and three quarters a logistic takes 2 log 3 of its time constant.
    p = (day_below(0.75, b, before) - day_below(0.25, b, before)) / (2 * np.log(3))
    q = (day_below(0.75, c, after) - day_below(0.25, c, after)) / (2 * np.log(3))
    pace = np.log(np.clip([p, q], 2.0, SLOWEST / 2))
    start = np.stack([b, c, m, s, a, *pace], 1).astype(float)
    lowest, highest = level.min(1) - 0.5, level.max(1) + 0.5
    margin, length = np.full(len(row), -2 * OVERLAP), end - begin + 2 * OVERLAP
    nought, slow = np.zeros(len(row)), np.full(len(row), np.log(SLOWEST))
    low = np.stack([lowest] * 3 + [margin] * 2 + [nought] * 2, 1)
    high = np.stack([highest] * 3 + [length] * 2 + [slow] * 2, 1)
    return Seasons(pixel, days[begin], days[end], height[pixel], start, low, high)


def weights(found: Seasons, times: Array) -> Array:
    """How much each season counts at each time: 1 inside, falling to 0 over the overlap."""
    rise = (times - found.first[:, None]) / (2 * OVERLAP) + 0.5
    fall = (found.last[:, None] - times) / (2 * OVERLAP) + 0.5
    alone = np.diff(found.pixel, prepend=-1) > 0, np.diff(found.pixel, append=-1) != 0
    rise = np.where(alone[0][:, None], 1.0, rise)  # nothing before the first season of a pixel
    fall = np.where(alone[1][:, None], 1.0, fall)
    return np.clip(rise, 0.0, 1.0) * np.clip(fall, 0.0, 1.0)


def fit(found: Seasons, series: Series, strength: float, close: float = CLOSE) -> Array:
    """The parameters of each season, ``[season, 7]``, levels in ranges, dates from its first day.

    Args:
        found: the seasons.
        series: what was seen.
        strength: of the prior.
        close: share of the prior's width below which a step of all parameters ends a fit.
    """
    seen = series.seen[found.pixel] & (weights(found, series.times) > 0)
    # What a season saw goes to the front, so that empty dates cost nothing.
    most = max(int(seen.sum(1).max(initial=0)), 1)
    place = np.argsort(~seen, axis=1, kind="stable")[:, :most]
    seen = np.take_along_axis(seen, place, 1)
    times = series.times[place] - found.first[:, None]
    y = np.take_along_axis(series.values[found.pixel], place, 1) / found.scale[:, None]
    y = np.where(seen, y, 0.0)
    prior = strength / WIDTHS**2
    now = found.start.copy()
    damping = np.full(len(now), 1e-2)
    active = np.arange(len(now))

    def cost(rows: Array, at: Array) -> Array:
        miss = np.where(seen[rows], y[rows] - curve_of(at, times[rows]), 0.0)
        return (miss**2).sum(1) + (prior * (at - found.start[rows]) ** 2).sum(1)

    least = cost(active, now)
    for _ in range(STEPS):
        if not len(active):
            break
        at, rows = now[active], active
        slope = np.where(seen[rows][..., None], slopes(at, times[rows]), 0.0)
        miss = np.where(seen[rows], y[rows] - curve_of(at, times[rows]), 0.0)
        down = (slope.mT @ miss[..., None])[..., 0] - prior * (at - found.start[rows])
        normal = slope.mT @ slope + np.diag(prior)
        # A parameter at its bound that would leave it stays: the others move without it.
        held = ((at <= found.low[rows]) & (down < 0)) | ((at >= found.high[rows]) & (down > 0))
        normal = np.where(held[:, :, None] | held[:, None, :], 0.0, normal)
        extra = damping[rows, None] * np.maximum(normal.diagonal(0, 1, 2), 1e-9) + held
        normal = normal + extra[..., None] * np.eye(len(WIDTHS))
        step = np.linalg.solve(normal, np.where(held, 0.0, down)[..., None])[..., 0]
        ahead = np.clip(at + step, found.low[rows], found.high[rows])
        tried = cost(rows, ahead)
        better = tried <= least[rows]
        now[rows[better]], least[rows[better]] = ahead[better], tried[better]
        damping[rows] = np.where(better, np.maximum(damping[rows] / 5, 1e-12), damping[rows] * 8)
        done = (np.abs(ahead - at) / WIDTHS).max(1) < close
        active = active[~(done | (damping[rows] > 1e8))]
    return now


def smooth(strength: float, series: Series) -> Prediction:
    """The seasons' curves at the dates of the series, ``[pixel, date]``.

    A pixel that was seen on fewer than two days has none: NaN.
    """
    return in_chunks(partial(smooth_chunk, strength), series, CHUNK)


def smooth_chunk(strength: float, series: Series) -> Prediction:
    """One block of pixels."""
    mean = np.full(series.values.shape, np.nan)
    known = np.array([np.unique(np.floor(series.times[row])).size > 1 for row in series.seen])
    if known.any():
        some = series._replace(values=series.values[known], seen=series.seen[known])
        mean[known] = at_times(strength, some, series.times)
    return Prediction(mean)


def at_times(strength: float, series: Series, times: Array) -> Array:
    """The curves of pixels that were seen on two days or more, at any times, ``[pixel, time]``."""
    found = seasons(series)
    said = curve_of(fit(found, series, strength), times - found.first[:, None])
    weight = weights(found, times)
    total, mean = np.zeros((2, len(series.values), len(times)))
    np.add.at(total, found.pixel, weight)
    np.add.at(mean, found.pixel, weight * said * found.scale[:, None])
    return mean / total


def fit_double_logistic(training: Series) -> float:
    """The strength that best predicts withheld dates of the training part (squared error)."""
    training = thinned(training, FEW)
    errors = np.zeros(len(STRENGTHS))
    for offset in range(FOLDS):
        target = withheld(training.seen, FOLDS, offset)
        rest = training._replace(seen=training.seen & ~target)
        for i, strength in enumerate(STRENGTHS):
            error = (smooth(strength, rest).mean - training.values)[target]
            errors[i] += np.nansum(error**2)
    return float(STRENGTHS[int(np.argmin(errors))])


DOUBLE_LOGISTIC = Baseline("double_logistic", fit_double_logistic, smooth)
