"""`releo-da forecast` of a run in tiles: each from its own last state, through the workers."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from releo_da.config.cluster import client_of, outcomes
from releo_da.config.cycling import cycle
from releo_da.config.document import load
from releo_da.config.forecast import tell, write_forecast
from releo_da.config.options import Options
from releo_da.config.registry import bind
from releo_da.config.report import LEDGER
from releo_da.config.sections import section
from releo_da.config.standing import DEFECT, DONE, INPUT, LOST
from releo_da.config.threads import one_thread
from releo_da.config.tile_once import Said, said_once
from releo_da.config.tile_sweep import Share
from releo_da.config.tiles import tiles
from releo_da.io.tile_plan import read_plan
from releo_da.types import InputError


def forecast_tile(
    root: str, until: str, settings: Sequence[str], device: str, scenario: str | None = None
) -> dict[str, Any]:
    """Forecast of one tile; never raises but for an end from outside.

    Args:
        root: the run directory of the tile, absolute.
        until: the last day, YYYY-MM-DD.
        settings: overrides ``key.sub=value``.
        device: ``cpu``, ``cuda`` or ``auto``.
        scenario: file of weather, absolute.
    """
    try:
        with one_thread(device == "cpu"):
            options = Options(overrides=tuple(settings), device=device, quiet=True)
            weather = None if scenario is None else Path(scenario)
            notes = write_forecast(Path(root), date.fromisoformat(until), options, weather)
            return {"outcome": DONE, "notes": notes}
    except InputError as error:
        return {"outcome": INPUT, "error": str(error)}
    except Exception as error:
        # Of any kind: one tile must not keep the others from their forecasts. It is told by name
        # with exit status 1.
        return {"outcome": DEFECT, "error": repr(error), "trace": traceback.format_exc()}


def command(
    root: Path,
    until: date,
    options: Options,
    warn: Callable[[str], None],
    share: Share | None = None,
    scenario: Path | None = None,
) -> tuple[int, int]:
    """Forecast all tiles that have a state; returns how many are done, and the exit status.

    Args:
        root: the run directory.
        until: the last day.
        options: overrides and device.
        warn: told of every tile that failed.
        share: works on tasks; the workers of the configuration unless given.
        scenario: file of weather after the last states, or None.

    Raises:
        InputError: no tile has a state yet.
    """
    if options.out is not None:
        raise InputError("--out: a forecast is written into the directory of its run; leave it out")
    plan = read_plan(root)
    folders = {tile.name: plan.folder(root, tile) for tile in plan.tiles}
    day, told = until.isoformat(), list(options.settings)
    weather = None if scenario is None else str(scenario.resolve())
    tasks = {
        name: (str(folder.resolve()), day, told, options.device, weather)
        for name, folder in folders.items()
        if (folder / LEDGER).is_file()
    }
    if not tasks:
        raise InputError(f"{root}: no tile has a state yet; run `releo-da cycle` first")
    ended: list[str] = []
    notes: list[Mapping[str, Any]] = []
    once: set[Said] = set()
    for name, found in (share or _workers(root))(tasks):
        said_once(found.get("notes", ()), name, once, notes.append)
        ended.append(found["outcome"])
        if found["outcome"] != DONE:
            warn(f"releo-da: tile {name}: {' '.join(found['error'].split())}")
    tell(root, notes, until)
    status = 1 if {DEFECT, LOST} & {*ended} else 2 if INPUT in ended else 0
    return ended.count(DONE), status


def _workers(root: Path) -> Share:
    """What works on tasks by the configuration of the run."""
    service = section(load(root / "config.yaml"), "cycle", cycle)
    _, workers = bind(tiles, service.tiles, "cycle.tiles")()

    def share(tasks: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        with client_of(workers, len(tasks)) as client:
            yield from outcomes(client, forecast_tile, tasks, workers)

    return share
