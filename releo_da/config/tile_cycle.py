"""`releo-da cycle` of a map in tiles: sweeps over them by workers, and what is published.

When the command is asked to end, no tile is begun any more. Those under way are told by a file in
the run directory, which reaches them on whatever machine they run, and finish their cycle.
"""

from __future__ import annotations

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
from releo_da.config.standing import BUSY, DONE, FAILED, STOPPED
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

        while True:
            told = run.sweep(share, warn)
            for error, count in told.refused.items():
                warn(f"releo-da: refused (tiles: {count}): {' '.join(error.split())}")
            say(line(told))
            path = publish(run.root, run.chosen, told.changed)
            if once or stop():
                break
            wait(service.poll_seconds, stop)
    if path is None and told.refused and not stop():
        raise unreadable(service.inbox, told.refused)
    return path, told.status


def line(told: Told) -> str:
    """A sweep in one line."""
    ended = ", ".join(
        f"{told.outcomes[k]} {k}" for k in (DONE, BUSY, STOPPED, *FAILED) if told.outcomes[k]
    )
    what = f"{told.tasks} tiles had something to do" + (f" ({ended})" if ended else "")
    return f"{what}, {told.assimilated} cycles committed"


def publish(root: Path, decided: Mapping[str, Any], changed: bool) -> Path | None:
    """scores.json and report of all tiles; returns its path, None before the first cycle."""
    if not changed and (root / "report.html").is_file():
        return root / "report.html"
    plan = kept_plan(root, decided)
    if plan is None:
        return None
    sums = [kept_sums(plan.folder(root, tile)) for tile in plan.tiles]
    present = [one for one in sums if one is not None]
    if not present:
        return None
    write_json(root / "scores.json", scores_from(present))
    return report(root)
