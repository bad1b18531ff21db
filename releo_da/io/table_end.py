"""Whether a table of text ends where its writer ended it.

A copy that was broken off usually ends within a row. Its last line then lacks its end, and as a
rule some of its cells, which a reader of CSV takes for empty ones.
"""

from __future__ import annotations

import csv
from pathlib import Path

TAIL = 1 << 16
"""Bytes of the end of a file that are looked at; a longer line is not judged."""

PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst", ".tar")
"""Endings of archives, which are found damaged when they are unpacked."""


def cells_of_open_line(path: Path, separator: str, comment: str | None) -> int | None:
    """Number of cells of a last line that has no end.

    Args:
        path: the table.
        separator: what stands between cells; a blank means any number of blanks or tabs.
        comment: what begins a comment.

    Returns:
        None where the line is ended, empty or a comment, or cannot be judged by itself.
    """
    if path.name.lower().endswith(PACKED):
        return None
    with path.open("rb") as file:
        start = max(file.seek(0, 2) - TAIL, 0)
        file.seek(start)
        text = file.read().decode("utf-8", "replace")
    before, _, line = text.replace("\r", "\n").rpartition("\n")
    if start and not before:
        return None
    line = (line if comment is None else line.split(comment)[0]).strip(" ")
    if not line or line.count('"') % 2:
        return None
    if separator.isspace() and separator != "\t":
        return len(line.split())
    return len(next(csv.reader([line], delimiter=separator)))
