"""Where the pixels lie: map coordinates, longitude and latitude, and the grid they come from.

The coordinate system is the option ``crs``, or what the file says of itself: an attribute ``crs``
or ``point_crs``, a CF grid mapping, or coordinates in degrees. A grid has one coordinate per column
and one per row at equal steps, up or down; products can then be laid over any other map.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.crs import DEGREES, crs_text, declared_crs, refuse_no_latitude, to_lonlat
from releo_da.io.layout import Layout
from releo_da.types import InputError

X_NAMES = ("x", "lon", "longitude", "easting")
Y_NAMES = ("y", "lat", "latitude", "northing")


def point_pixels(
    dataset: xr.Dataset, layout: Layout, ids: NDArray[np.int64], crs: str | None
) -> xr.Dataset:
    """The pixel axis of a file of points, with the coordinates it gives.

    Args:
        dataset: the selected points of the file.
        layout: of the file.
        ids: ``[pixel]`` position of each point in the whole file.
        crs: option, or None to read it from the file.

    Raises:
        InputError: the coordinate system is not known, or a latitude does not exist.
    """
    names = [_along(dataset, known, layout.space[0]) for known in (X_NAMES, Y_NAMES)]
    pixels = xr.Dataset(coords={"id": ("pixel", ids)}, attrs={"kind": "point"})
    if None in names:
        return pixels
    x, y = (dataset[name].values.astype(np.float64) for name in names)
    return _located(pixels, x, y, crs or stated_crs(dataset, str(names[0])), layout.path)


class Grid(NamedTuple):
    """A grid as its file describes it; no pixel of it is held.

    Attributes:
        path: the file, for messages.
        height: number of rows of the whole grid.
        width: number of columns.
        x: ``[column]`` coordinates, or None where the file gives none.
        y: ``[row]``, likewise.
        crs: the coordinate system, or None where it is not known.
    """

    path: str
    height: int
    width: int
    x: NDArray[np.float64] | None
    y: NDArray[np.float64] | None
    crs: str | None

    def pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> xr.Dataset:
        """The pixel axis of some rows and columns, row after row.

        Ids are ``row * width + column`` of the whole grid.

        Raises:
            InputError: the coordinate system is not known, or a latitude does not exist.
        """
        row, column = (index.ravel() for index in np.meshgrid(rows, columns, indexing="ij"))
        pixels = xr.Dataset(
            coords={
                "id": ("pixel", (row * self.width + column).astype(np.int64)),
                "row": ("pixel", row.astype(np.int64)),
                "col": ("pixel", column.astype(np.int64)),
            },
            attrs={"kind": "grid", "height": self.height, "width": self.width},
        )
        if self.x is None or self.y is None:
            return pixels
        pixels = pixels.assign_coords(grid_y=("grid_y", self.y), grid_x=("grid_x", self.x))
        return _located(pixels, self.x[column], self.y[row], self.crs, self.path)


def grid_of(dataset: xr.Dataset, layout: Layout, crs: str | None) -> Grid:
    """The grid of a file.

    Args:
        dataset: the whole file.
        layout: of the file, with rows and columns as its space.
        crs: option, or None to read it from the file.

    Raises:
        InputError: the grid is rotated or irregular.
    """
    row_axis, column_axis = layout.space
    size = dataset.sizes[row_axis], dataset.sizes[column_axis]
    _refuse_turned(dataset, layout)
    if not {row_axis, column_axis} <= set(dataset.variables):
        return Grid(layout.path, *size, None, None, None)
    x, y = (_regular(dataset[name], layout) for name in (column_axis, row_axis))
    return Grid(layout.path, *size, x, y, crs or stated_crs(dataset, column_axis))


def _located(pixels: xr.Dataset, x: NDArray, y: NDArray, crs: str | None, path: str) -> xr.Dataset:
    """The pixels with x, y and, where the coordinate system is known, lon and lat."""
    pixels = pixels.assign_coords(x=("pixel", x), y=("pixel", y))
    if crs is None:
        return pixels
    try:
        text = crs_text(crs)
    except InputError as error:
        raise InputError(f"{path}: key 'crs': {error}") from None
    refuse_no_latitude(y, text, path)
    lon, lat = to_lonlat(x, y, text)
    return pixels.assign_coords(lon=("pixel", lon), lat=("pixel", lat)).assign_attrs(crs=text)


def _regular(axis: xr.DataArray, layout: Layout) -> NDArray[np.float64]:
    """Coordinates of rows or columns, which must lie at equal steps.

    Numbers of the file may be rounded, in float32 to some 0.1 m of a northing.
    """
    values = axis.values.astype(np.float64)
    steps = np.diff(values)
    if steps.size == 0:
        return values
    kind = axis.dtype if axis.dtype.kind == "f" else np.dtype(np.float64)
    rounding = 4 * float(np.finfo(kind).eps) * float(np.abs(values).max())
    step = (values[-1] - values[0]) / steps.size
    if not np.all(np.abs(steps - step) <= 0.01 * abs(step) + rounding) or step == 0:
        raise InputError(
            f"{layout.path}: the coordinate '{axis.name}' has steps from {steps.min():g} to "
            f"{steps.max():g}; a map needs equal ones. Resample it to a regular grid, or remove "
            "the coordinate to work without positions"
        )
    return values


def _refuse_turned(dataset: xr.Dataset, layout: Layout) -> None:
    """Refuse grids whose rows do not run along an axis of their coordinate system."""
    remedy = "resample it to a grid along the axes of its coordinate system"
    for name, array in dataset.variables.items():
        numbers = str(array.attrs.get("GeoTransform", "")).split()
        if len(numbers) == 6 and any(float(numbers[k]) != 0 for k in (2, 4)):
            raise InputError(f"{layout.path}: '{name}' says that the grid is rotated; {remedy}")
    if set(layout.space) & set(dataset.variables):
        return
    for name in (*X_NAMES, *Y_NAMES):
        if name in dataset.variables and set(dataset[name].dims) == set(layout.space):
            raise InputError(
                f"{layout.path}: '{name}' differs along rows and along columns, so that the grid "
                f"is rotated or a swath; {remedy}"
            )


def _along(dataset: xr.Dataset, names: tuple[str, ...], dim: str) -> str | None:
    """The first of the names that is a coordinate along the pixel axis."""
    found = (name for name in names if name in dataset.variables and dataset[name].dims == (dim,))
    return next(found, None)


def stated_crs(dataset: xr.Dataset, x_name: str) -> str | None:
    """The coordinate system that the file states, or degrees where its coordinates are that."""
    units = str(dataset[x_name].attrs.get("units", ""))
    if x_name in ("lon", "longitude") or units.startswith("degree"):
        return declared_crs(dataset) or DEGREES
    return declared_crs(dataset)
