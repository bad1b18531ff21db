"""`releo-da hindcast` of a map that does not fit into memory: the same command, read in parts.

A run takes this way where its cubes hold more than `LARGE` values. It leaves the files of any
hindcast; ``verification.nc`` and the baselines are those of a sample of the
pixels (`releo_da.io.strips`), and scores.json, whose rows count all pixels, says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from releo_da.config.assemble import assemble
from releo_da.config.auxiliary import with_weather
from releo_da.config.copies import check_table, copied
from releo_da.config.document import Document
from releo_da.config.driven import keep_weather
from releo_da.config.hindcast import (
    attributes_of,
    begin,
    every_of,
    field_files,
    noted,
    task_of,
)
from releo_da.config.initial import WHERE, before, begun, wanted_of
from releo_da.config.options import Options
from releo_da.config.phenology import writing_seasons
from releo_da.config.report import report
from releo_da.config.run_files import progress
from releo_da.config.sections import (
    field_tables,
    product_times,
    products,
    score,
    section,
)
from releo_da.config.sources import READERS, check_offsets, resolved_sources, suspicions
from releo_da.config.train_section import train
from releo_da.cycling.draws import pieces
from releo_da.io import write_json, write_products
from releo_da.io.cube import Cube, open_cube
from releo_da.io.map_file import writing_map
from releo_da.io.series import Series
from releo_da.io.state_parts import writing_state
from releo_da.io.strips import Stream, groups, survey
from releo_da.runs.axis import PIXELS
from releo_da.runs.block import Task
from releo_da.runs.compare import QUANTILES
from releo_da.runs.hindcast import turns
from releo_da.runs.located import told
from releo_da.runs.map_found import estimate
from releo_da.runs.maps import Keep, Write, hindcast_map, score_map
from releo_da.runs.scoring import in_sample, score_baselines
from releo_da.runs.unseen import longest_of
from releo_da.types import InputError

LARGE = 2**24
"""Values (times, pixels, channels) of a run in memory; its records take some 100 bytes for each."""


def large_cubes(document: Document) -> list[Cube]:
    """The cubes of a configuration that are to be read in parts; none where memory holds them.

    Raises:
        InputError: as `releo_da.io.cube.open_cube`.
    """
    if not isinstance(document.values.get("source"), list | dict):
        return []
    entries = resolved_sources(document)
    if any(entry.get("reader") != "cube" for entry in entries):
        return []
    cubes = []
    for number, entry in enumerate(entries):
        bound = READERS.bind(entry, f"source[{number}]", {"period": document.period})
        try:
            given = {name: option for name, option in bound.keywords.items() if name != "accept"}
            cubes.append(open_cube(**given))
        except InputError as error:
            raise InputError(f"source[{number}]: {error}") from error
    return cubes if sum(cube.size for cube in cubes) > LARGE else []


def command(document: Document, options: Options, cubes: list[Cube]) -> Path:
    """Run a hindcast of a map and write its run directory; returns the path of the report."""
    stream = surveyed(document, cubes, options.quiet)
    sample, pixels = stream.sample, stream.pixels
    series, weather = with_weather(document, sample._replace(pixels=pixels))
    wanted = section(document, "score", score)
    task = task_of(document, series)
    if task.bins:
        raise InputError(
            f"{document.path}: score.horizons: bins of lead times need every pair of dates of a "
            "pixel; give single lead times for a map of this size, or a window or stride"
        )
    if wanted.network is not None:
        raise InputError(
            f"{document.path}: score.network: acquisitions of a map of this size are not held; "
            "remove it, or give a window or stride"
        )
    device = options.torch_device()
    check_past(document)
    assembly = assemble(document, series.channels, device=device, weather=weather)
    assembly, past = begun(document, assembly, device, weather)
    model = assembly.model
    output = section(document, "products", products)
    times = product_times(document, series, output)
    check_table(document, output, pixels.sizes["pixel"], len(times), len(model.described))
    opened = begin(document, options, series, "hindcast")
    keep_weather(opened.root, document, weather)
    unmet = model.not_met(lambda: max(longest_of(stream), task.furthest), pixels)
    for record in [*past, *told(model, series.pixels), *unmet]:
        opened.log.write(record)
    total = turns(series, task, wanted.withhold)
    attributes = partial(attributes_of, opened.made, series)
    with (
        writing(opened.root, stream, times, model.described, task, attributes) as sinks,
        progress(total, "hindcast", options.quiet) as tick,
    ):
        fields = field_tables(document, wanted, series)
        outcome = hindcast_map(
            model, stream, task, times, fields, wanted.withhold, *sinks, device, tick
        )
    fitted = section(document, "train", train).period
    said = score_baselines(
        sample.acquisitions,
        sample.channels,
        outcome.sampled,
        task,
        train_period=fitted,
        every=every_of(document),
        also=wanted.baselines,
    )
    copied(opened.root / "analysis.nc", output)
    found = score_map(outcome, task, said, wanted.periods)
    found["in_sample"] = in_sample(sample.acquisitions, task, fitted)
    scores = noted(opened, sample, outcome.sampled, found)
    write_products(opened.root / "verification.nc", outcome.sampled.verification)
    field_files(opened.root, outcome.sampled.field)
    write_products(opened.root / PIXELS, pixels)
    write_json(opened.root / "scores.json", scores)
    opened.log.write({"kind": "finished", "diverged": outcome.sampled.diverged})
    return report(opened.root)


def check_past(document: Document) -> None:
    """Refuse an initial ensemble whose acquisitions before the period do not fit into memory.

    Raises:
        InputError: as said.
    """
    wanted = wanted_of(document)
    earlier = None if wanted is None else before(document, wanted)
    if wanted is not None and earlier is not None and large_cubes(earlier):
        raise InputError(
            f"{document.path}: {WHERE}: {wanted.days:g} days before the period of a map of this "
            "size do not fit into memory; give fewer days, a window or a stride"
        )


def surveyed(document: Document, cubes: list[Cube], quiet: bool) -> Stream:
    """The map, read once for what must be known of all of it.

    Raises:
        InputError: as `releo_da.io.strips.survey`, or values are surely wrong.
    """
    accepted = [tuple(entry.get("accept", ())) for entry in resolved_sources(document)]

    def judge(number: int, sample: Series) -> list[dict[str, Any]]:
        return suspicions(sample, cubes[number].layout.path, accepted[number])

    with progress(len(groups(cubes[0])), "reading", quiet) as tick:
        return survey(cubes, judge, check_offsets, pieces, tick)


@contextmanager
def writing(
    root: Path,
    stream: Stream,
    times: Sequence[float],
    described: Mapping[str, tuple[str, str]],
    task: Task,
    attributes: Callable[[str], dict[str, str]],
) -> Iterator[tuple[Write, Write, Keep, Write]]:
    """Writers of output variables, those before smoothing, the last state, and dates of seasons.

    Args:
        root: the run directory.
        stream: the map.
        times: of the output variables.
        described: their units and names.
        task: says whether they are smoothed.
        attributes: of a file, of what its estimate is.
    """
    files = (("analysis.nc", estimate(task)), ("unsmoothed.nc", "analysis"))
    smoothed, analysed = (
        writing_map(root / name, times, stream.pixels, described, QUANTILES, attributes(said))
        for name, said in files
    )
    state = writing_state(root / "state.safetensors", stream.pixels.sizes["pixel"])
    told = attributes(estimate(task))
    dates = writing_seasons(root, times, stream.pixels, task.seasons, told)
    with smoothed as write, analysed as write_analysed, state as keep, dates as write_dates:
        yield write, write_analysed, keep, write_dates
