"""The process that opens netCDF files on trial: a script, started by `releo_da.io.trial`.

    standard input   one path a line, as JSON
    standard output  an empty line at the start, then one for each: null, or what the library says
                     of the file, as JSON

Every file has a bound of processor time, kept by the system (``ITIMER_PROF``), since the library
returns to no handler of Python while it works: past it the process ends, which is the answer. Time
that a disk or the network takes does not count. It ends with its standard input.

Nothing of the package is imported, so that it starts in a fraction of a second.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from contextlib import suppress

import netCDF4

MEMORY = 1 << 32
"""Bytes that the process may take; what is opened and described needs some megabytes."""


def said(path: str) -> str | None:
    """What the library says of a file that it cannot open and describe, or None."""
    try:
        with netCDF4.Dataset(path) as file:
            for name in file.ncattrs():
                file.getncattr(name)
            for variable in file.variables.values():
                variable.chunking()
                for name in variable.ncattrs():
                    variable.getncattr(name)
    except Exception as error:
        # Of any kind: of damaged bytes the library raises OSError, RuntimeError, AttributeError,
        # ValueError, MemoryError and UnicodeDecodeError, and whatever it is the answer is the same:
        # the file is refused with these words. The caller hears of it and nothing is hidden.
        return str(getattr(error, "strerror", None) or error or type(error).__name__)
    return None


def main(seconds: float) -> None:
    """Answer until there is no further path."""
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, MEMORY)):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))
    print(flush=True)  # standard output is the channel to the caller, an empty line says ready
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = said(json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
