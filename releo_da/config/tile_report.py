"""What the report of a run in tiles says of them: where they stand, errors, and maps."""

from __future__ import annotations

from pathlib import Path

from releo_da.config.standing import counted, stands
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.gallery import map_picture
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.products import variables
from releo_da.diagnostics.plots.tiles import tiles as drawn
from releo_da.io.products import DRAWN
from releo_da.io.tile_plan import read_plan
from releo_da.io.times import isoformat
from releo_da.runs.mosaic import mosaic

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
    return Table("Tiles", f"{said}.{more}", head, rows, prose=True)


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


def tile_maps(root: Path) -> tuple[list[Picture], list[str]]:
    """Maps of the output variables over all tiles, and what is wrong with products left out.

    Of each tile its last product is drawn: one map for a variable, however many dates there are.
    """
    made = mosaic(root)
    if made.found is None:
        return [], made.damaged
    first, last = (isoformat(time) for time in made.times)
    dates = first if first == last else f"{first} to {last}"
    caption = (
        f"Ensemble mean above, spread (standard deviation) below, of each tile at its last product "
        f"({dates}). A large map is thinned to about {DRAWN:,} pixels."
    )
    return [
        map_picture(made.found, name)._replace(caption=caption) for name in variables(made.found)
    ], made.damaged
