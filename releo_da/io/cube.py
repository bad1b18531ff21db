"""Reader of gridded cubes: netCDF or Zarr, reflectances along y, x, time and channel.

A cube that fits into memory is read at once (`read_cube`). Of a larger one rows are read on demand
(`Cube.read`), strip by strip: a strip is a whole number of the file's chunks high, so that no
chunk is decompressed twice, and it stays in memory while its rows are asked for. Where one row of
chunks is more than `STRIP` bytes, it is read in several strips, and decompressed for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.angles import Option
from releo_da.io.auxiliary import FieldOption, with_fields
from releo_da.io.by_date import ByDate, whole
from releo_da.io.content import Content, with_named
from releo_da.io.dates import TimeOption
from releo_da.io.errors import ErrorOption
from releo_da.io.grids import Positions, compact, land, narrowed
from releo_da.io.layout import Layout
from releo_da.io.limits import check_room
from releo_da.io.masks import Rule
from releo_da.io.missing import fills
from releo_da.io.periods import CompositeOption
from releo_da.io.place import Grid, grid_of
from releo_da.io.platforms import SensorOption
from releo_da.io.reading import assemble, selected
from releo_da.io.series import Series
from releo_da.io.source import channels_of, opened_source
from releo_da.io.stores import PathOption
from releo_da.io.times import Moment
from releo_da.io.values import VALID, Name, Numbers

STRIP = 256 * 2**20
"""Bytes of a strip in memory."""


@dataclass
class Cube:
    """A cube on disk, of which rows are read on demand.

    Attributes:
        opening: opens its files, with times along the time axis.
        layout: its axes.
        positions: along time, rows and columns, that are kept.
        content: what is read of it and how.
        grid: the whole grid.
        wanted: ``[row, column]`` of the whole grid, what is estimated; None means all.
        strip: rows that are read at once.
    """

    opening: Callable[[], AbstractContextManager[tuple[xr.Dataset, Layout]]]
    layout: Layout
    positions: Positions
    content: Content
    grid: Grid
    wanted: NDArray[np.bool_] | None
    strip: int
    _rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    _held: xr.Dataset | None = None

    @property
    def rows(self) -> NDArray[np.intp]:
        """Positions of the rows that are kept."""
        return self.positions[self.layout.space[0]]

    @property
    def columns(self) -> NDArray[np.intp]:
        """Positions of the columns that are kept."""
        return self.positions[self.layout.space[1]]

    @property
    def size(self) -> int:
        """Number of values of the cube: times, pixels and channels."""
        times = self.positions[self.layout.time].size
        return times * self.rows.size * self.columns.size * len(self.content.channels)

    def series(self) -> Series:
        """All of it, over the pixels with at least one value.

        Raises:
            InputError: as `open_cube`.
        """
        return self.by_date().series()

    def by_date(self) -> ByDate:
        """All of it, to be read one date after the other."""
        rows, columns = self.rows, self.columns
        pixels, given = self.grid.pixels(rows, columns), self._given(rows, columns)
        return ByDate(self.opening, self.layout, self.positions, self.content, pixels, given)

    def read(self, rows: NDArray[np.intp]) -> Series:
        """Some rows of it, in ascending order: every time and every column, seen or not.

        Raises:
            InputError: as `open_cube`.
        """
        row_axis = self.layout.space[0]
        if self._held is None or not np.isin(rows, self._rows).all():
            self._held = None
            strips = np.unique(rows // self.strip)
            self._rows = self.rows[np.isin(self.rows // self.strip, strips)]
            self._check_room(len(self._rows))
            kept = {**self.positions, row_axis: self._rows}
            with self.opening() as (dataset, _):
                named = with_named(dataset, self.layout, self.content)
                part = named.isel({dim: compact(k) for dim, k in kept.items()}).load()
            self._held = self._with_fields(part, self._rows)
        part = self._held.isel({row_axis: compact(np.searchsorted(self._rows, rows))})
        return self.assembled(part, rows, self.columns, False)

    def piece(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> xr.Dataset:
        """Some pixels, as the file has them, of the strip that was read last."""
        if self._held is None:
            raise ValueError("no strip is in memory; read some rows first")
        row_axis, column_axis = self.layout.space
        place = np.searchsorted(self._rows, rows), np.searchsorted(self.columns, columns)
        return self._held.isel({row_axis: place[0], column_axis: place[1]})

    def _check_room(self, rows: int) -> None:
        times, columns = (self.positions[a].size for a in (self.layout.time, self.layout.space[1]))
        check_room(self.layout.path, rows * times * columns * len(self.content.channels))

    def _with_fields(self, part: xr.Dataset, rows: NDArray[np.intp]) -> xr.Dataset:
        if not self.content.auxiliary:
            return part
        pixels = self.grid.pixels(rows, self.columns)
        return with_fields(part, self.layout, pixels, self.content.auxiliary)

    def assembled(
        self,
        part: xr.Dataset,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        whole: bool,
    ) -> Series:
        """The series of pixels that are in memory; see `releo_da.io.reading.assemble`."""
        pixels, given = self.grid.pixels(rows, columns), self._given(rows, columns)
        return assemble(part, self.layout, pixels, self.content, given, whole)

    def _given(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_] | None:
        """What of some rows and columns is estimated, ``[1, pixel]``; None where all of it is."""
        if self.wanted is None:
            return None
        return self.wanted[np.ix_(rows, columns)].reshape(1, -1)


def open_cube(
    path: PathOption,
    sensor: SensorOption,
    values: str | dict[str, str],
    dims: dict[str, str],
    channels: dict[str, Name] | None = None,
    clear: dict[str, Rule] | None = None,
    angles: dict[str, Option] | None = None,
    select: dict[str, object] | None = None,
    window: dict[str, Sequence[float]] | None = None,
    stride: int = 1,
    mask: dict[str, object] | None = None,
    period: Sequence[Moment] | None = None,
    scale: Numbers = 1.0,
    offset: Numbers = 0.0,
    valid: Sequence[float] = VALID,
    duplicates: str = "best",
    product: str | None = None,
    crs: str | None = None,
    fill: float | list[float] | None = None,
    labels: str | None = None,
    time: TimeOption | None = None,
    overpass: str | int | None = None,
    error: ErrorOption | None = None,
    composite: CompositeOption | None = None,
    auxiliary: dict[str, FieldOption] | None = None,
) -> Cube:
    """Read a grid as the pixels seen at least once, row after row; ids are row * width + column.

    Args:
        path: netCDF file or Zarr store (a folder or a .zip); a pattern with * or a list, of files
            that are joined along time.
        sensor: name or path of a file, or ``{from: variable along time, its value: name, ...}``.
        values: the variable of reflectances, or ``{agency's name: variable}`` where every channel
            is a variable of its own.
        dims: ``{y: .., x: .., time: .., channel: ..}``, the dimensions of `values` in any order.
            No channel where every channel is a variable.
        channels: ``{agency's name: name in the file}``, its number (a wavelength; the nearest is
            meant) where the axis has numbers, or its position where the file has no names; their
            order is that of the channel axis. None where `values` names the channels.
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
        scale: reflectance = scale * number + offset, after the file's own CF packing; of all
            channels or ``{B04: .., B08: ..}``.
        offset: see `scale`.
        valid: reflectances outside (low, high] are rejected and counted.
        duplicates: which of several products of one pass `drop_duplicates` keeps: best, first,
            last or all.
        product: variable along time that names the products; ``product_uri`` where there is one,
            else the time.
        crs: coordinate system of x and y where the file does not say it, as in EPSG:32632.
        fill: numbers that stand for a missing value, after the file's own CF packing.
        labels: variable along the channel axis that names the channels, such as their wavelengths.
        time: variable along time of texts or times, how days are counted (`releo_da.io.dates`), or
            ``{file: "%Y%m%d"}``, the date in the name of each file.
        overpass: approximate time of day of dates without one, "10:30" UTC, for the sun.
        error: ``{absolute: .., relative: .., from: variable}``, or these for each channel, in the
            place of the noise of the sensor (`releo_da.io.errors`).
        composite: ``{days: 10}``, ``{end: variable}`` or ``{calendar: dekad}`` where a date stands
            for a period; with ``change`` per day (`releo_da.io.periods`).
        auxiliary: elevation, slope, aspect, land_cover and weather of the pixels: variables,
            numbers or maps (`releo_da.io.auxiliary`).

    Returns:
        The cube, of which nothing but axes and the mask was read; `read_cube`, with the same
        arguments, gives its series.

    Raises:
        InputError: file, name, rule or sensor is wrong, or nothing is left to assimilate.
    """
    content = Content(
        sensor,
        values,
        channels_of(values, channels, path, labels),
        clear,
        angles,
        scale,
        offset,
        fills(fill),
        valid,
        duplicates,
        product,
        error,
        composite,
        labels,
        auxiliary,
    )
    opening = partial(opened_source, path, dims, ("y", "x"), values, time, overpass, composite)
    with opening() as (dataset, layout):
        positions = selected(dataset, layout, select, period)
        positions = narrowed(positions, dataset, layout, window, stride)
        named = with_named(dataset, layout, content)
        return Cube(
            opening,
            layout,
            positions,
            content,
            grid_of(dataset, layout, crs),
            land(mask, dataset, layout),
            _strip_rows(named, layout, positions),
        )


read_cube = whole(open_cube)


def _strip_rows(named: xr.Dataset, layout: Layout, positions: Positions) -> int:
    """Rows of a strip: whole chunks where they fit into `STRIP` bytes, else a part of one."""
    row_axis, per_row, chunk = layout.space[0], 0, 1
    for array in named.variables.values():
        if row_axis in array.dims:
            others = [
                positions[str(d)].size if d in positions else named.sizes[d]
                for d in array.dims
                if d != row_axis
            ]
            per_row += int(np.prod(others)) * max(array.dtype.itemsize, 4)
            height = array.encoding.get("preferred_chunks", {}).get(row_axis, 1)
            if array.chunks:  # of several files, or a store
                height = dict(zip(array.dims, array.chunks, strict=True))[row_axis][0]
            chunk = max(chunk, int(height))
    fitting = max(STRIP // max(per_row, 1), 1)
    if chunk <= fitting:
        return fitting // chunk * chunk
    return -(-chunk // -(-chunk // fitting))
