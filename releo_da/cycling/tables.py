"""The SQLite file of a ledger: its tables, and how it is opened.

Write-ahead log with full synchronisation: a committed row survives the loss of power. The tables
are made in one transaction together with the number of their format, so that a file either is a
ledger of this format or holds nothing.

Reference: SQLite, "Write-Ahead Logging", "PRAGMA synchronous" and "PRAGMA user_version".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from releo_da.types import InputError

FORMAT = 3
"""Number of the format, the ``user_version`` of the file."""

TABLES = f"""
BEGIN IMMEDIATE;
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
COMMIT;
"""


def opened(path: Path) -> sqlite3.Connection:
    """A connection to a ledger; a file that is missing or empty is made one.

    Raises:
        InputError: the file is no ledger, or one of another format.
    """
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if version == 0 and empty:
            db.executescript(TABLES)
        elif version != FORMAT:
            raise InputError(
                f"{path}: a ledger of format {version}, and this version of releo_da writes format "
                f"{FORMAT}; give another --out and deliver the acquisitions again"
            )
        else:
            _check(db)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        db.close()
        ours = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        if isinstance(error, sqlite3.OperationalError) and not ours and "decode" not in str(error):
            raise  # the disk, not the content
        raise InputError(
            f"{path}: not a ledger ({error}); restore it from a backup or give another --out"
        ) from None
    except InputError:
        db.close()
        raise
    return db


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
