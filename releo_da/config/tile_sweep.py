"""One sweep over all tiles of a run: what has something to do is shared out and noted.

This process holds the lock of the run, cuts the map once, gives the tiles that have something to do
to the workers and adds up what they tell. The work of a tile is that of an untiled run over a
window, so the states and products of a tiled run are those of the untiled one, bit for bit; what a
tile has done is on its own disk and survives whatever happens to worker, scheduler or this process.

A tile has nothing to do when the files of the inbox and the configuration are those with which its
last sweep came to its end, none of them is to be read again by now, and its folder is as that sweep
left it. That is noted in ``standing.json``; without it every tile is asked. One that was begun and
whose ledger is gone is not begun anew over its loss: it has failed. Failures are tried again by
every sweep, and told where they are others than before.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from releo_da.config.cycle_settings import configured_channels, settings_of
from releo_da.config.cycling import checked_source, cycle
from releo_da.config.document import Document
from releo_da.config.nested_paths import with_files
from releo_da.config.options import Options
from releo_da.config.registry import bind
from releo_da.config.report import LEDGER
from releo_da.config.run_files import open_run, run_root
from releo_da.config.sections import section
from releo_da.config.sensor_paths import with_paths
from releo_da.config.standing import (
    DEFECT,
    DONE,
    INPUT,
    LOST,
    STOPPED,
    fresh,
    lost,
    noted,
    read_standing,
    said_of,
    write_standing,
)
from releo_da.config.tile_once import Said, said_once
from releo_da.config.tile_plan import chosen, kept_plan, made_plan
from releo_da.config.tile_work import STOP
from releo_da.config.tiles import tiles
from releo_da.io import JsonLines, create_run_directory
from releo_da.io.inbox import Arrived, arrived, folder_and_pattern
from releo_da.io.lock import locked
from releo_da.io.tile_plan import TILES, Plan
from releo_da.io.times import isoformat, today
from releo_da.types import InputError

Plain = dict[str, Any]
Share = Callable[[Mapping[str, Sequence[Any]]], Iterator[tuple[str, Plain]]]
"""``share(tasks)``: what each task gave, by name, as they end."""


class Told(NamedTuple):
    """What a sweep over the tiles did.

    Attributes:
        tasks: number of tiles that had something to do.
        outcomes: how many of them ended how.
        assimilated: number of cycles committed, over all tiles.
        refused: error of a file -> number of tiles that refused it.
        changed: whether there is something that was not published: files came, cycles were
            committed or undone, or a tile stands otherwise than before.
    """

    tasks: int
    outcomes: Counter[str]
    assimilated: int
    refused: Counter[str]
    changed: bool = False

    @property
    def status(self) -> int:
        """Exit status: 1 after a defect or a lost worker, 2 after a wrong input, else 0."""
        if self.outcomes[DEFECT] or self.outcomes[LOST]:
            return 1
        return 2 if self.outcomes[INPUT] else 0


@dataclass
class Tiled:
    """A run in tiles, while this process holds its lock.

    Attributes:
        document: the configuration.
        root: the run directory.
        source: with the paths inside its options found.
        arguments: of every task: configuration, overrides, device and run directory.
        depends: digest of what results depend on, beside the files.
        chosen: `releo_da.config.tile_plan.chosen`.
        inbox: lists the files that are there.
        log: of the run.
        again: whether the next sweep asks every tile, as what was set aside is tried once more.
        warned: errors of tiles that this process has told, by name.
        once: what tiles asked to be said once, of those that this process has told.
    """

    document: Document
    root: Path
    source: Mapping[str, Any]
    arguments: tuple[Any, ...]
    depends: str
    chosen: Plain
    inbox: Callable[[], Sequence[Arrived]]
    log: JsonLines
    again: bool = False
    warned: dict[str, str] = field(default_factory=dict)
    once: set[Said] = field(default_factory=set)

    def plan(self, files: Sequence[Arrived]) -> tuple[Plan | None, list[str]]:
        """The tiles, cut now where they are not yet, and errors of files that say no grid."""
        plan = kept_plan(self.root, self.chosen)
        if plan is not None:
            return plan, []
        plan, refused = made_plan(self.document, self.source, self.chosen, files, self.root)
        if plan is not None:
            self.log.write({"kind": "tiles", "count": len(plan.tiles), "grid": plan.grid})
        return plan, refused

    def sweep(self, share: Share, warn: Callable[[str], None]) -> Told:
        """Share out the tiles that have something to do, and note what came of them."""
        files = self.inbox()
        plan, unread = self.plan(files)
        told = Told(0, Counter(), 0, Counter(unread))
        if plan is None:
            return told
        listing = _digest([[file.key for file in files], self.depends])
        standing = read_standing(self.root)
        named = {tile.name: tile for tile in plan.tiles}
        held = {name: about for name, about in standing["tiles"].items() if name in named}
        todo = [
            name
            for name, tile in named.items()
            if self.again
            or not fresh(held.get(name, {}), plan.folder(self.root, tile), listing, today())
        ]
        self.again = False
        config, settings, device, root = self.arguments
        gone = self._gone(plan, held)
        tasks = {
            n: (config, settings, device, root, list(named[n]), plan.grid)
            for n in todo
            if n not in gone
        }
        came = bool(tasks) and listing != standing["listing"]
        told = told._replace(tasks=len(tasks), changed=came)
        if tasks:
            self.log.begin()
        try:
            for name, found in chain(gone.items(), share(tasks) if tasks else ()):
                said_once(found.pop("notes", ()), name, self.once, self.log.hold)
                told = told._replace(assimilated=told.assimilated + found.get("assimilated", 0))
                told.outcomes[found["outcome"]] += 1
                told.refused.update(found.get("refused", ()))
                before, held[name] = held.get(name, {}), noted(held.get(name, {}), found, listing)
                if self._tell(name, found, said_of(before) != said_of(held[name]), warn):
                    told = told._replace(changed=True)
        finally:
            if tasks or gone:
                write_standing(self.root, listing, held)
        return told

    def _gone(self, plan: Plan, held: Mapping[str, Plain]) -> dict[str, Plain]:
        """Tiles that were begun and whose ledgers are gone: failed, and not begun anew."""
        said = {t.name: lost(held.get(t.name, {}), plan.folder(self.root, t)) for t in plan.tiles}
        return {n: {"outcome": INPUT, "error": text} for n, text in said.items() if text}

    def _tell(self, name: str, found: Plain, other: bool, warn: Callable[[str], None]) -> bool:
        """Log and warn of what a tile did; returns whether it is ``other`` than was noted."""
        came_on = found["outcome"] in (DONE, STOPPED)
        worked = bool(found.get("assimilated") or found.get("undone"))
        if worked or (other and not came_on):
            time = {"time": isoformat(found["time"])} if "time" in found else {}
            self.log.write({"kind": "tile", "tile": name, **found, **time})
        if came_on:
            self.warned.pop(name, None)
        elif self.warned.get(name) != found["error"]:
            self.warned[name] = found["error"]
            warn(f"releo-da: tile {name}: {' '.join(found['error'].split())}")
        return worked or other


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode("utf-8")).hexdigest()


@contextmanager
def tiled(document: Document, options: Options, once: bool = True) -> Iterator[Tiled]:
    """The run in tiles of a configuration, locked for as long.

    Args:
        document: the configuration.
        options: where, and on which device.
        once: as of `releo_da.config.cycling.service_of`.

    Raises:
        BlockingIOError: another process holds the run directory.
        InputError: the configuration is wrong, or the run directory that of an untiled run.
    """
    service = section(document, "cycle", cycle)
    size, _ = bind(tiles, service.tiles, "cycle.tiles")()
    source = checked_source(document)
    if source.get("reader") != "cube":
        raise InputError(
            f"{document.path}: cycle.tiles: only a map is cut into tiles, the source has the "
            f"reader {source.get('reader')!r}; use 'cube', or leave the key out"
        )
    folder, pattern = folder_and_pattern(service.inbox)
    inbox = document.resolve(folder)
    settings = settings_of(document, source, service.rules, options.torch_device().type)
    source = with_files(document, with_paths(document, source), inbox)
    channels = configured_channels(source, f"{document.path}: source[0]")
    root = run_root(document, options, "cycle")
    if (root / LEDGER).is_file():
        raise InputError(f"{root}: holds a run without tiles; give another --out")
    create_run_directory(root, (TILES, "figures"))
    with locked(root):
        (root / STOP).unlink(missing_ok=True)
        decided = chosen(source, size)
        kept_plan(root, decided)  # before anything is written
        _, log, _ = open_run(document, options, "cycle", settings["seed"], idle=once)
        log.hold({"kind": "channels", "channels": channels})
        config, told = str(document.path.resolve()), list(options.settings)
        yield Tiled(
            document,
            root,
            source,
            (config, told, options.device, str(root.resolve())),
            _digest(settings),
            decided,
            lambda: arrived(inbox, pattern),
            log,
            service.retry_failed,
        )
        (root / STOP).unlink(missing_ok=True)
