"""A row per run of this study, beside the run without a network: `python ablation.py SCORES`.

SCORES is the `scores.json` that `./run experiment learned_forecaster` leaves. CRPS of forecasts of
NDVI and as the mean over channels, by days ahead; RMSE and CRPS of withheld NDVI; leaf area of the
smoother against field measurements. In brackets: relative to the first run, negative is better.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

Row = dict[str, Any]
FIRST = "mean_reverting"
DAYS = ("5", "10", "20", "30", "60")


def channels(row: Row, score: str) -> float:
    """Mean of a score over the channels of a sensor."""
    return fmean(numbers[score] for name, numbers in row.items() if name.startswith("B"))


def figures() -> dict[str, Callable[[Row], float]]:
    """Columns of the table and where they stand in the scores of a seed."""
    found: dict[str, Callable[[Row], float]] = {}
    for days in DAYS:
        found[f"NDVI, {days} d"] = lambda s, d=days: s["forecast"][d]["ndvi"]["crps"]
    for days in DAYS:
        found[f"channels, {days} d"] = lambda s, d=days: channels(s["forecast"][d], "crps")
    found["withheld NDVI RMSE"] = lambda s: s["smoothed"]["ndvi"]["rmse"]
    found["CRPS"] = lambda s: s["smoothed"]["ndvi"]["crps"]
    found["LAI unbiased RMSE"] = lambda s: next(iter(s["in_situ"].values()))["smoothed"][
        "unbiased_rmse"
    ]
    return found


def table(scores: dict[str, list[Row]]) -> str:
    """Markdown, a row per run, figures averaged over seeds."""
    runs = {name: seeds for name, seeds in scores.items() if "forecast" in seeds[0]}
    columns = figures()
    lines = ["| " + " | ".join(["", *columns]) + " |", "| --- " * (len(columns) + 1) + "|"]
    for name, seeds in runs.items():
        cells = [name]
        for figure in columns.values():
            mean = fmean(map(figure, seeds))
            beside = fmean(map(figure, runs[FIRST]))
            relative = f" ({mean / beside - 1.0:+.1%})" if name != FIRST else ""
            cells.append(f"{mean:.4f}{relative}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text())))
