"""Daily weather of pixels: read once, kept at its sites, with the weights of sites for each pixel.

    weather:
      path: weather.csv                              a table, or a netCDF file or Zarr store
      time: date                                     column of days (`releo_da.io.dates`); of a grid
                                                     the coordinate, "time" unless given
      elements: {temperature: tmean, radiation: {from: rad, scale: 0.0864}}
      site: station                                  column that names sites; one site without it
      position: {lon: lon, lat: lat}                 where they lie; not needed of one site
      interpolate: inverse                           or nearest; of grids nearest or linear

A list of such entries reads elements from several files with the same sites. Values are kept as
``[day, site, element]``, whatever the number of pixels (`releo_da.types.Weather`); of a grid only
the cells about the pixels are sites. Days are those of the file, from 0 to 24 h of its own clock.
Gaps of up to `SHORT` days are filled by interpolation in time and logged; longer ones within the
period of the run are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.dates import TimeOption
from releo_da.io.elements import ElementOption, check_element, check_order, origins
from releo_da.io.missing import fills
from releo_da.io.overlay import METHODS, check_method
from releo_da.io.table_pixels import PositionOption
from releo_da.io.tables import Style
from releo_da.io.times import isoformat
from releo_da.io.weather_days import Daily, completed
from releo_da.io.weather_grid import grid_days
from releo_da.io.weather_table import SITE_METHODS, table_days
from releo_da.io.zarr_store import is_zarr
from releo_da.types import InputError, Weather

GRIDS = (".nc", ".nc4", ".cdf", ".h5", ".hdf5")
"""Endings of files that are grids; Zarr stores are as well, everything else is a table."""


def read_weather(
    path: str | list[str],
    elements: dict[str, ElementOption],
    pixels: xr.Dataset,
    period: Sequence[float] | None = None,
    time: TimeOption = "time",
    site: str | None = None,
    position: PositionOption | None = None,
    crs: str | None = None,
    interpolate: str = "nearest",
    select: dict[str, object] | None = None,
    fill: float | list[float] | None = None,
    separator: str = ",",
    header: bool | list[str] = True,
    comment: str | None = None,
    skip: int = 0,
    decimal: str = ".",
) -> tuple[Weather, dict[str, Any]]:
    """Read daily weather and bind it to pixels.

    Args:
        path: table of text or Parquet, or netCDF file or Zarr store; of grids also several files,
            joined along time.
        elements: ``{element: column or variable}``, or ``{element: {from: .., scale: ..,
            offset: ..}}``; see `releo_da.io.elements` for their names and units.
        pixels: the pixel axis of a series.
        period: first and last day that must be there, days since 1970-01-01.
        time: column of dates, or how days are counted (`releo_da.io.dates`); of a grid the name of
            its time axis.
        site: of a table, column that names its sites.
        position: of a table, where its sites lie: ``{lon: .., lat: ..}``, x and y with ``crs``.
        crs: coordinate system of the sites or of the grid where the file does not say it.
        interpolate: between sites ``nearest`` or ``inverse`` (distances squared, of four sites);
            in a grid ``nearest`` or ``linear``.
        select: rules of `releo_da.io.selection` on columns of a table; rows that obey all are kept.
        fill: numbers that stand for a missing value.
        separator: of text: what stands between cells.
        header: of text: whether the first row names the columns, or their names.
        comment: of text: character that begins a comment.
        skip: of text: number of lines before the table.
        decimal: of text: ``","`` where numbers have a decimal comma.

    Returns:
        The weather, and a record for the log.

    Raises:
        InputError: a file, column, element, unit, date or site is wrong, days are missing, or
            pixels lie outside the grid.
    """
    paths = [str(one) for one in path] if isinstance(path, list) else [str(path)]
    where = f"{paths[0]}: weather"
    wanted = origins(elements, f"{where}, elements")
    missing = fills(fill)
    if all(map(is_grid, paths)):
        check_method(interpolate, METHODS, where)
        _refuse(where, "a grid", site=site, position=position, select=select)
        daily = grid_days(paths, wanted, time, pixels, crs, interpolate == "linear", where)
    else:
        check_method(interpolate, SITE_METHODS, where)
        if len(paths) > 1:
            raise InputError(f"{where}: {len(paths)} tables; write an entry of 'weather' for each")
        style = Style(separator, header, comment, skip, decimal)
        daily = table_days(
            paths[0], wanted, time, site, position, crs, select, style, pixels,
            interpolate == "inverse", where,
        )  # fmt: skip
    raw = np.where(np.isin(daily.values, missing), np.nan, daily.values)
    values = np.stack([o(raw[..., k]) for k, o in enumerate(wanted.values())], -1)
    for k, (name, origin) in enumerate(wanted.items()):
        check_element(values[..., k], name, origin, where)
    check_order({name: values[..., k] for k, name in enumerate(wanted)}, where)
    daily, filled = completed(daily._replace(values=values), tuple(wanted), period, where)
    weather = _bound(daily, tuple(wanted), pixels)
    last = daily.first + len(daily.values) - 1
    first, final = (isoformat(float(day))[:10] for day in (daily.first, last))
    message = f"{', '.join(wanted)} at {daily.values.shape[1]} sites, {first} to {final}"
    if filled:
        message += f"; {filled} single values in gaps of up to three days were interpolated"
    return weather, {"kind": "weather", "path": paths[0], "filled": filled, "message": message}


def is_grid(path: object) -> bool:
    """Whether a path is read as a grid, not as a table."""
    named = Path(str(path))
    return is_zarr(named) or named.suffix.lower() in GRIDS


def joined_weather(parts: Sequence[Weather], where: str) -> Weather:
    """One record of several files that hold other elements of the same sites.

    Args:
        parts: bound to the same pixels.
        where: key, for messages.

    Raises:
        InputError: sites differ, an element comes twice, or no day is in all of them.
    """
    one = parts[0]
    names = [name for part in parts for name in part.elements]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{where}: several files give {twice[0]}; name it in one of them")
    for part in parts[1:]:
        same = part.values.shape[1] == one.values.shape[1] and torch.equal(part.site, one.site)
        if not same or not torch.allclose(part.weight, one.weight):
            raise InputError(
                f"{where}: the files hold other sites; bring all elements of one place into one "
                "file, or files with the same sites"
            )
    first = max(part.first for part in parts)
    last = min(part.first + len(part.values) for part in parts)
    if first >= last:
        raise InputError(f"{where}: no day is in all files; give files of one period")
    values = [part.values[first - part.first : last - part.first] for part in parts]
    return one._replace(first=first, elements=tuple(names), values=torch.cat(values, -1))


def _bound(daily: Daily, elements: tuple[str, ...], pixels: xr.Dataset) -> Weather:
    """The record in float32, pixels by ascending id."""
    ids = pixels["id"].values
    order = np.argsort(ids, kind="stable")
    latitude = None
    if "lat" in pixels.coords:
        latitude = torch.from_numpy(site_latitude(daily, pixels["lat"].values))
    return Weather(
        int(daily.first),
        elements,
        torch.from_numpy(daily.values.astype(np.float32)),
        torch.from_numpy(ids[order].astype(np.int64)),
        torch.from_numpy(daily.stencil.cell[order].astype(np.int64)),
        torch.from_numpy(daily.stencil.weight[order].astype(np.float32)),
        latitude,
    )


def site_latitude(daily: Daily, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean latitude of the pixels of each site by their weights, ``[site]``; NaN where none is.

    Args:
        daily: weather with the sites of each pixel.
        latitude: ``[pixel]`` degrees north, NaN where unknown.
    """
    cell, weight = daily.stencil.cell, daily.stencil.weight
    known = np.where(np.isfinite(latitude)[:, None], weight, 0.0)
    counts = daily.values.shape[1]
    total = np.bincount(cell.ravel(), known.ravel(), counts)
    degrees = np.nan_to_num(latitude)[:, None] * known
    summed = np.bincount(cell.ravel(), degrees.ravel(), counts)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)


def _refuse(where: str, kind: str, **given: Mapping[str, object] | str | None) -> None:
    """Refuse options that a file of this kind does not have."""
    for name, option in given.items():
        if option is not None:
            raise InputError(
                f"{where}: '{name}' is an option of tables and this is {kind}; remove it"
            )
