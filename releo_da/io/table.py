"""Reader of tables: a row per pixel and date, a column per channel, mask and angle.

    time, sensor, pixel columns -> [time, pixel] per sensor -> the same path as netCDF files

In the long form a row holds one channel, which a column names (`releo_da.io.table_dataset`).

Every sensor of a table has its own channels, which may come from the same columns (the column
``nir`` is B05 of one satellite and B8A of another), so each is read as a file of its own and the
series are merged. Rows of one pixel, sensor and time are several products of one pass. A pixel
without a row at a time is unseen there. Memory: ``[time, pixel]`` per column that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.io.angles import Option
from releo_da.io.auxiliary import FieldOption, with_fields
from releo_da.io.content import Content
from releo_da.io.dates import TimeOption, moments_of
from releo_da.io.errors import PARTS, ErrorOption
from releo_da.io.layout import Layout
from releo_da.io.masks import Rule
from releo_da.io.missing import fills
from releo_da.io.names import require
from releo_da.io.periods import CompositeOption
from releo_da.io.place import point_pixels
from releo_da.io.platforms import SensorOption, named_sensors, sensor_rule
from releo_da.io.reading import assemble
from releo_da.io.reading_log import NothingClear
from releo_da.io.selection import in_period
from releo_da.io.series import Series, merge
from releo_da.io.stores import PathOption
from releo_da.io.table_dataset import (
    CHANNEL,
    PIXEL,
    TIME,
    VALUES,
    LongOption,
    check_long,
    check_long_names,
    restricted,
    rows_of,
    table_dataset,
    with_length,
)
from releo_da.io.table_files import read_files
from releo_da.io.table_pixels import PositionOption, pixel_places, row_pixels
from releo_da.io.tables import Style, rows_where, text_column
from releo_da.io.times import Moment
from releo_da.io.values import VALID, Numbers
from releo_da.types import InputError


def read_table(
    path: PathOption,
    time: TimeOption,
    sensor: SensorOption,
    channels: dict[str, str | int | dict[str, str | int]],
    pixel: str | None = None,
    position: PositionOption | None = None,
    clear: dict[str, Rule] | None = None,
    angles: dict[str, Option] | None = None,
    overpass: str | int | None = None,
    select: dict[str, object] | None = None,
    period: Sequence[Moment] | None = None,
    fill: float | list[float] | None = None,
    scale: Numbers = 1.0,
    offset: Numbers = 0.0,
    valid: Sequence[float] = VALID,
    duplicates: str = "best",
    product: str | None = None,
    crs: str | None = None,
    long: LongOption | None = None,
    error: ErrorOption | None = None,
    composite: CompositeOption | None = None,
    auxiliary: dict[str, FieldOption] | None = None,
    separator: str = ",",
    header: bool | list[str] = True,
    comment: str | None = None,
    skip: int = 0,
    decimal: str = ".",
) -> Series:
    """Read a table of text or Parquet: one row per pixel and date, or per channel of these.

    Args:
        path: the table, or several files of the same columns, a pattern with * or a list;
            compressed text where a name ends in .gz, .bz2, .xz or .zip, (Geo)Parquet where it ends
            in .parquet, .geoparquet or .pq.
        time: column of ISO dates or of times, or how days are counted (`releo_da.io.dates`).
        sensor: name or path of a file, or ``{from: column, its value: name, ...}``.
        channels: ``{agency's name: column}``, or the same for each sensor by its name; the order
            is that of the channel axis.
        pixel: column that names the pixels; whole numbers are their ids, other names are numbered
            in alphabetical order. One pixel, number 0, where it is not given.
        position: ``{lon: .., lat: ..}``, degrees or columns, x and y with ``crs``, or a column of
            geometries in WKB (polygons by the mean of their vertices); that of a GeoParquet file
            unless given.
        clear: rules of `releo_da.io.masks` on columns; all must hold.
        angles: sources of `releo_da.io.angles`, columns or numbers; the sun is computed and the
            view is nadir where they are not given.
        overpass: approximate time of day of dates without one, "10:30" UTC, for the sun.
        select: rules of `releo_da.io.selection` on columns; rows that obey all are kept.
        period: first and last date, both included.
        fill: numbers that stand for a missing value.
        scale: reflectance = scale * number + offset, of all channels or ``{B04: .., B08: ..}``.
        offset: see `scale`.
        valid: reflectances outside (low, high] are rejected and counted.
        duplicates: which of several products of one pass `drop_duplicates` keeps: best, first,
            last or all.
        product: column that names the products, else the time.
        crs: coordinate system of x and y where the file does not say it, as in EPSG:32632.
        long: ``{channel: column, value: column}`` where each row is the value of one channel; the
            right sides of `channels` are then names in the first of these columns.
        error: ``{absolute: .., relative: .., from: column}``, or these for each channel, in the
            place of the noise of the sensor (`releo_da.io.errors`).
        composite: ``{days: 10}``, ``{end: column}`` or ``{calendar: dekad}`` where a date stands
            for a period; with ``change`` per day (`releo_da.io.periods`).
        auxiliary: elevation, slope, aspect, land_cover and weather of the pixels: columns,
            numbers or maps (`releo_da.io.auxiliary`).
        separator: of text: what stands between cells; a blank means any number of blanks or tabs.
        header: of text: whether the first row names the columns, or their names; false names them
            by their positions, "0", "1", ...
        comment: of text: character that begins a comment.
        skip: of text: number of lines before the table.
        decimal: of text: ``","`` where numbers have a decimal comma, as in 0,31.

    Returns:
        The series over all selected pixels, each sensor with its own channels.

    Raises:
        InputError: file, column, date, rule or sensor is wrong, or nothing is left to assimilate.
    """
    table, name = read_files(path, Style(separator, header, comment, skip, decimal))
    check_long(long, name)
    whole = rows_where(table, select, name, "select")
    ids, labels, index = row_pixels(whole, pixel, name)
    places, system = pixel_places(whole, position, crs, index, len(ids), name)
    coordinates = {axis: (PIXEL, numbers) for axis, numbers in places.items()}
    moments = moments_of(whole, time, overpass, composite, name)
    inside = in_period(moments.days, period, name)
    sensors = _row_sensors(whole.iloc[inside], sensor, name)
    missing = fills(fill)
    layout = Layout(name, TIME, (PIXEL,), CHANNEL)
    of_sensors = _channels_of(channels, sensors, name)
    known = list(dict.fromkeys(channel for named in of_sensors.values() for channel in named))

    def of_sensor(one: str, columns: dict[str, str]) -> Series:
        content = Content(
            one,
            VALUES,
            columns,
            clear,
            angles,
            _own(scale, columns, known, layout.where("scale"), {}),
            _own(offset, columns, known, layout.where("offset"), {}),
            (),
            valid,
            duplicates,
            product,
            _own(error, columns, known, layout.where("error")),
            _own_change(composite, columns, known, layout.where("composite")),
            auxiliary=auxiliary,
        )
        check_long_names(whole, long, columns, name)
        mine = inside[sensors == one]
        rows, used = rows_of(
            whole.iloc[mine], moments.days[mine], index[mine], len(ids), content, long, name
        )
        dataset = table_dataset(rows, content, missing, None if long is None else long["value"])
        dataset = with_length(dataset, rows, moments.length[mine[used]]).assign_coords(coordinates)
        pixels = point_pixels(dataset, layout, ids, system).assign_coords(labels)
        dataset = with_fields(dataset, layout, pixels, auxiliary)
        return assemble(dataset, layout, pixels, content, rows.given)

    return _clear_ones(of_sensor, of_sensors, name)


def _own(
    option: Any, mine: Mapping[str, str], known: Sequence[str], where: str, none: Any = None
) -> Any:
    """An option of one sensor: of one that goes by channel those of the sensor, or `none`."""
    if not isinstance(option, Mapping) or set(option) <= set(PARTS):
        return option
    return restricted(option, mine, known, where) or none


def _own_change(
    composite: CompositeOption | None, mine: Mapping[str, str], known: Sequence[str], where: str
) -> CompositeOption | None:
    """A composite whose change per day, where that goes by channel, is that of one sensor."""
    change = (composite or {}).get("change")
    if not isinstance(change, Mapping):
        return composite
    return {**(composite or {}), "change": restricted(change, mine, known, f"{where}, change")}


def _clear_ones(
    read: Callable[[str, dict[str, str]], Series],
    channels: Mapping[str, dict[str, str]],
    where: str,
) -> Series:
    """The series of all sensors with something clear as one; the log names those without."""
    series: list[Series] = []
    dark: list[NothingClear] = []
    for sensor, columns in channels.items():
        try:
            series.append(read(sensor, columns))
        except NothingClear as error:
            dark.append(error)
    if not series:
        raise NothingClear(str(dark[0]), [product for error in dark for product in error.products])
    merged = merge(series)
    told = [{"kind": "all_masked", "path": where, **error.told()} for error in dark]
    return merged._replace(log=[*merged.log, *told])


def _row_sensors(table: pd.DataFrame, option: SensorOption, where: str) -> NDArray[np.str_]:
    """Name of the sensor of each row."""
    if isinstance(option, str):
        return np.full(len(table), option)
    key = f"{where}: key 'sensor'"
    column, known = sensor_rule(option, key)
    platforms = text_column(table, column, f"{key}, 'from'")
    return np.array(named_sensors(platforms.tolist(), column, known, key))


def _channels_of(
    option: Mapping[str, str | int | Mapping[str, str | int]], sensors: NDArray, where: str
) -> dict[str, dict[str, str]]:
    """Columns by channel for each sensor that the table holds, in alphabetical order."""
    key = f"{where}: key 'channels'"
    present = sorted(set(sensors.tolist()))
    nested = {name: held for name, held in option.items() if isinstance(held, Mapping)}
    if nested and len(nested) < len(option):
        raise InputError(
            f"{key}: some entries are channels and some are sensors; write {{B04: column}} for all "
            "sensors or {sensor: {B04: column}} for each"
        )
    if not nested:
        whole = {str(name): str(held) for name, held in option.items()}
        return {sensor: whole for sensor in present}
    for sensor in present:
        require(sensor, nested, key, "entry for the sensor")
    return {s: {str(name): str(held) for name, held in nested[s].items()} for s in present}
