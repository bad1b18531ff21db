"""A folder in which acquisitions arrive: which files are there, and which of them changed.

A file is known by its name within the folder, its size and the time of its last change as the
system keeps it (ctime): programs can set the time of modification back, as `cp -p` and `rsync -t`
do, and this one not. One that is still being copied fails to read, changes, and is read again;
better is to copy it under a name that begins with a dot and to rename it when it is whole.

What bears a matching name and is no file (a folder, a pipe, a device), or cannot be looked at (a
link to itself, a lack of rights), is listed with the reason why it is not read, always as the same,
so that it is told once. When it can be looked at again it has a size and a time, and is read.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

WILD = set("*?[")


class Arrived(NamedTuple):
    """A file of the inbox.

    Attributes:
        path: where it is.
        name: within the inbox.
        size: in bytes.
        changed: nanoseconds since 1970-01-01 UTC, of its content or of its entry.
        wrong: why it is not read, of what is no file or cannot be looked at.
    """

    path: Path
    name: str
    size: int
    changed: int
    wrong: str = ""

    @property
    def key(self) -> tuple[str, int, int]:
        """By which it is known again as long as it does not change."""
        return self.name, self.size, self.changed


def folder_and_pattern(inbox: str) -> tuple[str, str]:
    """A folder, or a glob as the folder before its first wildcard and the pattern from there."""
    parts = Path(inbox).parts
    for position, part in enumerate(parts):
        if WILD & set(part):
            return str(Path(*parts[:position])), str(Path(*parts[position:]))
    return inbox, "*"


def arrived(folder: Path, pattern: str) -> list[Arrived]:
    """What in a folder matches a pattern, by name; hidden names are left alone.

    Folders into which the pattern leads (``**/*``) are not listed.
    """
    found = []
    inner = Path(pattern).parts[-2:] in (("**", "*"), ("**",))
    for path in sorted(folder.glob(pattern)):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        try:
            facts = path.stat()
        except FileNotFoundError:  # removed since it was listed, or a link to nothing
            continue
        except OSError as error:  # one entry is no reason not to see the others
            found.append(Arrived(path, name.as_posix(), 0, 0, _unseen(path, error)))
            continue
        if stat.S_ISREG(facts.st_mode):
            found.append(Arrived(path, name.as_posix(), facts.st_size, facts.st_ctime_ns))
        elif not (inner and stat.S_ISDIR(facts.st_mode)):
            found.append(Arrived(path, name.as_posix(), 0, 0, _wrong(path, facts.st_mode)))
    return found


def _unseen(path: Path, error: OSError) -> str:
    """Why something that cannot be looked at is not read."""
    return (
        f"{path}: cannot be looked at ({error.strerror}); mend it or remove it from the inbox, "
        "it is read as soon as it can be"
    )


def _wrong(path: Path, mode: int) -> str:
    """Why something that is no file is not read."""
    if stat.S_ISDIR(mode):
        return (
            f"{path}: is a folder, not a file; put files into the inbox, a Zarr store as a .zip, "
            "or let the pattern lead into it, as inbox/**/*.nc does"
        )
    kinds = {stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket"}
    what = next((kind for holds, kind in kinds.items() if holds(mode)), "a device")
    return f"{path}: is {what}, not a file, and is not opened; remove it from the inbox"
