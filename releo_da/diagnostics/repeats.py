r"""What several seeds say together: each of them, their mean, and how sure that is.

A seed is a whole experiment, truth and all, so its scores are one sample each, and independent. For
a score s_1..s_n of n seeds the 95 % interval of the mean is Student's

    mean s +- t(0.975, n - 1) sd s / sqrt(n),

and the same is done with ratios of errors, seed by seed, so that what makes one truth harder than
another cancels: the RMSE of an estimate as a share of that of the free run, and, where the
acquisition saw something, of that of the retrieval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

TOLD = ("rmse", "crps", "coverage_90")
"""Scores that are told of every seed."""

CASES = ("free_run", "retrieval", "background", "analysis", "smoothed")


def repeated(parts: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """The key ``repeats`` of scores.json.

    Args:
        parts: scores of each seed, as scores.json nests them.
        seeds: of the parts.

    Returns:
        ``per_seed``: rows of each, of a few scores; ``intervals``: ``[mean, lower, upper]`` of them
        over seeds; ``skill``: the same of the ratios of RMSE, ``{rival: {case: {variable: ..}}}``.
    """
    tables = [dict(rows_of(part)) for part in parts]
    found: dict[str, Any] = {
        "per_seed": [
            {"seed": seed, **nested({k: {s: row[s] for s in TOLD} for k, row in table.items()})}
            for seed, table in zip(seeds, tables, strict=True)
        ]
    }
    shared = [key for key in tables[0] if all(key in table for table in tables)]
    found["intervals"] = nested(
        {k: {s: interval([table[k][s] for table in tables]) for s in TOLD} for k in shared}
    )
    found["skill"] = {
        "free_run": skill(tables, shared, ("free_run",), seen=False),
        "retrieval": skill(tables, shared, ("seen", "retrieval"), seen=True),
    }
    return found


def rows_of(scores: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, float]]]:
    """Every row with where it stands: case and variable, with the lead time or ``seen`` before."""
    for case in CASES:
        for name, row in scores.get(case, {}).items():
            yield (case, name), row
    for part in ("forecast", "seen"):
        for case, rows in scores.get(part, {}).items():
            for name, row in rows.items():
                yield (part, case, name), row


def nested(table: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """A table by place as dictionaries in each other."""
    found: dict[str, Any] = {}
    for place, value in table.items():
        level = found
        for key in place[:-1]:
            level = level.setdefault(key, {})
        level[place[-1]] = value
    return found


def interval(values: Sequence[float]) -> list[float]:
    """Mean and 95 % interval of it, NaN as bounds of a single value."""
    held = np.asarray(values, float)
    if held.size < 2:
        return [float(held.mean()), float("nan"), float("nan")]
    half = student.ppf(0.975, held.size - 1) * held.std(ddof=1) / np.sqrt(held.size)
    return [float(held.mean()), float(held.mean() - half), float(held.mean() + half)]


def skill(
    tables: Sequence[Mapping[tuple[str, ...], Mapping[str, float]]],
    shared: Sequence[tuple[str, ...]],
    rival: tuple[str, ...],
    seen: bool,
) -> dict[str, Any]:
    """RMSE of each estimate as a share of a rival's on the same values, over seeds.

    Args:
        tables: rows of each seed by place.
        shared: places that all of them have.
        rival: the place of the rival, without the variable.
        seen: whether estimates are those where the acquisition saw something.
    """
    found = {}
    for place in shared:
        *case, name = place
        against = (*rival, name)
        alike = (case[0] == "seen") == seen and tuple(case) != rival and case[0] != "retrieval"
        if alike and against in shared and all(t[against]["rmse"] > 0 for t in tables):
            ratios = [t[place]["rmse"] / t[against]["rmse"] for t in tables]
            found[(*(case[1:] if seen else case), name)] = interval(ratios)
    return nested(found)
