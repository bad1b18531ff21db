"""Elements of weather, their units, and which other unit numbers beyond their range are in.

Every element has one unit here, whatever a file holds: value = scale * number + offset. Numbers
that no day on Earth has (hotter than 60 degC, more sun than falls on top of the atmosphere) were
written in another unit; the one that brings them into range is named, with the scale and offset
that undo it. Numbers that are all far too small (precipitation in metres) are found by their size
over many days.

    element             unit          limits of a day
    temperature         degC          [-90, 60], also _min and _max
    precipitation       mm d-1        [0, 2000]
    radiation           MJ m-2 d-1    [0, 48], short-wave, downward, sum of the day
    vapour_pressure     hPa           [0, 60]
    wind                m s-1         [0, 75], mean of the day
    evapotranspiration  mm d-1        [-5, 25]

References for the limits: World Meteorological Organization, World Weather & Climate Extremes
Archive (temperature -89.2 and 56.7 degC; 1825 mm in 24 h); Allen et al. (1998), FAO Irrigation and
Drainage Paper 56, equation 21 (radiation on top of the atmosphere: at most 48 MJ m-2 d-1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from releo_da.io.names import require
from releo_da.types import InputError

SEASON = 90
"""So many days with a number above 0 tell whether all of them are too small."""


class Unit(NamedTuple):
    """Another unit that an element comes in: canonical = scale * number + offset."""

    name: str
    scale: float
    offset: float = 0.0


class Element(NamedTuple):
    """What an element is.

    Attributes:
        unit: as it is kept.
        low: the least value of a day.
        high: the greatest.
        units: what numbers beyond these may be in, the likelier first.
        usual: some day of a season exceeds it; 0 where nothing can be said.
        small: what smaller numbers are in, the likelier first.
    """

    unit: str
    low: float
    high: float
    units: tuple[Unit, ...]
    usual: float = 0.0
    small: tuple[Unit, ...] = ()


TEMPERATURE = Element(
    "degC", -90.0, 60.0,
    (Unit("Kelvin", 1.0, -273.15), Unit("Fahrenheit", 5 / 9, -160 / 9),
     Unit("tenths of degC", 0.1), Unit("Kelvin x 10", 0.1, -273.15),
     Unit("Kelvin x 100", 0.01, -273.15), Unit("hundredths of degC", 0.01)),
)  # fmt: skip
WATER = (Unit("tenths of mm", 0.1), Unit("hundredths of mm", 0.01), Unit("micrometres", 1e-3))
ELEMENTS = {
    "temperature": TEMPERATURE,
    "temperature_min": TEMPERATURE,
    "temperature_max": TEMPERATURE,
    "precipitation": Element(
        "mm d-1", 0.0, 2000.0, WATER,
        1.0, (Unit("metres per day", 1e3), Unit("kg m-2 s-1", 86400.0)),
    ),
    "radiation": Element(
        "MJ m-2 d-1", 0.0, 48.0,
        (Unit("W m-2 (mean of the day)", 0.0864), Unit("J cm-2 d-1", 0.01),
         Unit("kJ m-2 d-1", 1e-3), Unit("J m-2 d-1", 1e-6)),
    ),
    "vapour_pressure": Element(
        "hPa", 0.0, 60.0, (Unit("Pa", 0.01),), 4.0, (Unit("kPa", 10.0),)
    ),
    "wind": Element("m s-1", 0.0, 75.0, (Unit("km h-1", 1 / 3.6), Unit("tenths of m s-1", 0.1))),
    "evapotranspiration": Element(
        "mm d-1", -5.0, 25.0, WATER,
        0.1, (Unit("metres per day", 1e3), Unit("kg m-2 s-1", 86400.0)),
    ),
}  # fmt: skip
"""The elements that are known, by their names in a configuration."""

KEYS = ("from", "scale", "offset")
ElementOption = str | dict[str, object]
"""A column or variable, or ``{from: column, scale: .., offset: ..}``."""


class Origin(NamedTuple):
    """Where an element is in a file: element = scale * number + offset."""

    name: str
    scale: float
    offset: float

    def __call__(self, numbers: NDArray) -> NDArray[np.float64]:
        """The numbers of the file in the unit of the element."""
        return self.scale * np.asarray(numbers, dtype=np.float64) + self.offset


def origins(option: Mapping[str, ElementOption], where: str) -> dict[str, Origin]:
    """The option ``elements`` as the column and packing of each element.

    Raises:
        InputError: an element is not known, or its entry is none.
    """
    if not option:
        raise InputError(f"{where}: no element is named; write {{temperature: column}}")
    found = {}
    for element, given in option.items():
        require(element, ELEMENTS, where, "element")
        if isinstance(given, str):
            given = {"from": given}
        for key in given:
            require(key, KEYS, f"{where}.{element}", "option")
        if "from" not in given:
            raise InputError(f"{where}.{element}: 'from' is missing; name the column or variable")
        packing = [given.get("scale", 1.0), given.get("offset", 0.0)]
        if any(isinstance(n, bool) or not isinstance(n, int | float) for n in packing):
            raise InputError(f"{where}.{element}: scale and offset are numbers, found {packing}")
        scale, offset = (float(n) for n in packing)  # type: ignore[arg-type]
        found[element] = Origin(str(given["from"]), scale, offset)
    return found


def check_element(values: NDArray[np.float64], name: str, origin: Origin, where: str) -> None:
    """Refuse numbers that an element cannot have, with their likely unit.

    Args:
        values: in the unit that the configuration leads to, any shape, NaN where unknown.
        name: of the element.
        origin: the packing that was undone, for the remedy.
        where: file and key, for messages.

    Raises:
        InputError: they lie beyond the limits, or are all too small.
    """
    known, element = values[np.isfinite(values)], ELEMENTS[name]
    if not known.size:
        raise InputError(f"{where}: '{origin.name}' has no number; name another column")
    low, high = float(known.min()), float(known.max())
    if low < element.low or high > element.high:
        fitting = [unit for unit in element.units if _fits(known, unit, element)]
        found = f"{name} reaches from {low:.6g} to {high:.6g} {element.unit}"
        beyond = f"beyond {element.low:g} to {element.high:g}"
        if not fitting:
            raise InputError(
                f"{where}: {found}, {beyond}; name numbers that stand for a missing value by "
                "'fill', or correct the column"
            )
        raise InputError(f"{where}: {found}, {beyond}: {_remedy(fitting[0], origin)}")
    if (known > 0).sum() >= SEASON and high < element.usual:
        fitting = [unit for unit in element.small if high * unit.scale >= element.usual]
        if fitting:
            raise InputError(
                f"{where}: {name} is nowhere above {high:.3g} {element.unit} on {known.size} days: "
                f"{_remedy(fitting[0], origin)}"
            )


def check_order(values: Mapping[str, NDArray[np.float64]], where: str) -> None:
    """Refuse a lowest temperature above the highest one on more than one day in twenty.

    Args:
        values: by element, equal shapes.
        where: the file, for messages.

    Raises:
        InputError: the two columns were exchanged.
    """
    for lower, upper in (
        ("temperature_min", "temperature_max"),
        ("temperature_min", "temperature"),
        ("temperature", "temperature_max"),
    ):
        if lower in values and upper in values:
            wrong = float(np.mean(values[lower] > values[upper] + 0.5))
            if wrong > 0.05:
                raise InputError(
                    f"{where}: {lower} is above {upper} on {100 * wrong:.0f} % of the days; "
                    "exchange the two columns"
                )


def _fits(known: NDArray[np.float64], unit: Unit, element: Element) -> bool:
    """Whether all numbers but one in a hundred are possible in another unit."""
    turned = unit.scale * known + unit.offset
    return float(np.mean((turned >= element.low) & (turned <= element.high))) > 0.99


def _remedy(unit: Unit, origin: Origin) -> str:
    """How the packing of a column undoes a unit."""
    scale = unit.scale * origin.scale
    offset = unit.scale * origin.offset + unit.offset
    packing = f"from: {origin.name}, scale: {scale:.6g}"
    packing += f", offset: {offset:.6g}" if offset else ""
    return f"it looks like {unit.name}; write {{{packing}}}"
