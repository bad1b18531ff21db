"""Coordinate reference systems: any that pyproj knows, as text, in CF, and turned to degrees.

A system is carried as text: ``EPSG:32632`` where it has such a code, well-known text (WKT 2) where
it has none, as the sinusoidal grid of MODIS. Positions are always (x, y), that is easting before
northing and longitude before latitude, whatever order of axes the authority prescribes.

Reference: CF Metadata Conventions 1.10, appendix F (grid mappings); PROJ contributors, PROJ
coordinate transformation software library, https://proj.org.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from releo_da.types import InputError

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]

DEGREES = "EPSG:4326"
EARTH_CENTRED = "EPSG:4978"
MAPPING = ("crs_wkt", "spatial_ref", "grid_mapping_name", "epsg_code")
"""Attributes by which a variable is known to describe a coordinate system."""


def crs_text(given: str) -> str:
    """A coordinate system in the form in which it is carried: EPSG code, else WKT.

    Args:
        given: anything pyproj reads (``EPSG:32632``, a URN, WKT, PROJ text), or a sentence that
            names an EPSG code.

    Raises:
        InputError: the text means no system, or one that has no place on the Earth's surface.
    """
    system: CRS | None
    try:
        system = CRS.from_user_input(given)
    except CRSError:
        # Of well-known text the first code may be that of a part.
        named = None if "[" in given else re.search(r"EPSG\D{0,3}(\d{4,6})", given, re.IGNORECASE)
        try:
            system = CRS.from_epsg(int(named[1])) if named else None
        except CRSError:
            system = None
    if system is None or not (system.is_projected or system.is_geographic):
        raise InputError(
            f"crs '{given}' is not known; give an EPSG code as in EPSG:32632, or well-known text "
            "of a projected or geographic system"
        )
    return _text(system)


def declared_crs(dataset: xr.Dataset) -> str | None:
    """The system that a file states: attributes ``crs``, ``point_crs``, or a CF grid mapping.

    Returns:
        As `crs_text`, or None where nothing is stated that can be understood.
    """
    for key in ("crs", "point_crs"):
        if key in dataset.attrs:
            try:
                return crs_text(str(dataset.attrs[key]))
            except InputError:
                continue
    for array in dataset.variables.values():
        for key in ("epsg_code", "crs_wkt", "spatial_ref"):
            if key in array.attrs:
                try:
                    return crs_text(str(array.attrs[key]))
                except InputError:
                    continue
        if "grid_mapping_name" in array.attrs:
            try:
                return _text(CRS.from_cf(dict(array.attrs)))
            except (CRSError, KeyError):
                continue
    return None


def is_geographic(crs: str) -> bool:
    """Whether x and y are longitude and latitude."""
    return bool(CRS.from_user_input(crs).is_geographic)


def to_lonlat(x: ArrayLike, y: ArrayLike, crs: str) -> Pair:
    """Longitude and latitude in degrees (WGS84) of map coordinates, same shape.

    Raises:
        InputError: as `crs_text`.
    """
    return _turned(x, y, crs_text(crs), DEGREES)


def refuse_no_latitude(y: ArrayLike, crs: str, where: str) -> None:
    """Refuse latitudes beyond the poles, as those of a file that exchanged x and y.

    Args:
        y: coordinates as the file has them; NaN where a place is not known.
        crs: their system; of a projected one nothing is refused.
        where: file and key, the beginning of the message.

    Raises:
        InputError: a latitude is none.
    """
    north = np.atleast_1d(np.asarray(y, dtype=np.float64))
    if not is_geographic(crs):
        return
    pole = 90.0 / _degrees(crs)
    beyond = np.flatnonzero(np.abs(north) > pole * (1.0 + 1e-9))
    if beyond.size:
        raise InputError(
            f"{where}: the latitude {north[beyond[0]]:g} of a place does not exist "
            f"({beyond.size} in all); x is longitude and y latitude: exchange them if they are the "
            "other way round, or name the coordinate system of projected ones by 'crs'"
        )


def _degrees(crs: str) -> float:
    """How many degrees the unit of a geographic system is: 0.9 of a grad."""
    return float(np.rad2deg(CRS.from_user_input(crs).axis_info[0].unit_conversion_factor))


def from_lonlat(lon: ArrayLike, lat: ArrayLike, crs: str) -> Pair:
    """Map coordinates of longitude and latitude in degrees; the inverse of `to_lonlat`.

    Raises:
        InputError: as `crs_text`.
    """
    return _turned(lon, lat, DEGREES, crs_text(crs))


def earth_centred(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float64]:
    """Cartesian coordinates on the ellipsoid in metres, ``[n], [n] -> [n, 3]``.

    Distances between them are chords, 1e-8 shorter than the way along the ground at 2 km.
    """
    lon, lat = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    turned = _transformer(DEGREES, EARTH_CENTRED).transform(lon, lat, np.zeros_like(lon))
    return np.stack(turned, -1)


def grid_mapping(crs: str) -> dict[str, object]:
    """Attributes of a CF grid mapping, with the well-known text that GDAL reads.

    Where CF has no name for a projection (the Mercator of web maps), the text stands alone.
    """
    system = CRS.from_user_input(crs)
    code = {"epsg_code": crs} if crs.startswith("EPSG:") else {}
    found = {k: v for k, v in system.to_cf().items() if v is not None}
    return {**found, "spatial_ref": system.to_wkt(), **code}


def axis_attributes(crs: str) -> dict[str, dict[str, object]]:
    """Attributes of the coordinates ``x`` and ``y`` in CF: name, units and axis."""
    axes = {entry["standard_name"]: dict(entry) for entry in CRS.from_user_input(crs).cs_to_cf()}
    names = (
        {"x": "longitude", "y": "latitude"}
        if is_geographic(crs)
        else {axis: f"projection_{axis}_coordinate" for axis in "xy"}
    )
    found = {axis: {**axes[name], "axis": axis.upper()} for axis, name in names.items()}
    for attributes in found.values():
        if attributes["units"] == "metre":
            attributes["units"] = "m"
    return found


def _text(system: CRS) -> str:
    code = system.to_epsg(min_confidence=100)
    return f"EPSG:{code}" if code else str(system.to_wkt())


def _turned(x: ArrayLike, y: ArrayLike, source: str, target: str) -> Pair:
    """Coordinates of one system in another; what has no image is infinite, as pyproj gives it."""
    east, north = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if source == target:
        return east, north
    turned = _transformer(source, target).transform(east, north)
    return np.asarray(turned[0]), np.asarray(turned[1])


@lru_cache(maxsize=32)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
