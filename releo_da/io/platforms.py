"""Which sensor an entry of a file comes from: the option ``sensor``.

sensor: sentinel2a                                          one for the whole file
sensor: {from: platform, S2A: sentinel2a, S2B: sentinel2b}  by a variable or column
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releo_da.io.names import refuse
from releo_da.sensors import load_sensor
from releo_da.types import InputError

SensorOption = str | dict[str | int, str]
"""A name (of the catalogue, or a file) or ``{from: variable or column, its value: name, ...}``."""


def sensor_rule(option: Mapping[str | int, str], where: str) -> tuple[str, dict[str, str]]:
    """What a mapping of sensors reads, and the sensor for each of its values.

    Raises:
        InputError: ``from`` is missing.
    """
    if "from" not in option:
        raise InputError(
            f"{where}: 'from' is missing; write {{from: <its variable>, S2A: sentinel2a}}"
        )
    return option["from"], {str(key): name for key, name in option.items() if key != "from"}


def named_sensors(
    platforms: Sequence[str], source: str, known: Mapping[str, str], where: str
) -> list[str]:
    """The sensor of each value.

    Raises:
        InputError: a value has no sensor.
    """
    for platform in sorted(set(platforms) - set(known)):
        refuse(platform, known, where, f"sensor for the value of '{source}'")
    return [known[platform] for platform in platforms]


def check_sensors(
    names: Sequence[str], channels: Sequence[str], path: str
) -> tuple[tuple[float, float] | None, ...]:
    """Refuse sensors that are unknown, lack a channel, or do not agree what is an index.

    Args:
        names: of sensors.
        channels: the left sides of the option ``channels``.
        path: of the file, for messages.

    Returns:
        per channel the limits of what it holds, None of a reflectance.

    Raises:
        InputError: with the valid names.
    """
    try:
        sensors = [load_sensor(name) for name in sorted(set(names))]
    except InputError as error:
        raise InputError(f"{path}: key 'sensor': {error}") from None
    key = f"{path}: key 'channels': the left side, the agency's name"
    try:
        kinds = {sensor.name: sensor.limits(channels) for sensor in sensors}
    except InputError as error:
        raise InputError(f"{key}: {error}") from None
    if len(set(kinds.values())) > 1:
        raise InputError(
            f"{key}: one is an index for one of {', '.join(kinds)} and a band for another; "
            "read them as two sources"
        )
    return next(iter(kinds.values()))
