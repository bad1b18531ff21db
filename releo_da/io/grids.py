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

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.layout import Layout, variable
from releo_da.io.masks import Rule, holds
from releo_da.io.names import require
from releo_da.io.netcdf import opened
from releo_da.io.place import X_NAMES, Y_NAMES
from releo_da.io.tables import beside
from releo_da.types import InputError

Positions = dict[str, NDArray[np.intp]]
KEYS = ("x", "y", "rows", "columns")
MASK_KEYS = ("path", "variable", "values")
ROWS = (*Y_NAMES, "row", "rows", "nrows")
COLUMNS = (*X_NAMES, "col", "cols", "column", "columns", "ncols")
"""What the axes of a mask may be called where the grid calls them otherwise, in small letters."""


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

    The mask lies on the same grid, or covers it with the same pixels. Its axes have the names of
    the grid's, or names such as lat and lon that say which are the rows.

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
    row_axis, column_axis = layout.space
    if set(array.dims) == set(layout.space):
        return array.transpose(*layout.space)
    down, across = (_named(array, names) for names in (ROWS, COLUMNS))
    first, second = array.dims
    if down is None and across is None:
        if array.sizes[first] == array.sizes[second]:
            raise InputError(
                f"{where}: its axes '{first}' and '{second}' do not say which are the rows; name "
                f"them '{row_axis}' and '{column_axis}' as in the grid"
            )
        down, across = first, second
    elif down is None:
        down = second if across == first else first
    elif across is None:
        across = second if down == first else first
    return array.rename({down: row_axis, across: column_axis}).transpose(*layout.space)


def _named(array: xr.DataArray, names: Sequence[str]) -> Hashable | None:
    """The axis of a mask that has one of some names, or None."""
    return next((dim for dim in array.dims if str(dim).lower() in names), None)


def _aligned(array: xr.DataArray, dataset: xr.Dataset, layout: Layout, where: str) -> xr.DataArray:
    """The part of the mask that covers the grid, pixel on pixel."""
    for axis in layout.space:
        size = dataset.sizes[axis]
        if axis in array.coords and axis in dataset.variables:
            mine, theirs = dataset[axis].values.astype(float), array[axis].values.astype(float)
            order = np.argsort(theirs)
            above = np.searchsorted(theirs[order], mine).clip(max=theirs.size - 1)
            below = (above - 1).clip(min=0)
            nearer = mine - theirs[order[below]] < theirs[order[above]] - mine
            place = order[np.where(nearer, below, above)]
            if np.any(np.abs(theirs[place] - mine) > 0.05 * _step(theirs, mine)):
                raise InputError(
                    f"{where}: its pixels along '{axis}' are not those of the grid; resample the "
                    "mask to the grid of the data first"
                )
            array = array.isel({axis: place})
        elif array.sizes[axis] != size:
            raise InputError(
                f"{where}: it has {array.sizes[axis]} pixels along '{axis}', the grid {size}; "
                "give it coordinates, or cut it to the grid"
            )
    return array


def _step(*axes: NDArray[np.float64]) -> float:
    """The smallest mean step of some axes; of single entries no more than their rounding."""
    steps = [abs(axis[-1] - axis[0]) / (axis.size - 1) for axis in axes if axis.size > 1]
    return min(steps) if steps else 1e-6 * float(max(np.abs(axis).max() for axis in axes))
