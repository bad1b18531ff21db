"""Angles of sun and sensor: where the sun stands, the one azimuth that matters, and slopes.

A canopy model depends on the two zeniths and on the angle between the two vertical planes, which
is the same to the left and to the right of the sun: the relative azimuth is folded to [0, 180],
0 where the sensor has the sun behind it (hot spot side), 180 where it looks towards the sun.
`viewing` makes the three numbers of whatever a product gives.

On a slope the vertical is replaced by the normal n of the ground. With unit vectors (east, north,
up) towards sun s and sensor v, azimuths from north over east,

    n = (sin slope sin aspect, sin slope cos aspect, cos slope)
    local zenith of s    = atan2(|n x s|, n . s)
    s_t = s - (n . s) n                                  its part along the ground, v_t likewise
    relative azimuth     = atan2(|s_t x v_t|, s_t . v_t)

which loses no digits near 0 and 180, where an arc cosine loses half of them. Aspect is the azimuth
that the slope faces, downhill. What lies behind its own slope, or below the horizon of flat ground,
has a zenith of 90 or more and is treated as below the horizon; shadows that other ground casts are
not known here. Plants grow upright on any slope and the canopy model has them along n: good for
gentle slopes. Its reflectance then refers to the light that falls on the slope, which is how
products corrected for illumination by terrain define it.

The sun's place comes from Meeus' low-accuracy theory, good to 0.01 degrees from 1950 to 2050. With
T Julian centuries since J2000,

    L = 280.46646 + 36000.76983 T + 0.0003032 T^2           mean longitude
    M = 357.52911 + 35999.05029 T - 0.0001537 T^2           mean anomaly
    lambda = L + C(M) - 0.00569 - 0.00478 sin(Omega)        apparent longitude
    sin(dec) = sin(eps) sin(lambda),   ra = atan2(cos(eps) sin(lambda), cos(lambda))
    hour angle = sidereal time + longitude - ra

and zenith and azimuth follow from the spherical triangle. Refraction (0.02 degrees at zenith 50) is
left out, as in the metadata of satellite products; so is the difference of UTC and dynamical time
(a minute: 0.0007 degrees).

References: Meeus (1998), Astronomical Algorithms, 2nd ed., chapters 12, 13, 22 and 25; the same
equations are those of NOAA's solar calculator. Local angles: Schaaf, Li and Strahler (1994),
Topographic effects on bidirectional and hemispherical reflectances, IEEE Trans. Geosci. Remote
Sens. 32, 1186-1193.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

J2000 = 10957.5
"""2000-01-01 12:00 in days since 1970-01-01."""


def relative_azimuth(sun: ArrayLike, view: ArrayLike) -> NDArray[np.float64]:
    """Angle in [0, 180] degrees between two azimuths, any turn and sign."""
    difference = np.asarray(sun, dtype=np.float64) - np.asarray(view, dtype=np.float64)
    return fold(difference)


def fold(azimuth: ArrayLike) -> NDArray[np.float64]:
    """A relative azimuth of any turn and sign, folded to [0, 180] degrees."""
    return np.abs((np.asarray(azimuth, dtype=np.float64) + 180) % 360 - 180)


def sun_equatorial(time: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apparent right ascension in [0, 360) and declination of the sun, degrees.

    Args:
        time: days since 1970-01-01 UTC.
    """
    century = (np.asarray(time, dtype=np.float64) - J2000) / 36525
    longitude = 280.46646 + century * (36000.76983 + 0.0003032 * century)
    anomaly = np.radians(357.52911 + century * (35999.05029 - 0.0001537 * century))
    centre = (
        (1.914602 - century * (0.004817 + 0.000014 * century)) * np.sin(anomaly)
        + (0.019993 - 0.000101 * century) * np.sin(2 * anomaly)
        + 0.000289 * np.sin(3 * anomaly)
    )
    node = np.radians(125.04 - 1934.136 * century)
    apparent = np.radians(longitude + centre - 0.00569 - 0.00478 * np.sin(node))
    obliquity = np.radians(23.4392911 - 0.0130042 * century + 0.00256 * np.cos(node))
    ascension = np.arctan2(np.cos(obliquity) * np.sin(apparent), np.cos(apparent))
    declination = np.arcsin(np.sin(obliquity) * np.sin(apparent))
    return np.degrees(ascension) % 360, np.degrees(declination)


def sun_position(
    time: ArrayLike, lon: ArrayLike, lat: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Zenith and azimuth of the sun in degrees, azimuth from north over east in [0, 360).

    Args:
        time: days since 1970-01-01 UTC.
        lon: degrees east.
        lat: degrees north; the three broadcast against each other.
    """
    days = np.asarray(time, dtype=np.float64)
    ascension, declination = sun_equatorial(days)
    century = (days - J2000) / 36525
    sidereal = 280.46061837 + 360.98564736629 * (days - J2000) + 0.000387933 * century**2
    hour = np.radians(sidereal + np.asarray(lon, dtype=np.float64) - ascension)
    phi, delta = np.radians(np.asarray(lat, dtype=np.float64)), np.radians(declination)
    east = -np.cos(delta) * np.sin(hour)
    north = np.cos(phi) * np.sin(delta) - np.sin(phi) * np.cos(delta) * np.cos(hour)
    up = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(hour)
    zenith = np.arctan2(np.hypot(east, north), up)
    return np.degrees(zenith), np.degrees(np.arctan2(east, north)) % 360


def viewing(
    sun_zenith: ArrayLike,
    view_zenith: ArrayLike = 0.0,
    relative: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Sun zenith, view zenith and folded relative azimuth along a last axis of 3, degrees.

    Args:
        sun_zenith: degrees from the vertical.
        view_zenith: degrees from the vertical; nadir unless given.
        relative: azimuth between sun and sensor, any turn and sign; all broadcast.
    """
    return np.stack(np.broadcast_arrays(sun_zenith, view_zenith, fold(relative)), axis=-1)


def viewing_on_slope(
    sun_zenith: ArrayLike,
    sun_azimuth: ArrayLike,
    view_zenith: ArrayLike,
    view_azimuth: ArrayLike,
    slope: ArrayLike,
    aspect: ArrayLike,
) -> NDArray[np.float64]:
    """As `viewing`, about the normal of a slope.

    The relative azimuth is 0 where the sun or the sensor stands on the normal: it has no meaning
    there. A zenith of flat ground of 90 degrees or more stays as it is.

    Args:
        sun_zenith: degrees from the vertical.
        sun_azimuth: degrees from north over east.
        view_zenith: degrees from the vertical.
        view_azimuth: from the ground to the sensor, degrees from north over east.
        slope: inclination of the ground in degrees, 0 is flat.
        aspect: azimuth that the slope faces, downhill; all six broadcast.
    """
    normal = unit_vector(slope, aspect)
    zeniths, along = [], []
    for zenith, azimuth in ((sun_zenith, sun_azimuth), (view_zenith, view_azimuth)):
        direction = unit_vector(zenith, azimuth)
        upward = np.sum(normal * direction, axis=-1)
        local = np.degrees(np.arctan2(_length(np.cross(normal, direction)), upward))
        flat = np.asarray(zenith, dtype=np.float64)
        zeniths.append(np.where(flat >= 90, flat, local))
        along.append(direction - upward[..., None] * normal)
    sun, view = along
    psi = np.degrees(np.arctan2(_length(np.cross(sun, view)), np.sum(sun * view, axis=-1)))
    touching = (_length(sun) < TINY) | (_length(view) < TINY)
    return viewing(zeniths[0], zeniths[1], np.where(touching, 0.0, psi))


TINY = 1e-12
"""Length below which the part of a unit vector along the ground is rounding error."""


def unit_vector(zenith: ArrayLike, azimuth: ArrayLike) -> NDArray[np.float64]:
    """Direction (east, north, up) along a last axis of 3 from zenith and azimuth in degrees."""
    theta, phi = np.broadcast_arrays(np.radians(zenith), np.radians(azimuth))
    return np.stack([np.sin(theta) * np.sin(phi), np.sin(theta) * np.cos(phi), np.cos(theta)], -1)


def _length(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(vector, axis=-1))
