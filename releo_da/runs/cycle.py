"""Operational cycling: assimilate what has arrived since the last cycle, each acquisition once.

A sweep looks at the inbox, reads the files it has not dealt with, orders their acquisitions by time
and commits them one by one. What it finds is one of

    new          assimilated, and committed by its row in the ledger
    known        the same content was dealt with before, under whatever file name
    late         older than the last state: recorded, not assimilated
    duplicate    another product of a pass that was assimilated, or that is assimilated instead
    refused      a file that cannot be read: recorded with its error, tried again when it changes

and a product without a clear pixel is recorded with its file.

A sweep may end between any two cycles, or be killed within one; the next goes on from the last
committed row. As long as acquisitions come in time order and the products of a pass together, the
result does not depend on how they were shared out among sweeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import xarray as xr

from releo_da.cycling.identity import identity
from releo_da.cycling.ledger import Arrival, Ledger
from releo_da.io import JsonLines, merge
from releo_da.io.inbox import Arrived
from releo_da.io.reading_log import NothingClear
from releo_da.io.series import MINUTE, Series, chosen_of, passes
from releo_da.io.state_rows import reading_state
from releo_da.runs.judged import Judged
from releo_da.runs.located import Locating, told
from releo_da.runs.model import Model
from releo_da.runs.outputs import Write
from releo_da.runs.store import Store, ids_of
from releo_da.runs.turn import Turn, prior, turn, widened
from releo_da.types import Acquisition, InputError, State

READABLE = (OSError, ValueError, RuntimeError, LookupError, TypeError)
"""What a damaged or foreign file may raise in the libraries that read it."""

KEPT = 4
"""Files held in memory while their acquisitions are assimilated."""


class Found(NamedTuple):
    """An acquisition of a file that was read.

    Attributes:
        arrival: who it is.
        file: where it was found.
        position: in the series of that file.
        clear: number of values seen.
        rule: which of several products of its pass is kept.
    """

    arrival: Arrival
    file: Arrived
    position: int
    clear: int
    rule: str

    @property
    def time(self) -> float:
        """Days since 1970-01-01 UTC."""
        return self.arrival.time

    @property
    def sensor(self) -> str:
        """Name of the sensor."""
        return self.arrival.sensor


class Content(NamedTuple):
    """What a readable file holds.

    Attributes:
        acquisitions: number of them.
        known: how many were dealt with before, from another file.
        unclear: products without a clear pixel.
    """

    acquisitions: int
    known: int
    unclear: list[str]


class Scan(NamedTuple):
    """What the new files of an inbox hold.

    Attributes:
        found: acquisitions, file by file.
        whole: readable files with their content.
        empty: what reading said of files without a clear pixel.
        refused: errors of the files that could not be read.
    """

    found: list[Found]
    whole: dict[Arrived, Content]
    empty: list[str]
    refused: list[str]


class Swept(NamedTuple):
    """What a sweep did.

    Attributes:
        assimilated: number of cycles committed.
        empty: what reading said of files without a clear pixel.
        refused: errors of the files that could not be read.
    """

    assimilated: int
    empty: list[str]
    refused: list[str]


@dataclass(frozen=True)
class Service:
    """The parts of an operational run.

    Attributes:
        model: the joined system.
        seed: of the run.
        members: ensemble size.
        start: time of the prior ensemble (days), or None for that of the first acquisition.
        inbox: lists the files that are there.
        read: reads one of them.
        reader: what `read` depends on; a file is read again when it changes.
        store: where cycles are committed.
        log: facts found on the way.
        record: ``record(judged, arrival)``, what the log says of an analysis, or None.
        device: where tensors live while a block is worked on.
    """

    model: Model
    seed: int
    members: int
    start: float | None
    inbox: Callable[[], Sequence[Arrived]]
    read: Callable[[Path], Series]
    reader: str
    store: Store
    log: JsonLines
    record: Callable[[Judged, Arrival], dict[str, Any]] | None = None
    device: torch.device | str = "cpu"

    @property
    def ledger(self) -> Ledger:
        """Of the store."""
        return self.store.ledger

    @cached_property
    def located(self) -> Locating:
        """The model on the pixel axis of the run."""
        return Locating(self.model)

    def sweep(self, stop: Callable[[], bool] = lambda: False) -> Swept:
        """Assimilate what has arrived; ``stop`` is asked before each acquisition."""
        read = lru_cache(maxsize=KEPT)(self.read)
        files = [f for f in self.inbox() if not self.ledger.has_read(*f[1:], self.reader)]
        scan = self._scan(files, read)
        changed: set[Arrived] = set()
        count = 0
        for one in self._chosen(self._new(scan.found)):
            if stop():
                return Swept(count, scan.empty, scan.refused)
            if self._assimilate(one, read):
                count += 1
            else:
                changed.add(one.file)
        for file, content in scan.whole.items():
            if file not in changed:
                self.ledger.record_file(*file[1:], self.reader, *content)
        return Swept(count, scan.empty, scan.refused)

    def _scan(self, files: Sequence[Arrived], read: Callable[[Path], Series]) -> Scan:
        """Read every file once; the unreadable and the empty are recorded at once."""
        scan = Scan([], {}, [], [])
        axis = self.store.pixels
        for file in files:
            try:
                series = read(file.path)
                axis = merge([_only(series, axis), _only(series)]).pixels
            except NothingClear as error:
                scan.empty.append(str(error))
                scan.whole[file] = Content(0, 0, error.products)
                self.log.write({"kind": "all_masked", "path": file.name, **error.told()})
            except READABLE as error:
                text = str(error) if isinstance(error, InputError) else f"{file.path}: {error!r}"
                scan.refused.append(text)
                self.ledger.record_file(*file[1:], self.reader, error=text)
                self.log.write({"kind": "refused", "file": file.name, "error": text})
            else:
                here = _found(series, file)
                before = [self.ledger.file_of(one.arrival.identity) for one in here]
                known = sum(name not in (None, file.name) for name in before)
                dark = [p for r in series.log if r["kind"] == "all_masked" for p in r["products"]]
                scan.whole[file] = Content(len(here), known, dark)
                scan.found.extend(here)
                for record in series.log:
                    self.log.write(record)
        return scan

    def _new(self, found: Sequence[Found]) -> list[Found]:
        """What the ledger does not know, once each, in time order."""
        first: dict[str, Found] = {}
        for one in found:
            if self.ledger.file_of(one.arrival.identity) is None:
                first.setdefault(one.arrival.identity, one)
        return sorted(first.values(), key=lambda one: one.time)

    def _chosen(self, new: Sequence[Found]) -> list[Found]:
        """What is to be assimilated; late acquisitions and second products are recorded."""
        chosen = []
        for group in passes(new):
            on_time = []
            for one in group:
                if self.store.state is not None and one.time < self.store.state.time:
                    self._pass_over(one, "late", "the run had gone on when it arrived")
                else:
                    on_time.append(one)
            if not on_time or on_time[0].rule == "all":
                chosen += on_time
                continue
            first = on_time[0]
            done = self.ledger.assimilated_near(first.sensor, first.time, MINUTE)
            kept = [] if done else [chosen_of(on_time, first.rule, lambda one: one.clear)]
            for one in on_time:
                if one not in kept:
                    self._pass_over(one, "duplicate", "another product of its pass is assimilated")
            chosen += kept
        return sorted(chosen, key=lambda one: one.time)

    def _pass_over(self, one: Found, reason: str, meaning: str) -> None:
        self.ledger.pass_over(one.arrival, reason)
        about = one.arrival._asdict() | {"reason": meaning}
        self.log.write({"kind": reason, **about})

    def _assimilate(self, one: Found, read: Callable[[Path], Series]) -> bool:
        """Commit one cycle; False where the file changed since it was scanned."""
        try:
            series = read(one.file.path)
        except READABLE:
            return False
        if _arrival(series, one.position, one.file) != one.arrival:
            return False
        acquisition = series.acquisitions[one.position]
        joined = merge([_only(series, self.store.pixels), _only(series, None, acquisition)])
        model = self.located(joined.pixels)
        if self.store.state is None:
            for record in told(model, joined.pixels):
                self.log.write(record)
        work = partial(self._turn, model, ids_of(joined.pixels), joined.acquisitions[0])
        cycle, done = self.store.commit(one.arrival, joined.pixels, work)
        about = one.arrival._asdict() | {"cycle": cycle.number, "rejected": done.rejected}
        self.log.write({"kind": "cycle", **about})
        if done.judged is not None and self.record is not None:
            self.log.write({**self.record(done.judged, one.arrival), "cycle": cycle.number})
        if done.recovered:
            self.log.write({"kind": "recovered", "cycle": cycle.number, "pixels": done.recovered})
        return True

    def _turn(
        self,
        model: Model,
        ids: torch.Tensor,
        acquisition: Acquisition,
        keep: Callable[[State], None],
        write: Write,
    ) -> Turn:
        """From the last state, or the prior, to the analysis of an acquisition."""
        last = self.store.state
        start = acquisition.time if self.start is None else min(acquisition.time, self.start)
        begin, members = (start, self.members) if last is None else (last.time, last.shape[1])
        fresh = prior(model, begin, ids, members, self.seed, self.device)
        go = partial(turn, model, pixels=ids, acquisition=acquisition, seed=self.seed)
        if last is None:
            return go(fresh, keep=keep, write=write, device=self.device)
        with reading_state(last.path) as held:
            take = widened(held.take, last.pixels, ids, fresh)
            return go(take, keep=keep, write=write, device=self.device)


def _only(
    series: Series, pixels: xr.Dataset | None = None, acquisition: Acquisition | None = None
) -> Series:
    """A series of one acquisition or none, on other pixels where they are given."""
    return series._replace(
        acquisitions=[] if acquisition is None else [acquisition],
        pixels=series.pixels if pixels is None else pixels,
        log=[],
    )


def _found(series: Series, file: Arrived) -> list[Found]:
    """The acquisitions of a file."""
    arrivals = [_arrival(series, k, file) for k in range(len(series.acquisitions))]
    return [
        Found(arrival, file, k, int(series.acquisitions[k].seen.sum()), series.duplicates)
        for k, arrival in enumerate(arrivals)
        if arrival is not None
    ]


def _arrival(series: Series, position: int, file: Arrived) -> Arrival | None:
    """Who the acquisition at a position is, or None where there is none."""
    if position >= len(series.acquisitions):
        return None
    one = series.acquisitions[position]
    name = identity(one, ids_of(series.pixels))
    return Arrival(name, one.time, one.sensor, one.product, file.name)
