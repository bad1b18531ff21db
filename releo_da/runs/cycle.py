"""Operational cycling: assimilate what has arrived, each acquisition once, in one order for all.

A sweep accepts the new files of the inbox (`releo_da.runs.intake`), then assimilates what waits, in
the order (time, sensor, product, identity), and commits cycle by cycle. What it finds is one of

    new          assimilated, and committed by its row in the ledger
    known        the same content arrived before, under whatever file name
    earlier      than the last cycle: the chain is undone back to the state before it and made again
    late         earlier than the replay window: recorded, not assimilated
    duplicate    another product of a pass of which one is assimilated
    corrected    the product of a pass that is kept instead of one that was assimilated
    failed       its assimilation raised: set aside and told (`releo_da.runs.set_aside`)
    refused      a file that cannot be read: recorded with its error, tried again when it changes,
                 or by the next sweep where the reason may pass
    ahead        dated ahead of the clock of the machine: held back until it is not

and a product without a clear pixel is recorded with its file.

A sweep may end between any two steps, or be killed within one; the next goes on from the last
committed row. What is assimilated is read from the copy that acceptance made, so the chain is a
function of the set of acquisitions that were accepted: neither the order in which they arrived,
inside the replay window, nor the way they were shared out among sweeps changes a bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from traceback import format_exception
from typing import Any, NamedTuple

import torch
import xarray as xr

from releo_da.cycling.identity import identity
from releo_da.cycling.ledger import Arrival, Ledger
from releo_da.diagnostics.alarms import Rules
from releo_da.io import JsonLines, merge
from releo_da.io.acquisition_file import read_acquisition
from releo_da.io.by_date import ByDate
from releo_da.io.inbox import Arrived
from releo_da.io.series import Series
from releo_da.io.state_rows import reading_state
from releo_da.io.times import isoformat, today
from releo_da.runs.accept import copy_of
from releo_da.runs.intake import Intake, Judge, bare
from releo_da.runs.judged import Judged
from releo_da.runs.located import Locating, told
from releo_da.runs.model import Model
from releo_da.runs.outputs import Write
from releo_da.runs.retention import retain, tidy
from releo_da.runs.set_aside import its_own
from releo_da.runs.store import Store, ids_of, named
from releo_da.runs.turn import Turn, prior, turn, widened
from releo_da.runs.watched import Watching
from releo_da.types import Acquisition, InputError, State

Note = Callable[[Mapping[str, Any]], None]
"""Takes a record for a log."""


class Swept(NamedTuple):
    """What a sweep did.

    Attributes:
        assimilated: number of cycles committed.
        empty: what reading said of files without a clear pixel.
        refused: errors of the files that could not be read.
        undone: number of cycles that were undone before, for what had come late.
    """

    assimilated: int
    empty: list[str]
    refused: list[str]
    undone: int = 0


@dataclass(frozen=True)
class Service:
    """The parts of an operational run.

    Attributes:
        model: the joined system.
        seed: of the run.
        members: ensemble size.
        start: time of the prior ensemble (days), or None for that of the first acquisition.
        inbox: lists the files that are there.
        read: reads one of them at once, or opens it to be read date by date.
        reader: what `read` depends on; a file is read again when it changes.
        store: where cycles are committed.
        log: facts found on the way.
        record: ``record(judged, arrival)``, what the log says of an analysis, or None.
        device: where tensors live while a block is worked on.
        replay_days: how far before the latest acquisition one may come late.
        thin_days: time between the states that are kept of the past (`releo_da.runs.retention`).
        rules: of alarms, and of what is done with a sensor that has changed.
        bind: makes the model for a pixel axis, where its forecaster is moved by weather.
        begin: gives what tells a model its initial ensemble; asked once, when the files of the
            first sweep that has something to assimilate were taken in.
        ahead_days: how far ahead of the clock an acquisition may be dated.
        today: the clock of the machine, days since 1970-01-01.
        duplicates: which of several products of a pass is kept, of a file that has nothing clear.
        judge: judges every date by itself (`releo_da.runs.intake`).
        place: says how the pixel axis of a file goes on.
        note: takes what is said once for all cycles of a call; the log holds it unless given.
    """

    model: Model
    seed: int
    members: int
    start: float | None
    inbox: Callable[[], Sequence[Arrived]]
    read: Callable[[Path], Series | ByDate]
    reader: str
    store: Store
    log: JsonLines
    record: Callable[[Judged, Arrival], dict[str, Any]] | None = None
    device: torch.device | str = "cpu"
    replay_days: float = 10.0
    thin_days: float = 30.0
    rules: Rules = Rules()
    bind: Callable[[xr.Dataset], Model] | None = None
    begin: Callable[[], Callable[[Model], Model]] = lambda: lambda model: model
    ahead_days: float = 1.0
    today: Callable[[], float] = today
    duplicates: str = "best"
    judge: Judge = lambda series, where: []
    place: Callable[[xr.Dataset, Path], xr.Dataset] = lambda pixels, path: pixels
    note: Note | None = None

    @property
    def ledger(self) -> Ledger:
        """Of the store."""
        return self.store.ledger

    @property
    def window(self) -> float:
        """Where the replay window begins (days): what lies before it is never undone."""
        return (self.ledger.clock() or 0.0) - self.replay_days

    @cached_property
    def failed(self) -> list[str]:
        """What the last sweep has set aside, with the errors."""
        return []

    @cached_property
    def noted(self) -> set[str]:
        """Of what no fit has met, what this call has said."""
        return set()

    @cached_property
    def located(self) -> Locating:
        """The model on the pixel axis of the run."""
        begin, bind = self.begin(), self.bind
        told = None if bind is None else lambda pixels: begin(bind(pixels))
        return Locating(begin(self.model), told)

    @cached_property
    def intake(self) -> Intake:
        """What accepts the files of the inbox."""
        reading = (self.read, self.judge, self.place, self.reader)
        parts = (self.store.root, self.ledger, self.replay_days, *reading, self.log)
        return Intake(*parts, self.ahead_days, self.today, self.duplicates)

    @cached_property
    def watching(self) -> Watching:
        """What looks after the health of the run."""
        return Watching(self.ledger, self.rules, self.log, self.store.root)

    def sweep(self, stop: Callable[[], bool] = lambda: False) -> Swept:
        """Assimilate what has arrived; ``stop`` is asked before each file, date and cycle."""
        found = self.intake.take_in(self.inbox(), self.store.pixels, stop)
        self.store.resume()
        if self.ledger.queue.next() is not None:
            self.located.renew()
        self.failed.clear()
        count = 0
        while (arrival := self.ledger.queue.next()) is not None and not stop():
            try:
                self._assimilate(arrival)
            except Exception as error:
                # Any defect of the model counts: one acquisition that raises it would otherwise
                # end every call, and nothing after it be assimilated. What is outside is raised.
                if not its_own(error):
                    raise
                self._set_aside(arrival, error)
                continue
            self._retain()
            count += 1
        if arrival is None:
            self._retain()  # a call that was killed may not have come to it
            tidy(self.store.root, self.ledger)
        return Swept(count, found.empty, found.refused, found.undone)

    def _set_aside(self, arrival: Arrival, error: Exception) -> None:
        """Record and log an acquisition whose assimilation failed."""
        self.ledger.queue.fail(arrival.identity, repr(error))
        trace = "".join(format_exception(error))
        about = {**named(arrival), "error": repr(error), "trace": trace}
        self.log.write({"kind": "failed", **about})
        self.failed.append(f"{isoformat(arrival.time)} {arrival.sensor} {arrival.file}: {error!r}")

    def _retain(self) -> None:
        retain(self.store.root, self.ledger, self.replay_days, self.thin_days)

    def _assimilate(self, arrival: Arrival) -> None:
        """Commit one cycle."""
        self.log.begin()
        store = self.store
        path = copy_of(store.root, arrival.identity)
        acquisition, pixels = read_acquisition(path)
        if identity(acquisition, ids_of(pixels)) != arrival.identity:
            raise InputError(
                f"{path}: is the copy of another acquisition than its name says; restore the run "
                "directory from a backup"
            )
        parts = [bare(pixels)._replace(acquisitions=[acquisition])]
        joined = merge(parts if store.pixels is None else [bare(store.pixels), *parts])
        model = self.located(joined.pixels)
        if store.state is None:
            for record in told(model, joined.pixels):
                self.log.write(record)
        begun = arrival.time if store.state is None else store.state.time
        lacking = model.uncovered(begun, arrival.time)
        before, clock = store.number, self.ledger.clock()
        factor = self.watching.factor(before, arrival.sensor)
        work = partial(self._turn, model, ids_of(joined.pixels), joined.acquisitions[0], factor)
        stood = self.watching.standing(before)
        cycle, done = store.commit(arrival, joined.pixels, work, stood)
        about: dict[str, Any] = named(arrival) | {"cycle": cycle.number, "rejected": done.rejected}
        about["seconds"] = round(done.seconds, 3)
        self.log.write({"kind": "cycle", **about})
        if lacking:
            self.log.write({"kind": "no_weather", "cycle": cycle.number, "days": round(lacking, 3)})
        for record in model.not_met(lambda: done.unseen, joined.pixels):
            if record["what"] not in self.noted:
                self.noted.add(record["what"])
                (self.note or self.log.hold)(record)
        if done.judged is not None and self.record is not None:
            self.log.write({**self.record(done.judged, arrival), "cycle": cycle.number})
        if done.recovered:
            self.log.write({"kind": "recovered", "cycle": cycle.number, "pixels": done.recovered})
        self.watching.add(cycle, before, clock)

    def _turn(
        self,
        model: Model,
        ids: torch.Tensor,
        acquisition: Acquisition,
        factor: float,
        keep: Callable[[State], None],
        write: Write,
    ) -> Turn:
        """From the last state, or the prior, to the analysis of an acquisition."""
        last = self.store.state
        start = acquisition.time if self.start is None else min(acquisition.time, self.start)
        begin, members = (start, self.members) if last is None else (last.time, last.shape[1])
        fresh = prior(model, begin, ids, members, self.seed, self.device)
        go = partial(turn, model, pixels=ids, acquisition=acquisition, seed=self.seed)
        go = partial(go, factor=factor, stale_days=self.rules.stale_days)
        if last is None:
            return go(fresh, keep=keep, write=write, device=self.device)
        with reading_state(last.path) as held:
            take = widened(held.take, last.pixels, ids, fresh)
            return go(take, keep=keep, write=write, device=self.device)
