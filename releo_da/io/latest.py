"""The latest products of a cycling run as one data set that fits in memory, however large the map.

    pixels of a product     at most SHARED / number of products, every so many-th of the map
    memory                  SHARED values of each layer, twice while they are joined; one layer of
                            one product at a time is read whole

Pixels of a map are thinned by rows and columns (`releo_da.io.products.read_thinned`), points by
place in the last product, so that a point is drawn at all its dates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from releo_da.io.netcdf import opened
from releo_da.io.products import DRAWN, read_thinned
from releo_da.types import InputError

SHARED = 2**21
"""Pixels times dates, about, that all products together are thinned to."""


def read_latest(paths: Sequence[Path]) -> tuple[xr.Dataset | None, list[str]]:
    """Products of one date each, in their order, as one data set along time.

    Args:
        paths: of the products, the last one with all the points.

    Returns:
        The data set, None where there is none; and what is wrong with those that are damaged, which
        are left out.
    """
    most = min(DRAWN, SHARED // max(len(paths), 1))
    parts: list[xr.Dataset] = []
    wrong: list[str] = []
    chosen: np.ndarray | None = None
    for path in reversed(paths):
        try:
            part = read_thinned(path, most=most) if _gridded(path) else _points(path, chosen, most)
        except InputError as error:
            wrong.append(str(error))
            continue
        if chosen is None and "point" in part.dims:
            chosen = part["point"].values
        parts.append(part)
    if not parts:
        return None, wrong[::-1]
    found = xr.concat(  # pixels that joined later are missing before
        parts[::-1],
        "time",
        data_vars="minimal",
        coords="minimal",
        compat="no_conflicts",
        join="outer",
    )
    return found, wrong[::-1]


def _gridded(path: Path) -> bool:
    with opened(path) as held:
        return "point" not in held.dims


def _points(path: Path, chosen: np.ndarray | None, most: int) -> xr.Dataset:
    """Those of some ids, or every so many-th, of a product of points."""
    with opened(path) as held:
        if chosen is None:
            chosen = held["point"].values[:: math.ceil(held.sizes["point"] / most)]
        rows = np.flatnonzero(np.isin(held["point"].values, chosen))
        small = held.isel(point=rows)
        for name, array in held.data_vars.items():
            if "point" in array.dims:  # whole layers are decompressed, one at a time
                picked = array.values.take(rows, array.dims.index("point"))
                small[name] = (array.dims, picked, array.attrs)
        return small.load()
