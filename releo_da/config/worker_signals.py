"""What dask loads into each worker process of this machine: it leaves the keyboard to its master.

Ctrl-C reaches all processes of a terminal. The one that shares the tiles out asks them to end after
their cycles (`releo_da.config.tile_cycle`); a worker that ended at once would lose its cycle.
"""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:
    """Ignore SIGINT from now on; dask calls this in the main thread of the worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
