"""The report of a training of an encoder: loss curves, and scores beside simpler answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from releo_da.config.train_report import write_train_report
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.training import loss_curves
from releo_da.learning.pretraining import Look

ROWS = {
    "ndvi": ("NDVI at withheld dates", {"encoder": "encoder", "linear": "straight lines"}),
    "channels": (
        "Reflectance at withheld dates, all channels",
        {"encoder": "encoder", "linear": "straight lines"},
    ),
    "lai": (
        "Leaf area index against the truth",
        {
            "series": "encoder, dates shown",
            "withheld": "encoder, dates withheld",
            "per_date": "encoder, each date alone",
            "prior": "prior",
        },
    ),
}
"""Variables of the report, their titles, and how their methods are called."""

COLUMNS = {"rmse": "RMSE", "bias": "bias", "coverage_90": "90 % coverage", "n": "n"}


def score_tables(scored: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """A table for each variable of each series.

    Args:
        scored: series -> variable -> method -> row.
    """
    found = []
    for series, variables in scored.items():
        for name, (title, methods) in ROWS.items():
            if name not in variables:
                continue
            rows = [
                (called, [_cell(variables[name][key], column) for column in COLUMNS])
                for key, called in methods.items()
                if key in variables[name]
            ]
            note = "Every third acquisition was withheld from all pixels."
            found.append(Table(f"{series}: {title}", note, ["method", *COLUMNS.values()], rows))
    return found


def _cell(row: Mapping[str, float], column: str) -> Cell:
    """A number of a row as a cell."""
    if column not in row:
        return Cell("")
    return Cell(f"{row[column]:.0f}" if column == "n" else f"{row[column]:.3f}")


def write_encoder_report(
    root: Path,
    made: Mapping[str, Any],
    looks: Sequence[Look],
    scored: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Write ``report.html`` with its figure; returns its path.

    Args:
        root: the run directory.
        made: what made the run.
        looks: at validation series.
        scored: series -> variable -> method -> row.
    """
    pictures = []
    if looks:
        caption = (
            "Loss of the steps between two looks and of the validation series (left), and the part "
            "of the latter that hidden values have (right). What is kept are the weights of the "
            "best look."
        )
        figure = loss_curves([look._asdict() for look in looks])
        pictures.append(Picture("loss", "Loss", caption, figure))
    said = ["Training of an encoder by what is hidden from it."]
    return write_train_report(root, made, score_tables(scored), pictures, said)
