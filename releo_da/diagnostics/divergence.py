r"""Has the filter lost the truth? Error beyond spread for several cycles, or numbers not finite.

A filter diverges when its spread has collapsed, so that observations no longer move it, while its
error grows (Harlim and Majda 2010, doi:10.4310/CMS.2010.v8.n1.a3). Cycle by cycle `watched` folds

    ratio = error / spread        1 where the spread means what it says

of each watched thing into a few numbers: how long the ratio has been beyond a limit, the longest
such stretch, its worst value, spread and error at the first and the last cycle, and how often
either was not finite. One large ratio is bad luck or a bad observation; `CYCLES` in a row are a
diagnosis.

The things watched may be the variables of a run, with error and spread over all pixels (`of_run`,
from the sums of `streaming`), or every pixel and variable of a block, with |d| and the standard
deviation of one value each; `flagged` then says which. Memory is that of six numbers per thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array

LIMIT = 3.0
"""Error over spread beyond which a cycle counts against a filter."""

CYCLES = 5
"""Cycles in a row that make a diagnosis."""


class Watch(NamedTuple):
    """What is known of each watched thing, arrays of one shape.

    Attributes:
        current: cycles in a row, up to now, with the ratio beyond the limit.
        longest: the longest such stretch.
        worst: largest ratio, 0 before the first cycle.
        first: ``[..., 2]`` error and spread of the first cycle, NaN before it.
        last: ``[..., 2]`` those of the last cycle.
        lost: number of cycles in which error or spread was not finite.
    """

    current: Array
    longest: Array
    worst: Array
    first: Array
    last: Array
    lost: Array


def unwatched(shape: Sequence[int]) -> Watch:
    """Before the first cycle."""
    count, pair = np.zeros(shape, int), np.full((*shape, 2), np.nan)
    return Watch(count, count, np.zeros(shape), pair, pair, count)


def watched(
    watch: Watch, error: Array, spread: Array, compared: Array, limit: float = LIMIT
) -> Watch:
    """One cycle more.

    Args:
        watch: of the cycles before.
        error: ``[...]`` root of the mean squared error, or |d| of one value.
        spread: ``[...]`` standard deviation, of the same.
        compared: ``[...]`` bool; the rest keeps what it was.
        limit: of the ratio.
    """
    error, spread = np.asarray(error, float), np.asarray(spread, float)
    compared = np.asarray(compared, bool)
    sound = compared & np.isfinite(error) & np.isfinite(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(sound & (error > 0), error / spread, 0.0)  # no spread: infinite
    beyond = compared & (~sound | (ratio > limit))
    current = np.where(beyond, watch.current + 1, np.where(compared, 0, watch.current))
    now = np.stack([error, spread], -1)
    fresh = sound & np.isnan(watch.first[..., 0])
    return Watch(
        current,
        np.maximum(watch.longest, current),
        np.maximum(watch.worst, ratio),
        np.where(fresh[..., None], now, watch.first),
        np.where(sound[..., None], now, watch.last),
        watch.lost + (compared & ~sound),
    )


def flagged(watch: Watch, cycles: int = CYCLES) -> Array:
    """Which things have diverged, ``[...]`` bool: beyond the limit in a row, or not finite."""
    found: Array = (watch.longest >= cycles) | (watch.lost > 0)
    return found


def row(watch: Watch, cycles: int = CYCLES) -> dict[str, Any]:
    """What scores.json says of one watched thing.

    Args:
        watch: with arrays of no axis.
        cycles: in a row that make a diagnosis.

    Returns:
        ``diverged`` (bool), ``cycles_beyond`` (longest stretch), ``worst_ratio``, ``error_grown``
        and ``spread_left`` (last over first cycle), ``not_finite`` (cycles).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = watch.last / watch.first
    return {
        "diverged": bool(flagged(watch, cycles)),
        "cycles_beyond": int(watch.longest),
        "worst_ratio": float(watch.worst),
        "error_grown": float(grown[..., 0]),
        "spread_left": float(grown[..., 1]),
        "not_finite": int(watch.lost),
    }


def of_run(
    parts: Iterable[Mapping[str, Sequence[float] | Array]],
    limit: float = LIMIT,
    cycles: int = CYCLES,
) -> dict[str, dict[str, Any]]:
    """What scores.json says of each variable or channel of a run, from its sums cycle by cycle.

    Args:
        parts: of each cycle in time order, by name, the sums of `streaming.sums`; a name that a
            cycle lacks, or of which nothing was asked, was not compared. One prediction that is
            not finite makes its cycle one that is not finite, whatever the others are.
        limit: of the ratio of error to spread.
        cycles: in a row that make a diagnosis.
    """
    found: dict[str, Watch] = {}
    for part in parts:
        for name, terms in part.items():
            n, square, variance, lost = (float(terms[k]) for k in (0, 2, 5, 8))
            before = found.get(name, unwatched(()))
            sound = n > 0 and not lost
            root = np.sqrt(np.array([square, variance]) / n) if sound else np.full(2, np.nan)
            found[name] = watched(before, root[0], root[1], np.array(n + lost > 0), limit)
    return {name: row(watch, cycles) for name, watch in found.items()}
