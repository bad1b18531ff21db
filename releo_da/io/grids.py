"""Which pixels of a grid are estimated: a window, every n-th row and column, a land mask.

    window: {x: [475000, 476000], y: [5255000, 5256000]}     in coordinates, or
    window: {rows: [0, 99], columns: [50, 149]}              by position, counted from 0
    stride: 10                                               rows and columns 0, 10, 20, ...
    mask: {path: landcover.nc, variable: class, values: [1, 2]}

Limits belong to the window. Strides count from the first row and column of the file, so that a
window does not change which pixels they mean. Ids of pixels always refer to the whole grid: a run
over a window gives the very numbers that a run over the whole map has there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.layout import Layout, variable
from releo_da.io.masks import Rule, holds
from releo_da.io.names import require
from releo_da.io.netcdf import opened
from releo_da.io.tables import beside
from releo_da.types import InputError

Positions = dict[str, NDArray[np.intp]]
KEYS = ("x", "y", "rows", "columns")
MASK_KEYS = ("path", "variable", "values")


def narrowed(
    positions: Positions,
    dataset: xr.Dataset,
    layout: Layout,
    window: Mapping[str, Sequence[float]] | None,
    stride: int,
) -> Positions:
    """Positions along rows and columns that lie in the window and on the stride.

    Args:
        positions: along time and space, as `releo_da.io.reading.selected` gives them.
        dataset: the file.
        layout: of the file.
        window: limits, or None.
        stride: 1 keeps all.

    Raises:
        InputError: a limit is none, or nothing lies within.
    """
    if stride < 1:
        raise InputError(f"{layout.where('stride')}: {stride}; give 1 or more")
    row_axis, column_axis = layout.space
    kept = dict(positions)
    for axis in layout.space:
        kept[axis] = kept[axis][kept[axis] % stride == 0]
    for key, limits in (window or {}).items():
        where = layout.where(f"window.{key}")
        require(key, KEYS, layout.where("window"), "axis")
        if isinstance(limits, str) or len(limits) != 2 or not limits[0] <= limits[1]:
            raise InputError(f"{where}: '{limits}' are no limits; write [first, last]")
        axis = row_axis if key in ("y", "rows") else column_axis
        numbers: NDArray = np.arange(dataset.sizes[axis])
        if key in ("x", "y"):
            if axis not in dataset.variables:
                raise InputError(
                    f"{where}: the file has no coordinate '{axis}'; give "
                    f"'{'rows' if key == 'y' else 'columns'}' by position"
                )
            numbers = dataset[axis].values
        inside = (numbers >= limits[0]) & (numbers <= limits[1])
        kept[axis] = kept[axis][inside[kept[axis]]]
        if kept[axis].size == 0:
            raise InputError(
                f"{where}: no pixel lies in {list(limits)}; the file has "
                f"{numbers.min():g} to {numbers.max():g}, the stride is {stride}"
            )
    if any(kept[axis].size == 0 for axis in layout.space):
        raise InputError(f"{layout.where('stride')}: {stride} and 'select' leave no pixel")
    return kept


def land(
    mask: Mapping[str, object] | None, dataset: xr.Dataset, layout: Layout
) -> NDArray[np.bool_] | None:
    """True where a pixel of the grid is estimated, ``[row, column]``; None where all are.

    The mask lies on the same grid, or covers it with the same pixels.

    Args:
        mask: ``{path: .., variable: .., values: rule}``; a rule as of `releo_da.io.masks`.
        dataset: the file of the grid.
        layout: of the file.

    Raises:
        InputError: the mask cannot be read, lies on another grid, or leaves nothing.
    """
    if mask is None:
        return None
    where = layout.where("mask")
    for key in mask:
        require(key, MASK_KEYS, where, "option")
    for key in MASK_KEYS:
        if key not in mask:
            raise InputError(f"{where}: '{key}' is missing; write {{path, variable, values}}")
    path = beside(str(mask["path"]), layout.path)
    rule: Rule = mask["values"]  # type: ignore[assignment]
    with opened(path) as file:
        name = mask["variable"]
        array = variable(file, name, [str(d) for d in file.sizes], f"{where}.variable").squeeze(
            drop=True
        )
        array = _in_order(array, layout, f"{where}: {path}")
        array = _aligned(array, dataset, layout, f"{where}: {path}")
        kept = holds(rule, array.load(), f"{where}.values").values
    if not kept.any():
        raise InputError(f"{where}: no pixel of {path} has the values {mask['values']}")
    return np.asarray(kept, dtype=bool)


def compact(positions: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Positions at equal steps as a slice, which files are read by faster."""
    if positions.size == 1:
        return slice(int(positions[0]), int(positions[0]) + 1)
    steps = np.diff(positions)
    if positions.size and np.all(steps == steps[0]) and steps[0] > 0:
        return slice(int(positions[0]), int(positions[-1]) + 1, int(steps[0]))
    return positions


def _in_order(array: xr.DataArray, layout: Layout, where: str) -> xr.DataArray:
    """The mask as rows and columns under the names that the grid gives them."""
    if array.ndim != 2:
        raise InputError(
            f"{where}: '{array.name}' has the dimensions {tuple(array.dims)}; a mask has rows and "
            "columns and nothing else"
        )
    if set(array.dims) == set(layout.space):
        return array.transpose(*layout.space)
    return array.rename(dict(zip(array.dims, layout.space, strict=True)))


def _aligned(array: xr.DataArray, dataset: xr.Dataset, layout: Layout, where: str) -> xr.DataArray:
    """The part of the mask that covers the grid, pixel on pixel."""
    for axis in layout.space:
        size = dataset.sizes[axis]
        if axis in array.coords and axis in dataset.variables:
            mine, theirs = dataset[axis].values.astype(float), array[axis].values.astype(float)
            step = abs(mine[-1] - mine[0]) / max(size - 1, 1) or 1.0
            order = np.argsort(theirs)
            place = np.searchsorted(theirs[order], mine - 0.5 * step).clip(max=theirs.size - 1)
            if np.any(np.abs(theirs[order[place]] - mine) > 0.05 * step):
                raise InputError(
                    f"{where}: its pixels along '{axis}' are not those of the grid; resample the "
                    "mask to the grid of the data first"
                )
            array = array.isel({axis: order[place]})
        elif array.sizes[axis] != size:
            raise InputError(
                f"{where}: it has {array.sizes[axis]} pixels along '{axis}', the grid {size}; "
                "give it coordinates, or cut it to the grid"
            )
    return array
