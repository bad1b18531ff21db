"""``base.json``: the sums of a run up to where its replay window begins.

What lies before the window is never undone, so its sums are made once; the scores of a sweep are
those with the cycles after it added one by one, which is the order in which all of them would be
added. Floating-point sums depend on that order and on nothing else, so the bits are the same.

The file is made of the ledger and needed by nothing: one that is missing, damaged, of another form
or version of the package, or of a chain that was undone or restored since, is left out of account
and written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releo_da import __version__
from releo_da.cycling.ledger import Cycle, Ledger
from releo_da.io.digested import read_digested, write_digested

BASE = "base.json"

NOTHING: dict[str, Any] = {
    "cycles": 0,
    "diverged": 0,
    "rejected": {},
    "reasons": {},
    "background": {},
    "innovations": {},
}
"""The sums of no cycle."""


def kept_before(root: Path, ledger: Ledger) -> tuple[int, dict[str, Any]]:
    """Number of the cycle up to which sums are kept, and these; 0 and `NOTHING` without any.

    Args:
        root: the run directory.
        ledger: of the run; the cycle has to be one of its chain.
    """
    found = read_digested(root / BASE) or {}
    if found.keys() != {"version", "number", "state_sha256", "sums"}:
        return 0, NOTHING
    number, sums = int(found["number"]), dict(found["sums"])
    sound = found["version"] == __version__ and sums.keys() == NOTHING.keys()
    sound = sound and ledger.holds(number, found["state_sha256"])
    return (number, sums) if sound else (0, NOTHING)


def keep_before(root: Path, cycle: Cycle, sums: Mapping[str, Any]) -> None:
    """Keep the sums up to a cycle that will not be undone."""
    made = {"version": __version__, "number": cycle.number, "state_sha256": cycle.sha256}
    write_digested(root / BASE, {**made, "sums": sums})
