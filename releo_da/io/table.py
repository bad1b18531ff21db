"""Reader of tables: a row per pixel and date, a column per channel, mask and angle.

    time, sensor, pixel columns -> [time, pixel] per sensor -> the same path as netCDF files

Every sensor of a table has its own channels, which may come from the same columns (the column
``nir`` is B05 of one satellite and B8A of another), so each is read as a file of its own and the
series are merged. Rows of one pixel, sensor and time are several products of one pass. A pixel
without a row at a time is unseen there. Memory: ``[time, pixel]`` per column that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.angles import Option
from releo_da.io.dates import TimeOption, row_days
from releo_da.io.layout import Layout
from releo_da.io.masks import Rule
from releo_da.io.names import require, require_in_file
from releo_da.io.place import point_pixels
from releo_da.io.platforms import SensorOption, named_sensors, sensor_rule
from releo_da.io.reading import Content, NothingClear, assemble
from releo_da.io.rows import Rows, spread_rows
from releo_da.io.selection import in_period
from releo_da.io.series import Series, merge
from releo_da.io.table_pixels import PositionOption, pixel_places, row_pixels
from releo_da.io.tables import Style, read_rows, rows_where, text_column
from releo_da.io.times import Moment, from_days
from releo_da.io.values import VALID
from releo_da.types import InputError

TIME, PIXEL, CHANNEL, VALUES = "<time>", "<pixel>", "<channel>", "<values>"
"""Axes and variable of the data set in memory; no column is called so."""


def read_table(
    path: str | Path,
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
    scale: float = 1.0,
    offset: float = 0.0,
    valid: Sequence[float] = VALID,
    duplicates: str = "best",
    product: str | None = None,
    crs: str | None = None,
    separator: str = ",",
    header: bool | list[str] = True,
    comment: str | None = None,
    skip: int = 0,
) -> Series:
    """Read a table of text or Parquet: one row per pixel and date.

    Args:
        path: the table; compressed text where its name ends in .gz, .bz2, .xz or .zip, (Geo)Parquet
            where it ends in .parquet, .geoparquet or .pq.
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
        scale: reflectance = scale * number + offset.
        offset: see `scale`.
        valid: reflectances outside (low, high] are rejected and counted.
        duplicates: which of several products of one pass `drop_duplicates` keeps: best, first,
            last or all.
        product: column that names the products, else the time.
        crs: coordinate system of x and y where the file does not say it, as in EPSG:32632.
        separator: of text: what stands between cells; a blank means any number of blanks or tabs.
        header: of text: whether the first row names the columns, or their names; false names them
            by their positions, "0", "1", ...
        comment: of text: character that begins a comment.
        skip: of text: number of lines before the table.

    Returns:
        The series over all selected pixels, each sensor with its own channels.

    Raises:
        InputError: file, column, date, rule or sensor is wrong, or nothing is left to assimilate.
    """
    name = str(path)
    table = rows_where(
        read_rows(path, style=Style(separator, header, comment, skip)), select, name, "select"
    )
    ids, labels, index = row_pixels(table, pixel, name)
    places, system = pixel_places(table, position, crs, index, len(ids), name)
    coordinates = {axis: (PIXEL, numbers) for axis, numbers in places.items()}
    days = row_days(table, time, overpass, name)
    inside = in_period(days, period, name)
    table, days, index = table.iloc[inside], days[inside], index[inside]
    sensors = _row_sensors(table, sensor, name)
    missing = [fill] if isinstance(fill, int | float) else list(fill or [])
    layout = Layout(name, TIME, (PIXEL,), CHANNEL)

    def of_sensor(one: str, columns: dict[str, str]) -> Series:
        content = Content(
            one, VALUES, columns, clear, angles, scale, offset, valid, duplicates, product
        )
        mine = np.flatnonzero(sensors == one)
        rows = spread_rows(table.iloc[mine], days[mine], index[mine], len(ids), name)
        dataset = _dataset(rows, content, missing).assign_coords(coordinates)
        pixels = point_pixels(dataset, layout, ids, system).assign_coords(labels)
        return assemble(dataset, layout, pixels, content, rows.given)

    return _clear_ones(of_sensor, _channels_of(channels, sensors, name), name)


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


def _dataset(rows: Rows, content: Content, missing: Sequence[float]) -> xr.Dataset:
    """The columns that are used, as variables along time and pixel."""
    columns = list(dict.fromkeys(str(column) for column in content.channels.values()))
    where = rows.where
    require_in_file(content.channels, rows.table.columns, where, "column")
    values = [rows.numbers(column, f"{where}: key 'channels'", missing) for column in columns]
    variables: dict[str, tuple[tuple[str, ...], NDArray]] = {
        VALUES: ((TIME, PIXEL, CHANNEL), np.stack(values, -1))
    }
    for column in content.clear or {}:
        numbers = rows.numbers(column, f"{where}: key 'clear.{column}'", ())
        variables[column] = ((TIME, PIXEL), numbers)
    for key, option in (content.angles or {}).items():
        place = f"{where}: key 'angles.{key}'"
        if isinstance(option, str):
            variables[option] = ((TIME, PIXEL), rows.numbers(option, place, missing))
        elif isinstance(option, Mapping):
            by = option.get("by", ())
            for name in map(str, by if isinstance(by, list | tuple) else [by]):
                variables[name] = ((TIME,), rows.texts(name, place))
    if content.product is not None:
        texts = rows.texts(content.product, f"{where}: key 'product'")
        variables[content.product] = ((TIME,), texts)
    times = from_days(rows.days).astype("datetime64[ns]")
    return xr.Dataset(variables, {TIME: times, CHANNEL: columns})


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
