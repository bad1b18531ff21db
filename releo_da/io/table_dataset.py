"""The rows of one sensor as a data set along time and pixel, as if a file had held it.

In the long form a row is one value: a column names its channel and another one holds it, and masks
and errors are those of the channel. Angles of a long table are means over its channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.angles import AUXILIARY
from releo_da.io.auxiliary import own_columns
from releo_da.io.content import LENGTH, Content
from releo_da.io.errors import error_rules, sources
from releo_da.io.names import require, require_in_file
from releo_da.io.reading_log import NothingClear
from releo_da.io.rows import Rows, spread_rows
from releo_da.io.tables import text_column
from releo_da.io.times import from_days
from releo_da.types import InputError

TIME, PIXEL, CHANNEL, VALUES = "<time>", "<pixel>", "<channel>", "<values>"
"""Axes and variable of the data set in memory; no column is called so."""

LongOption = dict[str, str]
"""``{channel: column of names, value: column of values}``."""


def check_long(option: Mapping[str, str] | None, where: str) -> None:
    """Refuse a long form that does not name its two columns.

    Raises:
        InputError: it names others.
    """
    if option is not None and set(option) != {"channel", "value"}:
        raise InputError(
            f"{where}: key 'long': {dict(option)} is no long form; write "
            "{channel: <column of names>, value: <column of values>}"
        )


def rows_of(
    table: pd.DataFrame,
    days: NDArray[np.float64],
    pixel: NDArray[np.intp],
    pixels: int,
    content: Content,
    long: Mapping[str, str] | None,
    where: str,
) -> tuple[Rows, NDArray[np.intp]]:
    """The places of the rows of one sensor, and which of them they are.

    Args:
        table: the rows.
        days: ``[row]``.
        pixel: ``[row]`` place on the pixel axis.
        pixels: length of that axis.
        content: what is read of them.
        long: the option, or None of a wide table.
        where: the file, for messages.

    Raises:
        InputError: there is no such column.
        NothingClear: no row has one of the channels.
    """
    if long is None:
        return spread_rows(table, days, pixel, pixels, where), np.arange(len(table))
    names = _names(content)
    channel = pd.Index(names).get_indexer(text_column(table, long["channel"], _key(where, "long")))
    used = np.flatnonzero(channel >= 0)
    if not used.size:
        raise NothingClear(
            f"{where}: key 'long': no row of {content.sensor} in the period has one of the "
            f"channels {', '.join(names)}; check 'channels' and 'period'"
        )
    table = table.iloc[used]
    product = None
    if content.product is not None:
        product = text_column(table, content.product, _key(where, "product"))
    rows = spread_rows(
        table, days[used], pixel[used], pixels, where, channel[used], len(names), product
    )
    return rows, used


def check_long_names(
    table: pd.DataFrame, long: Mapping[str, str] | None, channels: Mapping[str, str], where: str
) -> None:
    """Refuse channels that the column of names never has.

    Raises:
        InputError: with the names that it has.
    """
    if long is not None:
        names = sorted(set(text_column(table, long["channel"], _key(where, "long"))))
        require_in_file(channels, names, where, "channel")


def table_dataset(
    rows: Rows, content: Content, missing: Sequence[float], value: str | None
) -> xr.Dataset:
    """The columns that are used, as variables along time and pixel.

    Args:
        rows: of one sensor.
        content: what is read of them.
        missing: numbers that stand for a missing value.
        value: the column of values of a long table, None of a wide one.

    Raises:
        InputError: a column is missing or holds something else than numbers.
    """
    names, where = _names(content), rows.where
    axes = (TIME, PIXEL) if value is None else (TIME, PIXEL, CHANNEL)
    if value is None:
        require_in_file(content.channels, rows.table.columns, where, "column")
        columns = [rows.numbers(name, _key(where, "channels"), missing) for name in names]
        values = np.stack(columns, -1)
    else:
        values = rows.numbers(value, _key(where, "long"), missing)
    variables: dict[str, tuple[tuple[str, ...], NDArray]] = {
        VALUES: ((TIME, PIXEL, CHANNEL), values)
    }
    for column in content.clear or {}:
        variables[column] = (axes, rows.numbers(column, _key(where, f"clear.{column}"), ()))
    rules = error_rules(content.error, tuple(content.channels), _key(where, "error"))
    for column in sources(rules):
        variables[column] = (axes, rows.numbers(column, _key(where, "error"), missing))
    for key, option in (content.angles or {}).items():
        place = _key(where, f"angles.{key}")
        if option == AUXILIARY:
            continue
        if isinstance(option, str):
            variables[option] = ((TIME, PIXEL), rows.of_pixels(option, place, missing))
        elif isinstance(option, Mapping):
            by = option.get("by", ())
            for name in map(str, by if isinstance(by, list | tuple) else [by]):
                variables[name] = ((TIME,), rows.texts(name, place))
    for key, column in own_columns(content.auxiliary).items():
        place = _key(where, f"auxiliary.{key}")
        variables[column] = ((TIME, PIXEL), rows.of_pixels(column, place, missing))
    if content.product is not None:
        variables[content.product] = ((TIME,), rows.texts(content.product, _key(where, "product")))
    times = from_days(rows.days).astype("datetime64[ns]")
    return xr.Dataset(variables, {TIME: times, CHANNEL: names})


def restricted(
    option: Mapping[str, object], mine: Mapping[str, object], known: Sequence[str], where: str
) -> dict[str, object]:
    """The entries of an option by channel that belong to one of several sensors.

    Raises:
        InputError: an entry belongs to none of them.
    """
    for name in option:
        require(name, known, where, "channel")
    return {name: part for name, part in option.items() if name in mine}


def with_length(dataset: xr.Dataset, rows: Rows, length: NDArray[np.float64]) -> xr.Dataset:
    """The data set with the length of the periods, ``[row]`` days, along time."""
    return dataset.assign({LENGTH: (TIME, rows.of_time(length))})


def _names(content: Content) -> list[str]:
    """Columns of a wide table, or names of channels of a long one, each once."""
    return list(dict.fromkeys(str(name) for name in content.channels.values()))


def _key(where: str, key: str) -> str:
    return f"{where}: key '{key}'"
