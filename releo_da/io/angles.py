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

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.auxiliary import FIELDS, in_memory
from releo_da.io.geometry import sun_position, viewing, viewing_on_slope
from releo_da.io.layout import Layout, flat, variable
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

AUXILIARY = "auxiliary"
"""In the place of a variable: the static field of the same name."""


def angles_of(
    angles: Mapping[str, Option] | None,
    dataset: xr.Dataset,
    layout: Layout,
    days: NDArray[np.float64],
    pixels: xr.Dataset,
) -> NDArray[np.float64]:
    """Sun zenith, view zenith and relative azimuth in degrees, ``[time, pixel, 3]``; NaN unknown.

    Args:
        angles: the option.
        dataset: the selected part of the file.
        layout: of the file.
        days: ``[time]`` days since 1970-01-01.
        pixels: with ``lon`` and ``lat`` where the sun is to be computed.

    Raises:
        InputError: an unknown key, a variable, table, column or row that does not exist, an
            azimuth that is needed and missing, or a sun without position.
    """
    angles = dict(angles or {})
    where = layout.where("angles")
    for key in angles:
        require(key, KEYS, where, "angle")
    _check(angles, where)
    given = {key: _resolve(option, key, dataset, layout) for key, option in angles.items()}
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
        raise InputError(
            f"{layout.where('angles')}: the sun angles are not given and cannot be computed, "
            "because the position of the pixels is not known; add sun_zenith and sun_azimuth, "
            "or 'crs: EPSG:...' for the x and y of the file"
        )
    return sun_position(days[:, None], pixels["lon"].values, pixels["lat"].values)


def _resolve(option: Option, key: str, dataset: xr.Dataset, layout: Layout) -> NDArray[np.float64]:
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
    degrees = flat(array, layout, dataset).astype(np.float64)
    if not isinstance(option, int | float):
        _check_unit(degrees[np.isfinite(degrees)], key, where)
    return degrees


def _check_unit(degrees: NDArray[np.float64], key: str, where: str) -> None:
    """Refuse angles of a file that are written in radians or hundredths of degrees.

    The sun of a whole series is nowhere within 1.6 degrees of the zenith, and azimuths do not keep
    within 6.3 degrees of north. View zeniths may, and are judged with their azimuths.
    """
    if not degrees.size:
        return
    size, varied = np.abs(degrees).max(), np.ptp(degrees) > 0
    radians = size <= np.pi / 2 if key == "sun_zenith" else size <= 2 * np.pi and varied
    if key in ("sun_zenith", "sun_azimuth", "view_azimuth") and radians:
        raise InputError(
            f"{where}: the angles lie within {size:.3g}, so they look like radians; "
            "write degrees into the file, or leave the key out and the sun is computed"
        )
    if np.median(np.abs(degrees)) > 720:
        raise InputError(
            f"{where}: half of the angles are beyond {np.median(np.abs(degrees)):.6g}, so they "
            "look like hundredths of degrees or a fill value; write degrees into the file"
        )


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
