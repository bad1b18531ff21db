"""Whether a file could not be read for a reason that may pass, which says nothing about the file.

A disk or a network file system that fails for a while, too many open files, and a lack of memory
are such reasons. The error of the system is looked for in what was raised and in what it came
from; libraries that have messages of their own hide it, so the bytes of the file are read as well.
"""

from __future__ import annotations

import errno
from pathlib import Path

import torch

PIECE = 1 << 20
NO_MEMORY = ("can't allocate memory", "not enough memory", "Memory allocation")
"""Words of torch on a processor, and of netCDF."""

OF_CONTENT = (errno.EINVAL, errno.EOVERFLOW)
"""Errors of the system that offsets in a damaged file lead to."""


def passing(error: BaseException, path: Path) -> bool:
    """Whether reading a file is worth trying again as it is.

    Args:
        error: of reading it.
        path: of the file.

    Returns:
        True for a lack of memory, an error of the system, and a file of which not every byte can
        be read now, as when it is gone.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (MemoryError, torch.OutOfMemoryError)):
            return True
        if any(words in str(cause) for words in NO_MEMORY):
            return True
        number = cause.errno if isinstance(cause, OSError) else None
        if number is not None and number > 0 and number not in OF_CONTENT:  # netCDF's are below 0
            return True
        cause = cause.__cause__ or cause.__context__
    try:
        with path.open("rb") as file:
            while file.read(PIECE):
                pass
    except OSError:
        return True
    return False
