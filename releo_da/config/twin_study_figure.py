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

CASES = {
    "free_run": "free_run",
    "retrieval (clear)": "seen_retrieval",
    "analysis (clear)": "seen_analysis",
    "analysis": "analysis",
    "smoothed": "smoothed",
}
"""What is drawn, by its name in the legend. A retrieval exists where something was seen only, so
that the analysis stands beside it on the same values, and as it is everywhere."""

PARTS = ("forecast", "seen")
MISSING = (float("nan"),) * 3


def draw(scores: Mapping[str, Any], path: Path, label: str = "") -> list[Path]:
    """Draw the runs side by side, or the estimates of the only one.

    Args:
        scores: of `releo_da.config.twin_study_table.table`.
        path: of the PNG.
        label: of the axis of the runs.

    Returns:
        ``path``, in a list.
    """
    runs = {name: one["repeats"]["intervals"] for name, one in scores["runs"].items()}
    first = next(iter(runs.values()))
    names = [name for name in SHOWN if name in first["analysis"]][:DRAWN]
    if len(runs) == 1:
        ahead = sorted(first.get("forecast", {}), key=float, reverse=True)
        early, *rest = CASES.items()
        columns = dict([early, *((f"{h} days ahead", f"forecast_{h}") for h in ahead), *rest])
        labels = [name for name, case in columns.items() if there(first, case)]
        panels = {n: {"analysis": [rmse(first, columns[c], n) for c in labels]} for n in names}
    else:
        labels = list(runs)
        cases = {name: case for name, case in CASES.items() if there(first, case)}
        panels = {
            n: {name: [rmse(runs[r], case, n) for r in labels] for name, case in cases.items()}
            for n in names
        }
    units = {name: unit for name, (unit, _) in described(tuple(names)).items()}
    write_bytes_atomic(path, plots.png(plots.by_run(labels, panels, units, label)))
    return [path]


def rmse(intervals: Mapping[str, Any], case: str, name: str) -> tuple[float, ...]:
    """Mean and bounds over seeds of a variable; NaN where there is none."""
    found = rows_of(intervals, case)
    return tuple(found[name]["rmse"]) if name in found else MISSING


def rows_of(intervals: Mapping[str, Any], case: str) -> Mapping[str, Any]:
    """Rows of ``forecast_30``, of ``seen_analysis``, or of a case of all pixels and dates."""
    part, _, rest = case.partition("_")
    found = intervals.get(part, {}).get(rest, {}) if part in PARTS else intervals.get(case, {})
    return dict(found)


def there(intervals: Mapping[str, Any], case: str) -> bool:
    """Whether a run has a case."""
    return bool(rows_of(intervals, case))
