"""The last state of a run, held open while a service may be at work on it.

Between the row of the last cycle and its files a service may give up the state, or undo the cycle
and write a pixel axis without pixels that had joined with it. So a state is opened first and what
belongs to it is read while it is open: a file that is removed can be read to its end by who has it
open. Where something is not there any more, or does not fit, the ledger is asked again, and what it
says now is opened; where it says the same as before, something is wrong with the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import xarray as xr

from releo_da.cycling.ledger import Cycle, Ledger
from releo_da.io.state_file import readable
from releo_da.io.state_rows import StateRows
from releo_da.runs.axis import pixels_of
from releo_da.runs.store import changed_state
from releo_da.runs.verify import LEDGER
from releo_da.types import InputError

LAST = "state.safetensors"
"""The state that a hindcast leaves."""


@contextmanager
def held_state(root: Path) -> Iterator[tuple[StateRows, xr.Dataset]]:
    """The last state of a hindcast or of a cycling run, and its pixel axis.

    Its rows are not verified: `StateRows.verify` has to be called before what was made of them is
    kept.

    Args:
        root: the run directory.

    Raises:
        InputError: the directory holds no state, or the state or the pixel axis is damaged.
    """
    cycling, tried = (root / LEDGER).is_file(), 0
    if not cycling and not (root / LAST).is_file():
        raise InputError(f"{root}: holds no state; give the directory of a finished run")
    with ExitStack() as stack:
        while True:
            last = _last(root) if cycling else None
            try:
                found = _opened(root, last, stack)
                break
            except InputError:
                if last is None or last.number == tried:
                    raise
                tried = last.number
        yield found


def _last(root: Path) -> Cycle:
    """The last cycle of the chain.

    Raises:
        InputError: there is none yet.
    """
    with Ledger(root / LEDGER, reads=True) as ledger:
        last = ledger.last()
    if last is None:
        raise InputError(f"{root}: the run has no state yet; run `releo-da cycle` first")
    return last


def _opened(root: Path, last: Cycle | None, stack: ExitStack) -> tuple[StateRows, xr.Dataset]:
    """The state of a cycle, or of a hindcast, left open with `stack`, and its pixel axis."""
    path = root / (LAST if last is None else last.state)
    with ExitStack() as attempt:
        with readable(path):
            rows = StateRows(attempt.enter_context(path.open("rb")), path)
            if last is not None and rows.sha256_of_file() != last.sha256:
                raise changed_state(path, last)
        pixels = pixels_of(root, rows.head)
        stack.enter_context(attempt.pop_all())
    return rows, pixels
