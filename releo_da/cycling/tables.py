"""The SQLite file of a ledger: its tables, and how it is opened.

Write-ahead log with full synchronisation: a committed row survives the loss of power. The log needs
memory that processes share on the file system, which not every network has: there SQLite keeps a
rollback journal, with the synchronisation under which that survives as well (EXTRA, which flushes
the folder too). Readers and the writer then wait for each other; all else is the same.

The tables are made in one transaction together with the number of their format, so that a file
either is a ledger of this format or holds nothing. Whether it holds nothing is asked within that
transaction, because two processes may open a new one at once.

Reference: SQLite, "Write-Ahead Logging", "PRAGMA synchronous" and "PRAGMA user_version".
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from releo_da.cycling.instant import at_instant
from releo_da.types import InputError

FORMAT = 3
"""Number of the format, the ``user_version`` of the file."""

TABLES = f"""
CREATE TABLE acquisition (
    identity TEXT PRIMARY KEY, time REAL NOT NULL, sensor TEXT NOT NULL, product TEXT NOT NULL,
    file TEXT NOT NULL, clear INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    kept INTEGER NOT NULL, withdrawn INTEGER NOT NULL, recorded TEXT NOT NULL);
CREATE INDEX acquisition_pass ON acquisition (sensor, time);
CREATE INDEX acquisition_order ON acquisition (status, time, sensor, product, identity);
CREATE INDEX acquisition_kept ON acquisition (time) WHERE kept;
CREATE TABLE cycle (
    number INTEGER PRIMARY KEY, identity TEXT NOT NULL REFERENCES acquisition (identity),
    state TEXT NOT NULL, sha256 TEXT NOT NULL, scores TEXT NOT NULL, product TEXT NOT NULL,
    product_sha256 TEXT NOT NULL, current INTEGER NOT NULL, retained INTEGER NOT NULL,
    recorded TEXT NOT NULL, time REAL NOT NULL);
CREATE INDEX cycle_time ON cycle (time);
CREATE UNIQUE INDEX cycle_current ON cycle (identity) WHERE current;
CREATE INDEX cycle_retained ON cycle (number) WHERE current AND retained;
CREATE TABLE unclear (
    file TEXT NOT NULL, product TEXT NOT NULL, recorded TEXT NOT NULL, PRIMARY KEY (file, product));
CREATE TABLE file (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, reader TEXT NOT NULL,
    acquisitions INTEGER NOT NULL, known INTEGER NOT NULL, error TEXT, until REAL,
    recorded TEXT NOT NULL);
CREATE TABLE settings (
    number INTEGER NOT NULL, said TEXT NOT NULL, recorded TEXT NOT NULL);
PRAGMA user_version = {FORMAT};
"""

JOURNALS = {"wal": "FULL", "delete": "EXTRA"}
"""How a ledger is kept whole, and the synchronisation that makes a commit final."""

TRIES, PAUSE = 50, 0.1
"""How often a ledger is asked to keep a log while another process opens it, and the seconds between
two: the change of mode does not wait by itself."""


def opened(path: Path, reads: bool = False) -> sqlite3.Connection:
    """A connection to a ledger; a file that is missing or empty is made one.

    Args:
        path: of the file.
        reads: give what it holds at this instant, in memory, where nothing can be written; what is
            on the disk is left as it is (`releo_da.cycling.instant`).

    Raises:
        InputError: the file is no ledger, or one of another format.
    """
    db: sqlite3.Connection | None = None
    try:
        db = at_instant(path) if reads else sqlite3.connect(path)
        if not reads:
            db.execute(f"PRAGMA synchronous={JOURNALS[_journal(db, path)]}")
        version = _version(db)
        if version != FORMAT:
            raise InputError(
                f"{path}: a ledger of format {version}, and this version of releo_da writes format "
                f"{FORMAT}; give another --out and deliver the acquisitions again"
            )
        _check(db)
        if reads:
            db.execute("PRAGMA query_only=ON")
    except BaseException as error:  # a ledger that is refused is closed, for whatever reason
        if db is not None:
            db.close()
        if not isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError):
            raise
        ours = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        if isinstance(error, sqlite3.OperationalError) and not ours and "decode" not in str(error):
            raise  # the disk, not the content
        raise InputError(
            f"{path}: not a ledger ({error}); restore it from a backup or give another --out"
        ) from None
    return db


def _journal(db: sqlite3.Connection, path: Path) -> str:
    """How a ledger is kept whole: by a write-ahead log wherever the file system allows one.

    Raises:
        InputError: neither by a log nor by a journal.
    """
    for left in reversed(range(TRIES)):
        try:
            mode = str(db.execute("PRAGMA journal_mode=WAL").fetchone()[0])
            break
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or not left:
                raise
            time.sleep(PAUSE)
    if mode not in JOURNALS:
        raise InputError(
            f"{path}: SQLite keeps it by '{mode}' here, by which a commit may be lost; put the run "
            "directory on a local disk"
        )
    return mode


def _version(db: sqlite3.Connection) -> int:
    """The number of the format; that of this module where the tables had to be made."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version:
        return version
    db.execute("BEGIN IMMEDIATE")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if version == 0 and empty:
        for statement in TABLES.split(";"):
            db.execute(statement)
        version = FORMAT
    db.execute("COMMIT")
    return version


def _check(db: sqlite3.Connection) -> None:
    """Refuse a damaged file, or one whose tables, indices or values are not those of this module.

    Triggers and views run within the statements of others, so that a ledger may have none.

    Raises:
        sqlite3.DatabaseError: in words.
    """
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(str(found)[:100])
    fresh = sqlite3.connect(":memory:")
    try:
        fresh.executescript(TABLES)
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        if db.execute(query).fetchall() != fresh.execute(query).fetchall():
            raise sqlite3.DatabaseError("its tables are not those of a ledger")
        for (table,) in fresh.execute("SELECT name FROM sqlite_master WHERE type='table'"):
            _check_rows(db, table, fresh.execute(f"PRAGMA table_info({table})").fetchall())
    finally:
        fresh.close()
    _check_names(db)


def _check_rows(db: sqlite3.Connection, table: str, columns: Sequence[Sequence[Any]]) -> None:
    """Refuse values of another type than their column, which SQLite keeps, and texts that are none.

    Raises:
        sqlite3.DatabaseError: in words.
    """
    wrong = " OR ".join(
        f"typeof({name}) NOT IN ('{kind.lower()}'" + ("" if needed or key else ", 'null'") + ")"
        for _, name, kind, needed, _, key in columns
    )
    if db.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone() is not None:
        raise sqlite3.DatabaseError(f"a row of '{table}' holds a value of another type")
    for _ in db.execute(f"SELECT * FROM {table}"):
        pass  # each text is decoded as it is fetched


def _check_names(db: sqlite3.Connection) -> None:
    """Refuse names of files that lead out of the run directory; some of them are removed later.

    Raises:
        sqlite3.DatabaseError: in words.
    """
    for (identity,) in db.execute("SELECT identity FROM acquisition"):
        if not (identity.isascii() and identity.isalnum()):
            raise sqlite3.DatabaseError(f"an acquisition is called {identity[:80]!r}")
    for number, *names in db.execute("SELECT number, state, product FROM cycle"):
        for name in names:
            if "\0" in name or PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise sqlite3.DatabaseError(f"cycle {number} names {name[:80]!r}")


def now() -> str:
    """The time of a row, for people; nothing depends on it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
