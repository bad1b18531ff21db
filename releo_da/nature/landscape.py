r"""A patch of fields whose canopy and soil change through a season: the truth of the demo.

The truth is not the model that assimilates. Leaf area follows a double logistic (Zhang et al. 2003,
Remote Sensing of Environment 84, 471-475; Beck et al. 2006, ibid. 100, 321-334), leaves turn from
green to brown about a date of their own, and the topsoil is a bucket filled by rain:

    lai(t)    = low + (high - low) [s((t - rise) / p) - s((t - fall) / q)],    s(x) = 1 / (1 + e^-x)
    green(t)  = s((senescence - t) / r)
    cab(t)    = green cab_max + (1 - green) 4,         cbrown(t) = (1 - green) brown
    w(d + 1)  = w(d) exp(-1 / tau) + rain(d) / depth,  psoil(t)  = 1 - min(w, 1)

Crops differ in all of these, fields in sowing date and soil, pixels in what varies smoothly inside
a field. Dates are days of the year. Shapes: everything is ``[pixel]``, rows from the north.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import expit

Array = NDArray[np.float64]


class Crop(NamedTuple):
    """Phenology and architecture of a crop; dates are days of the year, durations days."""

    rise: float
    rise_days: float
    fall: float
    fall_days: float
    senescence: float
    senescence_days: float
    lai: float
    cab: float
    brown: float
    water: float
    dry: float
    n: float
    ala: float
    hspot: float


CROPS: Mapping[str, Crop] = {
    "winter wheat": Crop(84, 11, 176, 6, 168, 6, 4.6, 52, 1.1, 0.015, 0.0052, 1.45, 61, 0.12),
    "rapeseed": Crop(73, 10, 168, 7, 160, 7, 4.0, 46, 0.8, 0.021, 0.0058, 1.65, 49, 0.22),
    "maize": Crop(166, 8, 254, 9, 247, 9, 4.8, 56, 1.0, 0.018, 0.0045, 1.35, 54, 0.10),
    "sunflower": Crop(158, 8, 232, 7, 225, 8, 3.0, 43, 1.2, 0.024, 0.0062, 1.70, 46, 0.25),
    "winter barley": Crop(78, 10, 160, 6, 152, 6, 4.2, 48, 1.2, 0.014, 0.0050, 1.50, 63, 0.12),
    "soya": Crop(172, 9, 249, 8, 243, 8, 5.2, 50, 0.9, 0.016, 0.0040, 1.40, 43, 0.18),
}
"""Crops of south-western France, loosely."""

VARIABLES = (
    "n", "cab", "car", "ant", "cbrown", "cw", "cm", "lai", "ala", "hspot", "psoil", "rsoil",
)  # fmt: skip
"""Variables of the truth, in the order of its latent axis."""

LEAST_LAI = 0.08
"""Weeds and stubble between crops."""


class Landscape(NamedTuple):
    """A patch of fields.

    Attributes:
        height: rows.
        width: columns.
        field: ``[pixel]`` number of the field.
        crop: ``[field]`` name of its crop.
        traits: ``[pixel]`` each: the crop's numbers with sowing date and variation applied, and
            ``brightness`` and ``drying`` (days) of the soil.
        rain: ``[day]`` mm, from the day before ``first``.
        first: day of the year of ``rain[1]``.
    """

    height: int
    width: int
    field: NDArray[np.int64]
    crop: tuple[str, ...]
    traits: Mapping[str, Array]
    rain: Array
    first: float


def smooth_noise(height: int, width: int, length: float, generator: np.random.Generator) -> Array:
    """A Gaussian random field with mean 0, variance 1, ``[pixel]``.

    Args:
        height: rows.
        width: columns.
        length: of the Gaussian that smooths white noise (pixels).
        generator: of the noise.
    """
    margin = int(4 * length)
    white = generator.standard_normal((height + 2 * margin, width + 2 * margin))
    smooth = gaussian_filter(white, length)
    inside = smooth[margin : margin + height, margin : margin + width] / smooth.std()
    return inside.ravel()


def fields(height: int, width: int, across: int = 3, down: int = 2) -> NDArray[np.int64]:
    """Numbers of slanted fields side by side, ``[pixel]``."""
    y, x = (axis.ravel() + 0.5 for axis in np.indices((height, width)))
    column = np.clip((x + 0.2 * (y - height / 2)) * across // width, 0, across - 1)
    row = np.clip((y - 0.15 * (x - width / 2)) * down // height, 0, down - 1)
    return (row * across + column).astype(np.int64)


def rainfall(days: int, generator: np.random.Generator) -> Array:
    """Daily rain (mm), ``[day]``: wet days cluster (a two-state Markov chain)."""
    rain = np.zeros(days)
    wet = False
    for day in range(days):
        wet = generator.random() < (0.5 if wet else 0.18)
        rain[day] = generator.exponential(7.0) if wet else 0.0
    return rain


def landscape(
    height: int, width: int, first: float, days: int, generator: np.random.Generator
) -> Landscape:
    """Draw a patch of fields and the rain of its season.

    Args:
        height: rows.
        width: columns.
        first: day of the year on which the season begins.
        days: length of the season.
        generator: of all that is random.
    """
    field = fields(height, width)
    count = int(field.max()) + 1
    names = tuple(CROPS)
    crop = tuple(names[k % len(names)] for k in range(count))
    table = np.array([CROPS[name] for name in crop])
    traits = dict(zip(Crop._fields, table[field].T, strict=True))
    sowing = generator.normal(0.0, 4.0, count)[field]
    sowing = sowing + 2.5 * smooth_noise(height, width, 2.5, generator)
    for name in ("rise", "fall", "senescence"):
        traits[name] = traits[name] + sowing
    for name, share in (("lai", 0.13), ("cab", 0.08), ("water", 0.08)):
        traits[name] = traits[name] * np.exp(share * smooth_noise(height, width, 2.5, generator))
    soil = generator.choice([0.55, 0.7, 0.85], count)[field]
    traits["brightness"] = soil * np.exp(0.08 * smooth_noise(height, width, 3.0, generator))
    traits["drying"] = generator.uniform(3.0, 8.0, count)[field]
    return Landscape(height, width, field, crop, traits, rainfall(days + 1, generator), first)


def dryness(patch: Landscape, day: float, depth: float = 14.0) -> Array:
    """Dry fraction of the topsoil, ``[pixel]``.

    Args:
        patch: with its rain.
        day: of the year.
        depth: rain (mm) that wets the topsoil fully.
    """
    tau = patch.traits["drying"]
    water = np.full_like(tau, 0.4)
    for fallen in patch.rain[: max(int(np.floor(day - patch.first)) + 1, 0)]:
        water = np.minimum(water + fallen / depth, 1.2) * np.exp(-1.0 / tau)
    return 1.0 - 0.8 * np.minimum(water, 1.0)


def truth(patch: Landscape, day: float) -> Array:
    """Variables of every pixel on a day of the year, ``[pixel, variable]`` by `VARIABLES`."""
    t = patch.traits
    grown = expit((day - t["rise"]) / t["rise_days"]) - expit((day - t["fall"]) / t["fall_days"])
    lai = LEAST_LAI + (t["lai"] - LEAST_LAI) * np.clip(grown, 0.0, None)
    green = expit((t["senescence"] - day) / t["senescence_days"])
    cab = green * t["cab"] + (1.0 - green) * 4.0
    values = {
        "n": t["n"] + 0.4 * (1.0 - green),
        "cab": cab,
        "car": 2.0 + 0.18 * cab,
        "ant": 0.0 * cab,
        "cbrown": (1.0 - green) * t["brown"],
        "cw": green * t["water"] + (1.0 - green) * 0.003,
        "cm": t["dry"] * (1.0 + 0.2 * (1.0 - green)),
        "lai": lai,
        "ala": t["ala"] + 5.0 * (1.0 - green),
        "hspot": t["hspot"],
        "psoil": dryness(patch, day),
        "rsoil": t["brightness"],
    }
    return np.stack([values[name] for name in VARIABLES], -1)
