"""A map cut into tiles: rectangles of rows and columns, each a run of its own over a window.

    tile(i, j) = rows i*size .. i*size + size - 1, columns j*size .. j*size + size - 1

Tiles are counted from the first row and column of the grid, so that a window does not move their
borders; those at the edges of the grid, or of the window, are smaller. A tile in which the land
mask leaves no pixel is none. Ids of pixels stay those of the whole grid (row * width + column) and
with them the random numbers: a tile computes what a run over the whole map computes there.

The pixel axis of a tile carries its rows and columns as the attribute ``tile``, first and last of
each, and its products hold these only: otherwise every one of n tiles would write a map of the
whole grid, and cost would grow with n squared.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.cube import Cube
from releo_da.io.place import Grid
from releo_da.types import InputError

TILE = "tile"
"""Attribute of a pixel axis: first and last row, first and last column."""


class Tile(NamedTuple):
    """A rectangle of a grid.

    Attributes:
        rows: first and last.
        columns: first and last.
        pixels: number of pixels that are estimated.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    pixels: int

    @property
    def name(self) -> str:
        """By its first row and column, as in ``r00000_c00512``."""
        return f"r{self.rows[0]:05d}_c{self.columns[0]:05d}"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of its rows and of its columns."""
        return self.rows[1] - self.rows[0] + 1, self.columns[1] - self.columns[0] + 1

    @property
    def window(self) -> dict[str, list[int]]:
        """The option of `releo_da.io.cube.open_cube` that reads it."""
        return {"rows": list(self.rows), "columns": list(self.columns)}


def tiles_of(cube: Cube, size: int) -> list[Tile]:
    """The tiles of a cube that hold a wanted pixel, row after row.

    Args:
        cube: with the window, the stride and the mask of the run.
        size: pixels along a side.
    """
    found = []
    for rows in _groups(cube.rows, size):
        for columns in _groups(cube.columns, size):
            count = rows.size * columns.size
            if cube.wanted is not None:
                count = int(cube.wanted[np.ix_(rows, columns)].sum())
            if count:
                found.append(Tile(_ends(rows), _ends(columns), count))
    return found


def grid_facts(grid: Grid) -> dict[str, Any]:
    """What makes a grid the same as another, as plain values."""
    facts: dict[str, Any] = {"height": grid.height, "width": grid.width, "crs": grid.crs}
    for axis, numbers in (("x", grid.x), ("y", grid.y)):
        facts[axis] = None if numbers is None else [float(numbers[0]), float(numbers[-1])]
    return facts


def of_tile(pixels: xr.Dataset, tile: Tile, facts: dict[str, Any], path: str) -> xr.Dataset:
    """The pixel axis of a file read over a tile, with the mark that cuts its products.

    Args:
        pixels: the axis.
        tile: over which the file was read.
        facts: of the grid that the run was cut by.
        path: of the file, for messages.

    Raises:
        InputError: the file lies on another grid.
    """
    axes = {name: pixels[f"grid_{name}"].values for name in "xy" if f"grid_{name}" in pixels}
    here: dict[str, Any] = {key: pixels.attrs.get(key) for key in ("height", "width")}
    here |= {n: [float(axes[n][0]), float(axes[n][-1])] if n in axes else None for n in "xy"}
    for key, value in here.items():
        wanted = facts[key]
        same = value == wanted or (
            isinstance(value, list)
            and isinstance(wanted, list)
            and np.allclose(value, wanted, rtol=0, atol=1e-6)
        )
        if not same:
            raise InputError(
                f"{path}: lies on another grid than the run ({key} is {value}, was {wanted}); "
                "resample it, or give another --out"
            )
    return pixels.assign_attrs({TILE: [*tile.rows, *tile.columns]})


def cut(pixels: xr.Dataset) -> tuple[xr.Dataset, NDArray[np.int64]]:
    """The pixel axis of a tile as that of a grid of its own, and ids as this grid counts them.

    Args:
        pixels: an axis; one without the mark of a tile is returned as it is.
    """
    ids = pixels["id"].values
    if TILE not in pixels.attrs:
        return pixels, ids
    first, last, left, right = (int(k) for k in pixels.attrs[TILE])
    height, width = last - first + 1, right - left + 1
    row, column = np.divmod(ids, int(pixels.attrs["width"]))
    mine = (row - first) * width + column - left
    small = pixels.assign_coords(id=("pixel", mine)).assign_attrs(height=height, width=width)
    spans = {"grid_y": slice(first, last + 1), "grid_x": slice(left, right + 1)}
    return small.isel({n: span for n, span in spans.items() if n in small.dims}), mine


def _groups(positions: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    """Positions along an axis by the tile they lie in."""
    return np.split(positions, np.flatnonzero(np.diff(positions // size)) + 1)


def _ends(positions: NDArray[np.intp]) -> tuple[int, int]:
    return int(positions[0]), int(positions[-1])
