"""Tables, as text or Parquet: reading them, and keeping the rows that a configuration asks for."""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from lzma import LZMAError
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.io.limits import check_text
from releo_da.io.names import require
from releo_da.io.parquet import is_parquet, read_parquet
from releo_da.io.selection import matches
from releo_da.io.table_end import cells_of_open_line
from releo_da.types import InputError


class Style(NamedTuple):
    """How a table is written.

    Attributes:
        separator: what stands between cells; a blank means any number of blanks or tabs.
        header: whether the first row names the columns, or their names where it does not; False
            names them by their positions, "0", "1", ...
        comment: a character that begins a comment, up to the end of the line.
        skip: number of lines before the table.
        decimal: what stands before the decimals of a number, a point or a comma.
    """

    separator: str = ","
    header: bool | Sequence[str] = True
    comment: str | None = None
    skip: int = 0
    decimal: str = "."


DAMAGED = (OSError, EOFError, RuntimeError, ValueError, zlib.error, LZMAError, BadZipFile)
"""What the libraries raise of an archive that is damaged, encrypted, or not one file."""

CSV = Style()
"""Commas, and a header row."""


def read_rows(path: str | Path, where: str = "", style: Style = CSV) -> pd.DataFrame:
    """A table of text or Parquet; see `read_csv` and `releo_da.io.parquet.read_parquet`.

    Raises:
        InputError: as these, or a Parquet file comes with options of text.
    """
    name = f"{where}: {path}" if where else str(path)
    if not Path(path).is_file() or not is_parquet(Path(path)):
        return read_csv(path, where, style)
    if style != CSV:
        raise InputError(
            f"{name}: separator, header, comment, skip and decimal are options of text and this is "
            "Parquet; remove them"
        )
    return read_parquet(Path(path), name)


def read_csv(path: str | Path, where: str = "", style: Style = CSV) -> pd.DataFrame:
    """A table of text; compressed where its name ends in .gz, .bz2, .xz or .zip.

    Args:
        path: of the table.
        where: file and key that name the table, for messages, where it goes with another file.
        style: how it is written.

    Returns:
        The rows with the columns as texts without blanks around them.

    Raises:
        InputError: the file is missing, empty, not text, damaged, or has rows of different lengths
            or columns of the same name.
    """
    path = Path(path)
    name = f"{where}: {path}" if where else str(path)
    if not path.is_file():
        raise InputError(
            f"{name}: the file does not exist; give the path of a table, CSV or Parquet"
        )
    _check_style(style, name)
    options: dict[str, Any] = {
        "sep": r"\s+" if style.separator.isspace() else style.separator,
        "comment": style.comment,
        "skiprows": style.skip,
        "skipinitialspace": True,
        "index_col": False,
        "decimal": style.decimal,
    }
    try:
        check_text(path, name)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            head = pd.read_csv(path, header=None, nrows=1, dtype=str, **options).iloc[0]
            _check_separator(head, style, name)
            table = pd.read_csv(path, header=0 if style.header is True else None, **options)
    except InputError:
        raise
    except (pd.errors.EmptyDataError, IndexError):
        raise InputError(f"{name}: the file is empty; it needs a header row and data") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: not UTF-8 text; save the table as CSV in UTF-8") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        cut = "EOF inside string" in str(error)
        remedy = "the file seems cut short, copy it again" if cut else "correct that line"
        raise InputError(f"{name}: not a CSV table ({error}); {remedy}") from None
    except DAMAGED as error:
        raise InputError(f"{name}: cannot be read ({error}); copy the file again") from None
    if table.empty:
        raise InputError(f"{name}: the table is empty; it needs rows of data")
    named = _named(table, style, name)
    _check_end(path, named, style, name)
    head = head.str.strip()  # as columns are named: there are many kinds of blanks
    if style.header is True and head.dropna().duplicated().any():
        twice = head[head.notna() & head.duplicated()].iloc[0]
        raise InputError(f"{name}: several columns are named '{twice}'; rename all but one")
    return named


def _check_end(path: Path, table: pd.DataFrame, style: Style, name: str) -> None:
    """Refuse a table whose last line has neither its end nor all of its cells."""
    cells = cells_of_open_line(path, style.separator, style.comment)
    if cells is not None and cells < table.shape[1]:
        raise InputError(
            f"{name}, {row_name(table, len(table) - 1)}: the last row has {cells} of "
            f"{table.shape[1]} cells and no end of line; the file seems cut short, copy it again "
            "or complete the row"
        )


def _check_style(style: Style, name: str) -> None:
    """Refuse what no table is written with."""
    if not style.separator:
        raise InputError(f"{name}: key 'separator': it is empty; write ',' or ';' or ' '")
    if style.comment is not None and len(style.comment) != 1:
        raise InputError(
            f"{name}: key 'comment': '{style.comment}' is not one character; write '#'"
        )
    if style.skip < 0:
        raise InputError(f"{name}: key 'skip': {style.skip} is no number of lines; give 0 or more")
    if style.decimal not in (".", ",") or style.decimal == style.separator:
        raise InputError(
            f"{name}: key 'decimal': it is {style.decimal!r} and 'separator' {style.separator!r}; "
            "write decimal: '.' or ',', another one than the separator"
        )


def _check_separator(head: pd.Series, style: Style, name: str) -> None:
    """Refuse a first row of one cell that another separator would cut."""
    text = str(head.iloc[0])
    others = [mark for mark in (";", "\t", "|", ",") if mark != style.separator and mark in text]
    if len(head) == 1 and others:
        shown = {"\t": "a tab"}.get(others[0], f"'{others[0]}'")
        raise InputError(
            f"{name}: the first row is one cell, {text[:60]!r}; its columns seem to be separated "
            f"by {shown}, so write separator: {others[0]!r}"
        )


def _named(table: pd.DataFrame, style: Style, name: str) -> pd.DataFrame:
    """The table with its columns named, texts without blanks around them."""
    if isinstance(style.header, bool):
        names = [str(column).strip() for column in table.columns]
    else:
        names = [str(column) for column in style.header]
        if len(names) != table.shape[1]:
            raise InputError(
                f"{name}: key 'header': it names {len(names)} columns and the table has "
                f"{table.shape[1]}; name each of them once"
            )
        if len(set(names)) < len(names):
            raise InputError(f"{name}: key 'header': it names a column twice; name each once")
    table.columns = pd.Index(names)
    for column in names:
        if pd.api.types.is_string_dtype(table[column]):
            table[column] = table[column].str.strip()
    table.attrs["first"] = style.skip + (2 if style.header is True else 1)
    table.attrs["numbered"] = style.comment is None
    return table


def row_name(table: pd.DataFrame, index: int) -> str:
    """How a row is called in messages: by its line, or where comments hide that, by its number."""
    for name, start, first, numbered in reversed(table.attrs.get("files", [])):
        if index >= start:
            own = f"line {index - start + first}" if numbered else f"row {index - start + 1}"
            return f"{name}, {own}"
    if table.attrs.get("numbered", True):
        return f"line {index + int(table.attrs.get('first', 2))}"
    return f"row {index + 1}"


def rows_where(
    table: pd.DataFrame, rules: Mapping[str, object] | None, where: str, key: str = "where"
) -> pd.DataFrame:
    """The rows that obey every rule ``column: value | [values] | {contains|excludes|min|max}``.

    Args:
        table: all rows.
        rules: the option.
        where: file and key that name the table, for messages.
        key: name of the option.

    Raises:
        InputError: a column does not exist, or no row is left.
    """
    whole = np.ones(len(table), dtype=bool)
    for column, rule in (rules or {}).items():
        require(column, table.columns, f"{where}: key '{key}'", "column")
        passed = matches(table[column].to_numpy(), rule, f"{where}: key '{key}.{column}'")
        if not passed.any():
            found = ", ".join(sorted({str(value) for value in table[column]})[:12])
            raise InputError(
                f"{where}: key '{key}.{column}': no row has {rule!r}; the column holds {found}"
            )
        whole &= passed
        if not whole.any():
            raise InputError(f"{where}: key '{key}': no row passes all rules; loosen one")
    return table[whole] if rules else table


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
        cell = str(table[column][wrong[0]])
        comma = re.fullmatch(r"[+-]?\d*,\d+", cell)
        remedy = (
            "write a decimal point, or of a source or weather table give the option decimal: ','"
            if comma
            else "correct or empty the cell"
        )
        raise InputError(
            f"{where}, {row_name(table, wrong[0])}: '{cell}' in the column '{column}' is not a "
            f"number; {remedy}"
        )
    return numbers.astype("float64")


def text_column(table: pd.DataFrame, column: str, where: str) -> NDArray[np.object_]:
    """A column as text, whole numbers without a decimal point.

    Raises:
        InputError: the column does not exist, or a cell is empty; its line is named.
    """
    require(column, table.columns, where, "column")
    empty = table.index[table[column].isna()]
    if len(empty):
        raise InputError(
            f"{where}, {row_name(table, int(empty[0]))}: the cell in the column '{column}' is "
            "empty; fill it, or leave the row out by 'select'"
        )
    return table[column].convert_dtypes().astype(str).to_numpy(dtype=object)
