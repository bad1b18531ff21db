"""What the report of a run in tiles says of them: how many stand where, which failed, and a map."""

from __future__ import annotations

from pathlib import Path

from releo_da.config.standing import counted, stands
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.tiles import tiles as drawn
from releo_da.io.tile_plan import read_plan
from releo_da.io.times import isoformat

ROWS = 50
"""Tiles that the table names, those that are not done first."""


def tile_table(root: Path) -> Table:
    """The tiles of a run, those that are not done first."""
    found = stands(root, read_plan(root))
    said = ", ".join(f"{count} {word}" for word, count in counted(found).items())
    order = sorted(found, key=lambda name: (found[name]["stands"] == "done", name))
    rows = []
    for name in order[:ROWS]:
        about = found[name]
        time = about.get("time")
        texts = (
            about["stands"],
            str(about["pixels"]),
            str(about.get("cycles") or 0),
            "" if time is None else isoformat(float(time)),
            str(about.get("error", "")),
        )
        rows.append((name, [Cell(text) for text in texts]))
    more = f" The first {ROWS} of {len(found)} are named." if len(found) > ROWS else ""
    head = ("tile", "stands", "pixels", "cycles", "last acquisition", "error")
    return Table("Tiles", f"{said}.{more}", head, rows)


def tile_pictures(root: Path) -> list[Picture]:
    """The map of where the tiles of a run stand."""
    plan = read_plan(root)
    found = stands(root, plan)
    boxes = [(tile.rows, tile.columns, found[tile.name]["stands"]) for tile in plan.tiles]
    shape = int(plan.grid["height"]), int(plan.grid["width"])
    caption = (
        "Each rectangle is a tile of the grid. Done: its last sweep dealt with all files that were "
        "there; behind: not begun or not finished; failed: see the table. White: no wanted pixel."
    )
    return [Picture("tiles", "Where the tiles stand", caption, drawn(boxes, shape))]
