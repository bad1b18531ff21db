"""Dates of seasons of a twin experiment against the truth, as a table of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.plots.style import words

COLUMNS = ("RMSE", "bias", "MAE", "CRPS", "90 % coverage", "n")
KINDS = ("start", "peak", "end")
ABSENT = "–"


def season_tables(scores: Mapping[str, Any]) -> list[Table]:
    """One table with a row per kind of date and method; empty where no dates were wanted.

    Args:
        scores: scores.json of a twin experiment.
    """
    said = scores.get("phenology")
    if not said:
        return []
    counts = said["seasons"]
    note = (
        f"Errors in days. Of {counts['true']} seasons of {words(said['variable'])} "
        f"{counts['found']} were found and {counts['missed']} missed; {counts['false']} are none. "
        "The curves of NDVI have dates and no distribution."
    )
    methods = {"assimilation": said} | {
        f"{words(name)} of NDVI": rows for name, rows in said["baselines"].items()
    }
    rows = [
        (f"{kind}, {name}", [Cell(text) for text in texts(found[kind])])
        for kind in KINDS
        for name, found in methods.items()
        if kind in found
    ]
    return [Table("Dates of seasons", note, ["", *COLUMNS], rows)] if rows else []


def texts(row: Mapping[str, float]) -> list[str]:
    """The cells of a row."""
    held = [f"{row['rmse']:.1f}", f"{row['bias']:+.1f}", f"{row['mae']:.1f}"]
    crps, share = row.get("crps"), row.get("coverage_90")
    held.append(ABSENT if crps is None else f"{crps:.1f}")
    held.append(ABSENT if share is None else f"{100 * share:.0f} %")
    return [*held, str(row["n"])]
