"""A map laid under pixels: its axes, its coordinate system, and the part of it that they need.

The map may have another grid and another coordinate system than the pixels: their positions are
turned into the system of the map (pyproj), and only the rows and columns about them are read.
Longitudes may run from -180 or from 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.crs import crs_text, from_lonlat, is_geographic
from releo_da.io.names import listed
from releo_da.io.place import X_NAMES, Y_NAMES, stated_crs
from releo_da.io.stencils import Stencil, grid_stencil, outside
from releo_da.types import InputError

Array = NDArray[np.float64]

METHODS = ("nearest", "linear")


class Overlay(NamedTuple):
    """The part of a map that pixels need.

    Attributes:
        x: dimension of columns.
        y: dimension of rows.
        columns: which columns are read.
        rows: which rows are read.
        stencil: cells of that part, row after row, for each pixel.
    """

    x: str
    y: str
    columns: slice
    rows: slice
    stencil: Stencil

    def cells(self, array: xr.DataArray) -> NDArray:
        """Values of the part, ``[..., cell]``, other dimensions of the array first.

        Raises:
            InputError: the array is no map, or its numbers cannot be read.
        """
        part = array.transpose(..., self.y, self.x).isel({self.y: self.rows, self.x: self.columns})
        values = part.values
        return values.reshape(*values.shape[:-2], -1)


def overlay(
    dataset: xr.Dataset,
    name: str,
    pixels: xr.Dataset,
    crs: str | None,
    linear: bool,
    where: str,
) -> Overlay:
    """Find the pixels on a map.

    Args:
        dataset: the open file.
        name: the variable, whose axes are taken.
        pixels: the pixel axis, with ``x`` and ``y``.
        crs: coordinate system of the map where the file does not say it.
        linear: bilinear, else nearest.
        where: file and key, for messages.

    Raises:
        InputError: the axes are not known, positions are not, or a pixel lies outside the map.
    """
    across, down = _axes(dataset, name, where)
    x_axis, y_axis = (dataset[axis].values.astype(np.float64) for axis in (across, down))
    for axis, centres in ((across, x_axis), (down, y_axis)):
        steps = np.diff(centres)
        if not (np.all(steps > 0) or np.all(steps < 0)):
            raise InputError(
                f"{where}: the coordinate '{axis}' does not rise or fall throughout; sort the map"
            )
    system = crs if crs is not None else stated_crs(dataset, across)
    x, y = _positions(pixels, system, where)
    if system is not None and is_geographic(crs_text(system)) and x_axis.size > 1:
        start = x_axis.min() - abs(x_axis[1] - x_axis[0]) / 2
        x = np.where(outside(x_axis, x), start + (x - start) % 360.0, x)
    lost = np.flatnonzero(outside(x_axis, x) | outside(y_axis, y))
    if lost.size:
        one = lost[0]
        raise InputError(
            f"{where}: {lost.size} of {x.size} pixels lie outside the map, such as pixel "
            f"{int(pixels['id'].values[one])} at ({x[one]:.6g}, {y[one]:.6g}); the map reaches "
            f"from {x_axis.min():.6g} to {x_axis.max():.6g} and from {y_axis.min():.6g} to "
            f"{y_axis.max():.6g}. Give a map that covers them, or check its 'crs'"
        )
    columns, rows = _about(x_axis, x), _about(y_axis, y)
    stencil = grid_stencil(x_axis[columns], y_axis[rows], x, y, linear)
    return Overlay(across, down, columns, rows, stencil)


def check_method(method: str, allowed: tuple[str, ...], where: str) -> None:
    """Refuse a kind of interpolation that is not there.

    Raises:
        InputError: naming those that are.
    """
    if method not in allowed:
        raise InputError(f"{where}: interpolate: '{method}' is none of {', '.join(allowed)}")


def _axes(dataset: xr.Dataset, name: str, where: str) -> tuple[str, str]:
    """Dimensions of columns and rows of a variable: by name, else by the attribute ``axis``."""
    dims = [str(dim) for dim in dataset[name].dims if dim in dataset.variables]
    found = []
    for names, letter in ((X_NAMES, "X"), (Y_NAMES, "Y")):
        named = [dim for dim in dims if dim.lower() in names]
        said = [dim for dim in dims if dataset[dim].attrs.get("axis") == letter]
        if not named and not said:
            raise InputError(
                f"{where}: '{name}' has the dimensions {listed(dataset[name].dims)}, none of which "
                f"is a coordinate called {', '.join(names)}; rename it, or say axis = '{letter}'"
            )
        found.append((named or said)[0])
    return found[0], found[1]


def _positions(pixels: xr.Dataset, system: str | None, where: str) -> tuple[Array, Array]:
    """Coordinates of the pixels in the system of the map."""
    if "x" not in pixels.coords:
        raise InputError(
            f"{where}: nothing says where the pixels lie, so no map can be laid under them; use a "
            "source with x and y (of a table the option 'position')"
        )
    own = pixels.attrs.get("crs")
    if (own is None) != (system is None):
        lacking = "the source" if own is None else "the map"
        raise InputError(
            f"{where}: the coordinate system of {lacking} is not known; add 'crs: EPSG:...' to it"
        )
    if own is None or system is None or own == crs_text(system):
        return pixels["x"].values.astype(np.float64), pixels["y"].values.astype(np.float64)
    return from_lonlat(pixels["lon"].values, pixels["lat"].values, system)


def _about(axis: Array, at: Array) -> slice:
    """Positions on an axis from the centre before the first pixel to the one after the last."""
    order = np.argsort(axis)
    up = axis[order]
    low = max(int(np.searchsorted(up, at.min(), side="right")) - 1, 0)
    high = min(int(np.searchsorted(up, at.max(), side="left")) + 1, axis.size)
    # A pixel in the outer half cell still needs two centres for its cell to have a size.
    low, high = min(low, max(high - 2, 0)), max(high, min(low + 2, axis.size))
    ends = order[[low, high - 1]]
    return slice(int(ends.min()), int(ends.max()) + 1)
