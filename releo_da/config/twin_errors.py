"""Clouds and instruments of a twin experiment, as a configuration tells of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from releo_da.nature.clouds import Clouds
from releo_da.nature.instrument import Instrument
from releo_da.types import InputError


def clouds(
    cover: float = 0.5,
    undetected: float = 0.0,
    edges: float = 0.06,
    days: float = 2.5,
    lengths: Sequence[float] = (3000.0, 150.0),
) -> Clouds:
    """Clouds that cluster in time and space.

    Args:
        cover: mean share of values that the mask flags, 0 to below 1.
        undetected: share of the values flagged as clear that lie under cloud, 0 to below 1.
        edges: opacity up to which the rim of a cloud is not flagged, 0 to below 1.
        days: time after which the weather has forgotten (1 / e).
        lengths: of banks and of puffs of cloud, metres.
    """
    for name, value in (("cover", cover), ("undetected", undetected), ("edges", edges)):
        if not 0.0 <= value < 1.0:
            raise InputError(f"{name} is {value}; give a share from 0 to below 1")
    if not 0.0 < days < math.inf:
        raise InputError(f"days is {days}; give a positive number of days")
    if len(lengths) != 2 or not all(0.0 < length < math.inf for length in lengths):
        raise InputError(f"lengths is {list(lengths)}; give two positive numbers of metres")
    return Clouds(cover, undetected, edges, days, (lengths[0], lengths[1]))


def instrument(
    noise: float = 1.0,
    calibration: float = 0.02,
    spectral: float = 1.0,
    atmosphere: float = 0.015,
    haze: float = 0.006,
) -> Instrument:
    """Errors of the sensors; products claim the catalogue's noise whatever is given here.

    Args:
        noise: factor of the catalogue's noise.
        calibration: standard deviation of a channel's gain, for the whole run.
        spectral: standard deviation of the shift of a channel's response, nm, for the whole run.
        atmosphere: standard deviation of a pass's gain.
        haze: size of a pass's haze, reflectance at 560 nm.
    """
    given = Instrument(noise, calibration, spectral, atmosphere, haze)
    for name, value in given._asdict().items():
        if not 0.0 <= value < math.inf:
            raise InputError(f"{name} is {value}; give 0 or a positive number")
    return given
