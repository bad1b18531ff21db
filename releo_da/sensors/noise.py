"""Instrument noise: what a channel's value varies by when the surface does not.

    sd_c = sqrt(additive_c^2 + (multiplicative_c v_c)^2)

with the value v_c of the channel, a reflectance or an index. Errors of the scene (haze, adjacency)
and of the canopy model are added where the observation error R is made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.sensors.load import load_sensor
from releo_da.sensors.sensor import Sensor


def instrument_error(sensor: Sensor, values: Tensor) -> Tensor:
    """Standard deviation of the instrument noise, ``[..., channel]`` as `values`.

    Args:
        sensor: whose noise it is.
        values: ``[..., channel]``, all channels of the sensor in its order.
    """
    additive = values.new_tensor(sensor.additive)
    multiplicative = values.new_tensor(sensor.multiplicative)
    return torch.hypot(additive.expand_as(values), multiplicative * values)


def channel_error(name: str, channels: tuple[str, ...], values: Tensor) -> Tensor:
    """Instrument noise of some channels of a sensor, ``[pixel, channel]``.

    Raises:
        InputError: an unknown sensor or channel.
    """
    sensor = load_sensor(name)
    index = list(sensor.index(channels))
    whole = values.new_zeros(len(values), len(sensor.channels))
    whole[:, index] = values
    return instrument_error(sensor, whole)[:, index]
