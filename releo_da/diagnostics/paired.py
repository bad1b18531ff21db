"""Is one method better than another on the same values? Paired bootstrap intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array


class Paired(NamedTuple):
    """Relative difference of two losses on the same samples.

    Attributes:
        change: loss_a / loss_b - 1; negative where a is better.
        lower: of the 95 % interval.
        upper: of the 95 % interval; "a is not worse" is ``upper < 0.01``.
    """

    change: float
    lower: float
    upper: float


def paired_interval(
    loss_a: Array,
    loss_b: Array,
    groups: Array,
    generator: np.random.Generator,
    root: bool = False,
    draws: int = 2000,
) -> Paired:
    """Bootstrap interval of ``mean(loss_a) / mean(loss_b) - 1``, whole groups redrawn.

    Values of one place are not independent, so places (or clusters, or seeds) are drawn with
    replacement and each brings all its samples (Efron and Tibshirani 1993, chapter 8).

    Args:
        loss_a: ``[sample]`` squared error, absolute error or CRPS; NaN in either drops both.
        loss_b: ``[sample]`` of the rival on the same samples.
        groups: ``[sample]`` any labels of the units that are redrawn.
        generator: where the draws come from.
        root: compare the roots of the means (RMSE from squared errors).
        draws: number of bootstrap draws.
    """
    a, b, groups = pairs_of(np.asarray(loss_a), np.asarray(loss_b), np.asarray(groups))
    labels, index = np.unique(groups, return_inverse=True)
    if not len(labels):
        return Paired(float("nan"), float("nan"), float("nan"))
    sums = [np.bincount(index, loss)[:, None] for loss in (a, b)]
    found = paired_intervals(sums[0], sums[1], generator, root, draws)
    return Paired(*(float(one[0]) for one in found))


class PairedColumns(NamedTuple):
    """`Paired` of several losses at once, ``[column]`` each."""

    change: Array
    lower: Array
    upper: Array


BLOCK = 2**22
"""Numbers of units drawn at once, so that many units need no more memory than a few."""


def paired_intervals(
    sums_a: Array,
    sums_b: Array,
    generator: np.random.Generator,
    root: bool | Array = False,
    draws: int = 2000,
) -> PairedColumns:
    """`paired_interval` of several losses whose units are redrawn together.

    Args:
        sums_a: ``[unit, column]`` losses summed over the samples of each unit; 0 without any.
        sums_b: ``[unit, column]`` of the rival, over the same samples.
        generator: where the draws come from.
        root: compare the roots of the means; one for all columns, or ``[column]``.
        draws: number of bootstrap draws.

    Returns:
        NaN where the rival has no loss at all.
    """
    units, columns = sums_a.shape
    sums = np.concatenate([sums_a, sums_b], 1)
    equal = np.full(units, 1 / units)
    batch = max(BLOCK // units, 1)
    drawn = np.concatenate(
        [
            generator.multinomial(units, equal, size=min(batch, draws - first)) @ sums
            for first in range(0, draws, batch)
        ]
    )

    def change(total: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = total[..., :columns] / total[..., columns:]
        return np.where(root, np.sqrt(ratio), ratio) - 1

    changes = change(drawn)
    known = np.isfinite(changes).any(0)
    low, high = np.full((2, columns), np.nan)
    low[known], high[known] = np.nanquantile(changes[:, known], (0.025, 0.975), axis=0)
    return PairedColumns(change(sums.sum(0)), low, high)


def pairs_of(a: Array, b: Array, groups: Array) -> tuple[Array, Array, Array]:
    """Losses and labels where both losses are finite."""
    good = np.isfinite(a) & np.isfinite(b)
    return a[good], b[good], groups[good]
