"""Where the pixels lie: map coordinates, longitude and latitude, and the grid they come from.

The coordinate system is the option ``crs``, or what the file says of itself: an attribute ``crs``
or ``point_crs`` with an EPSG code, a CF grid mapping, or coordinates in degrees.
"""

from __future__ import annotations

import re

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.layout import Layout
from releo_da.io.projection import epsg_code, to_lonlat
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
        InputError: the coordinate system is not known.
    """
    names = [_along(dataset, known, layout.space[0]) for known in (X_NAMES, Y_NAMES)]
    pixels = xr.Dataset(coords={"id": ("pixel", ids)}, attrs={"kind": "point"})
    if None in names:
        return pixels
    x, y = (dataset[name].values.astype(np.float64) for name in names)
    return _located(pixels, x, y, crs or _declared(dataset, str(names[0])), layout)


def grid_pixels(dataset: xr.Dataset, layout: Layout, crs: str | None) -> xr.Dataset:
    """All pixels of a grid, row after row; ids are ``row * width + column`` of the whole grid.

    Args:
        dataset: the whole file.
        layout: of the file, with rows and columns as its space.
        crs: option, or None to read it from the file.

    Raises:
        InputError: the coordinate system is not known.
    """
    row_axis, column_axis = layout.space
    height, width = dataset.sizes[row_axis], dataset.sizes[column_axis]
    row, column = (index.ravel() for index in np.indices((height, width)))
    pixels = xr.Dataset(
        coords={
            "id": ("pixel", (row * width + column).astype(np.int64)),
            "row": ("pixel", row.astype(np.int64)),
            "col": ("pixel", column.astype(np.int64)),
        },
        attrs={"kind": "grid", "height": height, "width": width},
    )
    if not {row_axis, column_axis} <= set(dataset.variables):
        return pixels
    x, y = (dataset[name].values.astype(np.float64) for name in (column_axis, row_axis))
    pixels = pixels.assign_coords(grid_y=("grid_y", y), grid_x=("grid_x", x))
    return _located(pixels, x[column], y[row], crs or _declared(dataset, column_axis), layout)


def _located(
    pixels: xr.Dataset, x: NDArray, y: NDArray, crs: str | None, layout: Layout
) -> xr.Dataset:
    """The pixels with x, y and, where the coordinate system is known, lon and lat."""
    pixels = pixels.assign_coords(x=("pixel", x), y=("pixel", y))
    if crs is None:
        return pixels
    try:
        code = f"EPSG:{epsg_code(crs)}"
    except InputError as error:
        raise InputError(f"{layout.where('crs')}: {error}") from None
    lon, lat = to_lonlat(x, y, code)
    return pixels.assign_coords(lon=("pixel", lon), lat=("pixel", lat)).assign_attrs(crs=code)


def _along(dataset: xr.Dataset, names: tuple[str, ...], dim: str) -> str | None:
    """The first of the names that is a coordinate along the pixel axis."""
    found = (name for name in names if name in dataset.variables and dataset[name].dims == (dim,))
    return next(found, None)


def _declared(dataset: xr.Dataset, x_name: str) -> str | None:
    """The coordinate system that the file states, as a text with an EPSG code, or None."""
    for key in ("crs", "point_crs"):
        text = str(dataset.attrs.get(key, ""))
        if re.search(r"EPSG\D{0,3}\d{4,5}", text, flags=re.IGNORECASE):
            return text
    for array in dataset.variables.values():
        if "epsg_code" in array.attrs:
            return str(array.attrs["epsg_code"])
        well_known = str(array.attrs.get("crs_wkt", array.attrs.get("spatial_ref", "")))
        # In well-known text the code of the whole system is the last one.
        codes = re.findall(r'(?:AUTHORITY|ID)\["EPSG",\s*"?(\d{4,5})', well_known)
        if codes:
            return f"EPSG:{codes[-1]}"
    units = str(dataset[x_name].attrs.get("units", ""))
    if x_name in ("lon", "longitude") or units.startswith("degree"):
        return "EPSG:4326"
    return None
