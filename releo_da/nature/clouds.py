r"""Clouds over a landscape and what the mask says of them, at the places asked for.

The cloudiness of a place is a standard normal number made of weather, banks and puffs,

    z(t, x) = sqrt(1/2) w(t) + sqrt(1/4) g_L(x) + sqrt(1/4) g_S(x)

with w a series in time whose correlation is exp(-|dt| / days), so that cloudy days cluster, and
g_L, g_S random fields of one pass with a long and a short length, so that clouds have many sizes.
With Phi the normal distribution, the mask flags a share `cover` of all values, on average:

    flagged = z > level,      level = Phi^-1(1 - cover)
    opacity = min(1, max(0, edge + SLOPE (z - level)))

so a cloud thins out over a rim which the mask does not report, up to the opacity `edge`. Besides,
the mask misses cloud in patches of its own, which lie over part of a scene and not pixel by pixel,

    missed  = v > Phi^-1(1 - undetected),    v(x) = sqrt(1/2) (n + g_M(x)),    n ~ N(0, 1) per pass
    opacity = max(opacity, THIN + THICKER (v - Phi^-1(1 - undetected)))

v knows nothing of z, so the share of missed cloud among the clear-flagged values is `undetected`.
w is a sum of waves like the fields of `releo_da.nature.random_fields`, whose frequencies have the
Cauchy density, the spectrum of an exponential correlation. All is a function of the seed, the time
and the place: parts of a map are the map there. Cost: 300 cosines per pixel and pass.
Shadows of clouds are not made.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from releo_da.nature.random_fields import field

Array = NDArray[np.float64]

WAVES = 512
"""Waves of the weather, whose frequencies have a heavy tail."""

SLOPE = 0.9
"""Opacity per unit of cloudiness; optical depth grows inwards from the edge."""

THIN, THICKER = 0.1, 0.4
"""Opacity at the border of a missed cloud, and its rise per unit of v."""

WEATHER, BANK, PUFF, MISS, SCENE = 11, 12, 13, 14, 15
"""Tell the random numbers of one seed apart."""


class Clouds(NamedTuple):
    """How cloudy it is.

    Attributes:
        cover: mean share of values that the mask flags, above 0 and below 1; 0 is a sky that has
            no cloud to flag.
        undetected: share of the clear-flagged values that lie under cloud all the same.
        edge: opacity up to which a cloud's rim is not flagged.
        days: after which the weather has forgotten (1 / e).
        lengths: of banks and of puffs, metres.
    """

    cover: float
    undetected: float
    edge: float
    days: float
    lengths: tuple[float, float]


def weather(seed: int, time: ArrayLike, days: float) -> Array:
    """Cloudiness of the weather, mean 0, variance 1, correlation exp(-|dt| / days), as `time`.

    Args:
        seed: of the waves.
        time: days, any shape.
        days: after which the correlation is 1 / e.
    """
    generator = np.random.default_rng((seed, WEATHER))
    frequency = generator.standard_cauchy(WAVES) / days
    phase = generator.uniform(0.0, 2.0 * np.pi, WAVES)
    waves = np.cos(np.asarray(time, np.float64)[..., None] * frequency + phase)
    found: Array = np.sqrt(2.0 / WAVES) * waves.sum(-1)
    return found


def sky(
    seed: int, time: float, row: ArrayLike, column: ArrayLike, clouds: Clouds
) -> tuple[Array, NDArray[np.bool_]]:
    """Clouds of one pass at some places.

    Args:
        seed: of all clouds, not negative.
        time: of the pass (days).
        row: ``[pixel]`` metres from the north.
        column: ``[pixel]`` metres from the west.
        clouds: how cloudy it is.

    Returns:
        opacity, 0 to 1, and what the mask flags, both ``[pixel]``.
    """
    moment = round(time * 86400.0)

    def patches(tag: int, length: float) -> Array:
        return field((seed, tag, moment), row, column, length)

    bank, puff = clouds.lengths
    opacity: Array = np.zeros(np.shape(row))
    flagged = np.zeros(np.shape(row), bool)
    if clouds.cover > 0.0:
        overcast = np.sqrt(0.5) * weather(seed, time, clouds.days)
        cloudiness = overcast + 0.5 * (patches(BANK, bank) + patches(PUFF, puff))
        above = cloudiness - NormalDist().inv_cdf(1.0 - clouds.cover)
        flagged = above > 0.0
        opacity = np.clip(clouds.edge + SLOPE * above, 0.0, 1.0)
    if clouds.undetected > 0.0:
        whole = np.random.default_rng((seed, SCENE, moment)).standard_normal()
        unseen = np.sqrt(0.5) * (whole + patches(MISS, puff))
        above = unseen - NormalDist().inv_cdf(1.0 - clouds.undetected)
        missed = np.clip(THIN + THICKER * above, 0.0, 1.0)
        opacity = np.where(above > 0.0, np.maximum(opacity, missed), opacity)
    return opacity, flagged
