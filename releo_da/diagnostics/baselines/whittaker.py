r"""Whittaker smoothing: closeness to the data against roughness of the daily curve.

    minimise  sum_days  w (y - z)^2  +  lambda sum (z_{i-1} - 2 z_i + z_{i+1})^2

that is ``(W + lambda D'D) z = W y`` with second differences D on a daily grid; ``w`` counts the
acquisitions of a day, 0 on days without one. The matrix has five diagonals, so a factorisation
``L diag(d) L'`` costs O(day) per pixel; it loops over days and is vectorised over pixels. lambda
is the one of a logarithmic grid that best predicts withheld dates of the training part.
Whittaker 1922, doi:10.1017/S0013091500077853; Eilers 2003, doi:10.1021/ac034173t.
"""

from __future__ import annotations

from functools import partial

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

LAMBDAS = 10.0 ** np.arange(-1.0, 6.5, 0.5)
CHUNK = 2048  # pixels on the daily grid at once
FOLDS = 3  # one in how many dates is left out when lambda is chosen


def whittaker(lambda_: float, series: Series) -> Prediction:
    """The smooth curve at the dates of the series, ``[pixel, date]``.

    A pixel that was seen on fewer than two days has no curve: NaN.
    """
    return in_chunks(partial(daily_curve, lambda_), series, CHUNK)


def daily_curve(lambda_: float, series: Series) -> Prediction:
    """One block of pixels: solved day by day, read off at the dates of the series."""
    days, curve = daily_curves(lambda_, series)
    return Prediction(curve[(np.floor(series.times) - days[0]).astype(int)].T)


def daily_curves(lambda_: float, series: Series) -> tuple[Array, Array]:
    """The smooth curve of every day from the first to the last date, three at least.

    Returns:
        ``[day]`` days since 1970-01-01 and ``[day, pixel]``; NaN for a pixel that was seen on
        fewer than two days.
    """
    day = (np.floor(series.times) - np.floor(series.times[0])).astype(int)
    seen = series.seen.T
    values = np.where(seen, series.values.T, 0.0)
    # A penalty of second differences needs three days; days beyond the last cost nothing.
    weight = np.zeros((max(int(day[-1]) + 1, 3), seen.shape[1]))
    total = np.zeros_like(weight)
    np.add.at(weight, day, seen)
    np.add.at(total, day, values)
    curve = solve_pentadiagonal(weight, total, lambda_)
    days = np.floor(series.times[0]) + np.arange(len(weight))
    return days, np.where((weight > 0).sum(0) < 2, np.nan, curve)


def solve_pentadiagonal(weight: Array, right: Array, lambda_: float) -> Array:
    """``(diag(weight) + lambda D'D) z = right`` for each column, ``[day, pixel]``."""
    days = len(weight)
    second = np.diff(np.eye(min(days, 5)), n=2, axis=0)
    corner = second.T @ second  # holds every distinct row of D'D for five days and more
    diagonal, off = banded(corner, days)
    d, e, f = np.empty_like(weight), np.zeros_like(weight), np.zeros_like(weight)
    z = np.array(right, float)
    for i in range(days):
        d[i] = weight[i] + lambda_ * diagonal[i]
        below = lambda_ * off[i]
        if i > 0:
            d[i] -= d[i - 1] * e[i - 1] ** 2
            below = below - d[i - 1] * e[i - 1] * f[i - 1]
            z[i] -= e[i - 1] * z[i - 1]
        if i > 1:
            d[i] -= d[i - 2] * f[i - 2] ** 2
            z[i] -= f[i - 2] * z[i - 2]
        # A pixel seen on fewer than two days has no solution; keep it finite, it is dropped.
        d[i] = np.where(np.abs(d[i]) < 1e-12, 1.0, d[i])
        e[i] = below / d[i] if i < days - 1 else 0.0
        f[i] = lambda_ / d[i] if i < days - 2 else 0.0
    z /= d
    for i in range(days - 2, -1, -1):
        z[i] -= e[i] * z[i + 1]
        if i < days - 2:
            z[i] -= f[i] * z[i + 2]
    return z


def banded(corner: Array, days: int) -> tuple[Array, Array]:
    """Diagonal and first off-diagonal of D'D for any number of days (at least three)."""
    diagonal, off = np.full(days, 6.0), np.full(days, -4.0)
    if days < 5:
        off[:-1] = np.diag(corner, 1)
        return np.diag(corner).copy(), off
    diagonal[:2], diagonal[-2:] = (1.0, 5.0), (5.0, 1.0)
    off[0], off[-2] = -2.0, -2.0
    return diagonal, off


def fit_whittaker(training: Series) -> float:
    """The lambda that best predicts withheld dates of the training part (squared error)."""
    training = thinned(training)
    errors = np.zeros(len(LAMBDAS))
    for offset in range(FOLDS):
        target = withheld(training.seen, FOLDS, offset)
        rest = training._replace(seen=training.seen & ~target)
        for i, lambda_ in enumerate(LAMBDAS):
            error = (whittaker(lambda_, rest).mean - training.values)[target]
            errors[i] += np.nansum(error**2)
    return float(LAMBDAS[np.argmin(errors)])


WHITTAKER = Baseline("whittaker", fit_whittaker, lambda lambda_, s: whittaker(lambda_, s))
