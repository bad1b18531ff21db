"""Score tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from releo_da.diagnostics.tables import tables


def show_scores(scores: Mapping[str, Any], most: int = 7) -> None:
    """Print the first tables of scores.json; the report holds all of them."""
    console = Console(width=None if Console().is_terminal else 120)
    for table in tables(scores)[:most]:
        grid = Grid(title=table.title, title_justify="left")
        for k, name in enumerate(table.head):
            grid.add_column(name, justify="left" if k == 0 else "right", no_wrap=True)
        for name, cells in table.rows:
            grid.add_row(name, *(f"[bold]{c.text}[/]" if c.best else c.text for c in cells))
        console.print(grid)
