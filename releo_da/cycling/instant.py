"""A ledger as it is at one instant, read without writing to it or beside it.

SQLite makes files beside a database that it only reads: a write-ahead log, and the index of it that
its readers share. On a backup, on a medium that cannot be written or beside the service of another
user they would be in the way, so how a ledger is opened depends on what lies beside it:

    nothing            nobody is at work: the file is all there is and is read without locks; once
                       more where it has changed, or something lies beside it, by the end
    a log (-wal), or   somebody is at work, or was killed: by SQLite's own locks, with an index that
    a -journal         is read and not written; or, where that cannot be, from a copy elsewhere,
                       which SQLite may recover as it would the original

The rows end up in memory, all of one instant, so that what is done with them may take its time: a
reader that holds a write-ahead log open keeps it growing. Cost: a ledger has some kilobytes per
cycle.

Reference: SQLite, "Read-Only WAL-Mode Databases", "Uniform Resource Identifiers" and "Online Backup
API".
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from releo_da.types import InputError

BESIDE = ("-wal", "-journal")
"""What the files are called that somebody at work, or killed, has beside a database."""

RESTS, SHARED = "immutable=1", "mode=ro&readonly_shm=1"
"""How a database is opened that nobody writes to, and one that somebody may."""

TRIES, PAUSE = 20, 0.05
"""How often a ledger is read that changes meanwhile, and the seconds in between."""

Facts = tuple[tuple[int, int, int] | None, ...]


def at_instant(path: Path) -> sqlite3.Connection:
    """A ledger as it is now, in memory.

    Raises:
        InputError: it changed whenever it was read.
        OSError: a file cannot be read.
        sqlite3.Error: the file is no database, or damaged.
    """
    for _ in range(TRIES):
        before = _facts(path)
        try:
            if not any(before[1:]):
                memory = _read(path, RESTS)
            else:
                return _at_work(path)
        except (OSError, sqlite3.Error):
            if _facts(path) == before:
                raise
        else:
            if _facts(path) == before:
                return memory
            memory.close()
        time.sleep(PAUSE)
    raise InputError(f"{path}: changes whenever it is read; try again")


def _at_work(path: Path) -> sqlite3.Connection:
    """One that somebody may be writing to; from a copy where its index is missing or unreadable."""
    try:
        return _read(path, SHARED)
    except sqlite3.OperationalError:
        return _aside(path)


def _aside(path: Path) -> sqlite3.Connection:
    """From a copy of all that belongs to it, for as long as none of that changes."""
    before = _facts(path)
    with TemporaryDirectory() as folder:
        for name in (path.name, *(path.name + end for end in BESIDE)):
            if path.with_name(name).is_file():
                shutil.copyfile(path.with_name(name), Path(folder, name))
        if _facts(path) != before:
            raise sqlite3.OperationalError("the database changed while it was copied")
        return _read(Path(folder, path.name), "mode=rw")


def _read(path: Path, how: str) -> sqlite3.Connection:
    """All pages of a database, copied into memory."""
    memory = sqlite3.connect(":memory:")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)) as source:
            source.backup(memory)
    except BaseException:  # closed for whatever reason, and raised as it is
        memory.close()
        raise
    return memory


def _facts(path: Path) -> Facts:
    """Size, time and number of a database and of what lies beside it; None of what is not there."""
    found: list[tuple[int, int, int] | None] = []
    for name in (path.name, *(path.name + end for end in BESIDE)):
        try:
            said = path.with_name(name).stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((said.st_size, said.st_mtime_ns, said.st_ino))
    return tuple(found)
