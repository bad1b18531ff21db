"""The ledger of a cycling run: what has been accepted and committed, in a SQLite file.

The row of a cycle is its commit point. The state is on the disk before the row is written, and the
row before the next cycle starts, so that after a crash at any instant the last row names a state
that is whole, and an acquisition counts if and only if a current cycle has a row of it.

    acquisition  what arrived, in one order for all, and what became of it      `cycling.queue`
    cycle        number, acquisition, state and product with checksums, scores  one row per analysis
    file         files of the inbox as they were when they were read            `cycling.read_files`
    unclear      products without a clear pixel, by file
    settings     what the results depend on, from which cycle on

Rows of cycles are never removed. The chain is that of the rows marked as current; those that were
undone, because an earlier or a corrected acquisition came later, stay for the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from releo_da.cycling.queue import Queue
from releo_da.cycling.read_files import ReadFiles
from releo_da.cycling.records import ASSIMILATED, Arrival, Cycle, Key
from releo_da.cycling.tables import now, opened
from releo_da.strict_json import parse
from releo_da.types import InputError

__all__ = ["Arrival", "Cycle", "Ledger"]

RESTORE = "restore the run directory from a backup"

COLUMNS = (
    "number, identity, cycle.time, sensor, acquisition.product, file, state, sha256, scores, "
    "cycle.product, product_sha256, current, retained"
)

COUNTS = {
    "cycles": "SELECT count(*) FROM cycle WHERE current",
    "undone": "SELECT count(*) FROM cycle WHERE NOT current",
    "files": "SELECT count(*) FROM file WHERE error IS NULL",
    "refused": "SELECT count(*) FROM file WHERE error IS NOT NULL",
    "known": "SELECT coalesce(sum(known), 0) FROM file",
    "waiting": "SELECT count(*) FROM acquisition WHERE status='waiting'",
    "duplicate": "SELECT count(*) FROM acquisition WHERE status='duplicate'",
    "replaced": "SELECT count(*) FROM acquisition WHERE status='replaced'",
    "failed": "SELECT count(*) FROM acquisition WHERE status='failed'",
    "late": "SELECT count(*) FROM acquisition WHERE status='late'",
    "unclear": "SELECT count(*) FROM unclear",
}


class Ledger:
    """An open ledger; a context manager that closes it.

    Args:
        path: of the file, made if it is missing.
        reads: read what it holds at this instant; neither it nor its folder is written to.

    Attributes:
        queue: its acquisitions.
        files: the files of the inbox.

    Raises:
        InputError: the file is no ledger, or one of another format.
    """

    def __init__(self, path: Path, reads: bool = False) -> None:
        self.path, self.db = path, opened(path, reads)
        self.queue, self.files = Queue(self.db), ReadFiles(self.db)

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
        """The last cycle of the chain, or None before the first."""
        return next(self._cycles("WHERE current ORDER BY number DESC LIMIT 1"), None)

    def cycles(self, after: int = 0) -> Iterator[Cycle]:
        """The chain: current cycles in order, those after a number."""
        return self._cycles("WHERE current AND number>? ORDER BY number", after)

    def holds(self, number: int, sha256: str) -> bool:
        """Whether a cycle with this state is part of the chain, and so all that came before it."""
        query = "SELECT 1 FROM cycle WHERE number=? AND sha256=? AND current"
        return self.db.execute(query, (number, sha256)).fetchone() is not None

    def undone(self) -> Iterator[Cycle]:
        """Cycles that are no longer part of the chain, as they were made."""
        return self._cycles("WHERE NOT current ORDER BY number")

    def before(self, key: Key) -> Cycle | None:
        """The last cycle of the chain before a place in the order whose state is kept, or None."""
        rest = (
            "WHERE current AND retained "
            "AND (cycle.time, sensor, acquisition.product, identity) < (?,?,?,?) "
            "ORDER BY number DESC LIMIT 1"
        )
        return next(self._cycles(rest, *key), None)

    def known(self) -> bool:
        """Whether any acquisition ever arrived."""
        return self.db.execute("SELECT 1 FROM acquisition LIMIT 1").fetchone() is not None

    def clock(self) -> float | None:
        """Time of the latest acquisition that was ever assimilated, or None before the first."""
        found = self.db.execute("SELECT max(time) FROM cycle").fetchone()[0]
        return None if found is None else float(found)

    def recorded(self) -> datetime | None:
        """When the last cycle of the chain was committed (UTC), or None before the first."""
        query = "SELECT recorded FROM cycle WHERE current ORDER BY number DESC LIMIT 1"
        found = self.db.execute(query).fetchone()
        try:
            return None if found is None else datetime.fromisoformat(found[0])
        except ValueError as error:
            raise InputError(f"{self.path}: its last cycle: {error}; {RESTORE}") from None

    def next_number(self) -> int:
        """Number of the next cycle."""
        return int(self.db.execute("SELECT coalesce(max(number), 0) + 1 FROM cycle").fetchone()[0])

    def _cycles(self, rest: str, *values: object) -> Iterator[Cycle]:
        tables = "cycle JOIN acquisition USING (identity)"
        for row in self.db.execute(f"SELECT {COLUMNS} FROM {tables} {rest}", values):
            scores = self._said(row[8], f"scores of cycle {row[0]}")
            files = (row[9], row[10], bool(row[11]), bool(row[12]))
            yield Cycle(row[0], Arrival(*row[1:6]), row[6], row[7], scores, *files)

    def commit(self, cycle: Cycle) -> None:
        """Write the row of a cycle, the commit point; its acquisition no longer waits."""
        scores = json.dumps(cycle.scores, allow_nan=False)
        identity = cycle.arrival.identity
        files = (cycle.product, cycle.product_sha256, cycle.current, cycle.retained)
        values = (cycle.number, identity, cycle.state, cycle.sha256, scores, *files, now())
        with self.db:
            self.db.execute(
                "INSERT INTO cycle VALUES (?,?,?,?,?,?,?,?,?,?,?)", (*values, cycle.arrival.time)
            )
            self.db.execute(
                "UPDATE acquisition SET status=? WHERE identity=?", (ASSIMILATED, identity)
            )

    def retained(self) -> list[tuple[int, float]]:
        """Number and time of the cycles of the chain whose states are kept, in order."""
        rows = self.db.execute(
            "SELECT number, time FROM cycle WHERE current AND retained ORDER BY number"
        )
        return [(int(number), float(time)) for number, time in rows]

    def needed(self) -> tuple[set[str], set[str]]:
        """Names of the state files and of the products that the chain stands on."""
        states = self.db.execute("SELECT state FROM cycle WHERE current AND retained")
        products = self.db.execute("SELECT product FROM cycle WHERE current")
        return {str(name) for (name,) in states}, {str(name) for (name,) in products}

    def retire(self, numbers: Sequence[int], base: int | None) -> tuple[list[str], list[str]]:
        """Mark states and copies as no longer kept, in one transaction; the files come after.

        Args:
            numbers: of cycles whose state is given up.
            base: number of the cycle up to which nothing is assimilated again, or None.

        Returns:
            Names of the state files, and identities of the acquisitions.
        """
        marks = ",".join("?" * len(numbers))
        rows = self.db.execute(f"SELECT state FROM cycle WHERE number IN ({marks})", numbers)
        names = [str(name) for (name,) in rows]
        copies = [] if base is None else self._before_base(base)
        if names or copies:
            with self.db:
                self.db.execute(f"UPDATE cycle SET retained=0 WHERE number IN ({marks})", numbers)
                self.db.executemany(
                    "UPDATE acquisition SET kept=0 WHERE identity=?", [(one,) for one in copies]
                )
        return names, copies

    def _before_base(self, base: int) -> list[str]:
        """Acquisitions up to that of a cycle whose copies are still kept."""
        (last,) = self._cycles("WHERE number=?", base)
        time = last.arrival.time
        rows = self.db.execute(
            "SELECT identity FROM acquisition WHERE kept AND status NOT IN ('waiting', 'failed') "
            "AND time<=? AND (time, sensor, product, identity) <= (?,?,?,?)",
            (time, *last.arrival.key),
        )
        return [str(identity) for (identity,) in rows]

    def counts(self) -> dict[str, int]:
        """How many cycles, files read and refused, and acquisitions by what became of them."""
        return {name: int(self.db.execute(query).fetchone()[0]) for name, query in COUNTS.items()}

    def settings(self) -> dict[str, Any] | None:
        """What the last cycles depended on, or None in a new ledger."""
        query = "SELECT said FROM settings ORDER BY rowid DESC LIMIT 1"
        found = self.db.execute(query).fetchone()
        return None if found is None else self._said(found[0], "settings")

    def _said(self, text: object, what: str) -> dict[str, Any]:
        """A mapping that was written as JSON."""
        found = parse(str(text), f"{self.path}: {what}", RESTORE)
        if not isinstance(found, dict):
            raise InputError(f"{self.path}: {what} is no mapping; {RESTORE}")
        return found

    def accept(self, settings: dict[str, Any]) -> None:
        """Record what the coming cycles depend on."""
        with self.db:
            text = json.dumps(settings, sort_keys=True)
            values = (self.next_number(), text, now())
            self.db.execute("INSERT INTO settings VALUES (?,?,?)", values)
