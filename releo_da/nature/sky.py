r"""What lies between the truth and a product: clouds, haze, calibration and noise.

A sky has an opacity per pixel. With g a smooth random field and c(t) the cloudiness of the weather,
an autoregressive series in time (so that cloudy days cluster),

    opacity = min(1, max(0, slope (c(t) + contrast g - level)))

The product's mask flags what is opaque enough; below that stays haze that nobody reports, and now
and then a mask fails and flags only the thickest part. Reflectances become

    y = (1 - opacity) r (1 + gain) + opacity cloud + haze (560 / lambda)^2 + noise

with a gain and a haze of the date and noise of the pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from releo_da.nature.landscape import Array, smooth_noise

FLAGGED = 0.06
"""Opacity from which the mask reports a cloud."""

FAILED = 0.5
"""The same where the mask fails."""


class Sky(NamedTuple):
    """The sky of one pass.

    Attributes:
        opacity: ``[pixel]`` 0 to 1.
        flagged: ``[pixel]`` bool, what the product's mask calls cloud.
        gain: relative error of calibration and atmospheric correction.
        haze: reflectance added at 560 nm.
    """

    opacity: Array
    flagged: NDArray[np.bool_]
    gain: float
    haze: float


def weather(times: Array, generator: np.random.Generator, days: float = 2.5) -> Array:
    """Cloudiness at the given times, an Ornstein-Uhlenbeck series of variance 1, ``[time]``."""
    value = generator.standard_normal(len(times))
    for k in range(1, len(times)):
        kept = np.exp(-(times[k] - times[k - 1]) / days)
        value[k] = kept * value[k - 1] + np.sqrt(1.0 - kept**2) * value[k]
    return value


def skies(
    times: Array,
    height: int,
    width: int,
    generator: np.random.Generator,
    level: float = 0.15,
    failing: float = 0.06,
) -> list[Sky]:
    """One sky per time.

    Args:
        times: in time order (days).
        height: rows.
        width: columns.
        generator: of all that is random.
        level: cloudiness at which clouds appear; higher is clearer.
        failing: share of passes whose mask fails.
    """
    found = []
    for cloudiness in weather(times, generator):
        patches = smooth_noise(height, width, 4.0, generator)
        opacity = np.clip(0.9 * (cloudiness + 0.7 * patches - level), 0.0, 1.0)
        limit = FAILED if generator.random() < failing else FLAGGED
        gain, haze = generator.normal(0.0, 0.015), abs(generator.normal(0.0, 0.006))
        found.append(Sky(opacity, opacity > limit, float(gain), float(haze)))
    return found


def attenuated(
    reflectance: Array, opacity: Array, centres: Array, gain: float, haze: float
) -> Array:
    """What arrives of true reflectances, without noise, ``[pixel, channel]``.

    Args:
        reflectance: ``[pixel, channel]``, as the sensor would see the surface alone.
        opacity: ``[pixel]`` of clouds, 0 to 1.
        centres: ``[channel]`` wavelengths (nm).
        gain: relative error of calibration and atmospheric correction.
        haze: reflectance added at 560 nm.
    """
    cloud = np.interp(centres, [440.0, 900.0, 1600.0, 2300.0], [0.55, 0.52, 0.40, 0.30])
    through = (1.0 - opacity[:, None]) * reflectance * (1.0 + gain)
    values: Array = through + opacity[:, None] * cloud + haze * (560.0 / centres) ** 2
    return values


def seen_through(
    reflectance: Array, sky: Sky, centres: Array, generator: np.random.Generator
) -> Array:
    """What a product says of true reflectances, ``[pixel, channel]``.

    Args:
        reflectance: ``[pixel, channel]``, as the sensor would see the surface alone.
        sky: of the pass.
        centres: ``[channel]`` wavelengths (nm).
        generator: of the noise.
    """
    values = attenuated(reflectance, sky.opacity, centres, sky.gain, sky.haze)
    noise = np.hypot(0.0025, 0.012 * values)
    return np.maximum(values + noise * generator.standard_normal(values.shape), 1e-4)
