"""Reader of gridded cubes: a netCDF file of reflectances along y, x, time and channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from releo_da.io.angles import Option
from releo_da.io.grids import compact, land, narrowed
from releo_da.io.layout import make_layout
from releo_da.io.masks import Rule
from releo_da.io.netcdf import opened
from releo_da.io.place import grid_pixels
from releo_da.io.platforms import SensorOption
from releo_da.io.reading import Content, assemble, selected
from releo_da.io.series import Series
from releo_da.io.times import Moment
from releo_da.io.values import VALID


def read_cube(
    path: str | Path,
    sensor: SensorOption,
    values: str,
    dims: dict[str, str],
    channels: dict[str, str | int],
    clear: dict[str, Rule] | None = None,
    angles: dict[str, Option] | None = None,
    select: dict[str, object] | None = None,
    window: dict[str, Sequence[float]] | None = None,
    stride: int = 1,
    mask: dict[str, object] | None = None,
    period: Sequence[Moment] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    valid: Sequence[float] = VALID,
    duplicates: str = "best",
    product: str | None = None,
    crs: str | None = None,
) -> Series:
    """Read a grid as the pixels seen at least once, row after row; ids are row * width + column.

    Args:
        path: netCDF file.
        sensor: name or path of a file, or ``{from: variable along time, its value: name, ...}``.
        values: the variable of reflectances.
        dims: ``{y: .., x: .., time: .., channel: ..}``, the dimensions of `values` in any order.
        channels: ``{agency's name: name in the file}``, or its position where the file has no
            names; their order is that of the channel axis.
        clear: rules of `releo_da.io.masks`; all must hold.
        angles: sources of `releo_da.io.angles`; the sun is computed and the view is nadir where
            they are not given.
        select: rules of `releo_da.io.selection` on coordinates along time, rows or columns.
        window: ``{x: [..], y: [..]}`` in coordinates or ``{rows: [..], columns: [..]}`` by
            position, first and last of each; the rest of the grid is not estimated.
        stride: every so many-th row and column, counted from the first of the file.
        mask: ``{path: .., variable: .., values: [..]}``, pixels of a map on the same grid that are
            estimated.
        period: first and last date, both included.
        scale: reflectance = scale * number + offset, after the file's own CF packing.
        offset: see `scale`.
        valid: reflectances outside (low, high] are rejected and counted.
        duplicates: which of several products of one pass `drop_duplicates` keeps: best, first,
            last or all.
        product: variable along time that names the products; ``product_uri`` where there is one,
            else the time.
        crs: coordinate system of x and y where the file does not say it, as in EPSG:32632.

    Returns:
        The series over the pixels with at least one value in the period; ids refer to the whole
        grid of the file, also where `select` crops it.

    Raises:
        InputError: file, name, rule or sensor is wrong, or nothing is left to assimilate.
    """
    content = Content(
        sensor, values, channels, clear, angles, scale, offset, valid, duplicates, product
    )
    with opened(path) as dataset:
        layout = make_layout(str(path), dims, ("y", "x", "time", "channel"), dataset)
        positions = selected(dataset, layout, select, period)
        positions = narrowed(positions, dataset, layout, window, stride)
        wanted = land(mask, dataset, layout)
        grid = grid_pixels(dataset, layout, crs)
        rows, columns = (positions[dim] for dim in layout.space)
        flat = (rows[:, None] * dataset.sizes[layout.space[1]] + columns).ravel()
        pixels = grid.isel(pixel=np.asarray(flat))
        given = None if wanted is None else wanted.ravel()[None, flat]
        part = dataset.isel({dim: compact(kept) for dim, kept in positions.items()})
        return assemble(part, layout, pixels, content, given)
