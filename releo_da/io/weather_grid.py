"""Weather on a grid: variables along time, rows and columns; cells about the pixels are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.dates import TimeOption
from releo_da.io.elements import Origin
from releo_da.io.layout import variable
from releo_da.io.names import require
from releo_da.io.overlay import overlay
from releo_da.io.stencils import Stencil
from releo_da.io.stores import opened_series
from releo_da.io.times import to_days
from releo_da.io.weather_days import Daily, by_days
from releo_da.types import InputError


def grid_days(
    paths: Sequence[str],
    elements: Mapping[str, Origin],
    time: TimeOption,
    pixels: xr.Dataset,
    crs: str | None,
    linear: bool,
    where: str,
) -> Daily:
    """The numbers of a grid by day and cell, and the cells of each pixel.

    Args:
        paths: files that are joined along time.
        elements: their variables; what the packing makes of them is left to the caller.
        time: name of the axis of time.
        pixels: the pixel axis.
        crs: coordinate system of the grid where the file does not say it.
        linear: bilinear, else the nearest cell.
        where: file, for messages.

    Raises:
        InputError: a variable or axis is not there, a day comes twice, or pixels lie outside.
    """
    if not isinstance(time, str):
        raise InputError(f"{where}: time: of a grid it is the name of an axis, found {time}")
    with opened_series(list(paths), time) as (dataset, _):
        require(time, dataset.sizes, f"{where}, time", "axis")
        stamps = dataset[time].values if time in dataset.variables else np.empty(0)
        if stamps.dtype.kind != "M":
            raise InputError(
                f"{where}: '{time}' holds no times; give it the attribute units, such as 'days "
                "since 1970-01-01'"
            )
        arrays = [_map(dataset, origin.name, time, where) for origin in elements.values()]
        for array in arrays[1:]:
            if array.dims != arrays[0].dims:
                raise InputError(
                    f"{where}: '{arrays[0].name}' and '{array.name}' have other dimensions; write "
                    "an entry of 'weather' for each"
                )
        under = overlay(dataset, str(arrays[0].name), pixels, crs, linear, where)
        used, cell = np.unique(under.stencil.cell, return_inverse=True)
        numbers = np.stack([under.cells(a).astype(np.float64)[:, used] for a in arrays], -1)
    days = np.floor(to_days(stamps)).astype(np.int64)
    rows = numbers.reshape(-1, len(arrays))
    place = np.tile(np.arange(used.size), days.size)
    first, values = by_days(np.repeat(days, used.size), place, used.size, rows, where)
    stencil = Stencil(cell.reshape(under.stencil.cell.shape), under.stencil.weight)
    return _of_land(Daily(first, values, stencil), pixels, where)


def _map(dataset: xr.Dataset, name: str, time: str, where: str) -> xr.DataArray:
    """A variable as time, rows and columns."""
    array = variable(dataset, name, [str(d) for d in dataset.sizes], f"{where}, elements")
    array = array.squeeze([d for d in array.dims if array.sizes[d] == 1 and array.ndim > 3])
    if array.ndim != 3 or time not in array.dims:
        raise InputError(
            f"{where}: '{name}' has the dimensions {tuple(array.dims)}; weather has time, rows and "
            "columns"
        )
    return array.transpose(time, ...)


def _of_land(daily: Daily, pixels: xr.Dataset, where: str) -> Daily:
    """Cells that never have a number, as those of the sea, are left out of means."""
    alive = np.asarray(np.isfinite(daily.values).any(0).all(-1))
    if alive.all():
        return daily
    cell, weight = daily.stencil.cell, daily.stencil.weight * alive[daily.stencil.cell]
    total = weight.sum(1, keepdims=True)
    lost = np.flatnonzero(total[:, 0] <= 0)
    if lost.size:
        raise InputError(
            f"{where}: no weather at {lost.size} of {len(total)} pixels, such as pixel "
            f"{int(pixels['id'].values[lost[0]])}: the cells about them never have a number; use "
            "'interpolate: linear', or a grid that covers them"
        )
    order: NDArray[np.intp] = np.cumsum(alive) - 1
    kept = Stencil(np.where(weight > 0, order[cell], 0), weight / total)
    return Daily(daily.first, daily.values[:, alive], kept)
