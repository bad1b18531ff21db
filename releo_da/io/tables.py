"""Small CSV tables: reading them, and keeping the rows that a configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from releo_da.io.names import require
from releo_da.io.selection import matches
from releo_da.types import InputError


def read_table(path: str | Path, where: str = "") -> pd.DataFrame:
    """A CSV table with a header row.

    Args:
        path: of the table.
        where: file and key that name the table, for messages, where it goes with another file.

    Raises:
        InputError: the file is missing, empty, not text, or has rows of different lengths.
    """
    path = Path(path)
    name = f"{where}: {path}" if where else str(path)
    if not path.is_file():
        raise InputError(f"{name}: the file does not exist; give the path of a CSV table")
    try:
        return pd.read_csv(path)
    except pd.errors.EmptyDataError:
        raise InputError(f"{name}: the table is empty; it needs a header row and data") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: not UTF-8 text; save the table as CSV in UTF-8") from None
    except pd.errors.ParserError as error:
        raise InputError(f"{name}: not a CSV table ({error}); correct that line") from None


def rows_where(table: pd.DataFrame, rules: Mapping[str, object] | None, where: str) -> pd.DataFrame:
    """The rows that obey every rule ``column: value | [values] | {contains|excludes|min|max}``.

    Raises:
        InputError: a column does not exist, or no row is left.
    """
    for column, rule in (rules or {}).items():
        require(column, table.columns, f"{where}: key 'where'", "column")
        passed = matches(table[column].to_numpy(), rule, f"{where}: key 'where.{column}'")
        if not passed.any():
            found = ", ".join(sorted({str(value) for value in table[column]})[:12])
            raise InputError(
                f"{where}: key 'where.{column}': no row has {rule!r}; the column holds {found}"
            )
        table = table[passed]
    return table


def beside(table: str, path: str | Path) -> Path:
    """Where a table lies that goes with another file: as given, or beside that file."""
    given, neighbour = Path(table), Path(path).parent / table
    return neighbour if not given.is_file() and neighbour.is_file() else given


def number_column(table: pd.DataFrame, column: str, where: str) -> pd.Series:
    """A column as float64, empty cells as NaN.

    Raises:
        InputError: the column does not exist, or a cell is not a number; its line is named.
    """
    require(column, table.columns, where, "column")
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = table.index[numbers.isna() & table[column].notna()]
    if len(wrong):
        raise InputError(
            f"{where}, line {wrong[0] + 2}: '{table[column][wrong[0]]}' in the column '{column}' "
            "is not a number; correct or empty the cell"
        )
    return numbers.astype("float64")
