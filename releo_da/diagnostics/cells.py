"""What a table is made of: plain data, which the report and the terminal draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Cell(NamedTuple):
    """A text, and whether it is the best of its column."""

    text: str
    best: bool = False


class Table(NamedTuple):
    """A table.

    Attributes:
        title: one line.
        note: how to read it.
        head: names of the columns, the first is that of the rows.
        rows: ``(name, cells)``.
        prose: whether cells are texts, which take several lines where there is little room, and not
            numbers, which stand under each other.
    """

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    prose: bool = False
