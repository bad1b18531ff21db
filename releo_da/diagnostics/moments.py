r"""Errors of an estimate as sums over places: RMSE, bias and r2 of any of these sums.

Of the samples of a unit, with y what was measured and x what was estimated,

    n,  sum y,  sum x,  sum y^2,  sum x^2,  sum x y          [unit, 6]

    bias = E x - E y      rmse = sqrt(E (x - y)^2)      r2 = cov(x, y)^2 / (var x  var y)

These add up, so intervals over units cost no second look at samples
(`releo_da.diagnostics.redrawn`). Values are centred on one number before they are squared, which
leaves all three as they are and keeps their digits.
"""

from __future__ import annotations

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.types import InputError

ROUNDING = 1e-12
"""Variance over mean square below which values do not vary but for the rounding of sums."""


def moments(measured: Array, estimated: Array, unit: Array) -> Array:
    """Sums of each unit, ``[unit, 6]``, units in ascending order.

    Args:
        measured: ``[sample]``; where it or the estimate is not finite a sample does not count.
        estimated: ``[sample]``.
        unit: ``[sample]`` labels of what is redrawn as one; a unit without a sample is kept.

    Raises:
        InputError: lengths differ, or nothing can be compared.
    """
    y, x, unit = np.asarray(measured, float), np.asarray(estimated, float), np.asarray(unit)
    if not y.shape == x.shape == unit.shape:
        raise InputError(
            f"moments: {y.shape} measured, {x.shape} estimated, {unit.shape} units; "
            "give one of each per sample"
        )
    good = np.isfinite(y) & np.isfinite(x)
    if not good.any():
        raise InputError("moments: no sample has both a measurement and an estimate")
    labels, row = np.unique(unit, return_inverse=True)
    centre = y[good].mean()
    y, x, row = y[good] - centre, x[good] - centre, row[good]
    parts = (np.ones_like(y), y, x, y * y, x * x, x * y)
    return np.stack([np.bincount(row, part, minlength=len(labels)) for part in parts], -1)


def bias(sums: Array) -> Array:
    """Mean of estimate minus measurement, ``[...]``, of ``[..., 6]``."""
    n, y, x, *_ = np.moveaxis(sums, -1, 0)
    return (x - y) / n


def rmse(sums: Array) -> Array:
    """Root of the mean squared difference, ``[...]``, of ``[..., 6]``."""
    n, _, _, yy, xx, xy = np.moveaxis(sums, -1, 0)
    return np.sqrt(np.maximum(yy + xx - 2.0 * xy, 0.0) / n)


def r2(sums: Array) -> Array:
    """Squared correlation, ``[...]``, of ``[..., 6]``; NaN where either does not vary."""
    n, y, x, yy, xx, xy = np.moveaxis(sums, -1, 0)
    of_y, of_x = yy / n - (y / n) ** 2, xx / n - (x / n) ** 2
    vary = (of_y > ROUNDING * yy / n) & (of_x > ROUNDING * xx / n)
    shared = (xy / n - x * y / n**2) ** 2
    return np.divide(shared, of_y * of_x, out=np.full(np.shape(n), np.nan), where=vary)
