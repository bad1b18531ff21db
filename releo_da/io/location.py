"""Where pixels lie in space, for what needs the distance between them.

Where the coordinate system is known, a place is the point on the ellipsoid in Cartesian coordinates
(`releo_da.io.crs.earth_centred`), so distances are metres whatever the map, no zone has to be
chosen, and the place of a pixel depends on nothing but itself. Without a coordinate system a place
is x and y as the file has them, or else column and row of the grid.

Of a grid every id has a place, also one that no run holds; of points those of the run have one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from releo_da.io.crs import earth_centred, to_lonlat
from releo_da.types import InputError

Array = NDArray[np.float64]

METRES, MAP, CELLS = "metres", "the unit of x and y", "rows and columns"
"""What distances between pixels are measured in."""


def unit_of(pixels: xr.Dataset) -> str:
    """What the distances of a pixel axis are measured in: METRES, MAP or CELLS.

    Raises:
        InputError: nothing says where the pixels lie.
    """
    if pixels.attrs.get("crs"):
        return METRES
    if "grid_x" in pixels or "x" in pixels:
        return str(pixels.attrs.get("unit", MAP))
    if pixels.attrs.get("kind") == "grid":
        return CELLS
    raise InputError(
        "source: nothing says where its points lie, and 'neighbours' or 'correlated' need it; use "
        "a file with x and y (of a table the option 'position'), or leave both out"
    )


def places_of(pixels: xr.Dataset) -> Callable[[Tensor], Tensor]:
    """The places of ids, ``[id] -> [id, dimension]`` float64, NaN where nothing is known.

    Args:
        pixels: the axis of a series (`releo_da.io.series.Series`).

    Raises:
        InputError: nothing says where the pixels lie, or not of every point.
    """
    if pixels.attrs.get("kind") == "grid":
        return _of_grid(pixels)
    unit_of(pixels)
    ids = pixels["id"].values
    known = _points(pixels["x"].values, pixels["y"].values, pixels)
    missing = np.flatnonzero(~np.isfinite(known).all(-1))
    if missing.size:
        raise InputError(
            f"source: nothing says where pixel {ids[missing[0]]} lies ({missing.size} in all), "
            "and 'neighbours' or 'correlated' need it; mend x and y, or leave these pixels out"
        )
    order = np.argsort(ids)
    ids, known = ids[order], known[order]

    def places(wanted: Tensor) -> Tensor:
        asked = wanted.cpu().numpy()
        row = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
        return torch.from_numpy(np.where((ids[row] == asked)[:, None], known[row], np.nan))

    return places


def _of_grid(pixels: xr.Dataset) -> Callable[[Tensor], Tensor]:
    """Places of the ids ``row * width + column`` of a grid."""
    height, width = int(pixels.attrs["height"]), int(pixels.attrs["width"])
    if unit_of(pixels) == CELLS:
        x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    else:
        x, y = pixels["grid_x"].values, pixels["grid_y"].values

    def places(wanted: Tensor) -> Tensor:
        asked = wanted.cpu().numpy()
        inside = (asked >= 0) & (asked < height * width)
        row, column = np.divmod(np.where(inside, asked, 0), width)
        return torch.from_numpy(
            np.where(inside[:, None], _points(x[column], y[row], pixels), np.nan)
        )

    return places


def _points(x: Array, y: Array, pixels: xr.Dataset) -> Array:
    """Places of map coordinates, ``[pixel, 2]``, or ``[pixel, 3]`` where the system is known."""
    if not pixels.attrs.get("crs"):
        return np.stack([x, y], -1).astype(np.float64)
    return earth_centred(*to_lonlat(x, y, pixels.attrs["crs"]))
