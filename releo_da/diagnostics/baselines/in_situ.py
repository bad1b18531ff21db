"""Two lines beside every comparison with field measurements: a constant and a line on an index.

Both are leave-one-out, so neither has seen the sample that it predicts: the mean of all other rows,
and a least-squares line ``a + b index`` through all other rows. Rows of one sample (measured in one
pixel on one day) are left out together, because twins would betray each other. What an assimilation
cannot beat here it has not learned from physics.

With the regressors X = Q R, Q orthonormal, the coefficients without the rows of sample g are

    beta_g = (I - Q_g'Q_g)^-1 (Q'y - Q_g'y_g)                 [column] for each sample

and a sample is predicted by ``Q_g beta_g``; for samples of one row this is Allen's (1974,
doi:10.1080/00401706.1974.10489157) e_i / (1 - h_i). Cost: one small solve per sample.
"""

from __future__ import annotations

import numpy as np

from releo_da.diagnostics.baselines.series import Array
from releo_da.diagnostics.scores import agreement, summarise_residual


def constant(measured: Array, sample: Array | None = None) -> Array:
    """The mean of the rows of other samples.

    Args:
        measured: ``[row]``, NaN absent.
        sample: ``[row]`` labels of the rows that are left out together; each its own if None.

    Returns:
        ``[row]``; NaN where the measurement is absent or no other sample is there.
    """
    measured = np.asarray(measured, float)
    return left_out(measured, np.ones((len(measured), 1)), sample)


def line(measured: Array, index: Array, sample: Array | None = None) -> Array:
    """A line on an index fitted to the rows of other samples.

    Args:
        measured: ``[row]``, NaN absent.
        index: ``[row]`` the regressor (NDVI), NaN absent.
        sample: as in `constant`.

    Returns:
        ``[row]``; NaN where either is absent or the other samples do not define a line.
    """
    index = np.asarray(index, float)
    x = np.stack([np.ones(len(index)), index], 1)
    return left_out(np.asarray(measured, float), x, sample)


def left_out(y: Array, x: Array, sample: Array | None = None) -> Array:
    """Predictions of a least-squares fit to the rows of other samples.

    Args:
        y: ``[row]``, NaN absent.
        x: ``[row, column]`` regressors, NaN absent.
        sample: ``[row]`` labels; each row its own sample if None.

    Returns:
        ``[row]``; NaN where y or x is absent or the rows of other samples do not define a fit.
    """
    predicted = np.full(len(y), np.nan)
    good = np.isfinite(y) & np.isfinite(x).all(1)
    if good.sum() <= x.shape[1]:
        return predicted
    labels = np.arange(len(y)) if sample is None else np.asarray(sample)
    names, of = np.unique(labels[good], return_inverse=True)
    q, known = np.linalg.qr(x[good])[0], y[good]
    rest = np.tile(np.eye(q.shape[1]), (len(names), 1, 1))
    target = np.tile(q.T @ known, (len(names), 1))
    np.subtract.at(rest, of, q[:, :, None] * q[:, None, :])
    np.subtract.at(target, of, q * known[:, None])
    defined = np.linalg.eigvalsh(rest)[:, 0] > 1e-10
    fit = np.full(target.shape, np.nan)
    fit[defined] = np.linalg.solve(rest[defined], target[defined][..., None])[..., 0]
    predicted[good] = np.sum(q * fit[of], 1)
    return predicted


def score_in_situ(
    measured: Array, index: Array | None = None, sample: Array | None = None
) -> dict[str, dict[str, float]]:
    """Both lines as rows of scores.json, ``{"constant": row, "line": row}``.

    Their distribution is their own residuals on the samples left out. The mean of the others falls
    by construction where the row left out is high, so that the correlation of the constant is -1
    and says nothing: its r2 is NaN.

    Args:
        measured: as in `line`.
        index: as in `line`; without it the constant alone is scored.
        sample: as in `constant`.
    """
    found = {"constant": constant(measured, sample)}
    if index is not None:
        found["line"] = line(measured, index, sample)
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
