"""Field measurements beside the pixels: a CSV table joined by pixel or by position.

Each row of the table is one measurement. It belongs to the pixel it names, or to the nearest pixel
within a radius of its coordinates, and to its time; rows without value or pixel are left out and
counted. A row that equals an earlier one in every column is the same measurement once more, not
another one: it is left out and counted as well. A table of growth stages can be joined "as of": a
row gets the latest rating of its parcel at or before its own time, so that scores can be given for
the stages of interest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from releo_da.io.crs import crs_text, earth_centred, refuse_no_latitude, to_lonlat
from releo_da.io.names import listed, require
from releo_da.io.tables import beside, number_column, read_rows, rows_where, text_column
from releo_da.io.times import to_days
from releo_da.types import InputError

STAGE_KEYS = ("path", "column", "time", "by", "where")


class InSitu(NamedTuple):
    """Measurements on the pixel axis of a run.

    Attributes:
        variable: the state or derived variable that was measured.
        pixel_index: ``[row]`` int64, position on the pixel axis.
        time: ``[row]`` days since 1970-01-01; a date without time of day is its midnight.
        value: ``[row]`` in the variable's unit.
        row: ``[row]`` int64, number of the row in the table, from 0 below the header.
        within_days: how far an estimate may lie from the measurement in time.
        stage: ``[row]`` growth stage, NaN where there is none, or None where no table was given.
        log: what was left out and why.
    """

    variable: str
    pixel_index: NDArray[np.int64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    row: NDArray[np.int64]
    within_days: float
    stage: NDArray[np.float64] | None
    log: list[dict[str, Any]]


def read_in_situ(
    path: str | Path,
    variable: str,
    column: str,
    time: str,
    pixels: xr.Dataset,
    pixel: str | None = None,
    x: str | None = None,
    y: str | None = None,
    radius: float | None = None,
    crs: str | None = None,
    where: dict[str, object] | None = None,
    scale: float = 1.0,
    within_days: float = 8.0,
    stage: dict[str, object] | None = None,
) -> InSitu:
    """Read a table of measurements and join it to the pixels.

    Args:
        path: CSV table with a header row.
        variable: the variable that was measured, as in ``lai``.
        column: of the values.
        time: column of dates or times, ISO 8601, UTC.
        pixels: the pixel axis, `Series.pixels`.
        pixel: column of pixel ids, or of names where the pixels have names; or, instead of it,
        x: column of eastings or longitudes,
        y: column of northings or latitudes,
        radius: and the farthest distance in metres to the centre of the pixel.
        crs: coordinate system of x and y, as in EPSG:2154; that of the pixels unless given.
        where: rows to keep, ``{column: value | [values] | {min: .., max: ..}}``.
        scale: value = scale * number.
        within_days: passed on to the scores.
        stage: ``{path: .., column: .., time: .., by: [parcel], where: ..}``, a table of growth
            stages; `by` are the columns of both tables that must agree.

    Raises:
        InputError: the file, a column, a number or a date is wrong, the join is not defined, or no
            row meets a pixel.
    """
    key = f"{path}: in_situ"
    table = rows_where(read_rows(path), where, key)
    value = number_column(table, column, key).to_numpy() * scale
    days = _times(table, time, str(path))
    if pixel is not None and x is None and y is None:
        index = _by_id(table, pixel, pixels, key)
    elif pixel is None and x is not None and y is not None:
        index = _by_position(table, x, y, radius, crs, pixels, key)
    else:
        raise InputError(f"{key}: give either 'pixel', or 'x', 'y' and 'radius'")
    reasons = {
        "repeated": table.duplicated().to_numpy(),
        "without value": ~np.isfinite(value),
        "without time": np.isnan(days),
        "without pixel": index < 0,
    }
    used, counts = _kept(reasons, key)
    rated = None if stage is None else _stages(stage, table[used], days[used], str(path))
    log = [{"kind": "in_situ", "path": str(path), "column": column, **counts}]
    row = table.index.to_numpy(dtype=np.int64)[used]
    return InSitu(
        variable, index[used], days[used], value[used], row, float(within_days), rated, log
    )


def _kept(
    reasons: Mapping[str, NDArray[np.bool_]], key: str
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Rows that no reason leaves out, and how many each does; a row counts for its first reason."""
    used = np.ones(len(next(iter(reasons.values()))), dtype=bool)
    counts = {"rows": len(used)}
    for reason, wrong in reasons.items():
        counts[reason] = int((used & wrong).sum())
        used &= ~wrong
    counts["used"] = int(used.sum())
    if not used.any():
        raise InputError(
            f"{key}: no row meets a pixel ({listed(f'{n} {name}' for name, n in counts.items())}); "
            "check the join, its radius and crs, and 'where'"
        )
    return used, counts


def _times(table: pd.DataFrame, column: str, path: str) -> NDArray[np.float64]:
    """Days since 1970-01-01 of a column, NaN where the cell is empty."""
    require(column, table.columns, f"{path}: in_situ", "column")
    stamps = pd.to_datetime(table[column], errors="coerce", utc=True, format="ISO8601")
    wrong = table.index[stamps.isna() & table[column].notna()]
    if len(wrong):
        raise InputError(
            f"{path}, line {wrong[0] + 2}: '{table[column][wrong[0]]}' in the column '{column}' "
            "is not a date; write it as 2018-03-31 or 2018-03-31T10:50:00"
        )
    return to_days(stamps.dt.tz_localize(None).to_numpy())


def _by_id(table: pd.DataFrame, column: str, pixels: xr.Dataset, key: str) -> NDArray[np.int64]:
    """Position on the pixel axis of the names or ids in a column, -1 where there is none."""
    if "label" in pixels.coords:
        names = pd.Index(pixels["label"].values.astype(str))
        return names.get_indexer(text_column(table, column, key).astype(str)).astype(np.int64)
    wanted = number_column(table, column, key).to_numpy()
    ids = pixels["id"].values
    order = np.argsort(ids)
    place = np.searchsorted(ids, wanted, sorter=order).clip(max=ids.size - 1)
    return np.where(ids[order[place]] == wanted, order[place], -1).astype(np.int64)


def _by_position(
    table: pd.DataFrame,
    x: str,
    y: str,
    radius: float | None,
    crs: str | None,
    pixels: xr.Dataset,
    key: str,
) -> NDArray[np.int64]:
    """Position on the pixel axis of the nearest pixel within the radius, -1 where none is."""
    if radius is None or not radius > 0:
        raise InputError(f"{key}: a join by x and y needs 'radius', a distance in metres above 0")
    if "x" not in pixels.coords or "crs" not in pixels.attrs:
        raise InputError(
            f"{key}: the coordinate system of the pixels is not known; "
            "add 'crs: EPSG:...' to their source, or join by 'pixel'"
        )
    east, north = (number_column(table, name, key).to_numpy() for name in (x, y))
    try:
        system = pixels.attrs["crs"] if crs is None else crs_text(crs)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None
    refuse_no_latitude(north, system, f"{key}, {y}")
    index = np.full(len(table), -1, dtype=np.int64)
    rows = np.flatnonzero(np.isfinite(east) & np.isfinite(north))
    places = earth_centred(*to_lonlat(east[rows], north[rows], system))
    # A point series may hold points without coordinates.
    known = np.flatnonzero(np.isfinite(pixels["lon"].values) & np.isfinite(pixels["lat"].values))
    if rows.size and known.size:
        grid = earth_centred(pixels["lon"].values[known], pixels["lat"].values[known])
        on_earth = np.isfinite(places).all(1)
        distance, nearest = cKDTree(grid).query(places[on_earth])
        index[rows[on_earth]] = np.where(distance <= radius, known[nearest], -1)
    return index


def _stages(
    stage: Mapping[str, object], rows: pd.DataFrame, days: NDArray[np.float64], path: str
) -> NDArray[np.float64]:
    """Latest rating of the row's parcel at or before its time, NaN where there is none, ``[row]``.

    A row dated without time of day sees the ratings of its whole day.
    """
    key = f"{path}: key 'stage'"
    for name in stage:
        require(name, STAGE_KEYS, key, "option")
    for name in STAGE_KEYS[:4]:
        if name not in stage:
            raise InputError(f"{key}: '{name}' is missing; a table of stages needs it")
    rules = stage.get("where")
    if rules is not None and not isinstance(rules, Mapping):
        raise InputError(f"{key}: 'where' must be {{column: value}}, found '{rules}'")
    source = beside(str(stage["path"]), path)
    ratings = rows_where(read_rows(source, key), rules, f"{key}: {source}")
    by = stage["by"] if isinstance(stage["by"], list | tuple) else [stage["by"]]
    for column in by:
        require(column, ratings.columns, f"{key}: {source}", "column")
        require(column, rows.columns, f"{key}: {path}", "column")
    value = number_column(ratings, str(stage["column"]), f"{key}: {source}").to_numpy()
    rated = _times(ratings, str(stage["time"]), str(source))
    order = np.argsort(rated, kind="stable")
    order = order[np.isfinite(value[order]) & np.isfinite(rated[order])]
    parcels = list(zip(*(ratings[column].astype(str) for column in by), strict=True))
    wanted = list(zip(*(rows[column].astype(str) for column in by), strict=True))
    until = np.where(days == np.floor(days), np.nextafter(days + 1, -np.inf), days)
    result = np.full(len(rows), np.nan)
    for position, (parcel, end) in enumerate(zip(wanted, until, strict=True)):
        earlier = [i for i in order if parcels[i] == parcel and rated[i] <= end]
        if earlier:
            result[position] = value[earlier[-1]]
    return result
