"""``tiles.json`` of a run directory: the grid of the run and the tiles that it is cut into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from releo_da.io.archive import write_json
from releo_da.io.tiles import Tile
from releo_da.strict_json import parse
from releo_da.types import InputError

PLAN = "tiles.json"
TILES = "tiles"
"""Folder of the tiles in a run directory; each is a run directory of its own."""

REMEDY = "restore it from a backup"


class Plan(NamedTuple):
    """The tiles of a run.

    Attributes:
        chosen: what decided how the map was cut, as plain values.
        grid: facts of the grid, `releo_da.io.tiles.grid_facts`.
        tiles: those with a wanted pixel, row after row.
    """

    chosen: Mapping[str, Any]
    grid: dict[str, Any]
    tiles: list[Tile]

    def folder(self, root: Path, tile: Tile) -> Path:
        """The run directory of a tile."""
        return root / TILES / tile.name


def write_plan(root: Path, plan: Plan) -> None:
    """Write the plan of a run directory, whole or not at all."""
    write_json(root / PLAN, {**plan._asdict(), "tiles": [list(tile) for tile in plan.tiles]})


def read_plan(root: Path) -> Plan:
    """The plan of a run directory.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = root / PLAN
    try:
        held = parse(path.read_text(encoding="utf-8"), str(path), REMEDY)
        tiles = [Tile(_pair(r), _pair(c), int(n)) for r, c, n in held["tiles"]]
        return Plan(dict(held["chosen"]), dict(held["grid"]), tiles)
    except FileNotFoundError:
        raise InputError(f"{root}: holds no {PLAN}, so no run in tiles") from None
    except InputError:
        raise
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: is not as this version writes it; {REMEDY}") from None


def _pair(value: Sequence[Any]) -> tuple[int, int]:
    first, last = (int(one) for one in value)
    return first, last
