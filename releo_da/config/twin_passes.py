"""Passes of the satellites of a twin experiment, and which of them never came.

A pass counts by day. A satellite without one in the period gives a run nothing: one that was
launched later, or whose interval is longer than the period, looks in every score like a satellite
whose data are worth nothing. It is told by name, in the log, on the terminal and in the report.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import torch

from releo_da.config.document import Document
from releo_da.config.twin_satellites import Look, Orbiting, Satellite
from releo_da.config.twin_source import Twin, period_of
from releo_da.io.geometry import relative_azimuth, sun_position
from releo_da.nature.orbits import CALENDARS
from releo_da.types import Acquisition, InputError

LOWEST_SUN = 85.0
"""Passes with a larger sun zenith (degrees) are left out: it is night, or as good as."""


def by_day(
    satellite: Satellite, start: float, end: float, place: tuple[float, float]
) -> list[tuple[Look, float, float]]:
    """Passes of a satellite with the sun up: the look, sun zenith and sun azimuth (degrees).

    Args:
        satellite: whose passes.
        start: days since 1970-01-01.
        end: the same.
        place: longitude and latitude, degrees.
    """
    found = []
    for look in satellite.calendar.looks(start, end, place):
        zenith, azimuth = map(float, sun_position(look[0], *place))
        if zenith <= LOWEST_SUN:
            found.append((look, zenith, azimuth))
    return found


def passes(document: Document, made: Twin, device: torch.device) -> list[Acquisition]:
    """Time, sensor and angles (one row for all pixels) of every pass of the period, in time order.

    Raises:
        InputError: the period is missing, or no satellite passes in it by day.
    """
    start, end = period_of(document)
    found = []
    for s in made.satellites:
        nothing = torch.zeros(1, len(s.channels), device=device)
        for (time, view_zenith, azimuth), sun, sun_azimuth in by_day(s, start, end, made.place):
            relative = float(relative_azimuth(sun_azimuth, azimuth))
            angles = torch.tensor([sun, view_zenith, relative], device=device)
            found.append(Acquisition(time, s.sensor, nothing, nothing, angles[None], s.sensor))
    if not found:
        raise InputError(
            f"{document.path}: no satellite passes by day in the period. "
            + " ".join(silent(document, made))
        )
    return sorted(found, key=lambda a: a.time)


def silent(document: Document, made: Twin) -> list[str]:
    """A sentence for each satellite without a pass by day in the period: which one, and why."""
    start, end = period_of(document)
    return [
        f"{s.sensor} (source.twin.satellites[{k}]) never passes by day from {_day(start)} to "
        f"{_day(end - 1e-6)}, so that nothing of it was used: {_reason(s, start, end, made.place)}."
        for k, s in enumerate(made.satellites)
        if not by_day(s, start, end, made.place)
    ]


def _reason(s: Satellite, start: float, end: float, place: tuple[float, float]) -> str:
    """Why a satellite does not pass, with the remedy."""
    if not isinstance(s.calendar, Orbiting):
        return "change first, every_days or hour"
    held = CALENDARS[s.calendar.name]
    if s.calendar.lifetime and not held.begins < end:
        return f"its data begin on {_day(held.begins)}; another period, or orbit: lifts that"
    if s.calendar.lifetime and not start < held.ends:
        last = _day(held.ends - 1)
        return f"its data end on {last}; another period, or orbit: lifts that"
    if s.calendar.looks(start, end, place):
        return f"the sun stands below {90 - LOWEST_SUN:g} degrees; change place or period"
    return f"its orbit repeats every {held.orbit.days} days; give a longer period"


def _day(time: float) -> str:
    """A day as it is written."""
    return str(date(1970, 1, 1) + timedelta(days=int(np.floor(time))))
