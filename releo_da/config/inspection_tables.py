"""The tables of an inspection on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from releo_da.runs.inspection import Inspection


def show(found: Inspection) -> None:
    """Print the tables that have rows."""
    console = Console(width=None if Console().is_terminal else 140)
    tables = (_sources, _channels, _angles, _auxiliary, _findings)
    for title, head, rows in (table(found) for table in tables):
        if rows:
            grid = Grid(title=title, title_justify="left")
            for name in head:
                grid.add_column(name, overflow="fold")
            for row in rows:
                grid.add_row(*map(escape, row))  # messages hold brackets of their own
            console.print(grid)
    if not found.findings:
        console.print("Nothing odd was found.")


Rows = tuple[str, list[str], list[list[str]]]


def _sources(found: Inspection) -> Rows:
    head = ["file", "sensors", "dates", "without a clear pixel", "pixels", "first", "last"]
    head.append("clear, of all values")
    rows = [
        [Path(r["path"]).name, ", ".join(r["sensors"]), str(r["dates"]), str(r["dark"])]
        + [str(r["pixels"]), r["first"][:16], r["last"][:16], f"{100 * r['clear']:.0f} %"]
        for r in found.sources
    ]
    return "Sources", head, rows


def _channels(found: Inspection) -> Rows:
    head = ["sensor", "channel", "values", "clear, on dates kept", "1 %", "median", "99 %"]
    rows = [
        [r["sensor"], r["channel"], str(r["n"]), f"{100 * r['clear']:.0f} %"]
        + [f"{r[q]:.4g}" if q in r else "" for q in ("q01", "median", "q99")]
        for r in found.channels
    ]
    return "Channels", head, rows


def _angles(found: Inspection) -> Rows:
    head = list(found.angles[0]) if found.angles else []
    rows = [
        [r["sensor"], *(f"{low:.1f} to {high:.1f}" for low, high in list(r.values())[1:])]
        for r in found.angles
    ]
    return "Angles (degrees)", head, rows


def _auxiliary(found: Inspection) -> Rows:
    head = ["field", "unit", "places", "least", "greatest", "days"]
    rows = [
        [r["field"], r["unit"], str(r["places"])]
        + [f"{r[q]:.4g}" if q in r else "" for q in ("least", "greatest")]
        + [f"{r['first']} to {r['last']}" if "first" in r else ""]
        for r in found.auxiliary
    ]
    return "Auxiliary fields", head, rows


def _findings(found: Inspection) -> Rows:
    rows = [[n.what, n.treatment, n.message] for n in found.findings]
    return "Findings", ["what", "what a run does", "where and why"], rows
