"""The task of a tile: what ``releo-da cycle CONFIG --once`` does, over a window.

A worker process is told the configuration and the window by plain texts and numbers and tells what
it did in the same way. All else is on the disk: the directory of the tile is that of a run, with a
lock, a ledger and states of its own, so a task may be killed at any instant and begun again.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from releo_da.config.cycle_sums import SUMS, kept_sums, sums_of
from releo_da.config.cycling import service_of
from releo_da.config.document import Document, load
from releo_da.config.options import Options
from releo_da.config.serving import scores_of
from releo_da.config.standing import BUSY, DEFECT, DONE, INPUT, STOPPED
from releo_da.config.threads import one_thread
from releo_da.io import write_json
from releo_da.io.tile_plan import TILES
from releo_da.io.tiles import Tile, of_tile
from releo_da.runs.watched import advance
from releo_da.types import InputError

STOP = ".stop"
"""File of the run directory whose presence asks the tasks to end after their cycle."""


def sweep_tile(
    config: str,
    settings: Sequence[str],
    device: str,
    root: str,
    tile: Sequence[Any],
    grid: dict[str, Any],
) -> dict[str, Any]:
    """Assimilate what has arrived for one tile; never raises but for an end from outside.

    Args:
        config: path of the configuration, absolute.
        settings: overrides ``key.sub=value``.
        device: ``cpu``, ``cuda`` or ``auto``.
        root: the run directory of all tiles, absolute.
        tile: rows, columns and number of pixels of `releo_da.io.tiles.Tile`.
        grid: of the run, `releo_da.io.tiles.grid_facts`.

    Returns:
        ``outcome`` is ``done``, ``stopped`` (asked to end before it was through), ``busy`` (another
        process holds the tile), ``input`` (its input or its files are wrong) or ``defect``; with
        ``error`` where it is not done. Of one that came to its end, or was stopped:
        ``assimilated`` and ``undone``, numbers of cycles, ``refused``, errors of files, ``notes``,
        what the log of the run is to say once, ``until``,
        from which day on a file is read again though it did not change, where there is one, and
        where it stands by ``cycles``, ``time`` and ``state_sha256``.
    """
    one = Tile(tuple(tile[0]), tuple(tile[1]), tile[2])
    try:
        with one_thread(device == "cpu"):
            return _swept(config, settings, device, Path(root), one, grid)
    except BlockingIOError as error:
        return {"outcome": BUSY, "error": f"{error.filename}: another process holds it"}
    except InputError as error:
        return {"outcome": INPUT, "error": str(error)}
    except Exception as error:
        # Of any kind: one tile must not end the sweep of the others. It is told as a defect, with
        # its traceback in the log and exit status 1. SystemExit and KeyboardInterrupt are let
        # through: they end the worker, and dask says that the tile is lost.
        return {"outcome": DEFECT, "error": repr(error), "trace": traceback.format_exc()}


def document_of(config: str | Path, settings: Sequence[str], tile: Tile) -> Document:
    """The configuration of a tile: that of the run, with the tile as window of the source."""
    source = load(config, settings).values.get("source")
    key = "source.0" if isinstance(source, list) else "source"
    window = f"{key}.window={json.dumps(tile.window)}"
    return load(config, [*settings, window, "cycle.tiles=null"])


def _swept(
    config: str,
    settings: Sequence[str],
    device: str,
    root: Path,
    tile: Tile,
    grid: dict[str, Any],
) -> dict[str, Any]:
    """One sweep, and the scores of the tile where it changed something."""
    out = root / TILES / tile.name
    document = document_of(config, settings, tile)

    def place(pixels: xr.Dataset, path: Path) -> xr.Dataset:
        return of_tile(pixels, tile, grid, str(path))

    options = Options(out=out, device=device, quiet=True)

    def asked() -> bool:
        return (root / STOP).exists()

    notes: list[Mapping[str, Any]] = []
    with service_of(document, options, out, place, note=notes.append) as service:
        swept = service.sweep(asked)
        last = service.ledger.last()
        before = kept_sums(out)
        if last is not None and (before is None or before["state_sha256"] != last.sha256):
            before = sums_of(service)
            write_json(out / "scores.json", scores_of(service, before))
            write_json(out / SUMS, before)
            advance(service.ledger, service.rules, out, service.window)
        failed = list(service.failed)
        held_back = service.ledger.files.held_back()
        # of files that are still there; the listing is made again only where there is such a row
        left = {file.name for file in service.inbox()} if held_back else set()
    found = {"assimilated": swept.assimilated, "undone": swept.undone, "refused": swept.refused}
    found |= {"notes": [dict(record) for record in notes]} if notes else {}
    found |= {key: before[key] for key in ("cycles", "time", "state_sha256")} if before else {}
    days = [until for name, until in held_back.items() if name in left]
    found |= {"until": min(days)} if days else {}
    if failed:
        said = f"{len(failed)} acquisitions set aside; the first: {failed[0]}"
        return {"outcome": DEFECT, "error": said, **found}
    if asked():
        return {"outcome": STOPPED, "error": "asked to end; the next sweep goes on", **found}
    return {"outcome": DONE, **found}
