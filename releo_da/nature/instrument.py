r"""What an instrument makes of what it should see: noise, calibration, spectral response, haze.

With r the exact reflectance of a channel and f(lambda) the curve through the values of all channels
at their centres,

    s      = r + f'(centre) shift             shift ~ N(0, spectral^2) nm, per sensor and channel
    seen   = the sky's work on s, with        gain ~ N(0, atmosphere^2) per pass,
                                              haze ~ |N(0, haze^2)| per pass
    y      = (1 + c) seen + noise sd(seen) e  c ~ N(0, calibration^2), per sensor and channel,
                                              e ~ N(0, 1), sd the catalogue's noise
    error  = sd(y)                            which is what the product says of itself

so a product claims the catalogue's noise and nothing of the rest. What is drawn per sensor and
channel stays for the whole run: a bias that no averaging removes. A shift of the response matters
where the spectrum is steep, at the red edge above all, where the curve through three or four
channels stands for it. Shapes: ``[pixel, channel]``; cost: a few operations per value.

How large: 2-3 % and 1 nm are of the order that missions aim at and verify (Gascon et al. 2017,
Copernicus Sentinel-2A calibration and products validation status, Remote Sensing 9, 584); haze is
what atmospheric correction leaves (Doxani et al. 2018, Atmospheric Correction Inter-comparison
Exercise, Remote Sensing 10, 352).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from releo_da.nature.sky import attenuated
from releo_da.sensors import channel_error, load_sensor
from releo_da.types import InputError

Array = NDArray[np.float64]

CALIBRATION, SHIFT, AIR = 21, 22, 23
"""Tell the random numbers of one seed apart."""

LEAST = 1e-4
"""Reflectance below which nothing is delivered."""


class Instrument(NamedTuple):
    """How wrong instruments are.

    Attributes:
        noise: factor of the catalogue's noise.
        calibration: standard deviation of the gain of a channel.
        spectral: standard deviation of the shift of a channel's response, nm.
        atmosphere: standard deviation of the gain of a pass.
        haze: standard deviation of the haze of a pass before its sign is dropped, reflectance at
            560 nm.
    """

    noise: float
    calibration: float
    spectral: float
    atmosphere: float
    haze: float


def centres_of(sensor: str, channels: tuple[str, ...]) -> Array:
    """Wavelengths (nm) of channels, ``[channel]``.

    Raises:
        InputError: a channel is an index or a variable, which has no wavelength.
    """
    found = load_sensor(sensor)
    index = found.index(channels)
    without = [c for c in channels if found.variables or found.are_indices((c,))[0]]
    if without:
        raise InputError(
            f"sensor {sensor}: {', '.join(without)} has no wavelength, so clouds and errors of an "
            "instrument cannot be simulated for it; choose channels that are bands"
        )
    return np.array([found.centres[k] for k in index])


def standing(seed: int, sensor: str, channels: tuple[str, ...], what: int) -> Array:
    """Numbers that belong to a sensor's channels for a whole run, standard normal, ``[channel]``.

    They depend on the names of sensor and channel, not on which others are looked at.

    Args:
        seed: of the run.
        sensor: its name.
        channels: their names.
        what: tells the numbers of one seed apart.
    """
    return np.array(
        [
            np.random.default_rng((seed, what, *f"{sensor} {channel}".encode())).standard_normal()
            for channel in channels
        ]
    )


def slope(values: Array, centres: Array) -> Array:
    """Derivative (1 / nm) at each centre of the curve through the values, ``[pixel, channel]``.

    Args:
        values: ``[pixel, channel]``.
        centres: ``[channel]`` nm, in any order; equal ones share a mean. One alone has slope 0.
    """
    distinct, which = np.unique(centres, return_inverse=True)
    if len(distinct) == 1:
        return np.zeros_like(values)
    share = (which == np.arange(len(distinct))[:, None]).astype(np.float64)
    curve = values @ (share / share.sum(-1, keepdims=True)).T
    steep: Array = np.gradient(curve, distinct, axis=-1)
    return steep[:, which]


def delivered(
    exact: Array,
    opacity: Array,
    noise: Array,
    sensor: str,
    channels: tuple[str, ...],
    time: float,
    instrument: Instrument,
    seed: int,
) -> tuple[Array, Array]:
    """Values and errors of a product, ``[pixel, channel]`` each.

    Args:
        exact: ``[pixel, channel]`` reflectances of the surface.
        opacity: ``[pixel]`` of the clouds in between, 0 to 1.
        noise: ``[pixel, channel]`` standard normal.
        sensor: name in the catalogue.
        channels: names of its channels.
        time: of the pass (days).
        instrument: how wrong it is.
        seed: of the run, not negative.

    Raises:
        InputError: a channel has no wavelength.
    """
    centres = centres_of(sensor, channels)
    shift = instrument.spectral * standing(seed, sensor, channels, SHIFT)
    gain = instrument.calibration * standing(seed, sensor, channels, CALIBRATION)
    moment = (seed, AIR, round(time * 86400.0), *sensor.encode())
    factor, haze = np.random.default_rng(moment).standard_normal(2)
    seen = attenuated(
        exact + slope(exact, centres) * shift,
        opacity,
        centres,
        instrument.atmosphere * factor,
        instrument.haze * abs(haze),
    )
    values = seen * (1.0 + gain) + instrument.noise * nominal(sensor, channels, seen) * noise
    values = np.maximum(values, LEAST)
    return values, nominal(sensor, channels, values)


def nominal(sensor: str, channels: tuple[str, ...], values: Array) -> Array:
    """The noise that the catalogue tells of a sensor, ``[pixel, channel]``."""
    found: Array = channel_error(sensor, channels, torch.from_numpy(values)).numpy()
    return found
