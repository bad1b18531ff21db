r"""Moisture of the soil's surface: what a satellite sees of the water between the plants.

Models of crops keep the water of the root zone, which changes over weeks; the upper centimetres wet
with every shower and dry in a few days. They are a bucket of depth Z, emptied by evaporation in two
stages (Allen, Pereira, Raes and Smith 1998, FAO Irrigation and Drainage Paper 56, chapter 7):

    D(d) = clip(D(d-1) - rain(d) + K E0(d) u(d),  -Z (sat - fc),  T)
    u    = e + (1 - e) / 5,      e = exp(-k lai(d))
    K    = min(1, (T - D) / (T - R)),      T = Z (fc - wp / 2),     R = T readily / 12
    moisture = (fc - D / Z - wp / 2) / (sat - wp / 2)

D is what lacks to field capacity (mm). Water goes at the rate E0 of the atmosphere until R is gone,
then slower with what is left. Leaves shade the soil (k = 0.5), and their roots draw a fifth of what
they transpire from this depth. Water above field capacity drains within a day, half of it before
it is seen. Air dry, half the wilting point, is 0, saturation is 1. Shapes: weather ``[day]``, soils
and leaves ``[cohort, ...]``. Cost: one pass over the days for all cohorts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEPTH = 50.0
"""Depth of what is the surface here (mm)."""

SHADE = 0.5
"""Extinction of net radiation by leaves, per unit of leaf area."""

ROOTS = 0.2
"""Share of transpiration that is drawn from the surface."""


class Soil(NamedTuple):
    """Water contents (m3/m3) and the water that evaporates at full rate, as in FAO 56, table 19."""

    wilting: float
    field_capacity: float
    saturation: float
    readily: float


SOILS: dict[str, Soil] = {
    "sand": Soil(0.05, 0.14, 0.37, 3.0),
    "loam": Soil(0.12, 0.27, 0.43, 5.0),
    "clay": Soil(0.22, 0.36, 0.48, 5.5),
}
"""Textures within the ranges of FAO 56, table 19; saturations after Clapp and Hornberger (1978)."""


def moisture(rain: Array, evaporation: Array, leaf_area: Array, soils: list[Soil]) -> Array:
    """Relative moisture of the surface, ``[cohort, day]``, 0 (air dry) to 1 (saturated).

    Args:
        rain: ``[day]`` mm.
        evaporation: ``[day]`` of a wet bare soil (mm).
        leaf_area: ``[cohort, day]`` green and dead leaves that shade the soil (m2/m2).
        soils: ``[cohort]``.
    """
    wilting, capacity, saturation, readily = np.array(soils).T
    total = DEPTH * (capacity - 0.5 * wilting)
    first_stage = readily / 12.0 * total
    lowest = -DEPTH * (saturation - capacity)
    open_soil = np.exp(-SHADE * leaf_area)
    drawn = evaporation * (open_soil + ROOTS * (1.0 - open_soil))
    depleted = 0.3 * total
    result = np.empty_like(leaf_area, dtype=np.float64)
    for day, fallen in enumerate(rain):
        # What stood above field capacity yesterday has drained; half of today's is seen.
        start = np.maximum(np.maximum(depleted, 0.0) - fallen, lowest)
        reduced = np.minimum(1.0, (total - start) / (total - first_stage))
        depleted = np.minimum(start + reduced * drawn[:, day], total)
        seen = np.where(depleted < 0.0, 0.5 * depleted, depleted)
        result[:, day] = (capacity - seen / DEPTH - 0.5 * wilting) / (saturation - 0.5 * wilting)
    return np.clip(result, 0.0, 1.0)  # rounding leaves some 1e-17
