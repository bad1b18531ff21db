"""How variables and channels are called in tables and figures: unit, and sensor where it matters.

Agencies number bands as they like: red is B04 of Sentinel-2 and B4 of Landsat-8, and B05 is not B5.
Scores hold rows by channel; which sensors a channel is of stands in the same file, in
``innovations`` and ``impact``. Where all sensors of a run have the same channels, a name says
enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from releo_da.diagnostics.plots import style


class Naming(NamedTuple):
    """Names of a run.

    Attributes:
        units: of variables, where they have one.
        sensors: of each channel; empty where all channels are of the same sensors.
    """

    units: Mapping[str, str] = {}
    sensors: Mapping[str, tuple[str, ...]] = {}

    def text(self, name: str) -> str:
        """In words, with the sensors of a channel: ``B04 (sentinel2a, sentinel2b)``."""
        return style.label(style.words(name), ", ".join(self.sensors.get(name, ())))

    def measured(self, name: str) -> str:
        """The same with the unit of a variable: ``LAI (m² m⁻²)``."""
        return style.label(self.text(name), self.units.get(name, ""))

    def squared(self, name: str) -> str:
        """The same with the square of its unit, for changes of a squared error."""
        unit = style.written(self.units.get(name, ""))
        return f"{self.text(name)}, ({unit})²" if unit else self.text(name)


NAMES = Naming()
"""Of a run of which nothing is known."""


def naming(
    scores: Mapping[str, Any], units: Mapping[str, str] | None = None, *others: Mapping[str, Any]
) -> Naming:
    """The names of a run, or of several that stand in one table.

    Args:
        scores: scores.json.
        units: of variables.
        others: scores.json of the other runs.
    """
    listed: dict[str, list[str]] = {}
    for one in (scores, *others):
        for sensor, row in one.get("innovations", {}).items():
            listed.setdefault(sensor, []).extend(row["errors"])
        for sensor, said in one.get("impact", {}).items():
            for row in said.values():
                if isinstance(row, Mapping):
                    listed.setdefault(sensor, []).extend(row.get("channels", {}))
    found: dict[str, tuple[str, ...]] = {}
    for sensor, channels in listed.items():
        for channel in dict.fromkeys(channels):
            found[channel] = (*found.get(channel, ()), sensor)
    return Naming(units or {}, found if len({*found.values()}) > 1 else {})
