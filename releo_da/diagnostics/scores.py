r"""Scores of predictions against what was seen: error, sharpness and calibration.

NaN means absent: a sample counts when its observation and its whole prediction are finite, and
``n`` says how many did. With d = prediction - observation,

    rmse = sqrt(mean d^2)        bias = mean d        unbiased_rmse = sqrt(rmse^2 - bias^2)
    mae  = mean |d|              median_abs = median |d|

and for a distribution F with members x_i (i = 1..N, sorted) the continuous ranked probability
score (Matheson and Winkler 1976; Gneiting and Raftery 2007, doi:10.1198/016214506000001437)

    crps = E|x - y| - 1/2 E|x - x'| = mean |x_i - y| - sum_i (2 i - N - 1) x_i / N^2

in O(N log N) by sorting. ``fair`` divides by N (N - 1): what an infinite ensemble of the same
distribution would score (Ferro 2014, doi:10.1002/qj.2270).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[Any]

LOWER, UPPER = 0.05, 0.95  # the interval behind `coverage_90`
CHUNK = 2**20  # numbers of an ensemble held in float64 at once


def bias(observed: Array, predicted: Array) -> float:
    """Mean of prediction minus observation."""
    return mean(difference(observed, predicted))


def rmse(observed: Array, predicted: Array) -> float:
    """Root of the mean squared difference."""
    return float(np.sqrt(mean(difference(observed, predicted) ** 2)))


def unbiased_rmse(observed: Array, predicted: Array) -> float:
    """Root of the mean squared difference about the bias."""
    d = difference(observed, predicted)
    return float(np.sqrt(mean((d - mean(d)) ** 2)))


def mae(observed: Array, predicted: Array) -> float:
    """Mean absolute difference."""
    return mean(np.abs(difference(observed, predicted)))


def median_abs(observed: Array, predicted: Array) -> float:
    """Median absolute difference."""
    d = difference(observed, predicted)
    return float(np.median(np.abs(d))) if d.size else float("nan")


def r2(observed: Array, predicted: Array) -> float:
    """Squared correlation: blind to bias and to scale. NaN where either does not vary."""
    y, x = pairs(observed, predicted)
    if len(y) < 2 or np.ptp(y) == 0 or np.ptp(x) == 0:
        return float("nan")
    return float(np.corrcoef(y, x)[0, 1] ** 2)


def explained(observed: Array, predicted: Array) -> float:
    """1 - SSE / SST: the share of variance explained; negative if the mean would do better."""
    y, x = pairs(observed, predicted)
    total = np.sum((y - mean(y)) ** 2)
    return float(1 - np.sum((x - y) ** 2) / total) if total > 0 else float("nan")


def crps_ensemble(observed: Array, ensemble: Array, fair: bool = False) -> Array:
    """CRPS of each sample, ``[...]`` and ``[..., member] -> [...]``, in the variable's unit."""
    ordered = np.sort(np.asarray(ensemble, float), axis=-1)
    members = ordered.shape[-1]
    rank = 2.0 * np.arange(1, members + 1) - members - 1
    error = np.abs(ordered - np.asarray(observed, float)[..., None]).mean(-1)
    return error - ordered @ rank / (members * (members - 1 if fair else members))


def crps_gaussian(observed: Array, mean: Array, sd: Array) -> Array:
    """CRPS of N(mean, sd^2), elementwise: sd (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))."""
    z = (np.asarray(observed) - mean) / sd
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))


def crps_empirical(observed: Array, predicted: Array, residuals: Array) -> Array:
    """CRPS of the distribution ``predicted + residuals``, elementwise.

    Args:
        observed: ``[...]``.
        predicted: ``[...]`` a prediction without a distribution of its own.
        residuals: ``[sample]`` observation minus prediction in a training part.

    Returns:
        ``[...]``, O((values + sample) log sample): the score depends on the error alone, so one
        sorted sample serves all values.
    """
    sample = np.sort(np.asarray(residuals, float).ravel())
    size = len(sample)
    if not size:
        return np.full(np.shape(observed), np.nan)
    error = np.asarray(observed, float) - predicted
    below = np.searchsorted(sample, error)
    partial = np.concatenate([[0.0], np.cumsum(sample)])
    # mean |r - e| from how many residuals lie below e, and their sum
    distance = (error * (2 * below - size) + partial[-1] - 2 * partial[below]) / size
    return distance - sample @ (2.0 * np.arange(1, size + 1) - size - 1) / size**2


def coverage(observed: Array, lower: Array, upper: Array) -> float:
    """Share of observations within [lower, upper]."""
    y, low, high = pairs(observed, lower, upper)
    return mean((y >= low) & (y <= high))


def interval(ensemble: Array, levels: tuple[float, ...] = (LOWER, UPPER)) -> Array:
    """Quantiles over members, ``[..., member] -> [level, ...]``.

    The i-th of N sorted members is the i / (N + 1) quantile (Weibull), so that an observation
    drawn from the same distribution falls between two levels as often as they say (exactly so
    where a level is a multiple of 1 / (N + 1); linear between members otherwise).
    """
    return np.quantile(np.asarray(ensemble), levels, axis=-1, method="weibull")


def summarise(observed: Array, ensemble: Array) -> dict[str, float]:
    """The row of scores.json for an ensemble.

    Args:
        observed: ``[sample]``; NaN is absent.
        ensemble: ``[sample, member]``, of what was observed (noise included); its mean is the
            prediction. Read in chunks: memory stays flat.

    Returns:
        rmse, bias, mae, median_abs, crps, crps_fair (of more than one member), spread (root of
        the mean variance), coverage_90, n.
    """
    observed, ensemble = np.asarray(observed), np.asarray(ensemble)
    columns: list[Array] = []
    for rows in chunks(len(observed), ensemble.shape[1]):
        y, x = np.asarray(observed[rows], float), np.asarray(ensemble[rows], float)
        good = np.isfinite(y) & np.isfinite(x).all(1)
        y, x = y[good], x[good]
        low, high = interval(x)
        inside = (y >= low) & (y <= high)
        variance = x.var(1, ddof=1 if x.shape[1] > 1 else 0)
        fair = [crps_ensemble(y, x, fair=True)] if x.shape[1] > 1 else []
        columns.append(np.stack([x.mean(1) - y, crps_ensemble(y, x), variance, inside, *fair]))
    return row(*np.concatenate(columns, 1)) if columns else row(*np.empty((5, 0)))


def summarise_in_situ(
    measured: Array, ensemble: Array, measured_sd: Array, generator: np.random.Generator
) -> dict[str, float]:
    """The row of scores.json for field measurements, which have an error of their own.

    Args:
        measured: ``[row]``, NaN absent.
        ensemble: ``[row, member]`` of the state variable; its mean is the prediction.
        measured_sd: ``[row]`` or a number, standard deviation of the measurement; drawn for every
            member where the distribution is judged (crps, spread, coverage_90).
        generator: where the draws come from.

    Returns:
        The keys of `summarise`, with unbiased_rmse, r2 and explained.
    """
    measured, ensemble = np.asarray(measured, float), np.asarray(ensemble, float)
    sd = np.broadcast_to(measured_sd, measured.shape)[:, None]
    noisy = summarise(measured, ensemble + sd * generator.standard_normal(ensemble.shape))
    judged = {key: noisy[key] for key in ("crps", "spread", "coverage_90", "n")}
    centre = ensemble.mean(1)
    return {**summarise(measured, centre[:, None]), **judged, **agreement(measured, centre)}


def agreement(observed: Array, predicted: Array) -> dict[str, float]:
    """What remains of the error without the bias: unbiased_rmse, r2 and explained."""
    return {
        "unbiased_rmse": unbiased_rmse(observed, predicted),
        "r2": r2(observed, predicted),
        "explained": explained(observed, predicted),
    }


def summarise_gaussian(observed: Array, predicted: Array, sd: Array) -> dict[str, float]:
    """The row of scores.json for N(predicted, sd^2), all ``[sample]``."""
    y, x, sd = pairs(observed, predicted, sd)
    inside = np.abs(y - x) <= ndtri(UPPER) * sd
    return row(x - y, crps_gaussian(y, x, sd), sd**2, inside)


def summarise_residual(observed: Array, predicted: Array, residuals: Array) -> dict[str, float]:
    """The row of scores.json for a prediction whose distribution is its residuals elsewhere.

    Args:
        observed: ``[sample]``.
        predicted: ``[sample]``.
        residuals: ``[any]`` observation minus prediction in the training part.
    """
    y, x = pairs(observed, predicted)
    residuals = np.asarray(residuals, float)
    residuals = residuals[np.isfinite(residuals)]
    if not residuals.size:
        nothing = np.full(len(y), np.nan)
        return row(x - y, nothing, nothing, nothing)
    low, high = np.quantile(residuals, (LOWER, UPPER), method="weibull")
    inside = (y - x >= low) & (y - x <= high)
    variance = np.full(len(y), residuals.var())
    return row(x - y, crps_empirical(y, x, residuals), variance, inside)


def summarise_records(
    observed: Array,
    mean: Array,
    sd: Array,
    crps: Array,
    lower: Array,
    upper: Array,
    fair: Array | None = None,
) -> dict[str, float]:
    """The row of scores.json from what was kept of each ensemble (see `verification`).

    Args:
        observed: any shape, NaN absent, as all that follow.
        mean: of the predicted observation.
        sd: of the predicted observation.
        crps: of each value.
        lower: its 5 % quantile.
        upper: its 95 % quantile.
        fair: fair CRPS of each value, or None where it was not kept.
    """
    also = [] if fair is None else [fair]
    y, x, sd, crps, lower, upper, *also = pairs(observed, mean, sd, crps, lower, upper, *also)
    return row(x - y, crps, sd**2, (y >= lower) & (y <= upper), *also)


def row(
    d: Array, crps: Array, variance: Array, inside: Array, fair: Array | None = None
) -> dict[str, float]:
    """The scores from per-sample error, CRPS, variance, membership of the interval, fair CRPS."""
    absolute = np.abs(d)
    return {
        "rmse": float(np.sqrt(mean(d**2))),
        "bias": mean(d),
        "mae": mean(absolute),
        "median_abs": float(np.median(absolute)) if d.size else float("nan"),
        "crps": mean(crps),
        **({} if fair is None else {"crps_fair": mean(fair)}),
        "spread": float(np.sqrt(mean(variance))),
        "coverage_90": mean(inside),
        "n": int(d.size),
    }


def pairs(*arrays: Array) -> tuple[Array, ...]:
    """The arrays in float64, flattened, where all of them are finite."""
    flat = [np.asarray(array, float).ravel() for array in np.broadcast_arrays(*arrays)]
    good = np.logical_and.reduce([np.isfinite(array) for array in flat])
    return tuple(array[good] for array in flat)


def difference(observed: Array, predicted: Array) -> Array:
    """Prediction minus observation where both are finite, flat."""
    y, x = pairs(observed, predicted)
    return x - y


def mean(values: Array) -> float:
    """The mean, NaN (and no warning) of nothing."""
    return float(np.mean(values)) if np.size(values) else float("nan")


def chunks(samples: int, members: int) -> Iterator[slice]:
    """Slices of samples whose ensembles hold about a million numbers."""
    step = max(1, CHUNK // max(members, 1))
    return (slice(i, i + step) for i in range(0, samples, step))
