"""One process at a time writes to a run directory.

The lock is held on a file of the directory by ``flock``, which the system releases when the process
ends in whatever way, so that no stale lock survives a crash.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock of a run directory.

    Raises:
        BlockingIOError: another process holds it; ``filename`` is the directory.
    """
    with (root / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, error.strerror, str(root)) from None
        yield
