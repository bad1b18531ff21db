"""The option ``auxiliary`` of sources: its files found, and weather bound to the pixels of a run.

Static fields are read with their source; weather is read once the pixels of all sources are known,
and given to the forecaster that asks for it (`releo_da.config.assemble`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from releo_da.config.document import Document
from releo_da.config.forecasters import uses_weather
from releo_da.config.registry import bind
from releo_da.io import Series
from releo_da.io.auxiliary import WEATHER
from releo_da.io.times import parse_period
from releo_da.io.weather import joined_weather, read_weather
from releo_da.types import InputError, Weather

UNDRIVEN = {
    "kind": "no_weather",
    "message": "no source names weather, which the forecaster uses: it follows the season alone",
}
"""What the log says where a forecaster goes without its weather."""


def with_maps(document: Document, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A source with the paths of its auxiliary maps and tables absolute.

    Raises:
        InputError: one is not there.
    """
    given = entry.get("auxiliary")
    if not isinstance(given, Mapping):
        return dict(entry)

    def found(option: Any) -> Any:
        if isinstance(option, list):
            return [found(one) for one in option]
        if isinstance(option, Mapping) and "path" in option:
            path = document.resolve_all(option["path"])
            return {**option, "path": path if isinstance(path, list) else str(path)}
        return option

    return {**entry, "auxiliary": {name: found(option) for name, option in given.items()}}


def with_weather(document: Document, series: Series) -> tuple[Series, Weather | None]:
    """The weather for a series, whose log then tells of it.

    Raises:
        InputError: as `weather_of`.
    """
    weather, told = weather_of(document, series.pixels)
    return series._replace(log=[*series.log, *told]), weather


def undriven(document: Document) -> list[dict[str, Any]]:
    """A record for the log of a run whose forecaster goes without weather, as no source has any."""
    return [UNDRIVEN] if weather_entry(document) is None and uses_weather(document) else []


def weather_entry(document: Document) -> Any:
    """The option ``weather`` of the first source that has one, as written; None without any."""
    source = document.values.get("source")
    for entry in source if isinstance(source, list) else [source]:
        given = entry.get("auxiliary") if isinstance(entry, Mapping) else None
        if isinstance(given, Mapping) and given.get(WEATHER) is not None:
            return given[WEATHER]
    return None


def weather_of(
    document: Document, pixels: xr.Dataset, covering: bool = True
) -> tuple[Weather | None, list[dict[str, Any]]]:
    """The weather that a configuration names, bound to pixels, and records for the log.

    Args:
        document: the configuration.
        pixels: the pixel axis of the joined series.
        covering: every day of the period of the run must be there.

    Returns:
        None where no source names weather; the record says so where the forecaster uses it.

    Raises:
        InputError: sources name different weather, or as `releo_da.io.weather.read_weather`.
    """
    source = document.values.get("source")
    entries = source if isinstance(source, list) else [source]
    found: list[tuple[str, Any]] = []
    for position, entry in enumerate(entries):
        given = entry.get("auxiliary") if isinstance(entry, Mapping) else None
        if isinstance(given, Mapping) and given.get(WEATHER) is not None:
            placed = with_maps(document, entry)["auxiliary"][WEATHER]
            found.append((f"source[{position}].auxiliary.{WEATHER}", placed))
    if not found:
        return None, undriven(document)
    where, option = found[0]
    for other, held in found[1:]:
        if held != option:
            raise InputError(
                f"{other}: other weather than in {where}; name one in a single source, it holds "
                "for the pixels of all"
            )
    period = None
    if covering and document.period is not None:
        period = parse_period(document.period, "period")
    parts = option if isinstance(option, list) else [option]
    if not parts:
        raise InputError(f"{where}: the list is empty; name a file of weather")
    read = [
        bind(read_weather, part, where, provided={"pixels": pixels, "period": period})()
        for part in parts
    ]
    return joined_weather([weather for weather, _ in read], where), [told for _, told in read]
