"""Two lines beside every comparison with field measurements: a constant and a line on an index.

Both are leave-one-out, so neither has seen the row that it predicts: the mean of all other rows,
and a least-squares line ``a + b index`` through all other rows. What an assimilation cannot beat
here it has not learned from physics. Both have closed forms: with leverage ``h_i`` the error of
the row left out is ``e_i / (1 - h_i)`` (Allen 1974, doi:10.1080/00401706.1974.10489157).
"""

from __future__ import annotations

import numpy as np

from releo_da.diagnostics.baselines.series import Array
from releo_da.diagnostics.scores import agreement, summarise_residual


def constant(measured: Array) -> Array:
    """The mean of the other rows, ``[row] -> [row]``; NaN rows stay NaN and count nowhere."""
    measured = np.asarray(measured, float)
    return left_out(measured, np.ones((len(measured), 1)))


def line(measured: Array, index: Array) -> Array:
    """A line on an index fitted to the other rows.

    Args:
        measured: ``[row]``, NaN absent.
        index: ``[row]`` the regressor (NDVI), NaN absent.

    Returns:
        ``[row]``; NaN where either is absent or fewer than three rows remain.
    """
    index = np.asarray(index, float)
    return left_out(np.asarray(measured, float), np.stack([np.ones(len(index)), index], 1))


def left_out(y: Array, x: Array) -> Array:
    """Leave-one-out predictions of a least-squares fit, ``[row], [row, column] -> [row]``."""
    predicted = np.full(len(y), np.nan)
    good = np.isfinite(y) & np.isfinite(x).all(1)
    if good.sum() <= x.shape[1]:
        return predicted
    q, _ = np.linalg.qr(x[good])
    residual = y[good] - q @ (q.T @ y[good])
    leverage = np.minimum(np.sum(q**2, 1), 1 - 1e-12)
    predicted[good] = y[good] - residual / (1 - leverage)
    return predicted


def score_in_situ(measured: Array, index: Array | None = None) -> dict[str, dict[str, float]]:
    """Both lines as rows of scores.json, ``{"constant": row, "line": row}``.

    Their distribution is their own leave-one-out residuals. The mean of the others falls by
    construction where the row left out is high, so that the correlation of the constant is -1
    and says nothing: its r2 is NaN.
    """
    found = {"constant": constant(measured)}
    if index is not None:
        found["line"] = line(measured, index)
    measured = np.asarray(measured, float)
    rows = {
        name: {
            **summarise_residual(measured, predicted, measured - predicted),
            **agreement(measured, predicted),
        }
        for name, predicted in found.items()
    }
    rows["constant"]["r2"] = float("nan")
    return rows
