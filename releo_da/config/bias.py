"""The option ``bias`` of ``observe``, and that of the satellites of a twin experiment.

    observe: {name: prosail, bias: {landsat8: 0.02, sentinel2b: {B02: 0.01}}, bias_days: 1000}

A number is the prior deviation of all channels of a sensor, a mapping that of some.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from releo_da.config.document import nearest
from releo_da.observation.bias import Biased
from releo_da.observation.derived import Derive
from releo_da.sensors import load_sensor
from releo_da.state.bias import DAYS, Biases
from releo_da.types import InputError, ObservationOperator

Given = Mapping[str, float | Mapping[str, float]]
Channels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Wanted:
    """The biases that a configuration asks for."""

    of: Given
    days: float = DAYS

    def __post_init__(self) -> None:
        if not self.days > 0.0:
            raise InputError(f"bias_days is {self.days}; give a positive time, .inf for a constant")


def biases_of(wanted: Wanted, channels: Channels) -> Biases | None:
    """The bias latents of a run; None where it has none.

    A sensor of the catalogue that the run does not meet has none either.

    Args:
        wanted: by the configuration.
        channels: for each sensor of the run, its channels.

    Raises:
        InputError: an unknown sensor or channel, a deviation that is not positive, or all sensors
            biased with none that is better known than the others (`check_reference`).
    """
    found: list[tuple[str, str, float]] = []
    for name, given in wanted.of.items():
        sensor = _in_run(name, channels)
        if sensor is None:
            continue
        chosen = given if isinstance(given, Mapping) else dict.fromkeys(channels[sensor], given)
        for channel, deviation in chosen.items():
            where = f"observe.bias.{name}"
            if channel not in channels[sensor]:
                raise InputError(
                    f"{where}: the run has no channel '{channel}' of it; "
                    f"{nearest(channel, channels[sensor])}"
                )
            if not 0.0 < deviation < math.inf:
                raise InputError(
                    f"{where}.{channel} is {deviation}; give a positive standard deviation"
                )
            found.append((sensor, channel, float(deviation)))
    if not found:
        return None
    sensors, names, deviations = zip(*found, strict=True)
    biases = Biases(sensors, names, deviations, wanted.days)
    check_reference(biases, channels)
    return biases


def biased(
    operator: ObservationOperator, biases: Biases | None, channels: Channels
) -> ObservationOperator:
    """An operator with the biases of a run, where it has some."""
    if biases is None:
        return operator
    all_of = {sensor: biases.selection(sensor, names) for sensor, names in channels.items()}
    return Biased(operator, biases.of, {s: one for s, one in all_of.items() if one is not None})


def with_biases(surface: Derive, biases: Biases | None) -> Derive:
    """Output variables of the surface, and the biases beside them."""
    if biases is None:
        return surface
    return lambda ensemble, angles: surface(ensemble, angles) | biases.decode(ensemble)


def check_reference(biases: Biases, channels: Channels) -> None:
    """Refuse biases of which no sensor of the run is a reference for the others.

    A reference has a channel without bias. Where there is none, the prior must say which sensor is
    better known, since observations tell only how sensors differ.

    Raises:
        InputError: every channel of every sensor is biased, and no sensor better known.
    """
    largest = []
    for sensor, names in channels.items():
        own = [d for s, d in zip(biases.sensors, biases.deviations, strict=True) if s == sensor]
        if len(own) < len(names):
            return
        largest.append(max(own))
    if min(largest) == max(largest):
        raise InputError(
            "observe.bias: every channel of every sensor of the run has a bias and no sensor is "
            "better known than the others, so nothing tells a bias from the surface; leave one "
            "sensor out as the reference, or give it a smaller deviation"
        )


def _in_run(name: str, channels: Channels) -> str | None:
    """The sensor of a run that a name or the path of a file means; None for one it has not."""
    for sensor in channels:
        if PurePath(sensor).name == PurePath(name).name:
            return sensor
    load_sensor(name)
    return None


def offsets_of(
    given: Mapping[str, Any], channels: tuple[str, ...], where: str
) -> tuple[float, ...]:
    """The biases that a truth has in each of some channels, ``[channel]``.

    Raises:
        InputError: a channel that is not among them, or a bias that is no number.
    """
    for name, value in given.items():
        if name not in channels:
            raise InputError(f"{where}: no channel '{name}'; {nearest(name, channels)}")
        if not math.isfinite(value):
            raise InputError(f"{where}.{name} is {value}; give a number")
    return tuple(float(given.get(name, 0.0)) for name in channels)
