"""A run that meets a late and a corrected acquisition, and calls of it that fail one at a time."""

import errno
import functools
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from releo_da.cycling.ledger import Ledger
from releo_da.io import Series
from releo_da.runs.cycle import Service
from releo_da.types import InputError

from .linear import deliver, ledger_of, read, season, service_over, states

WINDOW, THIN = 8.0, 7.0
BASE, THEN = (0, 1, 4), (2, 5)
FLUSHED = "PRAGMA synchronous=FULL"
STORAGE = (OSError, sqlite3.OperationalError, InputError, RuntimeError)
"""What a service may end with when the disk fails: by system, SQLite, here, and netCDF."""


def data() -> xr.Dataset:
    return season(points=2, clear=True)


def newer(path: Path) -> Series:
    """A file of the inbox; of one that a sweep before has read, what was read then."""
    return _read_once(path, path.stat().st_mtime_ns)


@functools.cache
def _read_once(path: Path, changed: int) -> Series:
    return read(path)._replace(duplicates="last")


class Unflushed(sqlite3.Connection):
    """A connection whose commits do not wait for the disk."""

    def execute(self, *a: Any) -> Any:
        """Run a statement."""
        return super().execute(*(("PRAGMA synchronous=OFF",) if a[0] == FLUSHED else a))


@pytest.fixture
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the disk, which the end of a process or an error of a call do not touch."""
    plain = sqlite3.connect
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **o: plain(*a, **({"factory": Unflushed} | o))
    )


def opened(folder: Path, name: str, ledger: Ledger, **changes: Any) -> Service:
    """The service of a folder, which takes corrected products and what comes late."""
    kept = {"read": newer, "replay_days": WINDOW, "thin_days": THIN}
    return service_over(folder, name, ledger, **(kept | changes))


def sweep(folder: Path, name: str, **changes: Any) -> int:
    """One sweep from opening to closing; the number of cycles committed."""
    ledger = ledger_of(folder / name)
    with closing(ledger.db):
        return opened(folder, name, ledger, **changes).sweep().assimilated


def base(folder: Path) -> None:
    """Days 0, 3 and 10 are assimilated; day 5, another product of day 3, and 18 have arrived."""
    for date in BASE:
        deliver(folder / "inbox", data(), [date])
    assert sweep(folder, "base") == 3
    for date in THEN:
        deliver(folder / "inbox", data(), [date])
    again = data().isel(time=[1])
    again["reflectance"] = again.reflectance * 1.1
    deliver(folder / "inbox", again.assign(product_uri=("time", ["N0500"])), [0], "again.nc")


def copied(folder: Path, name: str) -> Path:
    """A copy of the base under another name, what a former one left being removed."""
    shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(folder / "base", folder / name)
    return folder / name


def left(root: Path) -> tuple[Any, ...]:
    """All that must be as if nothing had failed: files byte by byte, chain, acquisitions."""
    ledger = Ledger(root / "ledger.sqlite")
    with closing(ledger.db):
        listed = ledger.queue.listed("waiting", "assimilated", "duplicate", "replaced", "late")
        chain = [one._replace(number=0, state="") for one in ledger.cycles()]
        names = {c.state: k for k, c in enumerate(ledger.cycles())}
    held = {str(names.get(name, name)): data for name, data in states(root).items()}
    copies = sorted(os.listdir(root / "acquisitions"))
    return held, copies, chain, listed, (root / "pixels.nc").read_bytes()


class Failing:
    """Counts calls of some kinds; the one at a place raises an error, before or after its work.

    Args:
        at: which call fails, counted from 1; all from there on where `ever`.
        after: whether the call does its work first.
        ever: whether all later calls fail too.
        code: the error of the system.
    """

    def __init__(
        self, at: int, after: bool = False, ever: bool = False, code: int = errno.ENOSPC
    ) -> None:
        self.at, self.after, self.ever, self.code, self.count = at, after, ever, code, 0

    def call(self, work: Callable[[], Any], sql: bool = False) -> Any:
        """Do some work, or fail."""
        self.count += 1
        fails = self.count == self.at or (self.ever and self.count > self.at)
        result = work() if not fails or self.after else None
        if fails and sql:
            raise sqlite3.OperationalError("disk I/O error")
        if fails:
            raise OSError(self.code, os.strerror(self.code))
        return result

    def files(self, patch: pytest.MonkeyPatch) -> None:
        """Fail in flushing, renaming, removing, claiming room, and in writes of Python.

        After their work only renames and removals can fail in a manner of their own.
        """
        names = () if self.after else ("fsync", "posix_fallocate")
        for name in ("replace", "unlink", *names):
            work = getattr(os, name)
            patch.setattr(os, name, lambda *a, work=work, **o: self.call(lambda: work(*a, **o)))
        if self.after:
            return
        plain = Path.open

        def open_file(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
            file = plain(path, mode, *rest, **options)
            return Written(file, self) if set(mode) & set("wa") else file

        patch.setattr(Path, "open", open_file)

    def database(self, patch: pytest.MonkeyPatch) -> None:
        """Fail in statements and commits of SQLite; a commit that fails is rolled back.

        After their work only commits can fail in a manner of their own.
        """
        failing = self

        class Connection(Unflushed):
            def execute(self, *a: Any) -> Any:
                work = super().execute
                return work(*a) if failing.after else failing.call(lambda: work(*a), sql=True)

            def executemany(self, *a: Any) -> Any:
                work = super().executemany
                return work(*a) if failing.after else failing.call(lambda: work(*a), sql=True)

            def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
                work = super().__exit__
                if kind is not None:
                    return work(kind, error, trace)
                try:
                    return failing.call(lambda: work(None, None, None), sql=True)
                except sqlite3.OperationalError:
                    self.rollback()
                    raise

        plain = sqlite3.connect
        patch.setattr(sqlite3, "connect", lambda *a, **o: plain(*a, **o, factory=Connection))


class Written:
    """A file of which writes may fail."""

    def __init__(self, file: Any, failing: Failing) -> None:
        self._file, self._failing = file, failing

    def write(self, part: Any) -> Any:
        return self._failing.call(lambda: self._file.write(part))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Written":
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()


def fails_then_goes_on(
    folder: Path, failing: Failing, kind: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, ...]:
    """A sweep over a copy of the base that fails, then a clean one; what is left."""
    root = copied(folder, "failed")
    with monkeypatch.context() as patch:
        getattr(failing, kind)(patch)
        with suppress(*STORAGE):
            sweep(folder, "failed")
    sweep(folder, "failed")
    return left(root)
