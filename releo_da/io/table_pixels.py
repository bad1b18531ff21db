"""The pixels of a table: which rows belong to each, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.io.names import listed, require
from releo_da.io.tables import number_column, text_column
from releo_da.io.wkb import places
from releo_da.types import InputError

PositionOption = str | dict[str, str | float]
"""``{lon: .., lat: ..}``, ``{x: .., y: ..}``, or the name of a column of geometries."""


def row_pixels(
    table: pd.DataFrame, column: str | None, where: str
) -> tuple[NDArray[np.int64], dict[str, tuple[str, list[str]]], NDArray[np.intp]]:
    """Ids of the pixels, their names where they have some, and the pixel of each row.

    Args:
        table: the rows.
        column: the option ``pixel``; None for a table of one pixel.
        where: the file, for messages.

    Raises:
        InputError: there is no such column, or a cell of it is empty.
    """
    if column is None:
        return np.zeros(1, np.int64), {}, np.zeros(len(table), np.intp)
    names, index = np.unique(
        text_column(table, column, f"{where}: key 'pixel'"), return_inverse=True
    )
    if all(_is_id(name) for name in names):
        numbers = names.astype(np.int64)
        order = np.argsort(numbers)
        return numbers[order], {}, np.argsort(order)[index]
    return np.arange(len(names)), {"label": ("pixel", names.tolist())}, index


def _is_id(name: str) -> bool:
    """Whether a name is a number of 64 bits in its one way of writing; 7 and 07 stay apart."""
    return name.isascii() and name.isdecimal() and len(name) < 19 and str(int(name)) == name


def pixel_places(
    table: pd.DataFrame,
    position: PositionOption | None,
    crs: str | None,
    index: NDArray[np.intp],
    pixels: int,
    where: str,
) -> tuple[dict[str, NDArray[np.float64]], str | None]:
    """Coordinates of the pixels, ``[pixel]`` by name, and their coordinate system.

    Args:
        table: the rows; ``attrs["geometry"]`` names geometries of the file, as `read_parquet` does.
        position: the option.
        crs: the option; a coordinate system that the file states where it is None.
        index: ``[row]`` place on the pixel axis.
        pixels: length of that axis.
        where: the file, for messages.

    Raises:
        InputError: a column is missing or no position, a pixel has several places, or the
            coordinate system of geometries is not known.
    """
    known: Mapping[str, str] = table.attrs.get("geometry", {})
    key = f"{where}: key 'position'"
    if position is None:
        if not known:
            return {}, crs
        column = next(iter(known))
        return _of_geometries(table, column, index, key), crs or known[column] or None
    if isinstance(position, str):
        crs = crs or known.get(position)
        if not crs:
            raise InputError(
                f"{key}: the file does not say in which coordinate system '{position}' lies; "
                "add 'crs: EPSG:4326', or what it is"
            )
        return _of_geometries(table, position, index, key), crs
    if set(position) not in ({"lon", "lat"}, {"x", "y"}):
        raise InputError(
            f"{key}: it has {listed(position)}; write {{lon: .., lat: ..}} in degrees, "
            "{x: .., y: ..} with crs, or the name of a column of geometries"
        )
    found = {}
    for name, given in position.items():
        if isinstance(given, str):
            numbers = number_column(table, given, f"{key}, {name}").to_numpy()
            found[name] = _of_pixels(numbers, index, given, f"{key}, {name}")
        else:
            found[name] = np.full(pixels, float(given))
    return found, crs


def _of_geometries(
    table: pd.DataFrame, column: str, index: NDArray[np.intp], where: str
) -> dict[str, NDArray[np.float64]]:
    """Coordinates x and y of the pixels, ``[pixel]``, of a column of geometries."""
    require(column, table.columns, where, "column of geometries")
    points = places(table[column].tolist(), where)
    return {n: _of_pixels(points[:, k], index, column, f"{where}, {n}") for k, n in enumerate("xy")}


def _of_pixels(
    column: NDArray[np.float64], index: NDArray[np.intp], name: str, where: str
) -> NDArray[np.float64]:
    """The one number that a column gives each pixel, ``[pixel]``."""
    grouped = pd.Series(column).groupby(index)
    low, high = grouped.min(), grouped.max()
    moved = np.flatnonzero(~(high - low <= 1e-6 * np.maximum(1.0, high.abs())))
    if moved.size:
        raise InputError(
            f"{where}: the column '{name}' gives a pixel several places or none; "
            "give each pixel one, or name the pixels by another column"
        )
    return np.asarray(low.to_numpy())
