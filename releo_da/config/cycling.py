"""`releo-da cycle`: a document becomes a service over an inbox; what it depends on is guarded.

The source of a hindcast says how a file is read; in a cycling run its ``path`` is each file of the
inbox in turn. What the results depend on is guarded by `releo_da.config.cycle_settings`.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from releo_da import __version__
from releo_da.config.assemble import assemble
from releo_da.config.cycle_settings import (
    LATENTS,
    configured_channels,
    fits,
    guard,
    reader_of,
    settings_of,
    source_of,
)
from releo_da.config.document import Document
from releo_da.config.driven import binding
from releo_da.config.health import rules_of
from releo_da.config.initial import cycle_start
from releo_da.config.innovations import record
from releo_da.config.nested_paths import with_files
from releo_da.config.options import Options
from releo_da.config.phenology import refuse_seasons
from releo_da.config.report import LEDGER
from releo_da.config.run_files import commit, open_run, run_root
from releo_da.config.schemes import refuse_windows
from releo_da.config.sections import days, products, section
from releo_da.config.sensor_paths import with_paths
from releo_da.config.serving import serve
from releo_da.config.sources import READERS, joined, suspicions
from releo_da.cycling.ledger import Ledger
from releo_da.diagnostics.alarms import Rules
from releo_da.io import create_run_directory
from releo_da.io.inbox import arrived, folder_and_pattern
from releo_da.io.lock import locked
from releo_da.io.passing import passing
from releo_da.io.series import Series
from releo_da.io.tile_plan import PLAN
from releo_da.runs.cycle import Note, Service
from releo_da.runs.model import Model
from releo_da.runs.set_aside import retry
from releo_da.runs.store import Store
from releo_da.types import InputError

FOLDERS = ("figures", "products", "states", "acquisitions")


@dataclass(frozen=True)
class Cycling:
    """Where acquisitions arrive, how often one looks, and how late they may be."""

    inbox: str
    poll_seconds: float
    replay_days: float
    thin_days: float
    accept_changes: bool
    retry_failed: bool
    rules: Rules
    ahead_days: float = 1.0
    tiles: Mapping[str, Any] | None = None


def cycle(
    inbox: str,
    poll_seconds: float = 60.0,
    replay_days: float = 10.0,
    thin_days: float = 30.0,
    accept_changes: bool = False,
    retry_failed: bool = False,
    health: Mapping[str, Any] | None = None,
    tiles: Mapping[str, Any] | None = None,
    ahead_days: float = 1.0,
) -> Cycling:
    """Where acquisitions arrive.

    Args:
        inbox: a folder, or a glob such as ``inbox/*.nc``.
        poll_seconds: how often a service that keeps running looks into it.
        replay_days: how far before the latest acquisition one may lie that arrives late; what came
            after it is then assimilated again.
        thin_days: time between the states that are kept from before that window.
        accept_changes: go on from the last state with another configuration, version or weights.
        retry_failed: try again what failed to be assimilated, in its place in the order; a change
            of version, weights or configuration does so without it.
        health: when alarms are raised (`releo_da.config.health.health`).
        tiles: how a map is cut, and who works on the parts (`releo_da.config.tiles.tiles`).
        ahead_days: how far ahead of the clock of the machine an acquisition may be dated; what lies
            further ahead is held back and told. ``.inf`` for any date.
    """
    if not poll_seconds > 0:
        raise InputError(f"cycle.poll_seconds is {poll_seconds}; give a positive number of seconds")
    if not 0.0 <= replay_days < float("inf"):
        raise InputError(f"cycle.replay_days is {replay_days}; give a number of days, 0 for none")
    if not thin_days > 0.0:
        raise InputError(f"cycle.thin_days is {thin_days}; give a positive number of days")
    if not ahead_days >= 0.0:
        raise InputError(f"cycle.ahead_days is {ahead_days}; give a number of days, .inf for any")
    numbers = float(poll_seconds), float(replay_days), float(thin_days)
    rules = rules_of(health, "cycle.health")
    asked = accept_changes, retry_failed
    return Cycling(inbox, *numbers, *asked, rules, float(ahead_days), tiles)


def command(
    document: Document,
    options: Options,
    once: bool,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Path | None, int]:
    """Run the service.

    Args:
        document: the configuration.
        options: where, and on which device.
        once: one sweep instead of a service.
        say: told of every sweep.
        warn: told of every file that was refused, also by a quiet command.
        stop: whether to end; the cycle under way is finished.

    Returns:
        The path of the report, None where nothing was assimilated; and the exit status, 1 where
        an acquisition failed to be assimilated or the report could not be made.

    Raises:
        BlockingIOError: another process holds the run directory.
        InputError: the configuration is wrong, it has windows, or no file of a first sweep is
            readable.
    """
    wanted = section(document, "cycle", cycle)
    root = run_root(document, options, "cycle")
    if (root / PLAN).is_file():
        raise InputError(f"{root}: holds a run in tiles; give cycle.tiles, or another --out")
    with service_of(document, options, root, once=once) as service:
        refused, status = serve(service, wanted.poll_seconds, once, stop, say, warn)
        store = service.store
    if store.state is None and refused and not stop():
        raise unreadable(wanted.inbox, refused)
    return (None if store.state is None else root / "report.html"), status


def unreadable(inbox: str, refused: Iterable[str]) -> InputError:
    """The error of a first sweep that could read nothing; ``refused`` says why, file by file."""
    first, *others = refused
    return InputError(
        f"no file of the inbox {inbox} can be read ({1 + len(others)} refused); the first: {first}"
    )


def checked_source(document: Document) -> dict[str, Any]:
    """The source of a cycling run, of a configuration that a service can run.

    Raises:
        InputError: it has windows, copies of products, or not one source.
    """
    refuse_windows(document)
    refuse_seasons(
        document,
        "seasons are read off smoothed series; remove it, and run a hindcast for them",
    )
    copies = section(document, "products", products).copies
    if copies:
        raise InputError(
            f"{document.path}: products.format: a cycling run writes netCDF only, as a product and "
            f"its state are committed together; remove {', '.join(copies)}"
        )
    return source_of(document)


@contextmanager
def service_of(
    document: Document,
    options: Options,
    root: Path,
    place: Callable[[xr.Dataset, Path], xr.Dataset] = lambda pixels, path: pixels,
    once: bool = True,
    note: Note | None = None,
) -> Iterator[Service]:
    """The service of a configuration in a run directory, which is locked for as long.

    Args:
        document: the configuration.
        options: where, and on which device.
        root: the run directory; made where the configuration is sound.
        place: is given the pixel axis of every file and its path, and says how it goes on; an
            error of it refuses the file.
        once: whether it makes one sweep, of which the log says nothing where it finds nothing new.
        note: takes what is said once of a run; the log of the directory unless given.

    Raises:
        BlockingIOError: another process holds the run directory.
        InputError: the configuration is wrong, or another than that of the run.
    """
    wanted, source = section(document, "cycle", cycle), checked_source(document)
    folder, pattern = folder_and_pattern(wanted.inbox)
    inbox, device = document.resolve(folder), options.torch_device()
    settings = settings_of(document, source, wanted.rules, device.type)
    source = with_files(document, with_paths(document, source), inbox)
    channels = configured_channels(source, f"{document.path}: source[0]")
    read = reader_of(document, source)
    assembly = assemble(document, channels, device=device)
    settings[LATENTS] = assembly.latents
    create_run_directory(root, FOLDERS)
    with locked(root), Ledger(root / LEDGER) as ledger:
        changed = guard(root, ledger, settings, wanted.accept_changes)
        model = assembly.model
        store = Store(root, ledger, model.described, _attributes())
        fits(root, model, store.state, settings["members"])
        past = partial(inbox_before, source, inbox, pattern, place)
        begun = ledger.clock() is not None
        start_of = cycle_start(document, assembly, root, past, device, begun)
        if changed:  # nothing of a configuration that was refused is written
            ledger.accept(settings)
        if changed or wanted.retry_failed:
            retry(ledger, wanted.replay_days)
            store.resume()
        _, log, _ = open_run(document, options, "cycle", settings["seed"], idle=once)
        log.hold({"kind": "channels", "channels": channels})

        def begin() -> Callable[[Model], Model]:
            told, said = start_of()
            for found in said:
                log.write(found)
            return told

        bind = binding(document, channels, root, log, device, note)
        yield Service(
            model=model,
            bind=bind,
            begin=begin,
            seed=settings["seed"],
            members=settings["members"],
            start=None if document.period is None else days(document.period[0]),
            inbox=lambda: arrived(inbox, pattern),
            read=read,
            judge=partial(suspicions, accept=source.get("accept", ())),
            place=place,
            reader=json.dumps([settings[key] for key in ("source", "period", "version")]),
            store=store,
            log=log,
            record=record,
            device=device,
            replay_days=wanted.replay_days,
            thin_days=wanted.thin_days,
            rules=wanted.rules,
            ahead_days=wanted.ahead_days,
            duplicates=source.get("duplicates", "best"),
            note=note,
        )


def inbox_before(
    source: Mapping[str, Any],
    inbox: Path,
    pattern: str,
    place: Callable[[xr.Dataset, Path], xr.Dataset],
    earlier: Document,
) -> Series:
    """What the inbox holds of the days of another configuration; files without any are left out.

    Raises:
        InputError: no file has any.
        OSError: a file could not be read for a reason that may pass; whether it holds anything of
            these days is not known.
    """
    found = []
    for one in arrived(inbox, pattern):
        if one.wrong:
            continue
        try:
            entry = {**source, "path": str(earlier.permitted(one.path))}
            series = READERS.bind(entry, "source[0]", {"period": earlier.period})()
            found.append(series._replace(pixels=place(series.pixels, one.path)))
        except InputError as error:  # of another time, or what the sweep refuses with its reason
            if passing(error, one.path):
                told = f"cannot be read now, and the first ensemble needs the days before ({error})"
                raise OSError(errno.EIO, told, str(one.path)) from error
    if not found:
        raise InputError(f"no file of {inbox} holds anything clear of the days before the period")
    return joined(found)


def _attributes() -> dict[str, str]:
    """Global attributes of products; no times of writing, so that equal runs are equal files."""
    return {
        "title": "land-surface variables by assimilation of satellite reflectances",
        "source": f"releo_da {__version__} {commit() or ''}".strip(),
        "estimate": "analysis",
    }
