r"""A recurrent network on the index itself, without assimilation and without physics.

    y(t) = m(t) + sigma x(t)

with m the pooled seasonal mean of the training part and sigma the spread about it, as the Kalman
baselines have it; x is forecast by the networks of `releo_da.diagnostics.baselines.recurrent` from
all values of the pixel up to the origin, with a spread of their own. Before its first value a pixel
has m and sigma, and so has every pixel where the training part holds fewer than 100 values. It
forecasts and does not smooth.

Training pixels are put into an order of their own, by their values, before 512 of them are taken,
so that the order of a file changes nothing. Cost: 10 to 20 s to train on one core; O(pixel x date)
to forecast.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from releo_da.diagnostics.baselines.climatology import fit_harmonic, seasonal
from releo_da.diagnostics.baselines.kalman import SEASON
from releo_da.diagnostics.baselines.recurrent import PARTS, Events, Recurrent, mixture, trained
from releo_da.diagnostics.baselines.series import (
    Array,
    Baseline,
    Prediction,
    Series,
    last_usable,
    thinned,
)
from releo_da.diagnostics.leads import Pairs, of_pixels

CHUNK = 1024
"""Pixels that go through the network at once."""
SEED = 0


class Fitted(NamedTuple):
    """What was learned from a training part.

    Attributes:
        mean: coefficients of the pooled seasonal mean.
        scale: sigma.
        networks: none where there was too little to train on.
    """

    mean: Array
    scale: float
    networks: list[Recurrent]


def events_of(series: Series, mean: Array, scale: float) -> Events:
    """What each pixel saw, without gaps, as departures from the mean in units of the scale."""
    most = max(int(series.seen.sum(1).max(initial=0)), 1)
    order = np.argsort(~series.seen, axis=1, kind="stable")[:, :most]
    there = np.take_along_axis(series.seen, order, 1)
    departures = np.where(series.seen, series.values - seasonal(mean, series.times), 0.0) / scale
    times = np.where(there, series.times[order], np.inf)
    values = np.where(there, np.take_along_axis(departures, order, 1), 0.0)
    return Events(torch.as_tensor(times), torch.as_tensor(values))


def in_own_order(series: Series) -> Series:
    """The pixels in an order that their values decide."""
    shown = np.where(series.seen, series.values, np.inf)
    order = np.lexsort(shown.T[::-1])
    return series._replace(values=series.values[order], seen=series.seen[order])


def fit(training: Series, seed: int = SEED, parts: int = PARTS) -> Fitted:
    """Seasonal mean and spread, then the network by the likelihood of later values.

    Args:
        training: the training part; at most 512 pixels of it are read, evenly spaced in the order
            of their values.
        seed: of all that is random.
        parts: of the time, each held out from one network.
    """
    training = in_own_order(training)
    mean = fit_harmonic(training, SEASON)
    few = thinned(training)
    left = (few.values - seasonal(mean, few.times))[few.seen]
    scale = max(float(np.sqrt(np.mean(left**2))) if left.size else 1.0, 1e-6)
    generator = torch.Generator().manual_seed(seed)
    return Fitted(mean, scale, trained(events_of(few, mean, scale), generator, parts))


def ahead(fitted: Fitted, series: Series, pixel: Array, origin: Array, target: Array) -> Prediction:
    """What is forecast of dates from the values seen up to others, ``[forecast]``.

    Args:
        fitted: from `fit`.
        series: what was seen.
        pixel: ``[forecast]`` positions.
        origin: ``[forecast]`` positions of the last dates used, -1 for none.
        target: ``[forecast]`` positions of the dates forecast.
    """
    mean = seasonal(fitted.mean, series.times)[target]
    sd = np.full(len(mean), fitted.scale)
    count = np.pad(np.cumsum(series.seen, 1), ((0, 0), (1, 0)))[pixel, origin + 1]
    known = np.flatnonzero(count)
    if not fitted.networks or not known.size:
        return Prediction(mean, sd)
    events = events_of(series, fitted.mean, fitted.scale)
    row, event = torch.as_tensor(pixel[known]), torch.as_tensor(count[known] - 1)
    leads = torch.as_tensor(series.times[target[known]]) - events.times[row, event]
    departure, spread = mixture(fitted.networks, events, row, event, leads)
    mean[known] += fitted.scale * departure.numpy()
    sd[known] = fitted.scale * spread.numpy()
    return Prediction(mean, sd)


def forecast(fitted: Fitted, series: Series, horizon: float) -> Prediction:
    """Mean and sd of each date from what was seen `horizon` days before, ``[pixel, date]``."""
    origin = last_usable(series.times, horizon)
    dates = np.arange(len(series.times))
    parts = []
    for first in range(0, len(series.values), CHUNK):
        rows = slice(first, first + CHUNK)
        block = Series(series.times, series.values[rows], series.seen[rows])
        pixel, target = (a.ravel() for a in np.indices(block.values.shape))
        parts.append(ahead(fitted, block, pixel, origin[target], dates[target]))
    shape = series.values.shape
    whole = [np.concatenate([np.asarray(p[k]) for p in parts]) for k in range(2)]
    return Prediction(whole[0].reshape(shape), whole[1].reshape(shape))


def between(fitted: Fitted, series: Series, pairs: Pairs) -> Prediction:
    """Mean and sd of each target from what was seen up to its origin, ``[pair]``."""
    mean, sd = np.empty(len(pairs.pixel)), np.empty(len(pairs.pixel))
    for first in range(0, len(series.values), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(series.values)))
        block = Series(series.times, series.values[rows], series.seen[rows])
        part, chosen = of_pixels(pairs, rows)
        mean[chosen], sd[chosen] = ahead(fitted, block, part.pixel, part.origin, part.target)
    return Prediction(mean, sd)


GRU = Baseline("gru", fit, forecast=forecast, between=between)
