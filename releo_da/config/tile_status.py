"""Where a cycling run in tiles stands: its tiles one by one, and together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from releo_da.config.last_call import gone, last_call
from releo_da.config.report import LEDGER
from releo_da.config.standing import counted, lost, stands
from releo_da.config.status import LABELS, SHOWN, call_lines, left_since, status
from releo_da.config.tile_alarms import tiled_line, together
from releo_da.cycling.ledger import Ledger
from releo_da.io.tile_plan import read_plan
from releo_da.io.times import isoformat, today


def tiled_status(root: Path) -> dict[str, Any]:
    """Where a run in tiles stands, as plain values.

    ``tiles``, by name: how it ``stands`` (done, failed, behind), ``error``, ``cycles``, ``last``
    acquisition and ``lag_days`` behind the tile that is farthest; ``summary``, how many stand how;
    ``failed_and_lagging``, how many of those that failed lag; ``counts`` by the names of
    `releo_da.config.status.LABELS`, of files each once, of the others added over tiles; ``alarms``,
    each once, with the names of its ``tiles``; ``refused``, errors of files with the number of
    tiles that refused them, when the last one ``read`` them, and ``gone`` where the file has left
    the inbox; ``call`` and ``age_days`` as of a run without tiles. A tile whose last state cannot
    be resumed from, or whose ledger is gone, has failed, whatever its last task said.

    Raises:
        InputError: the directory holds no run in tiles.
    """
    plan = read_plan(root)
    tiles = stands(root, plan)
    counts, alarms, refused = Counter[str](), [], Counter[str]()
    call, left, read = last_call(root), set[str](), dict[str, str]()
    times: dict[str, float] = {}
    names: dict[str, set[str]] = {"files": set(), "refused": set(), "gone": set()}
    for tile in plan.tiles:
        folder, about = plan.folder(root, tile), tiles[tile.name]
        if said := lost(about, folder):
            about |= {"stands": "failed", "error": said}
        if not (folder / LEDGER).is_file():
            continue
        with Ledger(folder / LEDGER, reads=True) as ledger:
            last = ledger.last()
            names["files"] |= ledger.files.names()
        if last is not None:
            times[tile.name] = last.arrival.time
        found = status(folder)
        counts.update(found["counts"])
        refused.update(one["error"] for one in found["refused"])
        for one in found["refused"]:
            away = gone(call, one["file"])
            names["gone" if away else "refused"].add(one["file"])
            left |= {one["error"]} if away else set()
            read[one["error"]] = max(one["read"], read.get(one["error"], ""))
        alarms += [(tile.name, one) for one in found["alarms"]]
        if found["damaged"]:
            about |= {"stands": "failed", "error": found["damaged"]}
        about["cycles"] = found["counts"]["cycles"]
    newest = max(times.values(), default=0.0)
    for name, about in tiles.items():
        about.pop("time", None)
        about["last"] = isoformat(times[name]) if name in times else None
        about["lag_days"] = newest - times[name] if name in times else None
    for kind, listed in names.items():
        counts[kind] = len(listed)
    lagging = [n for n, about in tiles.items() if about["stands"] == "failed" and about["lag_days"]]
    return {
        "summary": counted(tiles),
        "failed_and_lagging": len(lagging),
        "counts": {name: counts[name] for name in LABELS},
        "last": isoformat(newest) if times else None,
        "lag_days": max((newest - time for time in times.values()), default=0.0),
        "call": call,
        "age_days": round(today() - newest, 2) if times else None,
        "alarms": together(alarms),
        "refused": [
            {"error": error, "tiles": count, "read": read[error], "gone": error in left}
            for error, count in refused.items()
        ],
        "tiles": tiles,
    }


def tiled_lines(found: dict[str, Any]) -> list[str]:
    """The same as lines; of long lists the first, and how many there are."""
    said = ", ".join(f"{count} {word}" for word, count in found["summary"].items())
    told = [f"tiles: {len(found['tiles'])} ({said})"]
    for name, label in LABELS.items():
        over = "" if name in ("files", "refused", "gone") else ", over all tiles"
        told.append(f"{label}{over}: {found['counts'][name]}")
    told += [f"last acquisition: {found['last']}"] if found["last"] else []
    told.append(f"largest lag of a tile: {found['lag_days']:g} days")
    if found["failed_and_lagging"]:
        told.append(f"failed tiles that lag behind: {found['failed_and_lagging']}")
    told += call_lines(found)
    failed = [
        f"{about['stands']}: {name}: {about.get('error', '')}".rstrip(": ")
        for name, about in found["tiles"].items()
        if about["stands"] != "done"
    ]
    raised = [tiled_line(one) for one in found["alarms"]]
    refused = [
        f"refused by {one['tiles']} tiles: {one['error']}{left_since(one)}"
        for one in found["refused"]
    ]
    for kind, listed in (("tiles not done", failed), ("alarms", raised), ("refused", refused)):
        if len(listed) > SHOWN:
            told.append(f"{kind}: {len(listed)} in all, --json lists them; the first {SHOWN}:")
        told += listed[:SHOWN]
    return told
