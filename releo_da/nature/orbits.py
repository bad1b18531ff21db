r"""When satellites pass over a place, and under which angles: calendars of repeat orbits.

A sun-synchronous repeat orbit is known when one crossing of the equator is. With N revolutions in
D days, the descending nodes follow each other by

    t(k) = t(0) + k D / N,        lon(k) = lon(0) - 360 k D / N,        k = 0 ... N - 1

and all of it comes back after D days. The orbital plane turns with the mean sun, so that the Earth
turns under it once in a mean solar day, and the local mean solar time of the node (LTDN) ties
longitude to time: t(k) = LTDN - lon(k) / 360, days. An angle theta = 2 pi N (t - t(k)) / D after
the node, the satellite stands above

    sin(lat) = -sin(i) sin(theta)
    lon      = lon(k) + atan2(cos(i) sin(theta), cos(theta)) - 2 pi (t - t(k))

at a distance a from the Earth's centre, which follows from the period and the flattening (J2):

    2 pi N / D = sqrt(mu / a^3) (1 + 3/4 J2 (R / a)^2 (6 - 8 sin(i)^2))

The instrument scans across its track over the ground (satellites steer in yaw), so it sees a place
P when its distance is least: (P - S) . dS/dt = 0, in coordinates that turn with the Earth. Newton
steps find that moment for all N revolutions at once; those whose angle from nadir is within the
field of view are passes. Cost: ``[N, 37]`` positions for a place, whatever the period.

Left out: eccentricity (0.001: 2 s), station keeping (a kilometre or two), the angles between the
channels and detectors of one instrument (to 3 degrees along track for Sentinel-2, which turns the
azimuth of near-nadir views), ascending passes, which lie in the night, and what a mission does not
acquire. View zeniths of fields in tile 31TCJ are those of their metadata to half a degree.

References: orbits and fields of view: Drusch et al. (2012), Sentinel-2: ESA's optical high-
resolution mission for GMES operational services, Remote Sensing of Environment 120, 25-36; USGS
(2019), Landsat 8 Data Users Handbook, LSDS-1574, version 5.0. J2: Vallado (2013), Fundamentals of
Astrodynamics and Applications, 4th ed., section 9.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from releo_da.types import InputError

Array = NDArray[np.float64]

MU = 398600.4418
"""Gravity of the Earth, km3/s2."""

RADIUS, FLATTENING, J2 = 6378.137, 1.0 / 298.257223563, 1.08262668e-3
"""The Earth's ellipsoid (WGS84; km), and what its flattening does to orbits."""

STEPS = 6
"""Newton steps; six are enough for a millisecond."""

TRIALS = 37
"""Moments on the day side of a revolution among which Newton's method finds its start."""


@dataclass(frozen=True)
class Orbit:
    """A repeat orbit, and how its revolutions are numbered.

    Attributes:
        days: after which it repeats (D).
        revolutions: in that time (N).
        inclination: degrees.
        local_hour: mean solar time at the descending node.
        longitude: of the descending node of number 1, degrees east.
        step: what the number of a revolution grows by to the next, modulo the revolutions.
        field_of_view: full angle across track, degrees.
    """

    days: int
    revolutions: int
    inclination: float
    local_hour: float
    longitude: float
    step: int
    field_of_view: float


@dataclass(frozen=True)
class Satellite:
    """A satellite on a repeat orbit.

    Attributes:
        orbit: that it follows.
        day: local date (days since 1970-01-01) of one crossing of the node of number 1.
        begins: day of its first data in that place of the orbit.
        ends: day after its last, infinite while it works.
    """

    orbit: Orbit
    day: float
    begins: float
    ends: float = np.inf


class Overpass(NamedTuple):
    """One pass over a place.

    Attributes:
        time: days since 1970-01-01 UTC.
        satellite: name of the calendar.
        number: relative orbit of Sentinel-2, path of Landsat.
        view_zenith: degrees.
        view_azimuth: from the ground to the satellite, degrees from north.
    """

    time: float
    satellite: str
    number: int
    view_zenith: float
    view_azimuth: float


def _day(text: str) -> float:
    return float(date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal())


SENTINEL2 = Orbit(10, 143, 98.62, 10.5, 168.47, 1, 20.6)
"""Relative orbits 1 to 143. The longitude is read from view zeniths in scene metadata of relative
orbit 51, tile 31TCJ, to 0.05 degrees; that of the ascending node before it is 1.06 E."""

WRS2 = Orbit(16, 233, 98.2, 10.2, -64.6, 16, 15.0)
"""Paths 1 to 233 of the Worldwide Reference System 2; path 1 descends at 64.60 W (handbook)."""

CALENDARS: Mapping[str, Satellite] = {
    "sentinel2a": Satellite(SENTINEL2, _day("2022-02-26"), _day("2015-06-27"), _day("2025-01-21")),
    "sentinel2b": Satellite(SENTINEL2, _day("2022-03-03"), _day("2017-03-15")),
    "sentinel2c": Satellite(SENTINEL2, _day("2022-02-26"), _day("2025-01-21")),
    "landsat8": Satellite(WRS2, _day("2014-03-05"), _day("2013-04-11")),
    "landsat9": Satellite(WRS2, _day("2014-03-13"), _day("2021-10-31")),
}
"""Satellites whose passes are known, by their names in the catalogue of sensors."""


def semi_major_axis(orbit: Orbit) -> float:
    """Distance of a circular orbit from the Earth's centre (km), from its period and J2."""
    rate = 2.0 * np.pi * orbit.revolutions / (orbit.days * 86400.0)
    tilt = 6.0 - 8.0 * np.sin(np.radians(orbit.inclination)) ** 2
    axis = (MU / rate**2) ** (1.0 / 3.0)
    for _ in range(STEPS):
        axis = (MU / rate**2 * (1.0 + 0.75 * J2 * (RADIUS / axis) ** 2 * tilt) ** 2) ** (1.0 / 3.0)
    return float(axis)


def nodes(orbit: Orbit) -> tuple[NDArray[np.int64], Array]:
    """Numbers of all revolutions and longitudes (degrees east) of their descending nodes, ``[N]``.

    In the order of time from number 1 on.
    """
    k = np.arange(orbit.revolutions)
    longitude = orbit.longitude - 360.0 * k * orbit.days / orbit.revolutions
    return 1 + orbit.step * k % orbit.revolutions, longitude


def position(orbit: Orbit, node: Array, elapsed: Array) -> tuple[Array, Array]:
    """Where a satellite is and how fast it moves, seen from the turning Earth, ``[..., 3]``.

    Args:
        orbit: that it follows.
        node: longitude of the descending node (degrees east).
        elapsed: days since that node; the two broadcast.

    Returns:
        position (km) and its derivative (km per day); x to longitude 0, z to the north pole.
    """
    node, elapsed = np.broadcast_arrays(node, elapsed)
    rate = 2.0 * np.pi * orbit.revolutions / orbit.days
    theta, tilt = rate * elapsed, np.radians(orbit.inclination)
    turned = np.radians(node) - 2.0 * np.pi * elapsed  # of the node, with the Earth below
    cos, sin = np.cos(theta), np.sin(theta)
    along = np.stack([cos, np.cos(tilt) * sin, -np.sin(tilt) * sin], -1)
    onward = rate * np.stack([-sin, np.cos(tilt) * cos, -np.sin(tilt) * cos], -1)
    where, speed = _about_pole(along, turned), _about_pole(onward, turned)
    x, y, _ = np.moveaxis(where, -1, 0)
    carried = 2.0 * np.pi * np.stack([y, -x, np.zeros_like(x)], -1)
    axis = semi_major_axis(orbit)
    return axis * where, axis * (speed + carried)


def _about_pole(vector: Array, angle: Array) -> Array:
    """Vectors ``[..., 3]`` turned about the z axis by an angle in radians."""
    x, y, z = np.moveaxis(vector, -1, 0)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], -1)


def ground(lon: float, lat: float) -> tuple[Array, Array]:
    """A place on the ellipsoid (km) and its axes east, north and up, ``[3]`` and ``[3, 3]``."""
    phi, lam = np.radians(lat), np.radians(lon)
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    up = np.array([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    square = FLATTENING * (2.0 - FLATTENING)
    normal = RADIUS / np.sqrt(1.0 - square * np.sin(phi) ** 2)
    place = normal * up * np.array([1.0, 1.0, 1.0 - square])
    return place, np.stack([east, np.cross(up, east), up])


def sightings(orbit: Orbit, lon: float, lat: float) -> tuple[Array, Array, Array, Array]:
    """How every revolution of an orbit sees a place.

    Args:
        orbit: whose revolutions.
        lon: degrees east.
        lat: degrees north.

    Returns:
        for each revolution in the order of `nodes`, ``[N]``: days from the descending node to the
        moment at which the place is across the track; the angle of the place from nadir, from the
        satellite; and zenith and azimuth of the satellite from the place, all degrees.
    """
    node = nodes(orbit)[1]
    place, axes = ground(lon, lat)
    quarter = 0.25 * orbit.days / orbit.revolutions
    trial = np.linspace(-quarter, quarter, TRIALS)
    nearness = position(orbit, node[:, None], trial)[0] @ place
    elapsed = trial[nearness.argmax(-1)]
    for _ in range(STEPS):
        where, speed = position(orbit, node, elapsed)
        # On a circle S . dS/dt is 0, so the condition is P . dS/dt = 0, and its slope is about
        # -(|dS/dt| / |S|)^2 P . S. Where that is small the place is out of sight anyway.
        turning = np.sum(speed**2, -1) / np.sum(where**2, -1)
        slope = turning * np.maximum(where @ place, 0.5 * RADIUS**2)
        elapsed = elapsed + speed @ place / slope
    where, _ = position(orbit, node, elapsed)
    line = where - place
    east, north, up = np.moveaxis(line @ axes.T, -1, 0)
    zenith = np.degrees(np.arctan2(np.hypot(east, north), up))
    across = np.linalg.norm(np.cross(line, where), axis=-1)
    nadir = np.degrees(np.arctan2(across, np.sum(line * where, -1)))
    nadir = np.where(np.abs(elapsed) <= quarter, nadir, 180.0)  # ascending: at night
    return elapsed, nadir, zenith, np.degrees(np.arctan2(east, north)) % 360.0


def passes(
    name: str,
    lon: float,
    lat: float,
    first: float,
    last: float,
    days_later: int = 0,
    lifetime: bool = True,
) -> list[Overpass]:
    """Passes of a satellite over a place, in time order; of neighbouring tracks where both see it.

    Args:
        name: of the satellite, a key of `CALENDARS`.
        lon: degrees east.
        lat: degrees north.
        first: days since 1970-01-01 UTC.
        last: the same; passes before it are listed.
        days_later: as if the satellite flew that many days behind its place on the orbit. Whole
            days keep the tracks and the time of day.
        lifetime: only passes of the days on which the satellite has worked.

    Raises:
        InputError: the calendar of the satellite is not known.
    """
    if name not in CALENDARS:
        raise InputError(
            f"satellite '{name}' has no orbit calendar; known are {', '.join(CALENDARS)}; "
            "give the days of its passes instead"
        )
    satellite = CALENDARS[name]
    orbit = satellite.orbit
    number, longitude = nodes(orbit)
    elapsed, nadir, zenith, azimuth = sightings(orbit, lon, lat)
    begin = max(first, satellite.begins + days_later) if lifetime else first
    end = min(last, satellite.ends + days_later) if lifetime else last
    node = satellite.day + days_later + orbit.local_hour / 24.0 - longitude / 360.0
    found = []
    for k in np.flatnonzero(nadir <= 0.5 * orbit.field_of_view):
        earliest = node[k] + elapsed[k]
        times = earliest + orbit.days * np.arange(
            np.ceil((begin - earliest) / orbit.days), np.ceil((end - earliest) / orbit.days)
        )
        seen = int(number[k]), float(zenith[k]), float(azimuth[k])
        found += [Overpass(float(time), name, *seen) for time in times]
    return sorted(found)
