"""The rows of a ledger at one instant, and whether they are at one with each other.

They are those of one instant, read beside a service that goes on writing
(`releo_da.cycling.instant`).

What must hold of the rows, whatever happened to the processes that wrote them:

    every number from 1 to the last has a row                 rows of cycles are never removed
    current cycles ascend in number and in (time, sensor, product, identity) at once
    each of them is of an assimilated acquisition, and each assimilated acquisition has one of them
    what waits lies after the last of them, and its copy is kept; so is the state of the last

Reference: SQLite, "PRAGMA integrity_check" and "PRAGMA foreign_key_check".
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from releo_da.cycling.instant import at_instant
from releo_da.cycling.records import ASSIMILATED, DUPLICATE, FAILED, LATE, REPLACED, WAITING, Key
from releo_da.cycling.tables import FORMAT
from releo_da.types import InputError

WORDS = (WAITING, ASSIMILATED, DUPLICATE, REPLACED, LATE, FAILED)
SHOWN = 3
"""How many messages of one check of SQLite are told."""


class Kept(NamedTuple):
    """A row of a cycle, as far as it names files.

    Attributes:
        number: of the cycle.
        identity: of its acquisition.
        state: name of the state file, from the run directory.
        sha256: checksum of that file.
        product: name of the file of output variables.
        product_sha256: checksum of that file.
        current: whether it is part of the chain.
        retained: whether its state is still kept.
    """

    number: int
    identity: str
    state: str
    sha256: str
    product: str
    product_sha256: str
    current: bool
    retained: bool


class Known(NamedTuple):
    """A row of an acquisition.

    Attributes:
        key: its place in the order of all.
        status: what became of it.
        kept: whether the run keeps its copy.
    """

    key: Key
    status: str
    kept: bool


class Snapshot(NamedTuple):
    """A ledger at one instant.

    Attributes:
        cycles: all rows of cycles by number.
        acquisitions: identity -> row.
        problems: what SQLite finds wrong with the file.
    """

    cycles: list[Kept]
    acquisitions: dict[str, Known]
    problems: list[str]

    @property
    def chain(self) -> list[Kept]:
        """The current cycles, in order."""
        return [one for one in self.cycles if one.current]

    @property
    def counts(self) -> dict[str, int]:
        """How many acquisitions have which status, and ``accepted``, all of them."""
        found = Counter(one.status for one in self.acquisitions.values())
        return {"accepted": found.total(), **{word: found[word] for word in WORDS}}


def snapshot(path: Path) -> Snapshot:
    """Read a ledger without changing it.

    Raises:
        InputError: it is missing, no ledger, of another format, or so damaged that its rows cannot
            be read.
    """
    remedy = "restore it from a backup"
    if not path.is_file():
        raise InputError(f"{path}: is missing; {remedy}")
    try:
        with closing(at_instant(path)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != FORMAT:
                raise InputError(
                    f"{path}: a ledger of format {version}, where this version of releo_da writes "
                    f"format {FORMAT}; {remedy}"
                )
            return Snapshot(_cycles(db), _acquisitions(db), _problems(db))
    except sqlite3.Error as error:
        raise InputError(f"{path}: cannot be read ({error}); {remedy}") from None


def _cycles(db: sqlite3.Connection) -> list[Kept]:
    names = "number, identity, state, sha256, product, product_sha256, current, retained"
    rows = db.execute(f"SELECT {names} FROM cycle ORDER BY number")
    return [
        Kept(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]), bool(row[7]))
        for row in rows
    ]


def _acquisitions(db: sqlite3.Connection) -> dict[str, Known]:
    rows = db.execute("SELECT time, sensor, product, identity, status, kept FROM acquisition")
    return {str(row[3]): Known(key=row[:4], status=row[4], kept=bool(row[5])) for row in rows}


def _problems(db: sqlite3.Connection) -> list[str]:
    """What the checks of SQLite say, the first of each."""
    said = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({SHOWN})") if row[0] != "ok"]
    strange = db.execute("PRAGMA foreign_key_check").fetchall()
    return said + [f"row {row[1]} of {row[0]} names no row of {row[2]}" for row in strange[:SHOWN]]


def contradictions(held: Snapshot) -> list[str]:
    """What of the rows does not fit together, in words; none of a sound ledger."""
    chain, known = held.chain, held.acquisitions
    found = list(held.problems)
    numbers = [one.number for one in held.cycles]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"of the cycles up to {max(numbers)} only {len(numbers)} have a row")
    keys = [known[one.identity].key for one in chain if one.identity in known]
    for before, after in zip(keys, keys[1:], strict=False):
        if not before < after:
            found.append(f"the chain is out of order: {before} comes before {after}")
    counted = Counter(one.identity for one in chain)
    for identity, row in known.items():
        if counted[identity] != (row.status == ASSIMILATED):
            found.append(
                f"acquisition {identity} is {row.status} and has {counted[identity]} cycles"
            )
        if row.status not in WORDS:
            found.append(f"acquisition {identity} has the unknown status '{row.status}'")
        if row.status in (WAITING, FAILED) and not row.kept:
            found.append(f"acquisition {identity} is {row.status} and its copy is not kept")
        if row.status == WAITING and keys and row.key < keys[-1]:
            found.append(f"acquisition {identity} waits and lies before the last cycle")
    found += [
        f"cycle {one.number} is of no known acquisition"
        for one in chain
        if one.identity not in known
    ]
    if chain and not chain[-1].retained:
        found.append(f"the state of the last cycle, {chain[-1].number}, is not kept")
    return found
