r"""What several seeds say together: each of them, their mean, and how sure that is.

A seed is a whole experiment, truth and all, so its scores are one sample. For a score s_1..s_n of n
seeds the 95 % interval of the mean is Student's

    mean s +- t(0.975, n - 1) sd s / sqrt(n),

and the same is done with ratios of errors, seed by seed, so that what makes one truth harder than
another cancels: the RMSE of an estimate as a share of that of the free run (of a forecast, on the
dates that it was made for), and, where the acquisition saw something, of that of the retrieval.
Ratios r_s are averaged as logarithms,

    exp(mean log r +- t(0.975, n - 1) sd log r / sqrt(n)),

so that bounds stay above 0, and those of A against B are the inverse of those of B against A. The
centre is the geometric mean of the ratios of single seeds, not the ratio of RMSEs over all seeds.

The interval takes seeds as independent. Identical twins are. Over a land they share the growth
model and its few years of weather (six test years of WOFOST, three of AquaCrop, taken in turn), so
seeds beyond the number of years repeat a year, and the interval speaks of other fields, clouds and
errors under those years: too narrow for a year that is none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

TOLD = ("rmse", "crps", "coverage_90")
"""Scores that are told of every seed."""

CASES = ("free_run", "retrieval", "background", "analysis", "smoothed")

OF_ONE_DATE = ("retrieval", "network")
"""Rivals that exist where an acquisition saw something."""


def repeated(parts: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """The key ``repeats`` of scores.json.

    Args:
        parts: scores of each seed, as scores.json nests them.
        seeds: of the parts.

    Returns:
        ``per_seed``: rows of each, of a few scores; ``intervals``: ``[mean, lower, upper]`` of them
        over seeds; ``ratio``: the same of the ratios of RMSE (`interval_of_ratios`),
        ``{rival: {case: {variable: ..}}}``, below 1 where the estimate is better than the rival.
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
    found["ratio"] = {
        rival: over_seeds([ratios(part, rival) for part in parts])
        for rival in ("free_run", "retrieval", "network")
        if rival != "network" or all(rival in part.get("seen", {}) for part in parts)
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


def interval_of_ratios(values: Sequence[float]) -> list[float]:
    """Geometric mean and 95 % interval of it; NaN as bounds of a single value.

    Args:
        values: ratios, above 0; where one of them is 0 the mean is, and has no bounds.
    """
    if min(values) <= 0.0:
        return [0.0, float("nan"), float("nan")]
    return [float(np.exp(one)) for one in interval(np.log(values).tolist())]


def over_seeds(each: Sequence[Mapping[tuple[str, ...], float]]) -> dict[str, Any]:
    """Intervals, nested by place, of ratios that all seeds have."""
    shared = [place for place in each[0] if all(place in one for one in each)]
    return nested({place: interval_of_ratios([one[place] for one in each]) for place in shared})


def ratios(scores: Mapping[str, Any], rival: str) -> dict[tuple[str, ...], float]:
    """RMSE of each estimate of one seed as a share of a rival's on the same values.

    Args:
        scores: as scores.json nests them.
        rival: ``free_run``, of all values, or one of `OF_ONE_DATE`, of those under ``seen``. A
            forecast is compared with the rows under ``baselines``, those of the free run on the
            dates that it was made for, and left out where there are none.

    Returns:
        by case (a forecast's with its lead) and variable; what the rival makes no error of is left
        out.
    """
    held = scores.get("seen", {}) if rival in OF_ONE_DATE else scores
    tables: dict[tuple[str, ...], tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        (case,): (held[case], held.get(rival, {}))
        for case in CASES
        if case in held and case not in (rival, "retrieval")
    }
    if rival == "free_run":
        ahead = scores.get("baselines", {}).get("free_run", {}).get("forecast", {})
        for lead, rows in scores.get("forecast", {}).items():
            tables["forecast", lead] = rows, ahead.get(lead, {})
    return {
        (*place, name): row["rmse"] / theirs[name]["rmse"]
        for place, (rows, theirs) in tables.items()
        for name, row in rows.items()
        if name in theirs
        and theirs[name]["rmse"] > 0
        # A network may know some of the sensors only; then it was scored on fewer values.
        and (rival != "network" or row["n"] == theirs[name]["n"])
    }
