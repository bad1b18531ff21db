"""Weather on its way to the forecaster of a run, and beside it in the run directory.

A hindcast reads weather once, for all of its pixels. A service meets pixels one acquisition after
the other, and its file of weather grows: the file is read again with every sweep that has something
to assimilate, and with every pixel that joins. Either leaves `weather.safetensors` in the run
directory, so that a forecast from there needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import xarray as xr

from releo_da.config.assemble import assemble
from releo_da.config.auxiliary import weather_entry, weather_of
from releo_da.config.document import Document
from releo_da.config.forecasters import uses_weather
from releo_da.io import JsonLines
from releo_da.io.weather_file import write_weather
from releo_da.runs.cycle import Note
from releo_da.runs.model import Model
from releo_da.types import Weather

WEATHER_FILE = "weather.safetensors"
"""The weather of a run in its directory."""


def keep_weather(root: Path, document: Document, weather: Weather | None) -> None:
    """Leave the weather that a run's forecaster uses in its directory, and no other."""
    if weather is not None and uses_weather(document):
        write_weather(root / WEATHER_FILE, weather)
    else:
        (root / WEATHER_FILE).unlink(missing_ok=True)


def binding(
    document: Document,
    channels: Mapping[str, tuple[str, ...]],
    root: Path,
    log: JsonLines,
    device: torch.device | str,
    note: Note | None = None,
) -> Callable[[xr.Dataset], Model] | None:
    """What makes the model of a service on a pixel axis; None where it needs no weather.

    The log says what was read, or that the forecaster goes without weather.

    Args:
        document: the configuration.
        channels: for each sensor, its channels.
        root: the run directory.
        log: of the run.
        device: where tensors live.
        note: takes that it goes without; the log holds it unless given.
    """
    if not uses_weather(document):
        return None
    if weather_entry(document) is None:
        for record in weather_of(document, xr.Dataset())[1]:
            (note or log.hold)(record)
        return None

    def bound(pixels: xr.Dataset) -> Model:
        weather, told = weather_of(document, pixels, covering=False)
        for record in told:
            log.write(record)
        keep_weather(root, document, weather)
        return assemble(document, channels, device=device, weather=weather).model

    return bound
