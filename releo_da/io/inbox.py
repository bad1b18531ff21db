"""A folder in which acquisitions arrive: which files are there, and which of them changed.

A file is known by its name within the folder, its size and its time of modification. One that is
still being copied fails to read, changes, and is read again; better is to copy it under a name that
begins with a dot and to rename it when it is whole.
"""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

WILD = set("*?[")


class Arrived(NamedTuple):
    """A file of the inbox.

    Attributes:
        path: where it is.
        name: within the inbox.
        size: in bytes.
        modified: nanoseconds since 1970-01-01 UTC.
    """

    path: Path
    name: str
    size: int
    modified: int


def folder_and_pattern(inbox: str) -> tuple[str, str]:
    """A folder, or a glob as the folder before its first wildcard and the pattern from there."""
    parts = Path(inbox).parts
    for position, part in enumerate(parts):
        if WILD & set(part):
            return str(Path(*parts[:position])), str(Path(*parts[position:]))
    return inbox, "*"


def arrived(folder: Path, pattern: str) -> list[Arrived]:
    """Files of a folder that match a pattern, by name; hidden ones are left alone."""
    found = []
    for path in sorted(folder.glob(pattern)):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        try:
            facts = path.stat()
        except FileNotFoundError:  # removed since it was listed, or a link to nothing
            continue
        if not S_ISREG(facts.st_mode):
            continue
        found.append(Arrived(path, name.as_posix(), facts.st_size, facts.st_mtime_ns))
    return found
