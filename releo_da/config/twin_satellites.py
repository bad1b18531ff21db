"""Satellites of a twin experiment: what they see, and when and from where they look.

A satellite whose sensor has an orbit calendar (`releo_da.nature.orbits`) passes when the real one
does. Any of ``first``, ``every_days``, ``hour``, ``view_zenith`` and ``view_azimuth`` asks for
passes at fixed intervals instead, under one view; sensors without a calendar have such passes
anyway. ``orbit`` and ``days_later`` put a satellite where none flies: on the orbit of another, days
behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from releo_da.config.bias import offsets_of
from releo_da.config.sections import days
from releo_da.nature.orbits import CALENDARS
from releo_da.nature.orbits import passes as overpasses
from releo_da.sensors import load_sensor
from releo_da.types import InputError

AIR = ((0.0, 450.0), (900.0, 970.0), (1340.0, 1460.0), (1790.0, 1970.0))
"""Wavelengths (nm) of channels that look at the air: aerosol, water vapour, cirrus."""

STEEPEST = 85.0
"""View zenith (degrees) beyond which nothing is simulated."""

Look = tuple[float, float, float]
"""Time (days), view zenith and view azimuth (degrees) of a pass."""


@dataclass(frozen=True)
class Regular:
    """Passes at fixed intervals; ``first`` is NaN for the first day of the period."""

    first: float
    every_days: float
    hour: float
    view_zenith: float
    view_azimuth: float

    def looks(self, start: float, end: float, place: tuple[float, float]) -> list[Look]:
        """Passes between two times; the place does not matter."""
        begin = (start if np.isnan(self.first) else self.first) + self.hour / 24.0
        times = np.arange(begin, end, self.every_days)
        return [(float(t), self.view_zenith, self.view_azimuth) for t in times if t >= start]


@dataclass(frozen=True)
class Orbiting:
    """Passes of an orbit calendar, ``days_later``; kept to the satellite's life or not."""

    name: str
    days_later: int
    lifetime: bool

    def looks(self, start: float, end: float, place: tuple[float, float]) -> list[Look]:
        """Passes over a place (longitude, latitude) between two times."""
        found = overpasses(self.name, *place, start, end, self.days_later, self.lifetime)
        return [(p.time, p.view_zenith, p.view_azimuth) for p in found]


@dataclass(frozen=True)
class Satellite:
    """What one satellite of a twin experiment sees, and when it looks."""

    sensor: str
    channels: tuple[str, ...]
    calendar: Regular | Orbiting
    bias: tuple[float, ...]


def satellite(
    sensor: str,
    channels: Sequence[str] | None = None,
    first: date | None = None,
    every_days: float | None = None,
    hour: float | None = None,
    view_zenith: float | None = None,
    view_azimuth: float | None = None,
    bias: Mapping[str, float] | None = None,
    orbit: str | None = None,
    days_later: int = 0,
) -> Satellite:
    """A satellite of a twin experiment.

    Args:
        sensor: name in the catalogue, or path of a sensor file.
        channels: names of the channels that are assimilated; all that look at the land, and not at
            the air above it, unless given.
        first: day of the first pass, for passes at fixed intervals; the first of the period unless
            given.
        every_days: days between passes, 10 unless given.
        hour: of the passes, UTC, 10.5 unless given.
        view_zenith: degrees, 5 unless given.
        view_azimuth: degrees from north, 105 unless given.
        bias: ``{channel: reflectance}`` that the instrument adds to the truth, 0 elsewhere.
        orbit: satellite whose orbit it flies, in any year; its own, while it works, unless given.
        days_later: whole days that it flies behind its orbit's satellite.
    """
    names = land_channels(sensor) if channels is None else tuple(channels)
    load_sensor(sensor).index(names)
    if every_days is not None and not every_days > 0:
        raise InputError(f"every_days is {every_days}; give a positive number of days")
    if hour is not None and not 0.0 <= hour < 24.0:
        raise InputError(f"hour is {hour}; give one from 0 to below 24, UTC")
    if view_zenith is not None and not 0.0 <= view_zenith <= STEEPEST:
        raise InputError(f"view_zenith is {view_zenith}; give 0 to {STEEPEST:g} degrees")
    if view_azimuth is not None and not abs(view_azimuth) <= 360.0:
        raise InputError(f"view_azimuth is {view_azimuth}; give degrees from north, 0 to 360")
    if orbit is not None and orbit not in CALENDARS:
        raise InputError(f"orbit '{orbit}' is not known; known are {', '.join(CALENDARS)}")
    fixed = any(v is not None for v in (first, every_days, hour, view_zenith, view_azimuth))
    moved = orbit is not None or days_later != 0
    if moved and (fixed or (orbit or sensor) not in CALENDARS):
        raise InputError(
            "orbit and days_later belong to the calendar of an orbit; give them without first, "
            f"every_days, hour and view angles, and name the orbit: {', '.join(CALENDARS)}"
        )
    added = offsets_of(bias or {}, names, "bias")
    if not fixed and (moved or sensor in CALENDARS):
        return Satellite(sensor, names, Orbiting(orbit or sensor, days_later, not moved), added)
    regular = Regular(
        np.nan if first is None else days(first),
        10.0 if every_days is None else every_days,
        10.5 if hour is None else hour,
        5.0 if view_zenith is None else view_zenith,
        105.0 if view_azimuth is None else view_azimuth,
    )
    return Satellite(sensor, names, regular, added)


def land_channels(sensor: str) -> tuple[str, ...]:
    """The channels of a sensor that look at the land.

    Args:
        sensor: name in the catalogue, or path of a sensor file.

    Raises:
        InputError: it has no such channel.
    """
    found = load_sensor(sensor)
    seen = zip(found.channels, () if found.variables else found.centres, strict=False)
    names = tuple(
        channel
        for channel, centre in seen
        if np.isfinite(centre) and not any(low <= centre <= high for low, high in AIR)
    )
    if not names:
        raise InputError(
            f"sensor {sensor} has no band that looks at the land; give channels, of "
            f"{', '.join(found.channels)}"
        )
    return names
