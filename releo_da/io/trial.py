"""Opening a netCDF file on trial, in a process that may hang or end without harm.

Damaged bytes can keep the HDF5 library busy for ever, or end the process, and neither can be caught
in the process where it happens. So a file is first opened beside this one, and here only when that
came to an end:

    this process --path--> one that opens and describes it --answer--> opened here, or refused

The process is started with the first file (0.2 s) and kept, so that a further file costs about a
millisecond. Callers hold the lock of `releo_da.io.netcdf`.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from pathlib import Path

from releo_da.types import InputError

SECONDS = 10.0
"""Processor time for one file; a sound one takes milliseconds."""

CHILD = Path(__file__).with_name("trial_child.py")


class _Kept:
    """The process that is kept, and which process it belongs to."""

    child: subprocess.Popen[str] | None = None
    owner = 0


def try_open(path: Path) -> None:
    """Refuse a file that cannot be opened, or whose opening does not end.

    Raises:
        InputError: the library hangs on it or dies of it.
        OSError: the library says that it cannot be read.
        RuntimeError: the process does not start.
    """
    child = _child()
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(json.dumps(str(path.absolute())) + "\n")
        child.stdin.flush()
        answer = child.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        _end()
        raise InputError(
            f"{path}: damaged, the library that reads netCDF did not come to an end of opening it "
            f"(in {SECONDS:g} s of processor time, or it failed); copy or make the file again"
        )
    error = json.loads(answer)
    if error is not None:
        raise OSError(error)


def _child() -> subprocess.Popen[str]:
    """The process of this one; one that was forked from this has its own."""
    if _Kept.child is None or _Kept.owner != os.getpid() or _Kept.child.poll() is not None:
        command = [sys.executable, "-P", str(CHILD), str(SECONDS)]
        _Kept.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # an interrupt from the keyboard is for this process
        )
        _Kept.owner = os.getpid()
        if not (_Kept.child.stdout and _Kept.child.stdout.readline()):
            raise RuntimeError(f"no process to open files with; see what {command} says")
    return _Kept.child


@atexit.register
def _end() -> None:
    """End the process that is kept, if it is of this one."""
    child, _Kept.child = _Kept.child, None
    if child is not None and _Kept.owner == os.getpid():
        child.kill()
        child.communicate()
