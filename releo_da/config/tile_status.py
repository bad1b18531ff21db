"""Where a cycling run in tiles stands: its tiles one by one, and together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from releo_da.config.health import line
from releo_da.config.report import LEDGER
from releo_da.config.standing import counted, stands
from releo_da.config.status import LABELS, SHOWN, status
from releo_da.cycling.ledger import Ledger
from releo_da.io.tile_plan import read_plan
from releo_da.io.times import isoformat


def tiled_status(root: Path) -> dict[str, Any]:
    """Where a run in tiles stands, as plain values.

    ``tiles``, by name: how it ``stands`` (done, failed, behind), ``error``, ``cycles``, ``last``
    acquisition and ``lag_days`` behind the tile that is farthest; ``summary``, how many stand how;
    ``counts`` added over tiles, by the names of `releo_da.config.status.LABELS`; ``alarms``, each
    with its tile; ``refused``, errors of files with the number of tiles that refused them.

    Raises:
        InputError: the directory holds no run in tiles.
    """
    plan = read_plan(root)
    tiles = stands(root, plan)
    counts, alarms, refused = Counter[str](), [], Counter[str]()
    times: dict[str, float] = {}
    for tile in plan.tiles:
        folder, about = plan.folder(root, tile), tiles[tile.name]
        if not (folder / LEDGER).is_file():
            continue
        with Ledger(folder / LEDGER) as ledger:
            last = ledger.last()
        if last is not None:
            times[tile.name] = last.arrival.time
        found = status(folder)
        counts.update(found["counts"])
        refused.update(one["error"] for one in found["refused"])
        alarms += [{**one, "tile": tile.name} for one in found["alarms"]]
        about["cycles"] = found["counts"]["cycles"]
    newest = max(times.values(), default=0.0)
    for name, about in tiles.items():
        about.pop("time", None)
        about["last"] = isoformat(times[name]) if name in times else None
        about["lag_days"] = newest - times[name] if name in times else None
    return {
        "summary": counted(tiles),
        "counts": {name: counts[name] for name in LABELS},
        "last": isoformat(newest) if times else None,
        "lag_days": max((newest - time for time in times.values()), default=0.0),
        "alarms": alarms,
        "refused": [{"error": error, "tiles": n} for error, n in refused.items()],
        "tiles": tiles,
    }


def tiled_lines(found: dict[str, Any]) -> list[str]:
    """The same as lines; of long lists the first, and how many there are."""
    said = ", ".join(f"{count} {word}" for word, count in found["summary"].items())
    told = [f"tiles: {len(found['tiles'])} ({said})"]
    told += [f"{label}, over all tiles: {found['counts'][name]}" for name, label in LABELS.items()]
    told += [f"last acquisition: {found['last']}"] if found["last"] else []
    told.append(f"largest lag of a tile: {found['lag_days']:g} days")
    failed = [
        f"{about['stands']}: {name}: {about.get('error', '')}".rstrip(": ")
        for name, about in found["tiles"].items()
        if about["stands"] != "done"
    ]
    raised = [f"{one['tile']}: {line(one)}" for one in found["alarms"]]
    refused = [f"refused by {one['tiles']} tiles: {one['error']}" for one in found["refused"]]
    for kind, listed in (("tiles not done", failed), ("alarms", raised), ("refused", refused)):
        if len(listed) > SHOWN:
            told.append(f"{kind}: {len(listed)} in all, --json lists them; the first {SHOWN}:")
        told += listed[:SHOWN]
    return told
