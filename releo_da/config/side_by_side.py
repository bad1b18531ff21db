"""Independent units of work, one process per core, with one progress bar."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from releo_da.config.run_files import progress

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Unit], Result],
    units: Sequence[Unit],
    label: str,
    quiet: bool,
    named: Callable[[Unit], str],
) -> list[Result]:
    """The results of all units, in their order.

    Args:
        work: what is done with a unit; a function of a module, which processes can import.
        units: of the work.
        label: of the progress bar.
        quiet: no progress.
        named: what the progress says of a unit that is done.
    """
    workers = min(len(units), os.cpu_count() or 1)
    found = []
    with (
        progress(len(units), label, quiet) as tick,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        for unit, result in zip(units, pool.map(work, units), strict=True):
            found.append(result)
            tick(named(unit))
    return found
