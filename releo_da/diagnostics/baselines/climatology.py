r"""The seasonal mean of a training part: a pooled harmonic regression.

    m(t) = a_0 + sum_k  a_k cos(2 pi k t / 365.25) + b_k sin(2 pi k t / 365.25),   k = 1 .. 3

fitted by least squares over all pixels and dates of the training part at once ("pooled"): it
knows the season and nothing of the place. A strong rival at leads of 60 days and more, when
everything else has forgotten what it saw. A season that the training part never saw would leave
coefficients undetermined: a ridge of one thousandth of the data's weight holds them at zero.
Smoothing may know the place as well: the same regression per pixel on what the pixel saw before
and after, drawn towards the pooled coefficients by the weight of one observation each.

Cost O(pixel x date). After Menenti et al. 1993, doi:10.1016/0273-1177(93)90550-U.
"""

from __future__ import annotations

import numpy as np

from releo_da.diagnostics.baselines.series import Array, Baseline, Prediction, Series
from releo_da.types import InputError

YEAR = 365.25
HARMONICS = 3
RIDGE = 1e-3


def design(times: Array, harmonics: int) -> Array:
    """The regressors of each date, ``[date] days -> [date, 1 + 2 harmonics]``."""
    phase = 2 * np.pi / YEAR * np.asarray(times)[:, None] * np.arange(1, harmonics + 1)
    return np.concatenate([np.ones((len(phase), 1)), np.cos(phase), np.sin(phase)], 1)


def fit_harmonic(training: Series, harmonics: int = HARMONICS) -> Array:
    """The pooled coefficients, ``[1 + 2 harmonics]``; ``harmonics=0`` is the plain mean.

    Raises:
        InputError: where the training part has no value at all.
    """
    if not training.seen.any():
        raise InputError(
            "a baseline has no clear value in its training part; widen the training period"
        )
    x = design(training.times, harmonics)
    weight = training.seen.sum(0)  # pixels that saw each date
    total = np.where(training.seen, training.values, 0.0).sum(0)
    ridge = RIDGE * weight.sum() * np.eye(x.shape[1])
    ridge[0, 0] = 0.0
    return np.linalg.solve(x.T @ (weight[:, None] * x) + ridge, x.T @ total)


def seasonal(coefficients: Array, times: Array) -> Array:
    """The seasonal mean at each date, ``[date]``."""
    return design(times, (len(coefficients) - 1) // 2) @ coefficients


def harmonic(coefficients: Array, series: Series) -> Prediction:
    """The seasonal mean, the same for every pixel, ``[pixel, date]``."""
    return Prediction(np.tile(seasonal(coefficients, series.times), (len(series.values), 1)))


def harmonic_of_place(coefficients: Array, series: Series) -> Prediction:
    """The seasonal curve of each pixel by what it saw, ``[pixel, date]``.

    Solves ``(X'WX + I) c = X'W (y - m)`` per pixel: c is its departure from the pooled mean m.
    """
    x = design(series.times, (len(coefficients) - 1) // 2)
    pooled = x @ coefficients
    departure = np.where(series.seen, series.values - pooled, 0.0) @ x
    pairs = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    normal = (series.seen.astype(float) @ pairs).reshape(-1, x.shape[1], x.shape[1])
    own = np.linalg.solve(normal + np.eye(x.shape[1]), departure[..., None])[..., 0]
    return Prediction(pooled + own @ x.T)


HARMONIC = Baseline(
    "harmonic",
    fit_harmonic,
    harmonic_of_place,
    lambda c, s, _: harmonic(c, s),
    lambda c, s, pairs: Prediction(seasonal(c, s.times)[pairs.target]),
)
