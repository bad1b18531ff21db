"""Map coordinates to longitude and latitude and back, on the WGS84 ellipsoid.

Three families are enough for satellite grids: geographic coordinates (EPSG:4326), the spherical
Mercator of web maps (EPSG:3857) and the 120 UTM zones (EPSG:326zz north, 327zz south). UTM is the
transverse Mercator projection by Krueger's series in the third flattening n = f / (2 - f), here to
n^4, whose error inside a zone is below a micrometre:

    xi' + i eta' = conformal latitude and longitude on the sphere
    xi  + i eta  = zeta' + sum_j alpha_j sin(2 j zeta'),      zeta' = xi' + i eta'
    northing, easting = k0 A xi, 500 km + k0 A eta

and backwards with the coefficients beta_j and -; the complex form makes both a single sum.

Reference: Krueger (1912), Konforme Abbildung des Erdellipsoids in der Ebene; Karney (2011),
Transverse Mercator with an accuracy of a few nanometers, J. Geodesy 85, 475-485, eqs 7-36.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from releo_da.types import InputError

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]

SEMI_MAJOR = 6_378_137.0
FLATTENING = 1 / 298.257223563
SCALE, EAST, SOUTH = 0.9996, 500e3, 10_000e3
_N = FLATTENING / (2 - FLATTENING)
_RADIUS = SEMI_MAJOR / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_ECCENTRICITY = 2 * np.sqrt(_N) / (1 + _N)
_FORWARD = (
    _N / 2 - 2 / 3 * _N**2 + 5 / 16 * _N**3 + 41 / 180 * _N**4,
    13 / 48 * _N**2 - 3 / 5 * _N**3 + 557 / 1440 * _N**4,
    61 / 240 * _N**3 - 103 / 140 * _N**4,
    49561 / 161280 * _N**4,
)
_INVERSE = (
    _N / 2 - 2 / 3 * _N**2 + 37 / 96 * _N**3 - 1 / 360 * _N**4,
    1 / 48 * _N**2 + 1 / 15 * _N**3 - 437 / 1440 * _N**4,
    17 / 480 * _N**3 - 37 / 840 * _N**4,
    4397 / 161280 * _N**4,
)


def to_lonlat(x: ArrayLike, y: ArrayLike, crs: str) -> Pair:
    """Longitude and latitude in degrees of map coordinates, same shape.

    Args:
        x: easting or longitude, metres or degrees.
        y: northing or latitude, metres or degrees.
        crs: an EPSG code, as in ``EPSG:32632``.

    Raises:
        InputError: the code is not one of EPSG:4326, 3857, 326zz or 327zz.
    """
    east, north = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    code = epsg_code(crs)
    if code == 4326:
        return east, north
    if code == 3857:
        latitude = 2 * np.arctan(np.exp(north / SEMI_MAJOR)) - np.pi / 2
        return np.degrees(east / SEMI_MAJOR), np.degrees(latitude)
    meridian, origin = _zone(code)
    zeta = ((north - origin) + 1j * (east - EAST)) / (SCALE * _RADIUS)
    zeta = zeta - sum(b * np.sin(2 * j * zeta) for j, b in enumerate(_INVERSE, 1))
    longitude = np.arctan2(np.sinh(zeta.imag), np.cos(zeta.real))
    conformal = np.sin(zeta.real) / np.cosh(zeta.imag)
    return meridian + np.degrees(longitude), np.degrees(_latitude(conformal))


def from_lonlat(lon: ArrayLike, lat: ArrayLike, crs: str) -> Pair:
    """Map coordinates of longitude and latitude in degrees; the inverse of `to_lonlat`.

    Raises:
        InputError: as `to_lonlat`.
    """
    lon, lat = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    code = epsg_code(crs)
    if code == 4326:
        return lon, lat
    if code == 3857:
        return SEMI_MAJOR * np.radians(lon), SEMI_MAJOR * np.arcsinh(np.tan(np.radians(lat)))
    meridian, origin = _zone(code)
    conformal = _conformal(np.sin(np.radians(lat)))
    difference = np.radians(lon - meridian)
    zeta = np.arctan2(conformal, np.cos(difference)) + 1j * np.arcsinh(
        np.sin(difference) / np.hypot(conformal, np.cos(difference))
    )
    zeta = zeta + sum(a * np.sin(2 * j * zeta) for j, a in enumerate(_FORWARD, 1))
    return EAST + SCALE * _RADIUS * zeta.imag, origin + SCALE * _RADIUS * zeta.real


def epsg_code(crs: str) -> int:
    """The number of an EPSG code that this module can transform.

    Raises:
        InputError: the text is not such a code.
    """
    match = re.search(r"EPSG\D{0,3}(\d{4,5})", crs, flags=re.IGNORECASE)
    code = int(match[1]) if match else 0
    if code in (4326, 3857) or (code // 100 in (326, 327) and 1 <= code % 100 <= 60):
        return code
    raise InputError(
        f"crs '{crs}' is not known; give EPSG:4326 (longitude, latitude), EPSG:3857 or a UTM zone "
        "EPSG:32601-32660 (north), EPSG:32701-32760 (south)"
    )


def metres_between(x: ArrayLike, y: ArrayLike, x0: float, y0: float, crs: str) -> NDArray:
    """Distance in metres from ``(x0, y0)`` to each ``(x, y)``, all in one `crs`.

    In UTM the distance on the map; else a small step on the ellipsoid's radii of curvature, good
    for distances of a few kilometres.
    """
    if epsg_code(crs) // 100 in (326, 327):
        return np.hypot(np.asarray(x) - x0, np.asarray(y) - y0)
    lon, lat = to_lonlat(x, y, crs)
    lon0, lat0 = to_lonlat(x0, y0, crs)
    square = FLATTENING * (2 - FLATTENING)
    curvature = 1 - square * np.sin(np.radians(lat0)) ** 2
    north = SEMI_MAJOR * (1 - square) / curvature**1.5 * np.radians(lat - lat0)
    turn = (lon - lon0 + 180) % 360 - 180
    east = SEMI_MAJOR / np.sqrt(curvature) * np.cos(np.radians(lat0)) * np.radians(turn)
    return np.hypot(east, north)


def _zone(code: int) -> tuple[float, float]:
    """Central meridian in degrees and northing of the equator in metres."""
    return code % 100 * 6 - 183.0, SOUTH if code // 100 == 327 else 0.0


def _conformal(sine: NDArray) -> NDArray:
    """Tangent of the conformal latitude from the sine of the geodetic one (Karney eq. 7-9)."""
    with np.errstate(divide="ignore"):  # infinite at the poles, as it should be
        return np.sinh(np.arctanh(sine) - _ECCENTRICITY * np.arctanh(_ECCENTRICITY * sine))


def _latitude(sine: NDArray) -> NDArray:
    """Geodetic latitude from the sine of the conformal one; the fixed point contracts by e^2."""
    isometric = np.arctanh(sine)
    latitude = np.arcsin(sine)
    for _ in range(6):
        inner = _ECCENTRICITY * np.arctanh(_ECCENTRICITY * np.sin(latitude))
        latitude = np.arcsin(np.tanh(isometric + inner))
    return latitude
