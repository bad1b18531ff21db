"""Figures of a study: forecasts against lead time, beside every rival, for each run that has some.

They are drawn from the scores of the first seed into the study's own directory; of a whole study
those that its README shows are put beside it, as its table is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releo_da.diagnostics import plots
from releo_da.diagnostics.plots import style
from releo_da.io.atomic import write_bytes_atomic


def draw(scores: Mapping[str, Any], out: Path) -> list[Path]:
    """Write ``forecast_RUN.png`` of every run with forecasts of NDVI; returns the paths.

    Args:
        scores: of a study, a list over seeds for each run.
        out: directory of the study.
    """
    written = []
    for run, seeds in scores.items():
        forecast = seeds[0].get("forecast", {})
        if any("ndvi" in rows for rows in forecast.values()):
            path = out / f"forecast_{run}.png"
            write_bytes_atomic(path, style.png(plots.by_horizon(seeds[0], "ndvi")))
            written.append(path)
    return written


def place_figures(readme: Path, figures: list[Path]) -> None:
    """Put figures beside a README that shows them."""
    shown = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    for path in figures:
        if f"]({path.name})" in shown:
            write_bytes_atomic(readme.parent / path.name, path.read_bytes())
