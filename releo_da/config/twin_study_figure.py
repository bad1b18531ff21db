"""The figure of a study of twins: RMSE of four variables by run, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releo_da.config.twin_study_table import SHOWN
from releo_da.diagnostics import plots
from releo_da.io.atomic import write_bytes_atomic
from releo_da.observation.derived import described

DRAWN = 4
"""Panels of a figure."""

CASES = ("free_run", "retrieval", "analysis", "smoothed")
MISSING = (float("nan"),) * 3


def draw(scores: Mapping[str, Any], path: Path) -> list[Path]:
    """Draw the runs side by side, or the estimates of the only one.

    Args:
        scores: of `releo_da.config.twin_study_table.table`.
        path: of the PNG.

    Returns:
        ``path``, in a list.
    """
    runs = {name: one["repeats"]["intervals"] for name, one in scores["runs"].items()}
    first = next(iter(runs.values()))
    names = [name for name in SHOWN if name in first["analysis"]][:DRAWN]
    if len(runs) == 1:
        ahead = sorted(first.get("forecast", {}), key=float, reverse=True)
        cases = ["free_run", *(f"forecast_{h}" for h in ahead), *CASES[1:]]
        labels = ["free run", *(f"{h} days ahead" for h in ahead), "retrieval (clear)", *CASES[2:]]
        panels = {n: {"analysis": [rmse(first, case, n) for case in cases]} for n in names}
    else:
        labels = list(runs)
        cases = [case for case in CASES if case in first or case in first["seen"]]
        panels = {n: {c: [rmse(runs[r], c, n) for r in labels] for c in cases} for n in names}
    units = {name: unit for name, (unit, _) in described(tuple(names)).items()}
    write_bytes_atomic(path, plots.png(plots.by_run(labels, panels, units)))
    return [path]


def rmse(intervals: Mapping[str, Any], case: str, name: str) -> tuple[float, ...]:
    """Mean and bounds over seeds; of a retrieval where something was seen, else of all pixels."""
    if case == "retrieval":
        found = intervals["seen"].get(case, {})
    elif case.startswith("forecast_"):
        found = intervals.get("forecast", {}).get(case.removeprefix("forecast_"), {})
    else:
        found = intervals.get(case, {})
    return tuple(found[name]["rmse"]) if name in found else MISSING
