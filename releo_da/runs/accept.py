"""Acceptance: an acquisition that arrives is kept, placed in the order of all, and judged.

A copy of it goes to ``acquisitions/<identity>.safetensors``, then one transaction of the ledger
says what becomes of it and of the other products of its pass. The rule of the source (first, last,
best, all) is applied to all products of the pass that ever arrived, in the order (time, sensor,
product, identity), so the one that is kept does not depend on which came first:

    after the last cycle                 waits
    before it, in the replay window      the chain is undone back to the last kept state before it;
                                         it waits, and so does everything that was undone
    before the window                    late: recorded, not assimilated; delivered again under a
                                         longer window it is accepted

The window is counted in days of acquisition before the latest one that was ever assimilated, never
by the clock on the wall. A product that takes the place of an assimilated one of its pass undoes
the chain back to the earlier of the two. A content of the same product in the same file as one
before is a correction: the former is withdrawn, as if it had never arrived.

A chain is undone only where everything after the state it goes back to is still kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from releo_da.cycling.ledger import Ledger
from releo_da.cycling.records import ASSIMILATED, FAILED, LATE, WAITING, Accepted, Arrival, Key
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
    products: Sequence[Accepted], gone: Collection[str], rule: str, last: Key | None
) -> Decision:
    """Which products of a pass are assimilated.

    Args:
        products: all of the pass that are neither late nor withdrawn; the status of one that has
            just arrived is empty.
        gone: identities among them whose file holds another content by now.
        rule: first, last, best or all (`releo_da.io.series.drop_duplicates`).
        last: place of the last cycle in the order of all, or None before the first.
    """
    away = [one for one in products if one.arrival.identity in gone]
    group = sorted([one for one in products if one not in away], key=lambda o: o.arrival.key)
    kept = group if rule == "all" else [_chosen(part, rule) for part in passes(group)]
    wins = [one for one in kept if one.status not in (WAITING, ASSIMILATED)]
    lost = [o for o in group if o not in kept and o.status in ("", WAITING, ASSIMILATED, FAILED)]
    wrong = [one.arrival.key for one in (*lost, *away) if one.status == ASSIMILATED]
    wrong += [one.arrival.key for one in wins if last is not None and one.arrival.key < last]
    loses = dict.fromkeys((one.arrival.identity for one in lost), OTHER)
    loses |= dict.fromkeys((one.arrival.identity for one in away), WITHDRAWN)
    return Decision(
        [one.arrival.identity for one in wins],
        loses,
        [one.arrival.identity for one in away],
        min(wrong, default=None),
    )


def _chosen(group: list[Accepted], rule: str) -> Accepted:
    return chosen_of(group, rule, lambda one: one.clear)


def accept(
    root: Path,
    ledger: Ledger,
    replay_days: float,
    arrival: Arrival,
    clear: int,
    load: Callable[[], Acquisition],
    pixels: xr.Dataset,
    present: Collection[str],
    rule: str,
) -> Taken | None:
    """Keep an acquisition and say what becomes of it; None where it was known and changes nothing.

    A known content changes something where its file held another one of the same product: that is
    a correction by what arrived before in another file. And one that was late before, where the
    window has become longer: it is accepted as if it were new.

    Args:
        root: the run directory.
        ledger: of the run.
        replay_days: length of the replay window.
        arrival: who it is.
        clear: number of values that it sees.
        load: reads it; called where it is kept.
        pixels: its pixel axis.
        present: identities that its file holds.
        rule: which of several products of a pass is kept.
    """
    known = ledger.queue.find(arrival.identity)
    new = Accepted(arrival, clear, "")
    late = known is not None and known.status == LATE
    again = known is not None and not known.withdrawn and not late
    if known is not None and again:
        new = known._replace(arrival=arrival)
    others = ledger.queue.near(arrival.sensor, arrival.time, 2 * MINUTE)
    here = [one for one in others if one.arrival.identity != arrival.identity]
    gone = [
        one.arrival.identity
        for one in here
        if (one.arrival.key[:3], one.arrival.file) == (arrival.key[:3], arrival.file)
        and one.arrival.identity not in present
    ]
    if again and not gone:
        return None
    last = ledger.last()
    decision = decide([*here, new], gone, rule, None if last is None else last.arrival.key)
    possible, after = _base(ledger, replay_days, arrival.key, decision)
    if not possible:
        return None if late else _late(ledger, new, again)
    write_acquisition(copy_of(root, arrival.identity), load(), pixels)
    undone = ledger.queue.take(new, *decision[:3], after)
    found = ledger.queue.find(arrival.identity) or new
    return Taken(found.status, found.reason, after, undone)


def withdraw(ledger: Ledger, replay_days: float, one: Accepted, rule: str) -> Taken:
    """Say what follows where the file of an acquisition has no clear pixel of its product now.

    Args:
        ledger: of the run.
        replay_days: length of the replay window.
        one: the acquisition, neither late nor withdrawn.
        rule: which of several products of a pass is kept.
    """
    others = ledger.queue.near(one.sensor, one.time, 2 * MINUTE)
    last = ledger.last()
    gone = [one.arrival.identity]
    decision = decide(others, gone, rule, None if last is None else last.arrival.key)
    possible, after = _base(ledger, replay_days, one.arrival.key, decision)
    if not possible:
        return Taken(LATE, TOO_LATE)
    undone = ledger.queue.take(None, *decision[:3], after)
    found = ledger.queue.find(one.arrival.identity) or one
    return Taken(found.status, found.reason, after, undone)


def _base(
    ledger: Ledger, replay_days: float, key: Key, decision: Decision
) -> tuple[bool, int | None]:
    """Whether a decision about a place in the order can be followed, and the cycle to go back to.

    The window counts also where the chain was undone and ends before that place now. Products of
    the pass that win have their copies wherever the chain after that cycle has its own: copies are
    given up in the order of all, up to that of a cycle of the chain (`releo_da.runs.retention`).
    """
    clock = ledger.clock()
    if clock is not None and min(decision.first or key, key)[0] < clock - replay_days:
        return False, None
    if decision.first is None:
        return True, None
    base = ledger.before(decision.first)
    after = 0 if base is None else base.number
    return ledger.queue.all_kept(after), after


def _late(ledger: Ledger, new: Accepted, again: bool) -> Taken:
    """Record an acquisition that cannot be assimilated any more; a known one stays what it is."""
    if again:
        return Taken(LATE, TOO_LATE)
    ledger.queue.take(new._replace(status=LATE, reason=TOO_LATE, kept=False))
    return Taken(LATE, TOO_LATE)
