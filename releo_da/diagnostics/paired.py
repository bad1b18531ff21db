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
    sums = np.stack([np.bincount(index, loss) for loss in (a, b)], 1)
    equal = np.full(len(labels), 1 / len(labels))
    times = generator.multinomial(len(labels), equal, size=draws)
    drawn = times @ sums

    def change(total: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = total[..., 0] / total[..., 1]
        return (np.sqrt(ratio) if root else ratio) - 1

    low, high = np.nanquantile(change(drawn), (0.025, 0.975))
    return Paired(float(change(sums.sum(0))), float(low), float(high))


def pairs_of(a: Array, b: Array, groups: Array) -> tuple[Array, Array, Array]:
    """Losses and labels where both losses are finite."""
    good = np.isfinite(a) & np.isfinite(b)
    return a[good], b[good], groups[good]
