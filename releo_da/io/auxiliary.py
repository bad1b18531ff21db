"""Static fields of pixels: the option ``auxiliary`` of a source.

    auxiliary:
      elevation: {path: dem.nc, variable: elevation, interpolate: linear}     a map of its own
      slope: slope                         a variable or column of the source itself
      aspect: 180.0                        a number for all pixels
      land_cover: {path: classes.nc, variable: class}                         classes: nearest only
      weather: {...}                       daily weather, see `releo_da.io.weather`

Fields are found once, when a source is read, and stand as coordinates along ``pixel`` from then on,
in the run directory and in the products. Missing numbers of a map stay missing there; a pixel that
lies outside it is refused. The aspect of a map is a direction: between cells its unit vector is
interpolated, not its degrees. ``angles: {slope: auxiliary, aspect: auxiliary}`` makes angles about
the normal of the ground from them (`releo_da.io.angles`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.layout import Layout, flat, variable
from releo_da.io.names import require
from releo_da.io.overlay import METHODS, check_method, overlay
from releo_da.io.stencils import applied
from releo_da.io.stores import opened_series
from releo_da.io.tables import beside
from releo_da.types import InputError

FieldOption = str | float | dict[str, object] | list[dict[str, object]]
"""A variable or column, a number, or ``{path: .., variable: ..}``; of weather also a list."""

WEATHER = "weather"
MAP_KEYS = ("path", "variable", "interpolate", "crs", "fill")


class Field(NamedTuple):
    """What a static field is.

    Attributes:
        unit: as UDUNITS writes it.
        long_name: for people.
        standard_name: of CF, or None.
        low: the least number that it can be.
        high: the greatest.
        cause: what numbers beyond these probably are.
    """

    unit: str
    long_name: str
    standard_name: str | None
    low: float
    high: float
    cause: str

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the coordinate in CF."""
        named = {"standard_name": self.standard_name} if self.standard_name else {}
        return {"long_name": self.long_name, "units": self.unit, **named}


NOT_FILLED = "name the number that stands for a missing value by 'fill'"
FIELDS = {
    "elevation": Field(
        "m", "height of the ground", "surface_altitude", -500.0, 9000.0,
        f"feet or centimetres; give metres, or {NOT_FILLED}",
    ),
    "slope": Field(
        "degree", "inclination of the ground", "ground_slope_angle", 0.0, 90.0,
        f"percent or hundredths of degrees; give degrees, or {NOT_FILLED}",
    ),
    "aspect": Field(
        "degree", "azimuth that the slope faces", "ground_slope_direction", -360.0, 360.0,
        f"hundredths of degrees; give degrees from north over east, or {NOT_FILLED}",
    ),
    "land_cover": Field("1", "class of land cover", None, 0.0, 1e6, f"no classes; {NOT_FILLED}"),
}  # fmt: skip
"""The static fields, by their names in a configuration."""


def in_memory(name: str) -> str:
    """The variable in memory that holds a field; no variable of a file is called so."""
    return f"<{name}>"


def own_columns(auxiliary: Mapping[str, FieldOption] | None) -> dict[str, str]:
    """Fields that the source itself holds: name -> variable or column."""
    return {k: v for k, v in (auxiliary or {}).items() if isinstance(v, str) and k != WEATHER}


def with_fields(
    dataset: xr.Dataset,
    layout: Layout,
    pixels: xr.Dataset,
    auxiliary: Mapping[str, FieldOption] | None,
) -> xr.Dataset:
    """The data set with every static field as a variable along its axes of space.

    Args:
        dataset: the selected part of the file.
        layout: of the file.
        pixels: its pixel axis.
        auxiliary: the option.

    Raises:
        InputError: an unknown field or option, a variable that is not there, numbers that cannot be
            the field, or pixels outside a map.
    """
    found = {}
    for name, given in (auxiliary or {}).items():
        require(name, (*FIELDS, WEATHER), layout.where("auxiliary"), "field")
        if name == WEATHER:
            continue
        where = layout.where(f"auxiliary.{name}")
        numbers = _numbers(given, name, dataset, layout, pixels, where)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        _check(numbers, name, where)
        if name == "aspect":
            numbers = numbers % 360.0
        shape = [dataset.sizes[dim] for dim in layout.space]
        found[in_memory(name)] = (layout.space, numbers.reshape(shape))
    return dataset.assign(found)


def field_coordinates(
    dataset: xr.Dataset, layout: Layout
) -> dict[str, tuple[str, NDArray[np.float64]]]:
    """The static fields of a data set of `with_fields`, as coordinates along ``pixel``."""
    return {
        name: ("pixel", dataset[in_memory(name)].transpose(*layout.space).values.ravel())
        for name in FIELDS
        if in_memory(name) in dataset.variables
    }


def joined_fields(union: xr.Dataset, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """A union of pixel axes with the static fields of all of them.

    Args:
        union: over the pixels of all, by ascending id.
        parts: the axes of single sources; a field that one of them lacks comes from the others.

    Raises:
        InputError: two sources give a pixel different numbers.
    """
    found = {}
    for name in FIELDS:
        field = np.full(union.sizes["pixel"], np.nan)
        for part in parts:
            if name not in part.coords:
                continue
            place = np.searchsorted(union["id"].values, part["id"].values)
            mine, theirs = field[place], part[name].values
            apart = np.abs(mine - theirs) > 1e-4 * np.maximum(1.0, np.abs(theirs))
            if apart.any():
                one = int(np.flatnonzero(apart)[0])
                raise InputError(
                    f"source: 'auxiliary' gives pixel {int(part['id'].values[one])} the {name} "
                    f"{mine[one]:.6g} in one source and {theirs[one]:.6g} in another; name the "
                    "same map in both, or leave it out of one"
                )
            field[place] = np.where(np.isfinite(mine), mine, theirs)
        if any(name in part.coords for part in parts):
            found[name] = ("pixel", field)
    return union.assign_coords(found)


def _numbers(
    given: FieldOption,
    name: str,
    dataset: xr.Dataset,
    layout: Layout,
    pixels: xr.Dataset,
    where: str,
) -> NDArray[np.float64]:
    """A field at the pixels, ``[pixel]``."""
    if isinstance(given, str):
        return _of_source(given, dataset, layout, where)
    if isinstance(given, Mapping):
        return _of_map(given, name, layout, pixels, where)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise InputError(
            f"{where}: '{given}' is no field; give the name of a variable of the source, a number, "
            "or {path: .., variable: ..}"
        )
    return np.full(pixels.sizes["pixel"], float(given))


def _of_source(name: str, dataset: xr.Dataset, layout: Layout, where: str) -> NDArray[np.float64]:
    """A variable of the source, which must be the same at all times where it has times."""
    array = variable(dataset, name, (layout.time, *layout.space), where)
    if array.dtype.kind not in "iufb":
        raise InputError(f"{where}: '{name}' holds {array.dtype}, not numbers; name another")
    if layout.time not in array.dims:
        return flat(array, layout, dataset.isel({layout.time: [0]}))[0].astype(np.float64)
    values = flat(array, layout, dataset).astype(np.float64)
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(0)
    high = np.where(known, values, -np.inf).max(0)
    moved = known.any(0) & (high - low > 1e-6 * np.maximum(1.0, np.abs(high)))
    if moved.any():
        one = int(np.flatnonzero(moved)[0])
        raise InputError(
            f"{where}: '{name}' changes with time, from {low[one]:.6g} to {high[one]:.6g} at one "
            f"of {int(moved.sum())} pixels; a static field does not, name another"
        )
    return np.where(known.any(0), low, np.nan)


def _of_map(
    option: Mapping[str, object], name: str, layout: Layout, pixels: xr.Dataset, where: str
) -> NDArray[np.float64]:
    """A map at the pixels."""
    for key in option:
        require(key, MAP_KEYS, where, "option")
    for key in ("path", "variable"):
        if key not in option:
            raise InputError(f"{where}: '{key}' is missing; write {{path: .., variable: ..}}")
    method = str(option.get("interpolate", "nearest"))
    check_method(method, METHODS, where)
    if name == "land_cover" and method != "nearest":
        raise InputError(f"{where}: classes have no values in between; remove 'interpolate'")
    crs = option.get("crs")
    if not isinstance(option["path"], str):
        raise InputError(f"{where}: path: {option['path']!r} is not one file; give one map")
    path = beside(option["path"], layout.path)
    with opened_series(path, "") as (dataset, said):
        where = f"{where}: {said}"
        array = variable(dataset, option["variable"], [str(d) for d in dataset.sizes], where)
        array = array.squeeze([d for d in array.dims if array.sizes[d] == 1 and array.ndim > 2])
        under = overlay(
            dataset, str(array.name), pixels, str(crs) if crs else None, method == "linear", where
        )
        if array.ndim != 2:
            raise InputError(
                f"{where}: '{array.name}' has the dimensions {tuple(array.dims)}; a static field "
                "has rows and columns and nothing else"
            )
        cells = under.cells(array).astype(np.float64)
    fill = option.get("fill")
    if fill is not None:
        cells = np.where(np.isin(cells, np.atleast_1d(np.asarray(fill, float))), np.nan, cells)
    if name == "aspect" and method == "linear":
        turned = np.radians(cells)
        east, north = (applied(part(turned), under.stencil) for part in (np.sin, np.cos))
        return np.degrees(np.arctan2(east, north))
    return applied(cells, under.stencil)


def _check(numbers: NDArray[np.float64], name: str, where: str) -> None:
    """Refuse numbers that the field cannot have."""
    known, field = numbers[np.isfinite(numbers)], FIELDS[name]
    if not known.size:
        return  # some rows of a map may lie wholly in the sea
    low, high = float(known.min()), float(known.max())
    if low < field.low or high > field.high:
        raise InputError(
            f"{where}: the numbers reach from {low:.6g} to {high:.6g} and {name} lies between "
            f"{field.low:g} and {field.high:g} {field.unit}: they look like {field.cause}"
        )
    if name == "aspect" and known.size >= 100 and high - low > 0 and np.abs(known).max() <= 6.3:
        raise InputError(
            f"{where}: the aspects lie within {np.abs(known).max():.3g}, so they look like "
            "radians; give degrees"
        )
