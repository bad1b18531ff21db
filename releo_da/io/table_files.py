"""A table in several files: their rows one after the other, as one table.

    path: "tables/*.csv", [a.csv, b.csv]        the same columns in each, in any order

Rows of one pixel and date that stand in two files are two products of one pass, as within one file.
"""

from __future__ import annotations

import pandas as pd

from releo_da.io.names import listed
from releo_da.io.stores import PathOption, paths_of
from releo_da.io.tables import Style, read_rows
from releo_da.types import InputError


def read_files(option: PathOption, style: Style) -> tuple[pd.DataFrame, str]:
    """The rows of all files of a table, and what it is called in messages.

    Args:
        option: a path, a pattern with ``*``, or a list of them.
        style: how the files are written.

    Returns:
        the rows, numbered through; ``attrs["files"]`` says of each file its name, its first row
        here, the line of that row, and whether lines can be counted.

    Raises:
        InputError: as `releo_da.io.tables.read_rows`, a pattern matches nothing, or two files have
            other columns or other geometries.
    """
    paths = paths_of(option)
    tables = [read_rows(path, style=style) for path in paths]
    if len(tables) == 1:
        return tables[0], str(paths[0])
    first, files, start = tables[0], [], 0
    for path, table in zip(paths, tables, strict=True):
        other = set(first.columns) ^ set(table.columns)
        if other:
            raise InputError(
                f"{path}: it has the columns {listed(table.columns)} and {paths[0].name} has "
                f"{listed(first.columns)}; the files of a table have the same ones"
            )
        if table.attrs.get("geometry") != first.attrs.get("geometry"):
            raise InputError(
                f"{path}: its geometries are not in the coordinate system of {paths[0].name}; "
                "bring the files to one"
            )
        files.append((path.name, start, table.attrs.get("first", 2), table.attrs["numbered"]))
        start += len(table)
    attributes = first.attrs
    for table in tables:
        table.attrs = {}
    whole = pd.concat([table[list(first.columns)] for table in tables], ignore_index=True)
    whole.attrs = {**attributes, "files": files}
    return whole, f"{paths[0]} and {len(paths) - 1} more"
