r"""Samples far enough apart to be counted as independent.

Neighbouring pixels and successive dates say nearly the same, so a histogram of all of them is
rougher than its number of values promises, and a test of flatness on it means nothing. Two steps:

1. `decorrelation` of a quantity along an axis: the first lag k at which the sample autocorrelation
   r_k = mean z_i z_(i+k) / mean z_i^2 (each over the pairs and values there are, z about the mean
   of all lines) falls below a threshold, 1/e unless told otherwise. Not divided by the number of
   values, as is usual, r_k does not shrink with k where lines are short or have gaps.
2. `kept` takes every k-th row, column and date, counted from 0 of the grid and of the run (or of
   each sensor, which would else be left out where they take turns), whatever the blocks: a block
   alone decides which of its pixels are kept.

At the threshold 1/e neighbours in the sample still correlate a little: for a first-order process
the variance of a mean is inflated by (e + 1) / (e - 1), about 2.2; a threshold of 0.1 leaves 1.2.
Choose the strides once, on the innovations or errors of one block or of a short run.

Reference: Wilks (2011), Statistical Methods in the Atmospheric Sciences, 3rd ed., section 5.2.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.types import InputError


class Strides(NamedTuple):
    """Every so many rows, columns and dates, 1 or more each."""

    row: int = 1
    column: int = 1
    date: int = 1


def autocorrelation(values: Array, lags: int) -> Array:
    """Sample autocorrelation along the last axis, ``[lag]`` from lag 0 to `lags`.

    Args:
        values: ``[..., place]``, evenly spaced, NaN absent; lines are pooled about one mean.
        lags: the largest lag, below the length of the axis.

    Returns:
        1 at lag 0; NaN where no pair is finite or nothing varies.
    """
    z = np.asarray(values, float)
    z = z - (np.nanmean(z) if np.isfinite(z).any() else 0.0)
    variance = mean_product(z, z)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [
            mean_product(z[..., : z.shape[-1] - k], z[..., k:]) / variance for k in range(lags + 1)
        ]
    return np.array(found)


def mean_product(left: Array, right: Array) -> np.float64:
    """Mean of the products where both are finite, NaN of none."""
    product = left * right
    good = np.isfinite(product)
    return np.float64(product[good].mean() if good.any() else np.nan)


def decorrelation(values: Array, threshold: float = np.exp(-1.0)) -> int:
    """The stride along the last axis at which values correlate by less than a threshold.

    Args:
        values: ``[..., place]``, evenly spaced, NaN absent.
        threshold: of the autocorrelation, between 0 and 1.

    Returns:
        The first such lag, at least 1; the length of the axis where there is none (one value of
        each line is all there is).

    Raises:
        InputError: the threshold does not lie between 0 and 1.
    """
    if not 0.0 < threshold < 1.0:
        raise InputError(f"thinning: threshold is {threshold}; give a number between 0 and 1")
    length = np.shape(values)[-1]
    found = autocorrelation(values, length - 1)[1:]
    below = np.flatnonzero(found < threshold)
    return int(below[0]) + 1 if below.size else max(length, 1)


def numbered(names: Sequence[str]) -> list[int]:
    """Position of each among those of its name, from 0: dates counted per sensor."""
    met: Counter[str] = Counter()
    found = []
    for name in names:
        found.append(met[name])
        met[name] += 1
    return found


def kept(row: Array, column: Array, date: int, strides: Strides) -> Array:
    """Which pixels of a date belong to the thinned sample, ``[pixel]`` bool.

    Args:
        row: ``[pixel]`` of the grid; for points the position on the pixel axis.
        column: ``[pixel]``, zeros for points.
        date: position of the acquisition in the run, or among those of its sensor (`numbered`).
        strides: every so many of each.

    Raises:
        InputError: a stride below 1.
    """
    if min(strides) < 1:
        raise InputError(f"thinning: strides are 1 or more, got {tuple(strides)}")
    here = (np.asarray(row) % strides.row == 0) & (np.asarray(column) % strides.column == 0)
    return here & (date % strides.date == 0)
