"""A folder that a process has to itself while it makes files for a folder that others write to too.

`releo_da.io.atomic` writes aside under a name that is always the same, as one process at a time
writes to a run directory. Those that hold no lock of it, such as forecasts beside a service, make
their files in a folder of their own and move them out when they are whole. What a process that was
killed has left is removed by the next one that finds itself alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from releo_da.io.atomic import flush


@contextmanager
def own_folder(root: Path, stem: str) -> Iterator[Path]:
    """A new folder within `root`, whose files move to `root` when the block ends without error.

    Args:
        root: of the folder; files of the same names are replaced, each in one step.
        stem: what the names of such folders begin with, after a dot.
    """
    with (root / f".{stem}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another process is at work in a folder of its own
        else:
            for left in root.glob(f".{stem}-*.own"):
                shutil.rmtree(left)
        fcntl.flock(lock, fcntl.LOCK_SH)
        folder = Path(mkdtemp(prefix=f".{stem}-", suffix=".own", dir=root))
        try:
            yield folder
            for made in sorted(folder.iterdir()):
                _moved(made, root / made.name)
            flush(root)
        finally:
            shutil.rmtree(folder)


def _moved(made: Path, target: Path) -> None:
    """Put a file or a folder in the place of another; a full folder has to go first."""
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(made, target)
