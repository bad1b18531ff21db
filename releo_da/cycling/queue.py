"""Acquisitions that arrived, and what becomes of each: part of the ledger.

An acquisition is accepted by one transaction. It adds its row, says what becomes of the other
products of its pass, and, where a chain that has gone on must be mended, undoes the cycles after a
given one: they are no longer current, and their acquisitions wait again. A crash leaves the ledger
before all of this or after all of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from releo_da.cycling.records import (
    DUPLICATE,
    FAILED,
    LATE,
    REPLACED,
    WAITING,
    Accepted,
    Arrival,
)
from releo_da.cycling.tables import now

ROW = "identity, time, sensor, product, file, clear, status, reason, kept, withdrawn"
ORDER = "ORDER BY time, sensor, product, identity"
Row = tuple[str, float, str, str, str, int, str, str, int, int]


class Queue:
    """What the ledger says of acquisitions.

    Args:
        db: connection to the ledger.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def find(self, identity: str) -> Accepted | None:
        """The acquisition of an identity, or None where it is new."""
        found = self._rows("WHERE identity=?", identity)
        return found[0] if found else None

    def beginning(self, digits: str) -> list[Arrival]:
        """The acquisitions whose identities begin with some digits."""
        found = self._rows("WHERE identity>=? AND identity<?", digits, digits + "g")
        return [one.arrival for one in found]

    def kept(self) -> set[str]:
        """Names of the copies that are kept, in the run directory."""
        rows = self.db.execute("SELECT identity FROM acquisition WHERE kept")
        return {f"acquisitions/{name}.safetensors" for (name,) in rows}

    def next(self) -> Arrival | None:
        """The first acquisition in the order of all that waits, or None."""
        found = self._rows(f"WHERE status=? {ORDER} LIMIT 1", WAITING)
        return found[0].arrival if found else None

    def listed(self, *statuses: str) -> list[Accepted]:
        """All acquisitions with one of some words, in the order of all."""
        marks = ",".join("?" * len(statuses))
        return self._rows(f"WHERE status IN ({marks}) {ORDER}", *statuses)

    def of_file(self, file: str, products: Collection[str]) -> list[Accepted]:
        """What a file of the inbox brought of some products, neither late nor withdrawn."""
        found = self._rows(f"WHERE file=? AND status<>? AND NOT withdrawn {ORDER}", file, LATE)
        return [one for one in found if one.arrival.product in products]

    def near(self, sensor: str, time: float, step: float) -> list[Accepted]:
        """What a sensor saw about a time, linked to it by steps of at most some days, in order.

        Late acquisitions and withdrawn ones are left out.
        """
        first = last = time
        while True:
            found = self._rows(
                "WHERE sensor=? AND time BETWEEN ? AND ? AND status<>? AND NOT withdrawn " + ORDER,
                *(sensor, first - step, last + step, LATE),
            )
            times = [first, last, *(one.time for one in found)]
            if (min(times), max(times)) == (first, last):
                return found
            first, last = min(times), max(times)

    def take(
        self,
        new: Accepted | None,
        wins: Sequence[str] = (),
        loses: Mapping[str, str] | None = None,
        withdrawn: Sequence[str] = (),
        after: int | None = None,
    ) -> int:
        """Accept an acquisition, with all that follows from it, in one transaction.

        Args:
            new: its row, which takes the place of a row of the same identity; None where one is
                only withdrawn.
            wins: identities that wait from now on.
            loses: identities that are not assimilated, with the reason.
            withdrawn: identities among them whose file holds another content by now.
            after: number of the cycle after which the chain is undone, 0 for all of it, or None to
                leave it as it is.

        Returns:
            Number of cycles that were undone.
        """
        undone = 0
        with self.db:
            if new is not None:
                facts = (new.clear, new.status, new.reason, new.kept, new.withdrawn, now())
                marks = ",".join("?" * 11)
                query = f"INSERT OR REPLACE INTO acquisition VALUES ({marks})"
                self.db.execute(query, (*new.arrival, *facts))
            if after is not None:
                undone = self._undo(after)
            for identity in wins:
                self._say(identity, WAITING, "")
            for identity, reason in (loses or {}).items():
                query = "SELECT 1 FROM cycle WHERE identity=? LIMIT 1"
                before = self.db.execute(query, (identity,)).fetchone()
                self._say(identity, DUPLICATE if before is None else REPLACED, reason)
            for identity in withdrawn:
                self.db.execute("UPDATE acquisition SET withdrawn=1 WHERE identity=?", (identity,))
        return undone

    def undo(self, after: int) -> int:
        """Undo the chain after a cycle, 0 for all of it; returns the number of cycles undone."""
        with self.db:
            return self._undo(after)

    def _undo(self, after: int) -> int:
        """What was assimilated after a cycle, or failed, waits again; within a transaction."""
        self.db.execute(
            "UPDATE acquisition SET status=? WHERE identity IN "
            "(SELECT identity FROM cycle WHERE current AND number>?)",
            (WAITING, after),
        )
        place = (
            "SELECT acquisition.time, sensor, acquisition.product, identity FROM cycle "
            "JOIN acquisition USING (identity) WHERE number=?"
        )
        key = self.db.execute(place, (after,)).fetchone() or (float("-inf"), "", "", "")
        self.db.execute(
            "UPDATE acquisition SET status=?, reason='' "
            "WHERE status=? AND (time, sensor, product, identity) > (?,?,?,?)",
            (WAITING, FAILED, *key),
        )
        query = "UPDATE cycle SET current=0 WHERE current AND number>?"
        return self.db.execute(query, (after,)).rowcount

    def fail(self, identity: str, reason: str) -> None:
        """Set aside an acquisition whose assimilation failed."""
        with self.db:
            self._say(identity, FAILED, reason)

    def _say(self, identity: str, status: str, reason: str) -> None:
        self.db.execute(
            "UPDATE acquisition SET status=?, reason=? WHERE identity=?", (status, reason, identity)
        )

    def all_kept(self, after: int) -> bool:
        """Whether everything that was assimilated after a cycle can be assimilated again."""
        query = (
            "SELECT 1 FROM cycle JOIN acquisition USING (identity) "
            "WHERE current AND number>? AND NOT kept LIMIT 1"
        )
        return self.db.execute(query, (after,)).fetchone() is None

    def _rows(self, rest: str, *values: object) -> list[Accepted]:
        found: Sequence[Row] = self.db.execute(
            f"SELECT {ROW} FROM acquisition {rest}", values
        ).fetchall()
        return [
            Accepted(Arrival(*row[:5]), row[5], row[6], row[7], bool(row[8]), bool(row[9]))
            for row in found
        ]
