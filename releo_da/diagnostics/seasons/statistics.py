"""What an ensemble says of a season: its probability, and the quantiles of its dates.

The probability is the share of members that have the season. Dates are those of these members, as
quantiles (the i-th of n sorted dates is the i / (n + 1) quantile, as for all products), so they
hold given that there is a season.

A member whose rise the period cuts counts, as one that started on the first date: it is earlier
than the others, so that quantiles which fall among these are right, and a quantile on the first
date says "about then or earlier". Where more than half of the members are cut there is no median.
Ends likewise.

A member must be one trajectory: what it says of two dates belongs to one draw of the whole period.
Smoothed members are that, because the smoother corrects each by its own later departure
(`releo_da.assimilation.smoother`). Those of a filter alone are not: each analysis moves them by
what was seen on that day and leaves their past as it was, so that their curves have jumps.
"""

from __future__ import annotations

import numpy as np

from releo_da.diagnostics.scores import LOWER, UPPER, Array
from releo_da.diagnostics.seasons.dates import KINDS, Dates

LEVELS = {"lower": LOWER, "median": 0.5, "upper": UPPER}
"""Quantiles of dates by name."""

MOST = 0.5
"""Share of members that are cut above which a date has no median."""

LEAST = 2
"""Members with a season from which on its dates are told."""


def probability(found: Dates) -> Array:
    """Share of members that have the season, ``[season, pixel]``; NaN where there is no window."""
    share = np.isfinite(found.peak).mean(-1)
    return np.where(np.isnan(found.windows.first), np.nan, share)


def quantiles(values: Array, levels: Array) -> Array:
    """Weibull quantiles over those members that have a value.

    Args:
        values: ``[..., member]``, NaN absent.
        levels: ``[level]`` probabilities.

    Returns:
        ``[level, ...]``; NaN where fewer than `LEAST` members have one.
    """
    ordered = np.sort(values, axis=-1)  # NaN last
    number = np.isfinite(values).sum(-1)
    parts = []
    for level in levels:
        place = np.clip(level * (number + 1) - 1.0, 0.0, np.maximum(number - 1, 0))
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.maximum(number - 1, 0))
        low, high = (
            np.take_along_axis(ordered, at[..., None], -1)[..., 0] for at in (below, above)
        )
        parts.append(np.where(number >= LEAST, low + (place - below) * (high - low), np.nan))
    return np.stack(parts)


def cut(values: Array) -> Array:
    """Share of the members with a season whose date is cut by the period.

    Args:
        values: ``[..., member]``, NaN absent, infinite where cut.

    Returns:
        ``[...]``; NaN where no member has the season.
    """
    number = (~np.isnan(values)).sum(-1)
    return np.where(number > 0, np.isinf(values).sum(-1) / np.maximum(number, 1), np.nan)


def statistics(found: Dates) -> dict[str, Array]:
    """What is kept of the dates of an ensemble.

    Returns:
        ``probability``; ``start_cut`` and ``end_cut``, the share of the members with the season
        whose start or end the period cuts; and for start, peak, end and maximum their
        ``_lower`` (5 %), ``_median`` and ``_upper`` (95 %), ``[season, pixel]`` each.
    """
    told = {"probability": probability(found)}
    levels = np.array(list(LEVELS.values()))
    for name in KINDS:
        values = getattr(found, name)
        some = dict(zip(LEVELS, quantiles(values.clip(*found.period), levels), strict=True))
        some["median"] = np.where(cut(values) > MOST, np.nan, some["median"])
        told |= {f"{name}_{level}": one for level, one in some.items()}
    told |= {"start_cut": cut(found.start), "end_cut": cut(found.end)}
    high = quantiles(found.maximum, levels)
    return told | {f"maximum_{level}": one for level, one in zip(LEVELS, high, strict=True)}
