"""Acquisitions whose assimilation failed: set aside with the reason, so that the others go on.

    failed       its cycle raised; nothing was committed, its copy is kept
    tried again  in its place in the order, whenever the chain is undone to before it; on demand,
                 and after a change of what the results depend on, the chain is undone for that

The chain is therefore still a function of the acquisitions that were accepted: the state before one
that failed is the same in whatever order they arrived. Not set aside is an acquisition that fails
for a reason outside it: a disk, a lack of memory, a damaged state or copy. Those end the call.
"""

from __future__ import annotations

import sqlite3

import torch

from releo_da.cycling.ledger import Ledger
from releo_da.cycling.records import FAILED
from releo_da.types import InputError

OUTSIDE = (OSError, sqlite3.Error, MemoryError, torch.OutOfMemoryError, InputError)
"""Errors that say nothing about the acquisition."""


def its_own(error: Exception) -> bool:
    """Whether an error of a cycle is put down to its acquisition."""
    return not isinstance(error, OUTSIDE) and "allocate memory" not in str(error)


def retry(ledger: Ledger, replay_days: float) -> int:
    """Let those that failed wait again, as far as the chain can be undone to before them.

    Returns:
        Number of cycles that were undone.
    """
    clock = ledger.clock()
    for one in ledger.queue.listed(FAILED):
        key = one.arrival.key
        if clock is not None and key[0] < clock - replay_days:
            continue  # as one that comes late
        base = ledger.before(key)
        after = 0 if base is None else base.number
        if ledger.queue.all_kept(after):
            return ledger.queue.undo(after)  # those after it wait again as well
    return 0
