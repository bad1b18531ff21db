"""Angles of sun and sensor: where the sun stands, and the one azimuth that matters.

A canopy model depends on the two zeniths and on the angle between the two vertical planes, which
is the same to the left and to the right of the sun: the relative azimuth is folded to [0, 180],
0 where the sensor has the sun behind it (hot spot side), 180 where it looks towards the sun.

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

Reference: Meeus (1998), Astronomical Algorithms, 2nd ed., chapters 12, 13, 22 and 25; the same
equations are those of NOAA's solar calculator.
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
