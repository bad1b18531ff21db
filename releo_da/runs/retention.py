"""What a cycling run keeps: every state in the replay window, one before it, few of the past.

    states older than the window      one per `thin_days`
    the base                          the newest state from before the window, always kept: whatever
                                      comes late inside the window has a state before it
    states in the window              all
    copies of acquisitions            those after the base; up to it nothing is assimilated again

Before there is a base everything is kept, because a late acquisition may come before the first
state. Rows come first: a state that is not retained and a copy that is not kept are marked so in
the ledger, then their files are removed. What a crash has left in between is removed at the end of
the next sweep that is finished, as are states and products of cycles that were undone. A file is
removed only where its whole name is one that the run gives to what the ledger has; others are left
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from releo_da.cycling.ledger import Ledger
from releo_da.runs.accept import COPIES, copy_of
from releo_da.runs.store import DIGITS, product_of, state_of

STATES, PRODUCTS = "states", "products"


def thinned(times: Sequence[float], begin: float, thin_days: float) -> tuple[list[int], int | None]:
    """Which states of a chain are given up.

    Args:
        times: of the states that are kept so far, ascending.
        begin: where the replay window begins.
        thin_days: time between states that are kept from before the base.

    Returns:
        Positions of the states to give up, and that of the base, or None where there is none.
    """
    base = max((k for k, time in enumerate(times) if time < begin), default=None)
    given_up: list[int] = []
    kept: float | None = None
    for k in range(base or 0):
        if kept is None or times[k] - kept >= thin_days:
            kept = times[k]
        else:
            given_up.append(k)
    return given_up, base


def retain(root: Path, ledger: Ledger, replay_days: float, thin_days: float) -> None:
    """Give up states and copies that are no longer needed, after a commit."""
    held, clock = ledger.retained(), ledger.clock()
    if clock is None:
        return
    positions, base = thinned([time for _, time in held], clock - replay_days, thin_days)
    numbers = [held[k][0] for k in positions]
    names, identities = ledger.retire(numbers, None if base is None else held[base][0])
    for name in names:
        (root / name).unlink(missing_ok=True)
    for identity in identities:
        copy_of(root, identity).unlink(missing_ok=True)


def tidy(root: Path, ledger: Ledger) -> None:
    """Remove files that the ledger knows and does not need; nothing waits any more."""
    states, products = ledger.needed()
    needed = states | products | ledger.queue.kept()
    for folder in (STATES, PRODUCTS, COPIES):
        for path in (root / folder).iterdir():
            aside = path.name.startswith(".") and path.name.endswith(".tmp")  # of a killed call
            name = f"{folder}/{path.name[1:-4] if aside else path.name}"
            if (aside or name not in needed) and _ours(name, ledger):
                path.unlink()


def _ours(name: str, ledger: Ledger) -> bool:
    """Whether a file in a run directory is named as the run names what its ledger has."""
    folder, _, file = name.partition("/")
    stem = file.partition(".")[0]
    if folder == STATES:
        return stem.isdigit() and name == state_of(int(stem)) and int(stem) < ledger.next_number()
    if folder == COPIES:
        return file == f"{stem}.safetensors" and ledger.queue.find(stem) is not None
    digits = stem.rpartition("_")[2]
    known = ledger.queue.beginning(digits) if len(digits) == DIGITS else []
    return name in map(product_of, known)
