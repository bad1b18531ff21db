"""The weather of a scenario: the record of a run up to its state, another file from there on.

    day       ... state's day | next day ... until
    weather       of the run  | of the file

What is usual is still told by the record of the run (`releo_da.types.Weather.normal`), so dry
years of a scenario are dry against the climatology that the forecaster was fitted under.

The file is written like the run's own: same columns, units, time and options, another path. Where
the run reads its weather from several files, or a grid where this is a table, its columns or
variables are called as the elements are (`temperature`, ...; in their units) and its dates `time`.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import torch
import xarray as xr

from releo_da.config.auxiliary import weather_entry
from releo_da.config.document import Document
from releo_da.config.registry import bind
from releo_da.io.times import isoformat
from releo_da.io.weather import is_grid, read_weather
from releo_da.types import InputError, Weather

OPTION = "--weather"


def scenario_weather(
    document: Document, path: Path, record: Weather, pixels: xr.Dataset, start: float, last: float
) -> Weather:
    """The weather of a run with that of a file after the day of its state.

    Args:
        document: the configuration of the run.
        path: of the scenario.
        record: the weather of the run.
        pixels: its pixel axis.
        start: time of the state (days).
        last: last day of the forecast (days).

    Raises:
        InputError: the file is missing or wrong, does not cover the days, lacks an element, or is
            of other sites.
    """
    if not path.exists():
        raise InputError(f"{OPTION} {path}: there is no such file")
    end = record.first + len(record.values)
    cut = min(math.floor(start) + 1, end)
    options = {**_options(document, path, record), "path": str(path.resolve())}
    provided = {"pixels": pixels, "period": (float(cut), last)}
    try:
        other, _ = bind(read_weather, options, OPTION, provided=provided)()
    except InputError as error:
        days = f"{isoformat(float(cut))[:10]} to {isoformat(last)[:10]}"
        raise InputError(f"{error} [{OPTION} needs the days {days}]") from None
    lacking = [name for name in record.elements if name not in other.elements]
    if lacking:
        raise InputError(f"{path}: the run has {', '.join(lacking)} and the scenario not; add it")
    columns = [other.elements.index(name) for name in record.elements]
    after = other.values[cut - other.first :, :, columns]
    sites = record.values.shape[1]
    if after.shape[1] == 1:
        after = after.expand(-1, sites, -1)
    elif not _same_sites(record, other):
        raise InputError(
            f"{path}: it has other sites than the weather of the run; give the same {sites}, or "
            "one for all"
        )
    before = record.values[: max(cut - record.first, 0)]
    first = min(record.first, cut)
    return record._replace(first=first, values=torch.cat([before, after]), normal=record)


def weather_digest(path: Path) -> str:
    """SHA-256 of a file, or of all files of a Zarr store in the order of their names."""
    total = hashlib.sha256()
    for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if part.is_file():
            total.update(b"" if part == path else str(part.relative_to(path)).encode())
            total.update(part.read_bytes())
    return total.hexdigest()


def covered_until(record: Weather) -> str:
    """The last day of a record, as a date."""
    return isoformat(float(record.first + len(record.values) - 1))[:10]


def _options(document: Document, path: Path, record: Weather) -> dict[str, object]:
    """How the file of a scenario is read."""
    entry = weather_entry(document)
    if isinstance(entry, dict) and is_grid(entry.get("path", "")) == is_grid(str(path)):
        return dict(entry)
    return {"elements": {name: name for name in record.elements}}


def _same_sites(one: Weather, other: Weather) -> bool:
    """Whether two records are of the same sites for the same pixels."""
    same = one.values.shape[1] == other.values.shape[1] and one.site.shape == other.site.shape
    return same and torch.equal(one.site, other.site) and torch.allclose(one.weight, other.weight)
