"""The cells of a CSV with their places, and a number of a cell or of a YAML value."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from releo_da.sensors.names import nearest
from releo_da.types import InputError


class Sheet(NamedTuple):
    """A CSV below its comments.

    Attributes:
        where: the file, the beginning of messages.
        columns: names of the first row.
        rows: line in the file and cells of each row that is not blank.
        notes: comment lines ``# key: text``, keys in lower case.
    """

    where: str
    columns: list[str]
    rows: list[tuple[int, list[str]]]
    notes: dict[str, str]

    def check_columns(self, needed: Sequence[str]) -> None:
        """Refuse a header that is not made of the columns needed.

        Raises:
            InputError: one is absent, unknown or there twice.
        """
        told = f"; the first row must be {','.join(needed)}"
        absent = [column for column in needed if column not in self.columns]
        if absent:
            raise InputError(
                f"{self.where} lacks the column {', '.join(absent)}{told} or, for one column per "
                "channel, wavelength,NAME,NAME,..."
            )
        for column in self.columns:
            if column not in needed:
                raise InputError(
                    f"{self.where}: unknown column '{column}'; {nearest(column, needed)}"
                    f"the columns are {','.join(needed)}"
                )
            if self.columns.count(column) > 1:
                raise InputError(f"{self.where}: column '{column}' appears twice; keep one of them")

    def check_cells(self) -> None:
        """Refuse rows with more or fewer cells than columns.

        Raises:
            InputError: naming the line.
        """
        for line, cells in self.rows:
            if len(cells) != len(self.columns):
                raise InputError(
                    f"{self.where}, line {line}: {len(cells)} cells under {len(self.columns)} "
                    "columns; give as many"
                )


def csv_rows(lines: Iterable[str], where: str, skipped: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Cells of each row of a CSV that is not blank, with the line on which it begins.

    Args:
        lines: an open file, or lines of one.
        where: the file, the beginning of messages.
        skipped: lines of the file above these.

    Raises:
        InputError: a quotation mark is opened and not closed for more than 128 KiB.
    """
    reader = csv.reader(lines)
    while True:
        line = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{where}, line {line}: no row of a CSV ({error}); look for a quotation mark that "
                "is not closed"
            ) from None
        if any(cell.strip() for cell in cells):
            yield line, cells


def number(value: Any, where: str) -> float:
    """A finite number that is not negative, of a cell or of a YAML value (text such as 1e-3 too).

    Raises:
        InputError: it is none.
    """
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not (math.isfinite(found) and found >= 0):
        raise InputError(f"{where}: '{value}' is not a finite number of at least 0; correct it")
    return found
