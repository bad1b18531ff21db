"""Taking in what lies in the inbox: every new file is read once and its acquisitions are accepted.

The row of a file is written when all its acquisitions have theirs. Where a sweep ends between the
two, the next one reads the file again and finds its acquisitions known. One file is held in memory
at a time, and from its row on the run does not need it any more.

A file that could not be read for a reason that may pass is read again by the next sweep. So is one
that holds an acquisition dated ahead of the clock of the machine, from the day on at which it is
not: a wrong date years ahead would take the replay window with it. Nothing else is decided by that
clock, and where it is wrong, or goes backwards, it only delays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from releo_da.cycling.identity import identity
from releo_da.cycling.ledger import Arrival, Ledger
from releo_da.io import JsonLines, merge
from releo_da.io.acquisition_file import read_acquisition
from releo_da.io.inbox import Arrived
from releo_da.io.passing import passing
from releo_da.io.reading_log import NothingClear
from releo_da.io.series import Series
from releo_da.io.times import isoformat
from releo_da.runs.accept import Taken, accept, copy_of, withdraw
from releo_da.runs.store import ids_of
from releo_da.types import InputError

READABLE = (OSError, ValueError, RuntimeError, LookupError, TypeError, MemoryError)
"""What the libraries that read a file may raise where it is damaged, foreign or too large."""


class TakenIn(NamedTuple):
    """What the new files of an inbox held.

    Attributes:
        empty: what reading said of files without a clear pixel.
        refused: errors of the files that could not be read, or not be accepted whole.
        undone: number of cycles that were undone for what they held.
    """

    empty: list[str]
    refused: list[str]
    undone: int


class Intake:
    """What accepts the files of an inbox into a run directory.

    Args:
        root: the run directory, with the folder ``acquisitions``.
        ledger: of the run.
        replay_days: length of the replay window.
        read: reads a file.
        reader: what `read` depends on; a file is read again when it changes.
        log: facts found on the way.
        ahead_days: how far ahead of the clock an acquisition may be dated.
        today: the clock, days since 1970-01-01.
        duplicates: which of several products of a pass is kept, where a file has nothing clear and
            does not say.
    """

    def __init__(
        self,
        root: Path,
        ledger: Ledger,
        replay_days: float,
        read: Callable[[Path], Series],
        reader: str,
        log: JsonLines,
        ahead_days: float,
        today: Callable[[], float],
        duplicates: str,
    ) -> None:
        self.root, self.ledger, self.replay_days = root, ledger, replay_days
        self.read, self.reader, self.log = read, reader, log
        self.ahead_days, self.today, self.duplicates = ahead_days, today, duplicates

    def take_in(
        self, files: Sequence[Arrived], pixels: xr.Dataset | None, stop: Callable[[], bool]
    ) -> TakenIn:
        """Accept what new files hold; ``stop`` is asked before each of them.

        Args:
            files: of the inbox, those that were dealt with among them.
            pixels: the axis of the run, which that of a file has to fit; None before the first.
            stop: whether to end.
        """
        found = TakenIn([], [], 0)
        axis: xr.Dataset | None = None
        for file in files:
            if self.ledger.files.has(*file[1:], self.reader, self.today()):
                continue
            if stop():
                break
            self.log.begin()
            if axis is None:
                axis = self._axis(pixels)
            try:
                series = self.read(file.path)
                mine = bare(series.pixels)
                axis = merge([mine] if axis is None else [bare(axis), mine]).pixels
            except NothingClear as error:
                found.empty.append(str(error))
                self.log.write({"kind": "all_masked", "path": file.name, **error.told()})
                undone = self._withdraw(file, error.products, (), self.duplicates)
                found = found._replace(undone=found.undone + undone)
                self.ledger.files.record(*file[1:], self.reader, 0, 0, error.products)
            except READABLE as error:
                text = str(error) if isinstance(error, InputError) else f"{file.path}: {error!r}"
                again = passing(error, file.path)
                self._refuse(file, text + "; it is read again" * again, found)
                until = 0.0 if again else None
                self.ledger.files.record(*file[1:], self.reader, error=text, until=until)
            else:
                found = found._replace(undone=found.undone + self._accept(series, file, found))
        return found

    def _refuse(self, file: Arrived, text: str, found: TakenIn) -> None:
        found.refused.append(text)
        self.log.write({"kind": "refused", "file": file.name, "error": text})

    def _accept(self, series: Series, file: Arrived, found: TakenIn) -> int:
        """Accept the acquisitions of a file, then the file; returns the number of cycles undone."""
        for record in series.log:
            self.log.write(record)
        ids = ids_of(series.pixels)
        arrivals = [
            Arrival(identity(one, ids), one.time, one.sensor, one.product, file.name)
            for one in series.acquisitions
        ]
        present = {arrival.identity for arrival in arrivals}
        before = [self.ledger.queue.find(name) for name in present]
        known = sum(one is not None and one.arrival.file != file.name for one in before)
        undone, latest = 0, self.today() + self.ahead_days
        for arrival, acquisition in zip(arrivals, series.acquisitions, strict=True):
            if arrival.time > latest:
                continue
            taken = accept(
                self.root,
                self.ledger,
                self.replay_days,
                arrival,
                acquisition,
                series.pixels,
                present,
                series.duplicates,
            )
            if taken is not None:
                self._tell(arrival, taken)
                undone += taken.undone
        dark = [p for r in series.log if r["kind"] == "all_masked" for p in r["products"]]
        undone += self._withdraw(file, dark, present, series.duplicates)
        error, until = self._ahead(file, [a.time for a in arrivals if a.time > latest])
        if error is not None:
            self._refuse(file, error, found)
        found_in = (len(arrivals), known, dark)
        self.ledger.files.record(*file[1:], self.reader, *found_in, error=error, until=until)
        return undone

    def _withdraw(
        self, file: Arrived, products: Sequence[str], present: Collection[str], rule: str
    ) -> int:
        """Withdraw what a file held of products of which it has no clear pixel any more."""
        undone = 0
        for one in self.ledger.queue.of_file(file.name, products):
            if one.arrival.identity not in present:
                taken = withdraw(self.ledger, self.replay_days, one, rule)
                self._tell(one.arrival, taken)
                undone += taken.undone
        return undone

    def _ahead(self, file: Arrived, times: list[float]) -> tuple[str | None, float | None]:
        """What is said of acquisitions dated ahead of the clock, and when they are looked at."""
        if not times:
            return None, None
        first = min(times)
        error = (
            f"{file.path}: {len(times)} acquisitions are dated more than {self.ahead_days:g} days "
            f"ahead of the clock of this machine, the first {isoformat(first)}; they are held back "
            "until then: correct the date or the clock, or raise cycle.ahead_days"
        )
        return error, first - self.ahead_days

    def _tell(self, arrival: Arrival, taken: Taken) -> None:
        about = arrival._asdict()
        if taken.reason:
            self.log.write({"kind": taken.status, **about, "reason": taken.reason})
        if taken.after is not None:
            told = {"kind": "undone", "after": taken.after, "cycles": taken.undone}
            self.log.write({**told, **about})

    def _axis(self, pixels: xr.Dataset | None) -> xr.Dataset | None:
        """The axis of the run and of all that waits, which a call that ended has left."""
        parts = [] if pixels is None else [bare(pixels)]
        for one in self.ledger.queue.listed("waiting"):
            _, held = read_acquisition(copy_of(self.root, one.arrival.identity))
            parts = [bare(merge([*parts, bare(held)]).pixels)]
        return parts[0].pixels if parts else None


def bare(pixels: xr.Dataset) -> Series:
    """A series of no acquisitions."""
    return Series([], pixels, [], {})
