"""Sensors by name, from the catalogue, or by the path of a file.

A name that ends in ``.csv``, ``.yaml`` or ``.yml`` is a path; anything else is a file of
``catalogue/``, one for each satellite. A sensor is read once: asked for again under its name it is
the same object, unless its file was changed in between.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from releo_da.sensors.files import ENDINGS, read_sensor
from releo_da.sensors.names import nearest
from releo_da.sensors.sensor import Sensor
from releo_da.types import InputError


def sensor_names() -> tuple[str, ...]:
    """Names of the catalogue, in alphabetical order."""
    return tuple(sorted(f.name.rpartition(".")[0] for f in _catalogue()))


def is_path(name: str) -> bool:
    """Whether the name of a sensor is the path of a file."""
    return name.lower().endswith(ENDINGS)


def load_sensor(name: str) -> Sensor:
    """A sensor of the catalogue, or of a file; the same object for the same name.

    Args:
        name: in the catalogue, or the path of a sensor file.

    Raises:
        InputError: the catalogue has no sensor of that name, or the file is missing or wrong.
    """
    if not is_path(name):
        return _named(name)
    try:
        state = Path(name).stat()
    except OSError:
        return read_sensor(Path(name))
    return _filed(name, state.st_mtime_ns, state.st_size)


@lru_cache
def _named(name: str) -> Sensor:
    names = sensor_names()
    if name not in names:
        raise InputError(
            f"unknown sensor '{name}'; {nearest(name, names)}the catalogue has "
            f"{', '.join(names)}; a sensor of your own is the path of a file that ends in "
            f"{', '.join(ENDINGS)}"
        )
    return read_sensor(next(f for f in _catalogue() if f.name.rpartition(".")[0] == name))


@lru_cache
def _filed(name: str, changed: int, size: int) -> Sensor:
    """The sensor of a file in the state that its time of change and its size stand for."""
    del changed, size
    return read_sensor(Path(name))


def _catalogue() -> list[Traversable]:
    """Files of the packaged catalogue."""
    folder = files("releo_da.sensors").joinpath("catalogue")
    return [file for file in folder.iterdir() if file.name.endswith((".csv", ".yaml"))]
