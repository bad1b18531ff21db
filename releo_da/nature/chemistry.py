r"""Leaves and soil of a growing crop: from leaf area, stage and moisture to what light meets.

A growth model (`releo_da.nature.growth`) gives green and standing dead leaf area G and D, the
stage of development s (0 emergence, 1 flowering, 2 maturity) and the relative moisture w of
the topsoil. Canopy-mean contents are those of green leaves and of straw, weighted by area,
g = G / (G + D):

    lai    = G + D,  lai_green = G,                     G with weeds below and between
    cab    = nitrogen cab_max a(s) g + 3 (1 - g)        a is 1 from s = 0.7 to 1.1
    car    = (0.15 cab_green + 3.5) g + 2 (1 - g)       carotenoids outlive chlorophyll
    cbrown = brown (1 - g) + 0.1 max(s - 1, 0)
    cw     = water (1 - 0.15 max(s - 1, 0)) (0.75 + 0.25 sqrt(w)) g + 0.0015 (1 - g)
    cm     = dry (1 + 0.25 s)                           leaves thicken
    n      = structure + 0.15 max(s - 1, 0) + 0.3 (1 - g)
    lidfa  = upright + droop s                          leaves bend down with age
    soil_moisture = air_dry + (saturated - air_dry) w
    psoil  = exp(-4.3 (soil_moisture - air_dry))        Lobell and Asner (2002)

Relative moisture w comes from a bucket with the water contents of a texture
(`releo_da.nature.topsoil`); air_dry and saturated here are one pair for all textures. So fields of
sand and clay differ by how fast they dry, not by how much water they hold at either end.

None of it is known to a filter: its contents are free variables with a prior and dynamics of their
own, and its soil darkens by films of water (`releo_da.physics.soil`). Numbers per plant are round
ones within the ranges that the leaf databases span (Feret et al. 2008, Remote Sensing of
Environment 112, 3030-3043; Hosgood et al. 1994, LOPEX 93); leaf angles are two-parameter
distributions (Verhoef 1998), of which `ala` is the mean. Shapes: all ``[pixel]``.

Reference: Lobell D. B. and Asner G. P. (2002), Soil Science Society of America Journal 66, 722-727:
reflectance falls exponentially with volumetric moisture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Plant(NamedTuple):
    """What the leaves of a crop or tree are like when they are green.

    Attributes:
        cab: chlorophyll at its height (ug cm-2).
        water: leaf water (cm).
        dry: dry matter (g cm-2).
        structure: leaf structure index.
        brown: brown pigments of dead leaves.
        upright: lidfa of young leaves; -1 vertical, 1 horizontal.
        droop: change of lidfa from one stage to the next.
        bimodal: lidfb.
        hspot: hot spot size.
    """

    cab: float
    water: float
    dry: float
    structure: float
    brown: float
    upright: float
    droop: float
    bimodal: float
    hspot: float


PLANTS: Mapping[str, Plant] = {
    "winter_wheat": Plant(52, 0.016, 0.0046, 1.45, 1.1, -0.45, 0.15, -0.15, 0.10),
    "spring_barley": Plant(46, 0.014, 0.0042, 1.40, 1.2, -0.45, 0.20, -0.15, 0.10),
    "maize": Plant(55, 0.017, 0.0044, 1.35, 1.0, -0.30, 0.10, -0.10, 0.14),
    "rapeseed": Plant(47, 0.022, 0.0050, 1.55, 0.9, -0.05, -0.10, -0.15, 0.22),
    "sugar_beet": Plant(49, 0.032, 0.0052, 1.50, 0.8, 0.05, -0.15, -0.15, 0.25),
    "potato": Plant(44, 0.028, 0.0044, 1.50, 1.0, 0.10, 0.05, -0.15, 0.22),
    "sunflower": Plant(45, 0.025, 0.0060, 1.60, 1.1, 0.10, -0.05, -0.10, 0.28),
    "cotton": Plant(46, 0.022, 0.0062, 1.55, 1.0, 0.05, -0.05, -0.15, 0.22),
    "soybean": Plant(48, 0.018, 0.0042, 1.40, 0.9, 0.10, -0.05, -0.15, 0.18),
    "tomato": Plant(45, 0.026, 0.0052, 1.50, 1.0, 0.00, 0.00, -0.15, 0.22),
    "grassland": Plant(40, 0.016, 0.0050, 1.45, 1.0, -0.40, 0.10, -0.10, 0.10),
    "deciduous_forest": Plant(47, 0.013, 0.0060, 1.60, 0.9, 0.15, -0.05, -0.15, 0.25),
    "evergreen_forest": Plant(55, 0.024, 0.0130, 1.80, 0.8, -0.10, 0.00, -0.10, 0.30),
    "bare_soil": Plant(40, 0.015, 0.0050, 1.45, 1.0, -0.40, 0.00, -0.15, 0.10),
}  # fmt: skip

VARIABLES = (
    "n", "cab", "car", "ant", "cbrown", "cw", "cm",
    "lai", "lidfa", "lidfb", "ala", "hspot", "psoil", "rsoil", "soil_moisture",
    "lai_green",
)  # fmt: skip
"""Variables of a truth, in the order of its latent axis."""

AIR_DRY, SATURATED = 0.04, 0.42
"""Volumetric water content of the topsoil at the ends of relative moisture (m3 m-3)."""

DARKENING = 4.3
"""How fast a soil darkens with volumetric moisture."""

WEEDS = 0.1
"""Weeds and volunteers on bare ground, green (m2 m-2), in the median over fields."""


def mean_angle(lidfa: Array, lidfb: Array) -> Array:
    """Mean leaf inclination (degrees) of a two-parameter distribution: 45 - 360 a / pi^2.

    Verhoef (1998), Theory of radiative transfer models, section 3.3.2; b does not enter.
    """
    return 45.0 - 360.0 * lidfa / np.pi**2 + 0.0 * lidfb


def activity(stage: Array) -> Array:
    """Chlorophyll relative to its height: 0.7 at emergence, 1 from 0.7 to 1.1, 0.5 at maturity."""
    return np.interp(stage, [0.0, 0.7, 1.1, 2.0], [0.7, 1.0, 1.0, 0.5])


def leaves_and_soil(
    grown: Mapping[str, Array],
    plant: Mapping[str, Array],
    nitrogen: Array,
    turgor: Array,
    brightness: Array,
    weeds: Array,
) -> dict[str, Array]:
    """The variables of a canopy and its soil, by name.

    Args:
        grown: ``lai, dead, stage, moisture`` of `releo_da.nature.growth.at`, ``[pixel]``.
        plant: the fields of `Plant`, ``[pixel]`` each.
        nitrogen: factor of chlorophyll, ``[pixel]``.
        turgor: factor of leaf water, ``[pixel]``.
        brightness: of the dry soil, ``[pixel]``.
        weeds: their leaf area on open ground (m2 m-2), ``[pixel]``; a canopy shades them out.

    Returns:
        ``{name: [pixel]}`` for each of `VARIABLES`.
    """
    stage, w = np.clip(grown["stage"], 0.0, 2.0), np.clip(grown["moisture"], 0.0, 1.0)
    crop, dead = np.maximum(grown["lai"], 0.0), np.maximum(grown["dead"], 0.0)
    green = crop + weeds * np.exp(-crop - dead)
    lai = green + dead
    g, ageing = green / np.maximum(lai, 1e-9), np.maximum(stage - 1.0, 0.0)
    cab = nitrogen * plant["cab"] * activity(stage)
    water = turgor * plant["water"] * (1.0 - 0.15 * ageing) * (0.75 + 0.25 * np.sqrt(w))
    steepest = 1.0 - np.abs(plant["bimodal"])  # beyond, there is no such distribution
    lidfa = np.clip(plant["upright"] + plant["droop"] * stage, -steepest, steepest)
    moisture = AIR_DRY + (SATURATED - AIR_DRY) * w
    return {
        "n": np.maximum(plant["structure"] + 0.15 * ageing + 0.3 * (1.0 - g), 1.0),
        "cab": g * cab + 3.0 * (1.0 - g),
        "car": g * (0.15 * cab + 3.5) + 2.0 * (1.0 - g),
        "ant": np.zeros_like(g),
        "cbrown": np.minimum(plant["brown"] * (1.0 - g) + 0.1 * ageing, 2.0),
        "cw": g * water + 0.0015 * (1.0 - g),
        "cm": plant["dry"] * (1.0 + 0.25 * stage),
        "lai": lai,
        "lidfa": lidfa,
        "lidfb": plant["bimodal"],
        "ala": mean_angle(lidfa, plant["bimodal"]),
        "hspot": plant["hspot"],
        "psoil": np.exp(-DARKENING * (moisture - AIR_DRY)),
        "rsoil": brightness,
        "soil_moisture": moisture,
        "lai_green": green,
    }
