"""Score tables on the terminal: the first ones, in parts that fit its width; the others by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid

from releo_da.diagnostics.cells import Table
from releo_da.diagnostics.tables import tables
from releo_da.observation.derived import output_units

FRAME = 3
"""Characters of a column beside its text: a line and two blanks."""


def show_scores(scores: Mapping[str, Any], most: int = 7) -> None:
    """Print the first tables of scores.json, and the names of the others; the report has all.

    Args:
        scores: scores.json.
        most: tables that are printed.
    """
    console = Console(width=None if Console().is_terminal else 120)
    found = tables(scores, None, output_units())
    for table in found[:most]:
        for k, columns in enumerate(fitting(table, console.width)):
            title = f"{table.title}, continued" if k else table.title
            grid = Grid(title=title, title_justify="left")
            grid.add_column(table.head[0], no_wrap=True)
            for column in columns:
                grid.add_column(table.head[column], justify="right", no_wrap=True)
            for name, cells in table.rows:
                shown = [cells[column - 1] for column in columns]
                grid.add_row(name, *(f"[bold]{c.text}[/]" if c.best else c.text for c in shown))
            console.print(grid)
    if left := ", ".join(table.title for table in found[most:]):
        console.print(f"In the report alone: {left}", soft_wrap=True, highlight=False, markup=False)


def fitting(table: Table, width: int) -> list[list[int]]:
    """Columns of a table, without the first, in parts that fit a width beside the first.

    Args:
        table: to be printed.
        width: characters of a line.
    """
    texts = [table.head, *([name, *(cell.text for cell in cells)] for name, cells in table.rows)]
    wide = [max(map(cell_len, column)) + FRAME for column in zip(*texts, strict=True)]
    room = width - 1 - wide[0]
    parts: list[list[int]] = [[]]
    for column in range(1, len(wide)):
        if parts[-1] and sum(wide[k] for k in (*parts[-1], column)) > room:
            parts.append([])
        parts[-1].append(column)
    return parts
