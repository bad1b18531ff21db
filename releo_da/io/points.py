"""Reader of point series: netCDF or Zarr, reflectances along pixel, time and channel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from releo_da.io.angles import Option
from releo_da.io.auxiliary import FieldOption
from releo_da.io.by_date import ByDate, whole
from releo_da.io.content import Content
from releo_da.io.dates import TimeOption
from releo_da.io.errors import ErrorOption
from releo_da.io.masks import Rule
from releo_da.io.missing import fills
from releo_da.io.periods import CompositeOption
from releo_da.io.place import point_pixels
from releo_da.io.platforms import SensorOption
from releo_da.io.reading import selected
from releo_da.io.source import channels_of, opened_source
from releo_da.io.stores import PathOption
from releo_da.io.times import Moment
from releo_da.io.values import VALID, Name, Numbers


def open_points(
    path: PathOption,
    sensor: SensorOption,
    values: str | dict[str, str],
    dims: dict[str, str],
    channels: dict[str, Name] | None = None,
    clear: dict[str, Rule] | None = None,
    angles: dict[str, Option] | None = None,
    select: dict[str, object] | None = None,
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
) -> ByDate:
    """Read a series of points; their ids are their positions in the file, from 0.

    Args:
        path: netCDF file or Zarr store (a folder or a .zip); a pattern with * or a list, of files
            that are joined along time.
        sensor: name or path of a file, or ``{from: variable along time, its value: name, ...}``.
        values: the variable of reflectances, or ``{agency's name: variable}`` where every channel
            is a variable of its own.
        dims: ``{pixel: .., time: .., channel: ..}``, the dimensions of `values` in any order.
            No channel where every channel is a variable.
        channels: ``{agency's name: name in the file}``, its number (a wavelength; the nearest is
            meant) where the axis has numbers, or its position where the file has no names; their
            order is that of the channel axis. None where `values` names the channels.
        clear: rules of `releo_da.io.masks`; all must hold.
        angles: sources of `releo_da.io.angles`; the sun is computed and the view is nadir where
            they are not given.
        select: rules of `releo_da.io.selection` on coordinates along time or points.
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
        The points, of which nothing but their places was read; `read_points`, with the same
        arguments, gives their series, with all selected points whether seen or not.

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
    opening = partial(opened_source, path, dims, ("pixel",), values, time, overpass, composite)
    with opening() as (dataset, layout):
        positions = selected(dataset, layout, select, period)
        points = positions[layout.space[0]]
        part = dataset.isel({layout.space[0]: points})
        pixels = point_pixels(part, layout, points.astype("int64"), crs)
        return ByDate(opening, layout, positions, content, pixels)


read_points = whole(open_points)
