"""Weather in a table: a row per day and site, a column per element."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.crs import DEGREES, crs_text
from releo_da.io.dates import TimeOption, row_days
from releo_da.io.elements import Origin
from releo_da.io.location import METRES, places_of, unit_of
from releo_da.io.names import require
from releo_da.io.stencils import Stencil, site_stencil
from releo_da.io.table_pixels import PositionOption, pixel_places, row_pixels
from releo_da.io.tables import Style, number_column, read_rows, rows_where
from releo_da.io.weather_days import Daily, by_days
from releo_da.types import InputError

SITE_METHODS = ("nearest", "inverse")

FAR = 300e3
"""Metres from the nearest site beyond which a position must be wrong."""


def table_days(
    path: str,
    elements: Mapping[str, Origin],
    time: TimeOption,
    site: str | None,
    position: PositionOption | None,
    crs: str | None,
    select: Mapping[str, object] | None,
    style: Style,
    pixels: xr.Dataset,
    inverse: bool,
    where: str,
) -> Daily:
    """The numbers of a table by day and site, and the sites of each pixel.

    Args:
        path: of the table.
        elements: their columns; what the packing makes of them is left to the caller.
        time: column of dates, or how days are counted.
        site: column that names sites, or None: then positions tell them apart.
        position: where they lie; not needed of one site.
        crs: coordinate system of x and y.
        select: which rows are kept.
        style: how the table is written.
        pixels: the pixel axis.
        inverse: inverse-distance weights, else the nearest site.
        where: file, for messages.

    Raises:
        InputError: a column, date or position is wrong or missing, or a day comes twice.
    """
    table = rows_where(read_rows(path, style=style), select, where, "select")
    for name, origin in elements.items():
        require(origin.name, table.columns, f"{where}, elements.{name}", "column")
    columns = [number_column(table, o.name, where).to_numpy() for o in elements.values()]
    days = np.floor(row_days(table, time, where)).astype(np.int64)
    site_of, count = _sites(table, site, position, where)
    first, values = by_days(days, site_of, count, np.stack(columns, -1), where)
    if count == 1:
        size = pixels.sizes["pixel"]
        return Daily(first, values, Stencil(np.zeros((size, 1), np.intp), np.ones((size, 1))))
    if position is None:
        raise InputError(
            f"{where}: {count} sites and nothing says where they lie; add 'position: {{lon: .., "
            "lat: ..}', or keep one site by 'select'"
        )
    found, system = pixel_places(table, position, crs, site_of, count, where)
    return Daily(first, values, _nearest(found, system, pixels, inverse, where))


def _sites(
    table: pd.DataFrame, site: str | None, position: PositionOption | None, where: str
) -> tuple[NDArray[np.intp], int]:
    """The site of each row, and their number; without names, by position."""
    if site is not None:
        ids, _, index = row_pixels(table, site, where)
        return index, len(ids)
    if not isinstance(position, Mapping):
        return np.zeros(len(table), np.intp), 1
    columns = [c for c in position.values() if isinstance(c, str)]
    if not columns:
        return np.zeros(len(table), np.intp), 1
    held = np.stack([number_column(table, c, f"{where}, position").to_numpy() for c in columns], -1)
    unique, index = np.unique(held, axis=0, return_inverse=True)
    return index.ravel(), len(unique)


def _nearest(
    found: Mapping[str, NDArray], system: str | None, pixels: xr.Dataset, inverse: bool, where: str
) -> Stencil:
    """Sites of each pixel by distance, in metres where the coordinate systems are known."""
    x, y = (found["lon"], found["lat"]) if "lon" in found else (found["x"], found["y"])
    if "lon" in found:
        system = DEGREES
    sites = xr.Dataset(
        coords={"id": ("pixel", np.arange(x.size)), "x": ("pixel", x), "y": ("pixel", y)},
        attrs={"kind": "point", **({"crs": crs_text(system)} if system else {})},
    )
    unknown = f"{where}: nothing says where the pixels lie, and there are {x.size} sites"
    try:
        same = unit_of(pixels) == unit_of(sites)
    except InputError:
        raise InputError(f"{unknown}; give the source a position, or keep one site") from None
    if not same:
        raise InputError(
            f"{where}: the coordinate system of {'the sites' if not system else 'the source'} is "
            "not known; add 'crs: EPSG:...' to it"
        )
    at, from_sites = _placed(pixels, unknown), _placed(sites, f"{where}: a site has no position")
    stencil, distance = site_stencil(from_sites, at, inverse)
    if unit_of(pixels) == METRES and distance.max() > FAR:
        far = int(np.argmax(distance))
        raise InputError(
            f"{where}: pixel {int(pixels['id'].values[far])} is {distance[far] / 1000:.0f} km from "
            "the nearest site; check the position of both (order and sign of lon and lat)"
        )
    return stencil


def _placed(axis: xr.Dataset, unknown: str) -> NDArray[np.float64]:
    """Places of all pixels or sites, ``[n, dimension]``."""
    found = places_of(axis)(torch.as_tensor(axis["id"].values)).numpy()
    if not np.isfinite(found).all():
        raise InputError(f"{unknown}; correct it")
    return found
