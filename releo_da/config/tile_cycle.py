"""`releo-da cycle` of a map in tiles: sweeps over them by workers, and what is published.

When the command is asked to end, no tile is begun any more. Those under way are told by a file in
the run directory, which reaches them on whatever machine they run, and finish their cycle.

scores.json says by a digest of how the tiles stood what it was made of: what a call that was killed
did not come to publish is published by the next.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from releo_da.config.cluster import client_of, outcomes
from releo_da.config.cycle_sums import kept_sums, scores_from
from releo_da.config.cycling import cycle, unreadable
from releo_da.config.document import Document
from releo_da.config.options import Options
from releo_da.config.registry import bind
from releo_da.config.report import report
from releo_da.config.sections import section
from releo_da.config.serving import published
from releo_da.config.serving import told as in_short
from releo_da.config.standing import BUSY, DONE, FAILED, STOPPED, read_standing, said_of
from releo_da.config.tile_plan import kept_plan
from releo_da.config.tile_sweep import Plain, Told, tiled
from releo_da.config.tile_work import STOP, sweep_tile
from releo_da.config.tiles import tiles
from releo_da.io import write_json
from releo_da.runs.stopping import wait


def command(
    document: Document,
    options: Options,
    once: bool,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Path | None, int]:
    """Run the service over all tiles.

    Args:
        document: the configuration, with ``cycle.tiles``.
        options: where, and on which device.
        once: one sweep instead of a service.
        say: told of every sweep.
        warn: told of every tile that failed and every file that was refused.
        stop: whether to end; no tile is begun any more, and those under way finish their cycle.

    Returns:
        The path of the report, None before the first cycle, and the exit status.

    Raises:
        BlockingIOError: another process holds the run directory.
        InputError: the configuration is wrong, or no file of a first sweep is readable.
    """
    service = section(document, "cycle", cycle)
    _, workers = bind(tiles, service.tiles, "cycle.tiles")()
    with tiled(document, options, once) as run:

        def asked() -> bool:
            if stop():
                (run.root / STOP).touch()  # by which the tasks know, wherever they run
            return stop()

        def share(tasks: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Plain]]:
            with client_of(workers, len(tasks)) as client:
                yield from outcomes(client, sweep_tile, tasks, workers, asked, warn)

        path, tried, status = None, "", 0
        while True:
            told = run.sweep(share, warn)
            for error, count in told.refused.items():
                warn(f"releo-da: refused (tiles: {count}): {' '.join(error.split())}")
            say(line(told))
            stood = standing_digest(run.root)
            if told.changed or stood != tried:
                tried = stood
                try:
                    path, status = publish(run.root, run.chosen, told.changed), 0
                except (OSError, sqlite3.Error):
                    raise  # the disk, of which the next sweep would tell the same
                except Exception as error:
                    # As `releo_da.config.serving.serve`: the cycles are committed all the same.
                    about = in_short(error)
                    warn(f"releo-da: the cycles are committed, the report is not made: {about}")
                    status = 1
            if once or stop():
                break
            wait(service.poll_seconds, stop)
    if path is None and not status and told.refused and not stop():
        raise unreadable(service.inbox, told.refused)
    return path, told.status or status


def line(told: Told) -> str:
    """A sweep in one line."""
    ended = ", ".join(
        f"{told.outcomes[k]} {k}" for k in (DONE, BUSY, STOPPED, *FAILED) if told.outcomes[k]
    )
    what = f"{told.tasks} tiles had something to do" + (f" ({ended})" if ended else "")
    return f"{what}, {told.assimilated} cycles committed"


def publish(root: Path, decided: Mapping[str, Any], changed: bool) -> Path | None:
    """scores.json and report of all tiles, where they are not those of how the tiles stand.

    Args:
        root: the run directory.
        decided: `releo_da.config.tile_plan.chosen`.
        changed: make them in any case.

    Returns:
        The path of the report, None before the first cycle.
    """
    stood = standing_digest(root)
    if not changed and published(root) == stood:
        return root / "report.html"
    plan = kept_plan(root, decided)
    if plan is None:
        return None
    sums = [kept_sums(plan.folder(root, tile)) for tile in plan.tiles]
    present = [one for one in sums if one is not None]
    if not present:
        return None
    write_json(root / "scores.json", scores_from(present) | {"state_sha256": stood})
    return report(root)


def standing_digest(root: Path) -> str:
    """Digest of how the tiles of a run stand: their states, outcomes and errors."""
    held = read_standing(root)["tiles"]
    text = json.dumps({name: said_of(about) for name, about in held.items()}, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
