"""Dates of seasons beside those of a truth.

Both have windows of their own. A season of the truth is that of an estimate in whose window it
peaks; of several the highest. Where both have the season, the dates are compared: error of the mean
of the members that have it, CRPS, spread, and whether the truth lies between the 5 and the 95 %
quantile (rows as `releo_da.diagnostics.streaming` adds them up). An estimate has a season where
more than half of its members have it, which counts those that are missed and those that are none;
the Brier score judges the probability itself,

    brier = mean (p - o)^2,    o = 1 where the truth has a season in the window, else 0

over all windows of the estimate and, with p = 0, the seasons that lie in none of them.

Dates that the period cuts are not known. A truth without a date is not compared, nor is an estimate
whose members are mostly cut; else members that are cut stand at the edge of the period.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from releo_da.diagnostics.scores import LOWER, UPPER, Array
from releo_da.diagnostics.seasons.dates import KINDS, Dates
from releo_da.diagnostics.seasons.statistics import MOST, cut, probability, quantiles
from releo_da.diagnostics.seasons.windows import Windows
from releo_da.diagnostics.streaming import TERMS, row, sums
from releo_da.diagnostics.verification import FIELDS

HAD = 0.5
"""Probability above which an estimate has a season."""


def aligned(own: Windows, other: Dates) -> Dates:
    """The seasons of others as those of the windows in which they peak.

    Args:
        own: ``[season, pixel]``.
        other: of one member, ``[season, pixel, 1]``.

    Returns:
        ``[season, pixel, 1]``, NaN where none peaks in a window.
    """
    middle = other.peak[..., 0]
    inside = (middle >= own.first[:, None]) & (middle <= own.last[:, None])  # [own, other, pixel]
    best = np.where(inside, other.maximum[..., 0], -np.inf)
    which = best.argmax(1)
    known = inside.any(1)
    pixel = np.arange(middle.shape[1])

    def taken(values: Array) -> Array:
        return np.where(known, values[which, pixel, 0], np.nan)[..., None]

    start, peak, end, high = map(taken, (other.start, other.peak, other.end, other.maximum))
    return Dates(start, peak, end, high, own, other.period)


@dataclass
class Scored:
    """Sums over seasons of pixels, which blocks and runs add up.

    Attributes:
        terms: ``[kind, 9]`` (`releo_da.diagnostics.streaming`).
        true: seasons of the truth.
        found: those of them that the estimate has.
        false: seasons of the estimate that are none.
        squares: sum of the squares of the Brier score.
        judged: number of them.
    """

    terms: Array = field(default_factory=lambda: np.zeros((len(KINDS), TERMS)))
    true: int = 0
    found: int = 0
    false: int = 0
    squares: float = 0.0
    judged: int = 0

    def __add__(self, other: Scored) -> Scored:
        """With those of other pixels or runs."""
        return Scored(
            self.terms + other.terms,
            self.true + other.true,
            self.found + other.found,
            self.false + other.false,
            self.squares + other.squares,
            self.judged + other.judged,
        )

    def rows(self) -> dict[str, Any]:
        """The entry of scores.json: a row per kind of date that was compared, and the counts."""
        rows = {kind: row(one) for kind, one in zip(KINDS, self.terms, strict=True) if one[0]}
        counts = {
            "true": self.true,
            "found": self.found,
            "missed": self.true - self.found,
            "false": self.false,
            "brier": self.squares / self.judged if self.judged else None,
        }
        return {**rows, "seasons": counts}


def scored(estimate: Dates, truth: Dates) -> Scored:
    """The dates of an ensemble, or of one curve, beside those of the truth.

    Args:
        estimate: ``[season, pixel, member]``.
        truth: ``[season, pixel, 1]``, with windows of its own.
    """
    true = aligned(estimate.windows, truth)
    share = probability(estimate)
    window, there = np.isfinite(share), np.isfinite(true.peak[..., 0])
    has = window & (np.nan_to_num(share) > HAD)
    number = int(np.isfinite(truth.peak).sum())
    hit = int((has & there).sum())
    outside = number - int(there.sum())
    square = np.where(window, (np.nan_to_num(share) - there) ** 2, 0.0).sum() + outside
    numbers = np.stack(
        [compared(getattr(estimate, k), getattr(true, k), has, estimate.period) for k in KINDS], -2
    )
    terms = sums(numbers.reshape(-1, len(KINDS), len(FIELDS)))
    judged = int(window.sum()) + outside
    return Scored(terms, number, hit, int((has & ~there).sum()), float(square), judged)


def compared(members: Array, true: Array, has: Array, period: tuple[float, float]) -> Array:
    """`records` of dates that the period may cut; ``true`` is ``[season, pixel, 1]``."""
    return records(members.clip(*period), true[..., 0], has & (cut(members) <= MOST))


def records(members: Array, true: Array, has: Array) -> Array:
    """Records of one kind of date, ``[season, pixel, field]``, NaN where not compared.

    Args:
        members: ``[season, pixel, member]``, NaN where a member has no such date.
        true: ``[season, pixel]``, NaN where the truth has none.
        has: ``[season, pixel]`` bool, where the estimate has the season.
    """
    number = np.isfinite(members).sum(-1)
    asked = has & np.isfinite(true) & (number > 0)
    count = np.maximum(number, 1)
    ordered = np.nan_to_num(np.sort(members, axis=-1))
    place = np.arange(1, members.shape[-1] + 1)
    held = place <= count[..., None]
    mean = np.where(held, ordered, 0.0).sum(-1) / count
    apart = np.where(held, ordered - mean[..., None], 0.0)
    sd = np.sqrt((apart**2).sum(-1) / np.maximum(count - 1, 1))
    error = np.where(held, np.abs(ordered - true[..., None]), 0.0).sum(-1) / count
    ranks = np.where(held, 2.0 * place - count[..., None] - 1.0, 0.0)
    spread = (ranks * apart).sum(-1)
    fair = error - spread / (count * np.maximum(count - 1, 1))
    rank = np.where(held, ordered < true[..., None], False).sum(-1)
    levels = quantiles(members, np.array([LOWER, 0.25, 0.5, 0.75, UPPER]))
    fields = [true, mean, sd, error - spread / count**2, fair, rank, *levels]
    return np.where(asked[..., None], np.stack(fields, -1), np.nan)
