"""`cycle: {tiles: ...}`: how a map is cut, and who works on the parts.

    RUN/  tiles.json  standing.json  config.yaml  scores.json  report.html  log.jsonl
          tiles/r00000_c00512/   a run directory of its own, with ledger, states and products

The command is in `releo_da.config.tile_cycle`, a sweep over all tiles in
`releo_da.config.tile_sweep`, the work of one in `releo_da.config.tile_work`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from releo_da.config.cluster import Workers, checked_jobqueue
from releo_da.config.document import Document
from releo_da.types import InputError


def tiles(
    size: int = 512,
    workers: int | None = None,
    scheduler: str | None = None,
    jobqueue: dict[str, Any] | None = None,
    timeout_minutes: float = 60.0,
    retries: int = 1,
) -> tuple[int, Workers]:
    """How the map is cut, and who works on the tiles.

    Args:
        size: pixels along a side.
        workers: processes of this machine, one per core unless given; or batch jobs.
        scheduler: address of a dask scheduler, as in ``tcp://host:8786``, whose workers are used.
        jobqueue: ``{system: slurm, ..}``, batch jobs through dask-jobqueue (`cluster.PASSED`).
        timeout_minutes: after which a tile is given up until the next sweep.
        retries: how often a tile is begun again whose worker ended under it.
    """
    where = "cycle.tiles"
    if size < 1:
        raise InputError(f"{where}.size is {size}; give 1 or more pixels, such as 512")
    if workers is not None and workers < 1:
        raise InputError(f"{where}.workers is {workers}; give 1 or more")
    if not 0.0 < timeout_minutes < float("inf"):
        raise InputError(f"{where}.timeout_minutes is {timeout_minutes}; give a positive number")
    if retries < 0:
        raise InputError(f"{where}.retries is {retries}; give 0 or more")
    if scheduler is not None and jobqueue is not None:
        raise InputError(f"{where}: give scheduler or jobqueue, not both")
    if jobqueue is not None:
        checked_jobqueue(jobqueue)
    number = workers or len(os.sched_getaffinity(0))
    return size, Workers(number, scheduler, jobqueue, 60.0 * timeout_minutes, retries)


def wanted(document: Document) -> bool:
    """Whether a configuration asks for tiles."""
    given = document.values.get("cycle")
    return isinstance(given, Mapping) and given.get("tiles") is not None
