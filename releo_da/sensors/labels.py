"""Names under which values of several sensors are scored together: one name, one wavelength.

Agencies number their channels as they like: B05 is red edge in HLS S30 and near infrared in L30, B3
red on Landsat-7 and green on Landsat-8. So channels that share a name are scored as one where each
centre lies inside the other's band,

    |centre_a - centre_b| <= min(width_a, width_b) / 2,

and keep the name where that holds of all that have it. Elsewhere the name goes with the centre of
the first sensor of each group, ``B05_704nm`` and ``B05_865nm``. An index has no centre and keeps
its name. The order of channel axes does not change, nor what the operator or R makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from releo_da.sensors.load import load_sensor
from releo_da.sensors.sensor import Sensor


def labels(channels: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The names under which channels are scored, in the order of each sensor's channel axis.

    Args:
        channels: for each sensor of a run, its channels.

    Raises:
        InputError: an unknown sensor or channel.
    """
    bands: dict[str, list[tuple[float, float]]] = {}
    for sensor, names in channels.items():
        for name, band in zip(names, _bands(sensor, names), strict=True):
            if not any(_same(band, other) for other in bands.setdefault(name, [])):
                bands[name].append(band)

    def label(name: str, band: tuple[float, float]) -> str:
        centre = next(other for other in bands[name] if _same(band, other))[0]
        alone = len(bands[name]) == 1 or math.isnan(centre)
        return name if alone else f"{name}_{centre:.0f}nm"

    return {
        sensor: tuple(map(label, names, _bands(sensor, names)))
        for sensor, names in channels.items()
    }


def channel_of(label: str, sensor: Sensor) -> str:
    """The channel of a sensor that a label stands for."""
    return label if label in sensor.channels else label.rpartition("_")[0]


def _bands(sensor: str, names: Sequence[str]) -> list[tuple[float, float]]:
    """Centre and width of each channel, nm."""
    described = load_sensor(sensor)
    index = described.index(names)
    return [(described.centres[k], described.widths[k]) for k in index]


def _same(a: tuple[float, float], b: tuple[float, float]) -> bool:
    if math.isnan(a[0]) or math.isnan(b[0]):
        return math.isnan(a[0]) and math.isnan(b[0])
    return abs(a[0] - b[0]) <= 0.5 * min(a[1], b[1])
