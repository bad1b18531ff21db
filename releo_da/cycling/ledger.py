"""The ledger of a cycling run: what has been committed, in a SQLite file.

The row of a cycle is its commit point. The state is on the disk before the row is written, and the
row before the next cycle starts, so that after a crash at any instant the last row names a state
that is whole, and an acquisition counts if and only if it has a row. Write-ahead log with full
synchronisation: a committed row survives the loss of power.

    cycle     number, acquisition, state file with its checksum, scores      one row per analysis
    passed    acquisitions that were not assimilated, and why
    unclear   products without a clear pixel, by file
    file      files of the inbox as they were when they were read, with the error of the unreadable
    settings  what the results depend on, from which cycle on

Reference: SQLite, "Write-Ahead Logging" and "PRAGMA synchronous".
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from releo_da.types import InputError

TABLES = """
CREATE TABLE IF NOT EXISTS cycle (
    number INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, time REAL NOT NULL,
    sensor TEXT NOT NULL, product TEXT NOT NULL, file TEXT NOT NULL,
    state TEXT NOT NULL, sha256 TEXT NOT NULL, scores TEXT NOT NULL, recorded TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passed (
    identity TEXT PRIMARY KEY, time REAL NOT NULL, sensor TEXT NOT NULL, product TEXT NOT NULL,
    file TEXT NOT NULL, reason TEXT NOT NULL, recorded TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unclear (
    file TEXT NOT NULL, product TEXT NOT NULL, recorded TEXT NOT NULL, PRIMARY KEY (file, product));
CREATE TABLE IF NOT EXISTS file (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, reader TEXT NOT NULL,
    acquisitions INTEGER NOT NULL, known INTEGER NOT NULL, error TEXT, recorded TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (
    number INTEGER NOT NULL, said TEXT NOT NULL, recorded TEXT NOT NULL);
"""


class Arrival(NamedTuple):
    """An acquisition as it arrived.

    Attributes:
        identity: digest of its content.
        time: days since 1970-01-01 UTC.
        sensor: name of the sensor.
        product: name of the product.
        file: name within the inbox.
    """

    identity: str
    time: float
    sensor: str
    product: str
    file: str


class Cycle(NamedTuple):
    """A committed cycle.

    Attributes:
        number: from 1, without gaps.
        arrival: what was assimilated.
        state: name of the state file, from the run directory.
        sha256: checksum of that file.
        scores: what the cycle adds to the scores of the run.
    """

    number: int
    arrival: Arrival
    state: str
    sha256: str
    scores: dict[str, Any]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """An open ledger; a context manager that closes it.

    Args:
        path: of the file, made if it is missing.

    Raises:
        InputError: the file is no ledger.
    """

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)
        try:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.executescript(TABLES)
        except sqlite3.DatabaseError as error:
            self.db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise  # the disk, not the content
            raise InputError(
                f"{path}: not a ledger ({error}); restore it from a backup or give another --out"
            ) from None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.db.close()

    def last(self) -> Cycle | None:
        """The last committed cycle, or None before the first."""
        return next(self._cycles("ORDER BY number DESC LIMIT 1"), None)

    def cycles(self) -> Iterator[Cycle]:
        """All committed cycles in order."""
        return self._cycles("ORDER BY number")

    def _cycles(self, rest: str) -> Iterator[Cycle]:
        columns = "number, identity, time, sensor, product, file, state, sha256, scores"
        for row in self.db.execute(f"SELECT {columns} FROM cycle {rest}"):
            yield Cycle(row[0], Arrival(*row[1:6]), row[6], row[7], json.loads(row[8]))

    def commit(self, cycle: Cycle) -> None:
        """Write the row of a cycle: the commit point."""
        scores = json.dumps(cycle.scores, allow_nan=False)
        values = (cycle.number, *cycle.arrival, cycle.state, cycle.sha256, scores, _now())
        with self.db:
            self.db.execute("INSERT INTO cycle VALUES (?,?,?,?,?,?,?,?,?,?)", values)

    def pass_over(self, arrival: Arrival, reason: str) -> None:
        """Record an acquisition that is not assimilated."""
        with self.db:
            self.db.execute(
                "INSERT OR IGNORE INTO passed VALUES (?,?,?,?,?,?,?)", (*arrival, reason, _now())
            )

    def file_of(self, identity: str) -> str | None:
        """The file from which an acquisition was assimilated or passed over; None if it is new."""
        found = self.db.execute(
            "SELECT file FROM cycle WHERE identity=:i UNION ALL "
            "SELECT file FROM passed WHERE identity=:i",
            {"i": identity},
        ).fetchone()
        return None if found is None else str(found[0])

    def assimilated_near(self, sensor: str, time: float, within: float) -> bool:
        """Whether an acquisition of a sensor within some days of a time was assimilated."""
        query = "SELECT 1 FROM cycle WHERE sensor=? AND abs(time - ?) <= ? LIMIT 1"
        return self.db.execute(query, (sensor, time, within)).fetchone() is not None

    def has_read(self, name: str, size: int, modified: int, reader: str) -> bool:
        """Whether a file was dealt with as it is now, by the reader as it is now."""
        query = "SELECT 1 FROM file WHERE name=? AND size=? AND modified=? AND reader=?"
        return self.db.execute(query, (name, size, modified, reader)).fetchone() is not None

    def record_file(
        self,
        name: str,
        size: int,
        modified: int,
        reader: str,
        acquisitions: int = 0,
        known: int = 0,
        unclear: Sequence[str] = (),
        error: str | None = None,
    ) -> None:
        """Record that a file was dealt with, or could not be read.

        Args:
            name: within the inbox.
            size: in bytes.
            modified: nanoseconds.
            reader: what reading depends on.
            acquisitions: number of them that it holds.
            known: how many of these were dealt with before, from another file.
            unclear: products in it that have no clear pixel.
            error: why it could not be read.
        """
        values = (name, size, modified, reader, acquisitions, known, error, _now())
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO file VALUES (?,?,?,?,?,?,?,?)", values)
            self.db.execute("DELETE FROM unclear WHERE file=?", (name,))
            rows = [(name, product, _now()) for product in unclear]
            self.db.executemany("INSERT OR IGNORE INTO unclear VALUES (?,?,?)", rows)

    def refused_files(self) -> dict[str, str]:
        """Unreadable files with their errors."""
        rows = self.db.execute("SELECT name, error FROM file WHERE error IS NOT NULL ORDER BY name")
        return {name: error for name, error in rows}

    def passed(self) -> list[tuple[Arrival, str]]:
        """Acquisitions that were not assimilated, in time order, with the reason."""
        columns = "identity, time, sensor, product, file, reason"
        rows = self.db.execute(f"SELECT {columns} FROM passed ORDER BY time")
        return [(Arrival(*row[:5]), str(row[5])) for row in rows]

    def unclear(self) -> list[tuple[str, str]]:
        """Products without a clear pixel, each with its file."""
        rows = self.db.execute("SELECT product, file FROM unclear ORDER BY product, file")
        return [(str(product), str(file)) for product, file in rows]

    def counts(self) -> dict[str, int]:
        """How many cycles, files read and refused, and acquisitions left out, by reason."""
        found: dict[str, int] = {}
        for name, query in {
            "cycles": "SELECT count(*) FROM cycle",
            "files": "SELECT count(*) FROM file WHERE error IS NULL",
            "refused": "SELECT count(*) FROM file WHERE error IS NOT NULL",
            "known": "SELECT coalesce(sum(known), 0) FROM file",
            "duplicate": "SELECT count(*) FROM passed WHERE reason='duplicate'",
            "late": "SELECT count(*) FROM passed WHERE reason='late'",
            "unclear": "SELECT count(*) FROM unclear",
        }.items():
            found[name] = int(self.db.execute(query).fetchone()[0])
        return found

    def settings(self) -> dict[str, Any] | None:
        """What the last cycles depended on, or None in a new ledger."""
        query = "SELECT said FROM settings ORDER BY rowid DESC LIMIT 1"
        found = self.db.execute(query).fetchone()
        return None if found is None else json.loads(found[0])

    def accept(self, settings: dict[str, Any]) -> None:
        """Record what the coming cycles depend on."""
        last = self.last()
        number = 1 if last is None else last.number + 1
        with self.db:
            text = json.dumps(settings, sort_keys=True)
            self.db.execute("INSERT INTO settings VALUES (?,?,?)", (number, text, _now()))
