"""Sun and view angles of every pixel at every time: the option ``angles``.

    angles:
      sun_zenith: sun_zen              a variable of the file, along any of time and space
      view_zenith: 5.0                 a number of degrees
      view_azimuth: {table: angles.csv, by: [relative_orbit], column: azimuth, where: {farm: A}}
      slope: slope                     inclination of the ground, with aspect, the way it faces
      aspect: auxiliary                the field of that name of the option ``auxiliary``

Sun angles that are not given are computed from time and position; where no view angle is given the
sensor looks straight down. Of the azimuths only their difference matters, folded to [0, 180]; it
may be given itself as ``relative_azimuth``. Where the ground has a slope all three angles are those
about its normal (`releo_da.io.geometry`); then both azimuths are needed, not only their difference.
Level ground needs no aspect, which maps leave empty there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.auxiliary import FIELDS, in_memory
from releo_da.io.geometry import sun_position, viewing, viewing_on_slope
from releo_da.io.layout import Layout, flat, variable
from releo_da.io.missing import without_fill
from releo_da.io.names import listed, require
from releo_da.io.tables import beside, number_column, read_rows, rows_where
from releo_da.types import InputError

KEYS = (
    "sun_zenith",
    "sun_azimuth",
    "view_zenith",
    "view_azimuth",
    "relative_azimuth",
    "slope",
    "aspect",
)
Option = str | float | Mapping[str, object]

RADIANS = {
    "sun_zenith": np.pi / 2,
    "sun_azimuth": 2 * np.pi,
    "view_azimuth": 2 * np.pi,
    "relative_azimuth": np.pi,
}
"""Sizes within which a whole series of angles keeps in radians, and does not in degrees."""

OTHERWISE = ", or leave the key out and the sun is computed"
VARIED = 3
"""Distinct azimuths, from which on their spread says something of their unit."""

AUXILIARY = "auxiliary"
"""In the place of a variable: the static field of the same name."""


def angles_of(
    angles: Mapping[str, Option] | None,
    dataset: xr.Dataset,
    layout: Layout,
    days: NDArray[np.float64],
    pixels: xr.Dataset,
    fill: Sequence[float] = (),
    seen: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Sun zenith, view zenith and relative azimuth in degrees, ``[time, pixel, 3]``; NaN unknown.

    Args:
        angles: the option.
        dataset: the selected part of the file.
        layout: of the file.
        days: ``[time]`` days since 1970-01-01.
        pixels: with ``lon`` and ``lat`` where the sun is to be computed.
        fill: numbers of a variable that stand for a missing angle.
        seen: ``[time, pixel]`` where the angles are used, to judge their unit; None where these are
            some rows of a map, which may lie wholly in the sea.

    Raises:
        InputError: an unknown key, a variable, table, column or row that does not exist, angles
            that are no degrees, an azimuth that is needed and missing, or a sun without position.
    """
    angles = dict(angles or {})
    where = layout.where("angles")
    for key in angles:
        require(key, KEYS, where, "angle")
    _check(angles, where)
    given = {key: _resolve(option, key, dataset, layout, fill) for key, option in angles.items()}
    if seen is not None:
        read = {k: d for k, d in given.items() if not isinstance(angles[k], int | float)}
        _check_units(read, seen, layout)
    by_azimuths = "slope" in given or ("view_azimuth" in given and "relative_azimuth" not in given)
    if "sun_zenith" not in given or (by_azimuths and "sun_azimuth" not in given):
        zenith, azimuth = _sun(layout, days, pixels)
        given = {"sun_zenith": zenith, "sun_azimuth": azimuth} | given
    nothing = np.zeros_like(given["sun_zenith"])
    view = given.get("view_zenith", nothing), given.get("view_azimuth", nothing)
    if "slope" in given:
        sun = given["sun_zenith"], given["sun_azimuth"]
        aspect = np.where(given["slope"] == 0, 0.0, given["aspect"])
        return viewing_on_slope(*sun, *view, given["slope"], aspect)
    if by_azimuths:
        relative = given["sun_azimuth"] - given["view_azimuth"]
    else:
        relative = given.get("relative_azimuth", nothing)
    return viewing(given["sun_zenith"], view[0], relative)


def _check(angles: Mapping[str, Option], where: str) -> None:
    """Refuse angles that need another one which is not given."""
    if "view_zenith" in angles and not {"view_azimuth", "relative_azimuth"} & set(angles):
        raise InputError(
            f"{where}: view_zenith is given without its azimuth; "
            "add view_azimuth or relative_azimuth"
        )
    if ("slope" in angles) != ("aspect" in angles):
        raise InputError(f"{where}: slope and aspect need each other; give both or neither")
    if "slope" in angles and "relative_azimuth" in angles:
        raise InputError(
            f"{where}: on a slope it matters where sun and sensor stand, not only the angle "
            "between them; give view_azimuth (and sun_azimuth) in place of relative_azimuth"
        )


def _sun(layout: Layout, days: NDArray, pixels: xr.Dataset) -> tuple[NDArray, NDArray]:
    """Sun zenith and azimuth ``[time, pixel]`` computed from time and position."""
    if "lon" not in pixels.coords:
        if "x" in pixels.coords:
            lacking = "the coordinate system of x and y is not known; add 'crs: EPSG:...'"
        else:
            lacking = (
                "the position of the pixels is not known; add 'position: {lon: .., lat: ..}' to a "
                "table, coordinates x and y to a netCDF file"
            )
        raise InputError(
            f"{layout.where('angles')}: the sun angles are not given and cannot be computed, "
            f"because {lacking}, or sun_zenith and sun_azimuth under 'angles'"
        )
    return sun_position(days[:, None], pixels["lon"].values, pixels["lat"].values)


def _resolve(
    option: Option, key: str, dataset: xr.Dataset, layout: Layout, fill: Sequence[float]
) -> NDArray[np.float64]:
    """One angle as ``[time, pixel]`` in degrees."""
    where = layout.where(f"angles.{key}")
    if isinstance(option, bool) or not isinstance(option, str | int | float | Mapping):
        raise InputError(
            f"{where}: '{option}' is not an angle; give the name of a variable, a number of "
            "degrees, or {table: .., by: [..], column: ..}"
        )
    if option == AUXILIARY and key in FIELDS:
        if in_memory(key) not in dataset.variables:
            raise InputError(
                f"{where}: 'auxiliary' has no {key}; add 'auxiliary: {{{key}: ..}}' to the source"
            )
        array = dataset[in_memory(key)]
    elif isinstance(option, str):
        array = variable(dataset, option, (layout.time, *layout.space), where)
    elif isinstance(option, Mapping):
        array = xr.DataArray(_from_table(option, dataset, layout, where), dims=layout.time)
    else:
        array = xr.DataArray(float(option))
    return without_fill(flat(array, layout, dataset), fill if isinstance(option, str) else ())


def _check_units(
    given: Mapping[str, NDArray[np.float64]], seen: NDArray[np.bool_], layout: Layout
) -> None:
    """Refuse angles of a file that are written in radians or hundredths of degrees.

    The sun of a whole series is nowhere within 1.6 degrees of the zenith, and azimuths do not keep
    within 6.3 degrees of north, nor their differences within 3.2 degrees of each other. A few
    numbers that are no angles, such as a fill value, do not change that. View zeniths may be small,
    and have the unit of their azimuths.
    """
    for key, degrees in given.items():
        found, where = degrees[seen & np.isfinite(degrees)], layout.where(f"angles.{key}")
        if found.size and np.median(np.abs(found)) > 720:
            raise InputError(
                f"{where}: half of the angles are beyond {np.median(np.abs(found)):.6g}, so they "
                "look like hundredths of degrees or a fill value; write degrees into the file"
            )
        size = _largest(found)
        if key in RADIANS and (
            size <= RADIANS[key] and (key == "sun_zenith" or np.unique(found).size >= VARIED)
        ):
            also = ""
            if key in ("view_azimuth", "relative_azimuth") and "view_zenith" in given:
                zenith = _largest(given["view_zenith"][seen])
                also = f" (and view_zenith within {zenith:.3g})" if zenith <= np.pi / 2 else ""
            raise InputError(
                f"{where}: the angles lie within {size:.3g}{also}, so they look like radians; "
                f"write degrees into the file{OTHERWISE if 'sun' in key else ''}"
            )


def _largest(degrees: NDArray[np.float64]) -> float:
    """Size that few of some angles exceed, of those that can be degrees; infinite of none."""
    sizes = np.abs(degrees)
    sizes = sizes[sizes <= 360.0]
    return float(np.quantile(sizes, 0.95)) if sizes.size else np.inf


def _from_table(
    option: Mapping[str, object], dataset: xr.Dataset, layout: Layout, where: str
) -> NDArray[np.float64]:
    """An angle of each time looked up in a table by coordinates of the file, ``[time]``."""
    for name in option:
        require(name, ("table", "by", "column", "where"), where, "option")
    for name in ("table", "by", "column"):
        if name not in option:
            raise InputError(f"{where}: a table needs '{name}'; write it beside the others")
    path = beside(str(option["table"]), layout.path)
    rules = option.get("where")
    if rules is not None and not isinstance(rules, Mapping):
        raise InputError(f"{where}: 'where' must be {{column: value}}, found '{rules}'")
    table = rows_where(read_rows(path, where), rules, f"{where}: {path}")
    column = number_column(table, str(option["column"]), f"{where}: {path}")
    by = option["by"]
    names = [str(name) for name in by] if isinstance(by, list | tuple) else [str(by)]
    for name in names:
        require(name, table.columns, f"{where}: {path}", "column")
    keys = list(zip(*(table[name].convert_dtypes().astype(str) for name in names), strict=True))
    if len(set(keys)) < len(keys):
        raise InputError(
            f"{where}: {path} has several rows for one {' and '.join(names)}; "
            "add 'where' or a further coordinate to 'by'"
        )
    rows = dict(zip(keys, column, strict=True))
    arrays = [variable(dataset, n, [layout.time], f"{where}, 'by'", whole=True) for n in names]
    wanted = list(zip(*(array.values.astype(str) for array in arrays), strict=True))
    for found in wanted:
        if found not in rows:
            raise InputError(
                f"{where}: {path} has no row where {' and '.join(names)} is {' and '.join(found)}; "
                f"it has {listed(' and '.join(known) for known in rows)}. Add the row"
            )
    return np.array([rows[found] for found in wanted], dtype=np.float64)
