"""Acceptance: an acquisition that arrives is kept, placed in the order of all, and judged.

A copy of it goes to ``acquisitions/<identity>.safetensors``, then one transaction of the ledger
says what becomes of it and of the other products of its pass. The rule of the source (first, last,
best, all) is applied to all products of the pass that ever arrived, in the order (time, sensor,
product, identity), so the one that is kept does not depend on which came first:

    after the last cycle                 waits
    before it, in the replay window      the chain is undone back to the last kept state before it;
                                         it waits, and so does everything that was undone
    before the window                    late: recorded, not assimilated

The window is counted in days of acquisition before the latest one that was ever assimilated, never
by the clock on the wall. A product that takes the place of an assimilated one of its pass undoes
the chain back to the earlier of the two. A content of the same product in the same file as one
before is a correction: the former is withdrawn, as if it had never arrived.

A chain is undone only where everything after the state it goes back to is still kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from releo_da.cycling.ledger import Ledger
from releo_da.cycling.records import ASSIMILATED, LATE, WAITING, Accepted, Arrival, Key
from releo_da.io.acquisition_file import write_acquisition
from releo_da.io.series import MINUTE, chosen_of, passes
from releo_da.types import Acquisition

COPIES = "acquisitions"
OTHER = "another product of its pass is assimilated"
WITHDRAWN = "its file holds another content of the same product now"
TOO_LATE = "it lies before the replay window, or what came after it is no longer kept"


class Taken(NamedTuple):
    """What became of an acquisition that arrived.

    Attributes:
        status: the word of the ledger.
        reason: why it is not assimilated.
        after: number of the cycle after which the chain was undone, 0 for all of it, else None.
        undone: number of cycles that were undone.
    """

    status: str
    reason: str = ""
    after: int | None = None
    undone: int = 0


class Decision(NamedTuple):
    """What follows from an acquisition for the products of its pass.

    Attributes:
        wins: identities that wait from now on.
        loses: identities that are not assimilated, with the reason.
        withdrawn: those among them whose file holds another content by now.
        first: the first place in the order at which the chain is no longer right, or None.
    """

    wins: list[str]
    loses: dict[str, str]
    withdrawn: list[str]
    first: Key | None


def copy_of(root: Path, identity: str) -> Path:
    """Where the copy of an acquisition is kept."""
    return root / COPIES / f"{identity}.safetensors"


def decide(
    new: Accepted,
    others: Sequence[Accepted],
    present: Collection[str],
    rule: str,
    last: Key | None,
) -> Decision:
    """Which products of a pass are assimilated once another has arrived.

    Args:
        new: what arrived.
        others: all that arrived before of its pass, and is neither late nor withdrawn.
        present: identities that the file of the new one holds.
        rule: first, last, best or all (`releo_da.io.series.drop_duplicates`).
        last: place of the last cycle in the order of all, or None before the first.
    """
    mine = new.arrival
    here = [one for one in others if one.arrival.identity != mine.identity]
    gone = [
        one
        for one in here
        if (one.arrival.key[:3], one.arrival.file) == (mine.key[:3], mine.file)
        and one.arrival.identity not in present
    ]
    group = sorted([*(one for one in here if one not in gone), new], key=lambda o: o.arrival.key)
    kept = group if rule == "all" else [_chosen(part, rule) for part in passes(group)]
    wins = [one for one in kept if one.status not in (WAITING, ASSIMILATED) or one is new]
    lost = [o for o in group if o not in kept and (o.status in (WAITING, ASSIMILATED) or o is new)]
    wrong = [one.arrival.key for one in (*lost, *gone) if one.status == ASSIMILATED]
    wrong += [one.arrival.key for one in wins if last is not None and one.arrival.key < last]
    loses = dict.fromkeys((one.arrival.identity for one in lost), OTHER)
    loses |= dict.fromkeys((one.arrival.identity for one in gone), WITHDRAWN)
    return Decision(
        [one.arrival.identity for one in wins],
        loses,
        [one.arrival.identity for one in gone],
        min(wrong, default=None),
    )


def _chosen(group: list[Accepted], rule: str) -> Accepted:
    return chosen_of(group, rule, lambda one: one.clear)


def accept(
    root: Path,
    ledger: Ledger,
    replay_days: float,
    arrival: Arrival,
    acquisition: Acquisition,
    pixels: xr.Dataset,
    present: Collection[str],
    rule: str,
) -> Taken | None:
    """Keep an acquisition and say what becomes of it; None where it was known.

    Args:
        root: the run directory.
        ledger: of the run.
        replay_days: length of the replay window.
        arrival: who it is.
        acquisition: what it holds.
        pixels: its pixel axis.
        present: identities that its file holds.
        rule: which of several products of a pass is kept.
    """
    known = ledger.queue.find(arrival.identity)
    if known is not None and not known.withdrawn:
        return None
    new = Accepted(arrival, int(acquisition.seen.sum()), "")
    last, clock = ledger.last(), ledger.clock()
    end = None if last is None else last.arrival.key
    others = ledger.queue.near(arrival.sensor, arrival.time, 2 * MINUTE)
    decision = decide(new, others, present, rule, end)
    after = None
    first = min(decision.first or arrival.key, arrival.key)
    if clock is not None and first[0] < clock - replay_days:
        return _late(ledger, new)  # also where the chain was undone, and now ends before it
    if decision.first is not None:
        base = ledger.before(decision.first)
        after = 0 if base is None else base.number
        kept = all(one.kept for one in others if one.arrival.identity in decision.wins)
        if not (kept and ledger.queue.all_kept(after)):
            return _late(ledger, new)
    write_acquisition(copy_of(root, arrival.identity), acquisition, pixels)
    follows = (decision.wins, decision.loses, decision.withdrawn, after)
    undone = ledger.queue.take(new, *follows)
    found = ledger.queue.find(arrival.identity) or new
    return Taken(found.status, found.reason, after, undone)


def _late(ledger: Ledger, new: Accepted) -> Taken:
    """Record an acquisition that cannot be assimilated any more."""
    ledger.queue.take(new._replace(status=LATE, reason=TOO_LATE, kept=False))
    return Taken(LATE, TOO_LATE)
