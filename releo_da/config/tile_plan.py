"""``tiles.json``: how the map of a run is cut, made once and held to ever after.

The grid is that of the first readable file of the inbox. Another size, window, stride or mask later
would make other tiles, whose states do not exist: it is refused. A later file on another grid is
refused by the tiles, by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from releo_da.config.cycle_settings import changes
from releo_da.config.document import Document
from releo_da.config.sources import READERS
from releo_da.io.archive import create_run_directory, plain
from releo_da.io.atomic import flush
from releo_da.io.cube import Cube, open_cube
from releo_da.io.inbox import Arrived
from releo_da.io.tile_plan import PLAN, TILES, Plan, read_plan, write_plan
from releo_da.io.tiles import grid_facts, tiles_of
from releo_da.runs.intake import READABLE
from releo_da.types import InputError

DECIDING = ("window", "stride", "select", "mask")
"""Options of the source that say which pixels are wanted."""


def chosen(source: Mapping[str, Any], size: int) -> dict[str, Any]:
    """What decides how the map is cut, as plain values.

    Args:
        source: with the paths inside its options found.
        size: of a tile.
    """
    said: dict[str, Any] = {"size": size, **{key: source.get(key) for key in DECIDING}}
    if isinstance(said["mask"], Mapping) and "path" in said["mask"]:
        path = Path(said["mask"]["path"])
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        said["mask"] = {**said["mask"], "path": path.name, "sha256": digest}
    made: dict[str, Any] = json.loads(json.dumps(plain(said)))
    return made


def kept_plan(root: Path, wanted: Mapping[str, Any]) -> Plan | None:
    """The plan of a run directory, or None where none is made yet.

    Args:
        root: the run directory.
        wanted: `chosen`, of the configuration as it is now.

    Raises:
        InputError: the plan is damaged, or the configuration would cut the map otherwise.
    """
    if not (root / PLAN).is_file():
        return None
    plan = read_plan(root)
    known = plan.chosen
    if known != wanted:
        raise InputError(
            f"{root / PLAN}: the map was cut otherwise ({changes(known, wanted)}); undo the "
            "change, or give another --out, where a run in other tiles begins from the first file"
        )
    return plan


def made_plan(
    document: Document,
    source: Mapping[str, Any],
    wanted: Mapping[str, Any],
    files: Sequence[Arrived],
    root: Path,
) -> tuple[Plan | None, list[str]]:
    """Cut the map by the first readable file, and write the plan.

    Args:
        document: the configuration.
        source: with the paths inside its options found.
        wanted: `chosen`.
        files: of the inbox.
        root: the run directory.

    Returns:
        The plan, or None where no file can be read; and what the others were refused for.

    Raises:
        InputError: no tile holds a wanted pixel.
    """
    refused = []
    for file in files:
        if file.wrong:
            refused.append(file.wrong)
            continue
        try:
            cube = opened_cube(document, source, file.path)
        except READABLE as error:
            text = str(error) if isinstance(error, InputError) else f"{file.path}: {error!r}"
            refused.append(text)
            continue
        plan = Plan(dict(wanted), grid_facts(cube.grid), tiles_of(cube, int(wanted["size"])))
        if not plan.tiles:
            raise InputError(
                f"{file.path}: window, stride and mask leave no pixel; widen one of them"
            )
        # Every tile has a folder before the plan names it: one without is a folder that was lost.
        create_run_directory(root / TILES, [tile.name for tile in plan.tiles])
        flush(root / TILES)
        write_plan(root, plan)
        return plan, refused
    return None, refused


def opened_cube(document: Document, source: Mapping[str, Any], path: Path) -> Cube:
    """A file of the inbox as a cube of which nothing but axes and mask is read.

    Raises:
        InputError: the source is no cube, or as `releo_da.io.cube.open_cube`.
    """
    given = {**source, "path": str(document.permitted(path))}
    bound: partial[Any] = READERS.bind(given, "source[0]", {"period": document.period})
    return open_cube(**{k: option for k, option in bound.keywords.items() if k != "accept"})
