r"""Kalman baselines on the index itself: Ornstein-Uhlenbeck and Matern-3/2.

Each pixel is a stationary Gaussian process around the pooled seasonal mean of the training part:

    y(t) = m(t) + x_0(t) + e,    e ~ N(0, r)
    x(t + dt) = F(dt) x(t) + q,  q ~ N(0, s2 (I - F F'))

with one state (OU, exponential covariance, ``F = exp(-a)``) or two (Matern-3/2, position and
scaled velocity, ``F = exp(-a) [[1 + a, a], [-a, 1 - a]]``), ``a = dt / tau``. Velocity is scaled
by tau, so that the stationary covariance is ``s2 I``. Exact for any interval.

``s2, tau, r`` maximise the likelihood of the innovations over the training part. Filtering is
scalar per pixel (no inverse but 1 / S), smoothing is Bryson and Frazier's adjoint recursion
(Bierman 1973, doi:10.1016/0005-1098(73)90027-7), which needs no inverse at all and so does not
mind two acquisitions at one instant. All recursions loop over dates and are vectorised over
pixels. Matern processes in state space: Hartikainen and Sarkka 2010,
doi:10.1109/MLSP.2010.5589113.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from releo_da.diagnostics.baselines.climatology import fit_harmonic, seasonal
from releo_da.diagnostics.baselines.series import (
    Array,
    Baseline,
    Prediction,
    Series,
    in_chunks,
    last_usable,
    thinned,
)
from releo_da.diagnostics.leads import Pairs, of_pixels

SEASON = 2  # harmonics of the mean; what they leave, the process carries
CHUNK = 4096  # pixels whose filtered states are held at once


class Process(NamedTuple):
    """A fitted process.

    Attributes:
        order: number of states, 1 for OU and 2 for Matern-3/2.
        mean: coefficients of the pooled seasonal mean.
        variance: s2, stationary variance about the mean.
        tau: days, time constant.
        noise: r, variance of an observation.
    """

    order: int
    mean: Array
    variance: float
    tau: float
    noise: float


class Filtered(NamedTuple):
    """What the filter leaves at each date; date first.

    Attributes:
        mean: ``[date, pixel, state]`` after the update, about the seasonal mean.
        covariance: ``[date, pixel, state, state]`` after the update.
        gain: ``[date, pixel, state]``, 0 where nothing was seen.
        innovation: ``[date, pixel]``, 0 where nothing was seen.
        precision: ``[date, pixel]`` 1 / S, 0 where nothing was seen.
    """

    mean: Array
    covariance: Array
    gain: Array
    innovation: Array
    precision: Array


def transition(order: int, interval: Array | float) -> Array:
    """F of an interval in time constants, ``[...] -> [..., order, order]``."""
    a = np.asarray(interval, float)[..., None, None]
    if order == 1:
        return np.exp(-a)
    step = np.array([[1.0, 1.0], [-1.0, -1.0]])
    return np.exp(-a) * (np.eye(2) + a * step)


def propagate(process: Process, mean: Array, covariance: Array, f: Array) -> tuple[Array, Array]:
    """Mean ``[..., state]`` and covariance after one interval with transition `f`."""
    stationary = process.variance * np.eye(process.order)
    anomaly = f @ (covariance - stationary) @ np.swapaxes(f, -1, -2)
    return (f @ mean[..., None])[..., 0], stationary + anomaly


def filtered(process: Process, series: Series) -> Filtered:
    """The Kalman filter over all pixels at once; loops over dates."""
    pixels, dates = series.values.shape
    order = process.order
    mean = np.zeros((pixels, order))
    covariance = np.broadcast_to(process.variance * np.eye(order), (pixels, order, order))
    f = transition(order, np.diff(series.times, prepend=series.times[0]) / process.tau)
    season = seasonal(process.mean, series.times)
    kept = Filtered(
        np.empty((dates, pixels, order)),
        np.empty((dates, pixels, order, order)),
        np.empty((dates, pixels, order)),
        np.empty((dates, pixels)),
        np.empty((dates, pixels)),
    )
    for t in range(dates):
        mean, covariance = propagate(process, mean, covariance, f[t])
        seen = series.seen[:, t]
        precision = seen / (covariance[:, 0, 0] + process.noise)
        innovation = np.where(seen, series.values[:, t] - season[t] - mean[:, 0], 0.0)
        gain = covariance[:, :, 0] * precision[:, None]
        mean = mean + gain * innovation[:, None]
        covariance = covariance - gain[:, :, None] * covariance[:, None, 0, :]
        for whole, now in zip(kept, (mean, covariance, gain, innovation, precision), strict=True):
            whole[t] = now
    return kept


def deviance(process: Process, series: Series) -> float:
    """Minus twice the log-likelihood of what was seen, without its constant."""
    run = filtered(process, series)
    seen = run.precision > 0
    p = run.precision[seen]
    return float(np.sum(run.innovation[seen] ** 2 * p - np.log(p)))


def fit_process(training: Series, order: int, harmonics: int = SEASON) -> Process:
    """Seasonal mean by regression, then variance, time constant and noise by likelihood.

    Args:
        training: the training part; at most 512 evenly spaced pixels of it are read.
        order: 1 for OU, 2 for Matern-3/2.
        harmonics: of the seasonal mean; 0 for a constant.
    """
    coefficients = fit_harmonic(training, harmonics)
    few = thinned(training)
    anomaly = (few.values - seasonal(coefficients, few.times))[few.seen]
    variance = max(float(np.mean(anomaly**2)) if anomaly.size else 1.0, 1e-8)

    def process(logs: Array) -> Process:
        s2, tau, r = np.exp(logs)
        return Process(order, coefficients, float(s2), float(tau), float(r))

    start = np.log([variance, 30.0 / order, 0.05 * variance])
    bounds = [
        (np.log(1e-2 * variance), np.log(1e2 * variance)),
        (np.log(0.5), np.log(2000.0)),
        (np.log(1e-6 * variance), np.log(2.0 * variance)),
    ]
    found = minimize(
        lambda logs: deviance(process(logs), few), start, method="L-BFGS-B", bounds=bounds
    )
    return process(found.x)


def smooth(process: Process, series: Series) -> Prediction:
    """Mean and sd (noise included) of each date given all that was seen, ``[pixel, date]``."""
    return in_chunks(partial(smooth_chunk, process), series, CHUNK)


def smooth_chunk(process: Process, series: Series) -> Prediction:
    """Bryson-Frazier smoothing: r and R are the adjoint mean and its information, backwards."""
    run = filtered(process, series)
    f = transition(process.order, np.diff(series.times, prepend=series.times[0]) / process.tau)
    dates, pixels, order = run.mean.shape
    adjoint = np.zeros((pixels, order))
    information = np.zeros((pixels, order, order))
    mean, variance = np.empty((pixels, dates)), np.empty((pixels, dates))
    row = np.eye(order)[0]
    for t in range(dates - 1, -1, -1):
        across = run.covariance[t][:, 0, :]
        mean[:, t] = run.mean[t][:, 0] + np.sum(across * adjoint, 1)
        removed = np.einsum("pi,pij,pj->p", across, information, across)
        variance[:, t] = run.covariance[t][:, 0, 0] - removed
        # Through the update, C = I - K H, and then through the transition.
        c = np.eye(order) - run.gain[t][:, :, None] * row
        ct = np.swapaxes(c, 1, 2)
        adjoint = (ct @ adjoint[..., None])[..., 0]
        adjoint += (run.precision[t] * run.innovation[t])[:, None] * row
        information = ct @ information @ c
        information += run.precision[t][:, None, None] * np.outer(row, row)
        adjoint = adjoint @ f[t]
        information = f[t].T @ information @ f[t]
    mean += seasonal(process.mean, series.times)
    return Prediction(mean, np.sqrt(np.maximum(variance, 0.0) + process.noise))


def forecast(process: Process, series: Series, horizon: float) -> Prediction:
    """Mean and sd (noise included) of each date from what was seen `horizon` days before."""
    return in_chunks(partial(forecast_chunk, process, horizon), series, CHUNK)


def forecast_chunk(process: Process, horizon: float, series: Series) -> Prediction:
    """The filter's state at the last usable date, carried to the target."""
    run = filtered(process, series)
    origin = last_usable(series.times, horizon)
    known = origin >= 0
    lead = np.where(known, series.times - series.times[origin], 0.0)
    f = transition(process.order, lead / process.tau)[:, None]
    mean, covariance = propagate(process, run.mean[origin], run.covariance[origin], f)
    x = np.where(known[:, None], mean[..., 0], 0.0).T
    variance = np.where(known[:, None], covariance[..., 0, 0], process.variance).T
    return Prediction(x + seasonal(process.mean, series.times), np.sqrt(variance + process.noise))


def between(process: Process, series: Series, pairs: Pairs) -> Prediction:
    """Mean and sd (noise included) of each target from what was seen up to its origin, ``[pair]``.

    Filtered in blocks of `CHUNK` pixels; pairs are ordered by pixel.
    """
    mean, sd = np.empty(len(pairs.pixel)), np.empty(len(pairs.pixel))
    for first in range(0, len(series.values), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(series.values)))
        part, chosen = of_pixels(pairs, rows)
        block = Series(series.times, series.values[rows], series.seen[rows])
        run = filtered(process, block)
        lead = series.times[part.target] - series.times[part.origin]
        state, covariance = (kept[part.origin, part.pixel] for kept in run[:2])
        f = transition(process.order, lead / process.tau)
        moved, spread = propagate(process, state, covariance, f)
        mean[chosen] = moved[:, 0] + seasonal(process.mean, series.times)[part.target]
        sd[chosen] = np.sqrt(spread[:, 0, 0] + process.noise)
    return Prediction(mean, sd)


OU_KALMAN = Baseline("ou_kalman", partial(fit_process, order=1), smooth, forecast, between)
MATERN_KALMAN = Baseline("matern_kalman", partial(fit_process, order=2), smooth, forecast, between)
