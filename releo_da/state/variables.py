"""The one table of state variables: unit, bounds and prior of each.

A prior is a normal distribution truncated to its bounds, so that it is bounded and, near a bound,
skewed. Means, standard deviations and bounds start from the Sentinel-2 toolbox biophysical
processor (Weiss and Baret 2016, S2ToolBox Level 2 products ATBD, table 2). Departures, each for a
reason:

- chlorophyll and carotenoids may vanish, and water reaches down to that of straw: senescent fields;
- leaf area has its mode at 0 and a tail (median 1.8) instead of N(2, 3): fields are bare for much
  of a year, and a prior with little mass near 0 puts leaves on bare soil;
- the mean leaf angle stays within 40-72 degrees instead of 30-80: nearly vertical leaves trade
  against leaf area without changing reflectance;
- the soil brightness ends at 2, beyond which a dry soil would reflect more light than it receives.

The water content of the soil surface is no variable of that processor: its prior reaches from
air-dry to saturated, with the mass on the dry side. It takes the part of the dry fraction `psoil`,
so a state has it on request only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from releo_da.types import InputError


@dataclass(frozen=True)
class Variable:
    """One physical variable of the state.

    Attributes:
        name: the name used in configurations, tables and files.
        long_name: what it is, in words.
        unit: its unit, ``1`` where it has none.
        lower: lower bound; no member is ever below it.
        upper: upper bound; no member is ever above it.
        mean: location of the truncated normal prior (the mean before truncation).
        sd: scale of the truncated normal prior.
    """

    name: str
    long_name: str
    unit: str
    lower: float
    upper: float
    mean: float
    sd: float

    @property
    def deviation(self) -> float:
        """Standard deviation of the prior within its bounds, in the variable's unit.

        With a, b the standardised bounds and Z = Phi(b) - Phi(a),

            sd^2 [1 + (a phi(a) - b phi(b)) / Z - ((phi(a) - phi(b)) / Z)^2]
        """
        a, b = (self.lower - self.mean) / self.sd, (self.upper - self.mean) / self.sd
        low, high = (math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) for z in (a, b))
        mass = (math.erf(b / math.sqrt(2)) - math.erf(a / math.sqrt(2))) / 2
        share = 1 + (a * low - b * high) / mass - ((low - high) / mass) ** 2
        return self.sd * math.sqrt(share)


_TABLE = (
    Variable("n", "leaf structure index", "1", 1.0, 2.5, 1.4, 0.3),
    Variable("cab", "leaf chlorophyll a+b content", "ug cm-2", 0.0, 90.0, 45.0, 25.0),
    Variable("car", "leaf carotenoid content", "ug cm-2", 0.0, 25.0, 10.0, 5.0),
    Variable("ant", "leaf anthocyanin content", "ug cm-2", 0.0, 10.0, 0.0, 1.0),
    Variable("cbrown", "brown pigment content", "1", 0.0, 2.0, 0.0, 0.4),
    Variable("cw", "leaf water content", "cm", 0.0005, 0.075, 0.018, 0.015),
    Variable("cm", "leaf dry matter content", "g cm-2", 0.001, 0.02, 0.005, 0.003),
    Variable("lai", "leaf area index", "m2 m-2", 0.0, 12.0, -1.0, 3.2),
    Variable("ala", "mean leaf inclination angle", "degree", 40.0, 72.0, 57.0, 8.0),
    Variable("hspot", "hot spot size parameter", "1", 0.01, 0.5, 0.2, 0.2),
    Variable("psoil", "dry fraction of the soil", "1", 0.0, 1.0, 0.5, 0.5),
    Variable("rsoil", "soil brightness factor", "1", 0.3, 2.0, 1.0, 0.4),
    Variable("soil_moisture", "water content of the soil surface", "m3 m-3", 0.0, 0.55, 0.2, 0.15),
)

OPTIONAL = ("soil_moisture",)
"""Variables that are part of a state on request only."""

CORRELATIONS = {
    ("cab", "car"): 0.7,
    ("cab", "cbrown"): -0.75,
    ("car", "cbrown"): -0.4,
    ("cab", "lai"): 0.7,
    ("car", "lai"): 0.4,
    ("cbrown", "lai"): -0.75,
    ("cw", "cab"): 0.5,
    ("cw", "lai"): 0.5,
    ("cw", "cbrown"): -0.5,
    ("cw", "cm"): 0.3,
}
"""Prior correlations of the standardised variables, after the co-distributions of the same source
(table 3): dense canopies are green and moist and hold little brown pigment, so a canopy that turns
brown also loses leaf area. The remaining pairs are uncorrelated."""


def deviations() -> dict[str, float]:
    """Standard deviation of the prior of every variable of the table, by name."""
    return {variable.name: variable.deviation for variable in _TABLE}


def variables(names: tuple[str, ...] | None = None) -> dict[str, Variable]:
    """The table of variables by name.

    Args:
        names: these, in this order; when None all but the `OPTIONAL` ones, in the table's order.

    Raises:
        InputError: a name is not in the table.
    """
    table = {variable.name: variable for variable in _TABLE}
    if names is None:
        return {name: variable for name, variable in table.items() if name not in OPTIONAL}
    for name in names:
        if name not in table:
            raise InputError(f"{name!r} is not a state variable; the table has: {', '.join(table)}")
    return {name: table[name] for name in names}
