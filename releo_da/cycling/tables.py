"""The SQLite file of a ledger: its tables, and how it is opened.

Write-ahead log with full synchronisation: a committed row survives the loss of power. The tables
are made in one transaction together with the number of their format, so that a file either is a
ledger of this format or holds nothing.

Reference: SQLite, "Write-Ahead Logging", "PRAGMA synchronous" and "PRAGMA user_version".
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from releo_da.types import InputError

FORMAT = 2
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
    acquisitions INTEGER NOT NULL, known INTEGER NOT NULL, error TEXT, recorded TEXT NOT NULL);
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
    """Refuse a damaged file, or one whose tables and indices are not those of this module.

    Triggers and views run within the statements of others, so that a ledger may have none.

    Raises:
        sqlite3.DatabaseError: in words.
    """
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(str(found)[:100])
    fresh = sqlite3.connect(":memory:")
    try:
        fresh.executescript(TABLES)
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        if db.execute(query).fetchall() != fresh.execute(query).fetchall():
            raise sqlite3.DatabaseError("its tables are not those of a ledger")
    finally:
        fresh.close()


def now() -> str:
    """The time of a row, for people; nothing depends on it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
