"""Alarms of a run in tiles, each counted once, however many tiles raise it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from releo_da.config.health import line, run_rules, standing
from releo_da.cycling.ledger import Ledger
from releo_da.io.tile_plan import Plan
from releo_da.runs.verify import LEDGER

Plain = dict[str, Any]


def together(found: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Plain]:
    """Alarms of one kind and sensor (and, of `diverged`, one channel) as one.

    Args:
        found: name of a tile and an alarm of it, as `releo_da.config.health.standing` has them.

    Returns:
        Of each the one with the largest figure, ``since`` the earliest, and ``tiles``, the names of
        all that raise it.
    """
    kept: dict[tuple[str, str, str], Plain] = {}
    for name, alarm in found:
        channel = alarm["channel"] if alarm["kind"] == "diverged" else ""
        key = alarm["kind"], alarm["sensor"], channel
        one = kept.get(key)
        if one is None:
            kept[key] = {**alarm, "tiles": [name]}
            continue
        larger = alarm if abs(alarm["figure"]) > abs(one["figure"]) else one
        since = min(one["since"], alarm["since"])
        kept[key] = {**larger, "since": since, "tiles": [*one["tiles"], name]}
    return list(kept.values())


def tile_alarms(root: Path, plan: Plan) -> list[Plain]:
    """The alarms that stand in the tiles of a run, each once."""
    rules = run_rules(root)
    found = []
    for tile in plan.tiles:
        path = plan.folder(root, tile) / LEDGER
        if path.is_file():
            with Ledger(path, reads=True) as ledger:
                found += [(tile.name, one) for one in standing(ledger, rules, path.parent)]
    return together(found)


def tiled_line(alarm: Mapping[str, Any]) -> str:
    """An alarm of tiles as a line."""
    tiles = alarm["tiles"]
    return f"{line(alarm)} (tiles: {len(tiles)}, the first {tiles[0]})"
