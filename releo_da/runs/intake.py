"""Taking in what lies in the inbox: every new file is read once and its acquisitions are accepted.

The dates of a file are looked at one after the other: who they are, and whether they can be
believed, each by itself, so that neither depends on how dates were shared out among files. Then
those that are new are accepted one by one (`releo_da.io.by_date`). One date is held in memory at a
time, and between two of them the call may be asked to end.

The row of a file is written when all its acquisitions have theirs. Where a sweep ends between the
two, the next one reads the file again and finds its acquisitions known. From its row on the run
does not need a file any more.

A file that could not be read for a reason that may pass is read again by the next sweep. So is one
that holds an acquisition dated ahead of the clock of the machine, from the day on at which it is
not: a wrong date years ahead would take the replay window with it. Nothing else is decided by that
clock, and where it is wrong, or goes backwards, it only delays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from releo_da.cycling.identity import identity
from releo_da.cycling.ledger import Arrival, Ledger
from releo_da.cycling.records import WAITING
from releo_da.io import JsonLines, merge
from releo_da.io.acquisition_file import read_acquisition
from releo_da.io.by_date import ByDate, Dates, looked_at
from releo_da.io.inbox import Arrived
from releo_da.io.passing import passing
from releo_da.io.reading_log import NothingClear
from releo_da.io.series import Series
from releo_da.io.times import isoformat
from releo_da.runs.accept import Taken, accept, copy_of, withdraw
from releo_da.runs.store import ids_of, named
from releo_da.types import Acquisition, InputError

READABLE = (OSError, ValueError, RuntimeError, LookupError, TypeError, MemoryError)
"""What the libraries that read a file may raise where it is damaged, foreign or too large."""

Judge = Callable[[Series, str], list[dict[str, Any]]]
"""``judge(series of one date, where)``: records for the log; refuses what is surely wrong."""


class Unreadable(Exception):
    """A date that was read could not be read again, or is another by now."""


class Stopped(Exception):
    """The call was asked to end between two dates."""


@dataclass
class TakenIn:
    """What the new files of an inbox held.

    Attributes:
        empty: what reading said of files without a clear pixel.
        refused: errors of the files that could not be read, or not be accepted whole.
        undone: number of cycles that were undone for what they held.
    """

    empty: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    undone: int = 0


class Head(NamedTuple):
    """What is known of a date before it is accepted.

    Attributes:
        arrival: who it is.
        clear: number of values that it sees.
        odd: records for the log.
        error: why it is refused, or None.
    """

    arrival: Arrival
    clear: int
    odd: list[dict[str, Any]]
    error: str | None


class Intake:
    """What accepts the files of an inbox into a run directory.

    Args:
        root: the run directory, with the folder ``acquisitions``.
        ledger: of the run.
        replay_days: length of the replay window.
        read: reads a file at once, or opens it to be read date by date.
        judge: judges a date by itself.
        place: is given the pixel axis of a file and its path, and says how it goes on; an error of
            it refuses the file.
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
        read: Callable[[Path], Series | ByDate],
        judge: Judge,
        place: Callable[[xr.Dataset, Path], xr.Dataset],
        reader: str,
        log: JsonLines,
        ahead_days: float,
        today: Callable[[], float],
        duplicates: str,
    ) -> None:
        self.root, self.ledger, self.replay_days = root, ledger, replay_days
        self.read, self.judge, self.place = read, judge, place
        self.reader, self.log = reader, log
        self.ahead_days, self.today, self.duplicates = ahead_days, today, duplicates

    def take_in(
        self, files: Sequence[Arrived], pixels: xr.Dataset | None, stop: Callable[[], bool]
    ) -> TakenIn:
        """Accept what new files hold; ``stop`` is asked before each of them, and between dates.

        Args:
            files: of the inbox, those that were dealt with among them.
            pixels: the axis of the run, which that of a file has to fit; None before the first.
            stop: whether to end.
        """
        found = TakenIn()
        axis: xr.Dataset | None = None
        for file in files:
            if self.ledger.files.has(*file.key, self.reader, self.today()):
                continue
            if stop():
                break
            self.log.begin()
            if axis is None:
                axis = self._axis(pixels)
            try:
                axis = self._take_in(file, axis, found, stop)
            except Stopped:
                break
        return found

    def _take_in(
        self, file: Arrived, axis: xr.Dataset | None, found: TakenIn, stop: Callable[[], bool]
    ) -> xr.Dataset | None:
        """Accept a file; returns the axis of the run with its pixels."""
        with ExitStack() as stack:
            try:
                dates, heads = self._looked_at(file, stack, stop)
                wider = joined(axis, dates.pixels, file.path)
            except NothingClear as error:
                found.empty.append(str(error))
                self.log.write({"kind": "all_masked", "path": file.name, **error.told()})
                found.undone += self._withdraw(file, error.products, (), self.duplicates)
                self.ledger.files.record(*file.key, self.reader, 0, 0, error.products)
            except READABLE as error:
                again = not file.wrong and passing(error, file.path)  # which opens it
                self._unread(file, error, again, found)
            else:
                try:
                    self._accept(file, dates, heads, found, stop)
                except Unreadable as error:
                    self._unread(file, error, True, found)
                if self._waits(heads):  # what is refused, late or held back decides no grid
                    return wider
        return axis

    def _waits(self, heads: Sequence[Head]) -> bool:
        """Whether an acquisition of a file is to be assimilated."""
        found = (self.ledger.queue.find(head.arrival.identity) for head in heads)
        return any(one is not None and one.status == WAITING for one in found)

    def _looked_at(
        self, file: Arrived, stack: ExitStack, stop: Callable[[], bool]
    ) -> tuple[Dates, list[Head]]:
        """The dates of a file, open as long as the stack is, and what is known of each."""
        if file.wrong:
            raise InputError(file.wrong)
        heads: list[Head] = []

        def look(one: Series) -> None:
            if heads and stop():
                raise Stopped
            (acquisition,) = one.acquisitions
            name = identity(acquisition, ids_of(one.pixels))
            about = acquisition.time, acquisition.sensor, acquisition.product
            odd, error = self._judged(file, one, name)
            clear = int(acquisition.seen.sum())
            heads.append(Head(Arrival(name, *about, file.name), clear, odd, error))

        dates = stack.enter_context(looked_at(self.read(file.path), look))
        return dates._replace(pixels=self.place(dates.pixels, file.path)), heads

    def _judged(
        self, file: Arrived, one: Series, name: str
    ) -> tuple[list[dict[str, Any]], str | None]:
        """What is odd about a date, and why it is refused; what is known was judged before."""
        if self.ledger.queue.find(name) is not None:
            return [], None
        try:
            return self.judge(one, f"{file.path}, {one.acquisitions[0].product}"), None
        except InputError as error:
            return [], str(error)

    def _unread(self, file: Arrived, error: Exception, again: bool, found: TakenIn) -> None:
        """Record a file that cannot be read."""
        plain = isinstance(error, InputError | Unreadable)
        text = str(error) if plain else f"{file.path}: {error!r}"
        self._refuse(file, text + "; it is read again" * again, found)
        until = 0.0 if again else None
        self.ledger.files.record(*file.key, self.reader, error=text, until=until)

    def _refuse(self, file: Arrived, text: str, found: TakenIn) -> None:
        found.refused.append(text)
        self.log.write({"kind": "refused", "file": file.name, "error": text})

    def _accept(
        self,
        file: Arrived,
        dates: Dates,
        heads: Sequence[Head],
        found: TakenIn,
        stop: Callable[[], bool],
    ) -> None:
        """Accept the acquisitions of a file, then the file."""
        for record in dates.log:
            self.log.write(record)
        present = {head.arrival.identity for head in heads}
        before = [self.ledger.queue.find(name) for name in present]
        known = sum(one is not None and one.arrival.file != file.name for one in before)
        latest = self.today() + self.ahead_days
        order = sorted(range(len(heads)), key=lambda k: heads[k].arrival.time)
        for position, k in enumerate(order):
            head = heads[k]
            if head.error is not None or head.arrival.time > latest:
                continue
            if position and stop():
                raise Stopped
            for record in head.odd:
                self.log.write(record)
            taken = accept(
                self.root,
                self.ledger,
                self.replay_days,
                head.arrival,
                head.clear,
                lambda k=k: self._loaded(file, dates, k, heads[k].arrival),  # type: ignore[misc]
                dates.pixels,
                present,
                dates.duplicates,
            )
            if taken is not None:
                self._tell(head.arrival, taken)
                found.undone += taken.undone
        dark = [p for r in dates.log if r["kind"] == "all_masked" for p in r["products"]]
        found.undone += self._withdraw(file, dark, present, dates.duplicates)
        errors = [head.error for head in heads if head.error is not None]
        ahead, until = self._ahead(
            file, [h.arrival.time for h in heads if h.arrival.time > latest and h.error is None]
        )
        told = ([of_dates(errors, len(heads))] if errors else []) + ([ahead] if ahead else [])
        for text in told:
            self._refuse(file, text, found)
        found_in, error = (len(heads), known, dark), "; ".join(told) or None
        self.ledger.files.record(*file.key, self.reader, *found_in, error=error, until=until)

    def _loaded(self, file: Arrived, dates: Dates, k: int, arrival: Arrival) -> Acquisition:
        """A date of the file, which is the one that was looked at."""
        try:
            acquisition = dates.load(k)
        except READABLE as error:
            raise Unreadable(f"{file.path}: {error!r}") from error
        if identity(acquisition, ids_of(dates.pixels)) != arrival.identity:
            raise Unreadable(f"{file.path}: it changed while it was read")
        return acquisition

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
        about = named(arrival)
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


def of_dates(errors: Sequence[str], count: int) -> str:
    """What is said of a file of which some dates are refused."""
    more = f" ({len(errors)} of its {count} dates are refused)" if count > 1 else ""
    return errors[0] + more


def joined(axis: xr.Dataset | None, pixels: xr.Dataset, path: Path) -> xr.Dataset:
    """The axis of the run with the pixels of a file, which has to fit."""
    parts = [bare(pixels)] if axis is None else [bare(axis), bare(pixels)]
    try:
        return merge(parts).pixels
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def bare(pixels: xr.Dataset) -> Series:
    """A series of no acquisitions."""
    return Series([], pixels, [], {})
