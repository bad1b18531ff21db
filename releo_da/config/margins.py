"""``train.margins``: densities that count beside the joint one, of forecasters and of encoders.

    margins: {ndvi: 5, channels: 1}

names an index, or each channel on its own, with its weight (`releo_da.learning.margins`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from releo_da.config.document import nearest
from releo_da.learning.margins import Margin
from releo_da.sensors import load_sensor
from releo_da.sensors.indices import INDICES, find_index, is_index, of_channels
from releo_da.types import InputError

CHANNELS = "channels"
"""Name of each channel on its own."""


def checked_margins(given: Mapping[str, float] | None) -> dict[str, float]:
    """The weights of a configuration, by name.

    Raises:
        InputError: a name is no index, or a weight no positive number.
    """
    counted = dict(given or {})
    for name, weight in counted.items():
        if name != CHANNELS and not is_index(name):
            raise InputError(
                f"train.margins: '{name}' is no index; {nearest(name, (CHANNELS, *INDICES))}"
            )
        if not 0.0 < weight < math.inf:
            raise InputError(f"train.margins.{name} is {weight}; give a positive number")
    return counted


def margins_of(
    weights: Mapping[str, float], channels: Mapping[str, tuple[str, ...]]
) -> list[Margin]:
    """What counts beside the joint density of all channels.

    Args:
        weights: by name, of an index or ``channels``.
        channels: of each sensor.

    Raises:
        InputError: no sensor has the channels of an index.
    """
    found = []
    for name, weight in weights.items():
        if name == CHANNELS:
            found.append(Margin(weight))
            continue
        places = {s: find_index(name, load_sensor(s), names) for s, names in channels.items()}
        if not any(places.values()):
            raise InputError(
                f"train.margins: no sensor has the channels of {name}; choose another, or leave it "
                "out"
            )

        def index(values: Tensor, sensor: str, places: Any = places) -> Tensor | None:
            return None if places[sensor] is None else of_channels(values, places[sensor])

        found.append(Margin(weight, index))
    return found
