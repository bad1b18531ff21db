"""The files of an inbox as they were when they were read: part of the ledger.

file      name, size, time of the last change, what reading depends on; the error of the unreadable,
          and until when a file that did not change is not read again
unclear   products without a clear pixel, by file

The column of the time is called ``modified``: in ledgers of former versions it holds the time of
modification. The files of their inbox are read once more, and found known.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from releo_da.cycling.tables import now


class ReadFiles:
    """What the ledger says of the files of the inbox.

    Args:
        db: connection to the ledger.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def has(self, name: str, size: int, changed: int, reader: str, today: float) -> bool:
        """Whether a file was dealt with as it is now, by the reader as it is now.

        Args:
            name: within the inbox.
            size: in bytes.
            changed: nanoseconds.
            reader: what reading depends on.
            today: days since 1970-01-01 UTC.
        """
        query = (
            "SELECT 1 FROM file WHERE name=? AND size=? AND modified=? AND reader=? "
            "AND (until IS NULL OR until>?)"
        )
        return self.db.execute(query, (name, size, changed, reader, today)).fetchone() is not None

    def record(
        self,
        name: str,
        size: int,
        changed: int,
        reader: str,
        acquisitions: int = 0,
        known: int = 0,
        unclear: Sequence[str] = (),
        error: str | None = None,
        until: float | None = None,
    ) -> None:
        """Record that all acquisitions of a file were accepted, or that it cannot be read.

        Args:
            name: within the inbox.
            size: in bytes.
            changed: nanoseconds.
            reader: what reading depends on.
            acquisitions: number of them that it holds.
            known: how many of these had arrived before, in another file.
            unclear: products in it that have no clear pixel.
            error: why it could not be read, or not all of it be accepted.
            until: days since 1970-01-01 UTC from which on it is read again though it did not
                change, or None for never.
        """
        values = (name, size, changed, reader, acquisitions, known, error, until, now())
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO file VALUES (?,?,?,?,?,?,?,?,?)", values)
            self.db.execute("DELETE FROM unclear WHERE file=?", (name,))
            rows = [(name, product, now()) for product in unclear]
            self.db.executemany("INSERT OR IGNORE INTO unclear VALUES (?,?,?)", rows)

    def held_back(self) -> dict[str, float]:
        """Files that are read again though they did not change: from which day on, by name."""
        rows = self.db.execute("SELECT name, until FROM file WHERE until IS NOT NULL")
        return {str(name): float(until) for name, until in rows}

    def refused(self) -> dict[str, str]:
        """Unreadable files with their errors."""
        rows = self.db.execute("SELECT name, error FROM file WHERE error IS NOT NULL ORDER BY name")
        return {name: error for name, error in rows}

    def refused_at(self) -> dict[str, str]:
        """When each of them was read (ISO 8601, UTC)."""
        rows = self.db.execute("SELECT name, recorded FROM file WHERE error IS NOT NULL")
        return {name: recorded for name, recorded in rows}

    def names(self) -> set[str]:
        """All files that were dealt with, the unreadable too."""
        return {str(name) for (name,) in self.db.execute("SELECT name FROM file")}

    def unclear(self) -> list[tuple[str, str]]:
        """Products without a clear pixel, each with its file."""
        rows = self.db.execute("SELECT product, file FROM unclear ORDER BY product, file")
        return [(str(product), str(file)) for product, file in rows]
