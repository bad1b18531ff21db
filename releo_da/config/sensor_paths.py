"""Sensors of a configuration that are files: found like every path, and kept with the run.

Wherever a configuration names a sensor, a value that ends in .csv, .yaml or .yml is the path of a
file. It becomes an absolute path when a source is read, so that everything after it needs no
configuration to find it; and the file is copied into the run directory, which then holds all that a
forecast from it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from releo_da.config.document import Document, data_folder
from releo_da.io.atomic import keep_bytes
from releo_da.sensors import is_path
from releo_da.types import InputError

FOLDER = "sensors"
"""Copies of sensor files in a run directory."""


def with_paths(document: Document, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A source or a satellite with the paths of its sensors absolute.

    Args:
        document: the configuration, beside which paths are looked up first.
        entry: its ``sensor`` is a name, a path or ``{from: .., value: name or path}``; a mapping
            of channels by sensor has names or paths as keys.

    Raises:
        InputError: a file is not there.
    """
    found = dict(entry)
    sensor, channels = entry.get("sensor"), entry.get("channels")
    if isinstance(sensor, Mapping):
        told = {k: v if k == "from" else _place(document, v) for k, v in sensor.items()}
        found["sensor"] = told
    elif sensor is not None:
        found["sensor"] = _place(document, sensor)
    if isinstance(channels, Mapping):
        found["channels"] = {
            _place(document, k) if isinstance(v, Mapping) else k: v for k, v in channels.items()
        }
    return found


def _place(document: Document, name: Any) -> Any:
    return str(document.resolve(name)) if isinstance(name, str) and is_path(name) else name


def sensor_at(name: str) -> str:
    """The sensor that a command line names: a path is looked up here, then in the data folder."""
    beside = data_folder() / name
    if is_path(name) and not Path(name).exists() and beside.exists():
        return str(beside)
    return name


def sensor_files(document: Document) -> dict[str, Path]:
    """The sensor files that a configuration names, by file name.

    Raises:
        InputError: one is not there, or two have the same name.
    """
    source = document.values.get("source") or {}
    entries: list[Any] = source if isinstance(source, list) else [source]
    if isinstance(source, Mapping) and isinstance(source.get("twin"), Mapping):
        entries = source["twin"].get("satellites") or []
    files: dict[str, Path] = {}
    for entry in entries:
        for name in _named(entry.get("sensor") if isinstance(entry, Mapping) else None):
            file = document.resolve(name)
            if files.setdefault(file.name, file) != file:
                raise InputError(
                    f"{document.path}: two sensor files are called {file.name} ({file} and "
                    f"{files[file.name]}); rename one of them"
                )
    return files


def _named(sensor: Any) -> Iterable[str]:
    """The paths in an option ``sensor``."""
    said = sensor.values() if isinstance(sensor, Mapping) else [sensor]
    return [name for name in said if isinstance(name, str) and is_path(name)]


def refuse_namesakes(sensors: Iterable[str]) -> None:
    """Refuse two sensors of one name, by which results and memories are told apart.

    Raises:
        InputError: one of the catalogue and a file, or two files, are called the same.
    """
    known: dict[str, str] = {}
    for sensor in sensors:
        other = known.setdefault(Path(sensor).stem, sensor)
        if other != sensor:
            raise InputError(
                f"two sensors of the run are called {Path(sensor).stem} ({other} and {sensor}); "
                "rename the file of one of them"
            )


def keep_sensors(document: Document, root: Path) -> None:
    """Copy the sensor files of a configuration into a run directory."""
    for name, file in sensor_files(document).items():
        (root / FOLDER).mkdir(exist_ok=True)
        keep_bytes(root / FOLDER / name, file.read_bytes())


def kept_sensor(root: Path, name: str) -> str:
    """A sensor of a run: of a file its copy in the run directory."""
    return str(root / FOLDER / Path(name).name) if is_path(name) else name
