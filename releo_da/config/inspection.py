"""`releo-da inspect`: reads everything a run would read and reports what it found, without running.

Each source is read by itself, so that one that cannot be read does not hide the others; one with a
fault that would end a run is read again with the fault accepted, so that the tables and the figure
show it. What a run would refuse ends the command with exit status 2, after the report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.config.assemble import assemble
from releo_da.config.auxiliary import weather_of
from releo_da.config.cycle_settings import source_of
from releo_da.config.cycling import cycle
from releo_da.config.document import Document
from releo_da.config.inspection_tables import show
from releo_da.config.maps import large_cubes
from releo_da.config.nested_paths import with_files
from releo_da.config.options import Options
from releo_da.config.run_files import progress, run_root
from releo_da.config.schemes import layers_of, name_of
from releo_da.config.sections import field_tables, score, section
from releo_da.config.sensor_paths import with_paths
from releo_da.config.sources import (
    READERS,
    check_offsets,
    joined,
    resolved_sources,
    suspicions,
)
from releo_da.cycling.draws import pieces
from releo_da.diagnostics.plots.inspection import Glance, overview
from releo_da.diagnostics.plots.style import label, png
from releo_da.io import Series, create_run_directory, write_json
from releo_da.io.archive import plain
from releo_da.io.atomic import write_bytes_atomic
from releo_da.io.cube import Cube
from releo_da.io.inbox import arrived, folder_and_pattern
from releo_da.io.strips import groups, survey
from releo_da.observation.bright import brighter
from releo_da.observation.derived import described
from releo_da.observation.faults import KINDS
from releo_da.observation.plausible import population
from releo_da.runs.inspection import (
    CLOUDY,
    REFUSED,
    Inspection,
    Noted,
    fields_of,
    inspection,
    weather_rows,
)
from releo_da.sensors import load_sensor
from releo_da.sensors.indices import find_index, of_channels
from releo_da.types import InputError

INDEX = "ndvi"


def command(document: Document, options: Options) -> Path:
    """Write ``inspection.json`` and ``figures/inspection.png``; returns the folder.

    Args:
        document: the configuration of a hindcast, a fit or a cycling run.
        options: where, and whether tables are printed.

    Raises:
        InputError: a run of this configuration would be refused; the report is written before.
    """
    refused: list[Noted] = []
    entries = entries_of(document)
    cubes = [] if "cycle" in document.values else large_cubes(document)
    series, pixels = (
        _sampled(document, cubes, refused, options) if cubes else _whole(document, entries, refused)
    )
    found = Inspection([], [], [], [], refused)
    root = create_run_directory(run_root(document, options, "inspect"))
    if series is not None:
        log, weather = list(series.log), None
        try:
            weather, told = weather_of(document, pixels)
            log += told
        except InputError as error:
            refused.append(Noted("weather", REFUSED, str(error)))
        try:
            wanted = section(document, "score", score)
            tables = field_tables(document, wanted, series._replace(pixels=pixels))
            log += [record for table in tables for record in table.log]
            assemble(document, series.channels, weather=weather)
        except InputError as error:
            refused.append(Noted("configuration", REFUSED, str(error)))
        screened = "screened" in [name_of(layer) for layer in layers_of(document)]
        judged = brighter(series.acquisitions, series.channels)
        found = inspection(series._replace(log=log), *judged, screened)
        fields = [*fields_of(pixels), *weather_rows(weather)]
        found = found._replace(auxiliary=fields, findings=[*refused, *found.findings])
        write_bytes_atomic(root / "figures" / "inspection.png", figure_of(series, *judged))
    write_json(root / "inspection.json", plain(_written(found)))
    if not options.quiet:
        show(found)
    if refused:
        more = f" (and {len(refused) - 1} more, listed above)" if len(refused) > 1 else ""
        raise InputError(f"a run would be refused: {refused[0].message}{more}")
    return root


Read = tuple[Series | None, xr.Dataset]
"""A series, and all pixels of the run: more than those of the series where it is a sample."""


def _whole(document: Document, entries: list[dict[str, Any]], refused: list[Noted]) -> Read:
    """All sources, each read by itself, joined."""
    read = [_read(document, e, f"source[{k}]", refused) for k, e in enumerate(entries)]
    series = _joined([series for series in read if series is not None], refused)
    return series, xr.Dataset() if series is None else series.pixels


def _sampled(document: Document, cubes: list[Cube], refused: list[Noted], options: Options) -> Read:
    """A sample of the pixels of maps that do not fit into memory, the counts those of the whole."""
    accepted = [tuple(entry.get("accept", ())) for entry in resolved_sources(document)]

    def judge(number: int, sample: Series) -> list[dict[str, Any]]:
        try:
            return suspicions(sample, cubes[number].layout.path, accepted[number])
        except InputError as error:
            refused.append(Noted("source", REFUSED, str(error)))
            return []

    try:
        with progress(len(groups(cubes[0])), "reading", options.quiet) as tick:
            stream = survey(cubes, judge, check_offsets, pieces, tick)
        return stream.sample, stream.pixels
    except InputError as error:
        refused.append(Noted("sources", REFUSED, str(error)))
        return None, xr.Dataset()


def entries_of(document: Document) -> list[dict[str, Any]]:
    """The sources of a configuration with their paths, those of a cycling run from its inbox."""
    source = document.require("source")
    if isinstance(source, dict) and "twin" in source:
        raise InputError(
            f"{document.path}: source.twin: a twin makes its acquisitions itself and reads "
            "nothing; inspect the configuration of a hindcast, a fit or a cycling run"
        )
    if "cycle" not in document.values:
        return resolved_sources(document)
    wanted = section(document, "cycle", cycle)
    folder, pattern = folder_and_pattern(wanted.inbox)
    inbox = document.resolve(folder)
    files = [file for file in arrived(inbox, pattern) if not file.wrong]
    if not files:
        raise InputError(f"{document.path}: cycle.inbox: {wanted.inbox} holds no file yet")
    source = with_files(document, with_paths(document, source_of(document)), inbox)
    return [{**source, "path": document.permitted(file.path)} for file in files]


def _read(
    document: Document, entry: dict[str, Any], where: str, refused: list[Noted]
) -> Series | None:
    """One source; what refuses it is noted, and faults are then accepted."""
    provided = {"period": document.period}
    try:
        (series,) = READERS.build([entry], where, provided)
        return series  # type: ignore[no-any-return]
    except InputError as error:
        refused.append(Noted("source", REFUSED, str(error)))
    try:
        (series,) = READERS.build([{**entry, "accept": list(KINDS)}], where, provided)
        return series  # type: ignore[no-any-return]
    except InputError:
        return None


def _joined(read: list[Series], refused: list[Noted]) -> Series | None:
    try:
        return joined(read) if read else None
    except InputError as error:
        refused.append(Noted("sources", REFUSED, str(error)))
        return None


def figure_of(series: Series, bright: Tensor, judged: Tensor) -> bytes:
    """The series at a glance, as PNG; ``bright`` and ``judged`` as `brighter` gives them."""
    cloudy = bright.sum(1) >= CLOUDY * judged.sum(1).clamp_min(1)
    named = {r["product"] for r in series.log if r["kind"] == "offset"}
    acquisitions = series.acquisitions
    glance = Glance(
        np.array([a.time for a in acquisitions]),
        [a.sensor for a in acquisitions],
        np.array([float(a.seen.any(-1).float().mean()) for a in acquisitions]),
        np.array([_index(a, series.channels[a.sensor]) for a in acquisitions]),
        np.array([a.angles[:, :2].mean(0).tolist() for a in acquisitions]),
        (cloudy & bright.any(1)).numpy() | np.array([a.product in named for a in acquisitions]),
    )
    ranges = {sensor: _ranges(series, sensor) for sensor in series.channels}
    land = {sensor: _land(sensor, names) for sensor, names in series.channels.items()}
    return png(overview(glance, ranges, land, INDEX, _units(series)))


def _units(series: Series) -> dict[str, str]:
    """What the axis of each channel's values is called: channels of one unit share theirs."""
    found: dict[str, str] = {}
    for name, channels in series.channels.items():
        sensor = load_sensor(name)
        variables = sensor.estimated(channels)
        kinds = ["index" if one else "reflectance" for one in sensor.are_indices(channels)]
        if variables:
            kinds = [label("value", described((v,))[v][0]) for v in variables]
        found.update(zip(channels, kinds, strict=True))
    return found


def _ranges(series: Series, sensor: str) -> dict[str, np.ndarray]:
    """Quantiles of what was seen in each channel of a sensor."""
    own = [a for a in series.acquisitions if a.sensor == sensor]
    found = {}
    for k, name in enumerate(series.channels[sensor] if own else ()):
        values = torch.cat([a.values[:, k][a.seen[:, k]] for a in own]).numpy()
        if values.size:
            found[name] = np.quantile(values, [0.01, 0.25, 0.5, 0.75, 0.99])
    return found


def _land(sensor: str, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """1 and 99 % of the spectra of land in each channel that is no index."""
    own = load_sensor(sensor).limits(names)
    plain = tuple(name for name, limits in zip(names, own, strict=True) if limits is None)
    if len(plain) < 3:
        return {}
    limits = population(sensor, plain).spectra.quantile(torch.tensor([0.01, 0.99]).double(), 0)
    return {name: (float(limits[0, k]), float(limits[1, k])) for k, name in enumerate(plain)}


def _index(a: Any, channels: tuple[str, ...]) -> list[float]:
    """Lower decile, median and upper decile of the index of one acquisition; NaN without it."""
    index = find_index(INDEX, load_sensor(a.sensor), channels)
    if index is None:
        return [np.nan] * 3
    parts = [index.high] if index.low is None else [index.high, index.low]
    values = of_channels(a.values, index)[a.seen[:, parts].all(-1)]
    return np.quantile(values, [0.1, 0.5, 0.9]).tolist() if len(values) else [np.nan] * 3


def _written(found: Inspection) -> dict[str, Any]:
    return {**found._asdict(), "findings": [noted._asdict() for noted in found.findings]}
