"""One function per command: load the document, call the workflow, say where the result is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console

from releo_da.config import compare as comparing
from releo_da.config import (
    cycling,
    emulation,
    encoder_section,
    encoding,
    inspection,
    last_call,
    maps,
    retrieving,
    tile_cycle,
    tile_forecast,
    tile_status,
    toy_training,
    training,
    twin_source,
)
from releo_da.config import demo as demos
from releo_da.config import (
    embed as embedding,
)
from releo_da.config import experiment as studies
from releo_da.config import forecast as forecasts
from releo_da.config import hindcast as hindcasts
from releo_da.config import status as standing
from releo_da.config import tiles as tiling
from releo_da.config import twin as twins
from releo_da.config import verify as verifying
from releo_da.config.assemble import STATES
from releo_da.config.document import Document, load, nearest
from releo_da.config.finished import mapping_of
from releo_da.config.forecasters import FORECASTERS
from releo_da.config.heard import Heard
from releo_da.config.initial import INITIALS
from releo_da.config.observing import OPERATORS
from releo_da.config.options import Options
from releo_da.config.report import report
from releo_da.config.run_files import run_root, warn
from releo_da.config.schema import component
from releo_da.config.schema import options as options_schema
from releo_da.config.schemes import SCHEMES, SMOOTHERS
from releo_da.config.sections import products, score, section
from releo_da.config.show import show_scores
from releo_da.config.sources import READERS
from releo_da.config.toy import TOY_OPERATORS
from releo_da.config.toy_source import TOYS, is_toy, toy_source
from releo_da.config.train_section import train as train_section
from releo_da.cycling.fields import correlated
from releo_da.io import write_json
from releo_da.io.inbox import folder_and_pattern
from releo_da.io.tile_plan import PLAN
from releo_da.runs.stopping import stopping
from releo_da.types import InputError


def _tell(options: Options, text: str) -> None:
    if not options.quiet:
        Console().print(text, soft_wrap=True, highlight=False, markup=False)


def _finished(options: Options, path: Path) -> None:
    if not options.quiet:
        show_scores(mapping_of(path.parent / "scores.json"))
    _tell(options, f"report: {path.resolve()}")


def demo(options: Options) -> int | None:
    """A season of fields, simulated into files, fitted and hindcast."""
    _finished(options, demos.command(options))
    return None


def twin(config: Path, options: Options, workers: int | None = None) -> int | None:
    """Nature run, simulated acquisitions, assimilation, scores against the truth."""
    _finished(options, twins.command(load(config, options.settings), options, workers))
    return None


def hindcast(config: Path, options: Options) -> int | None:
    """Archived acquisitions, analysed and smoothed, scored against withheld data."""
    document = load(config, options.settings)
    cubes = maps.large_cubes(document)
    path = maps.command(document, options, cubes) if cubes else None
    _finished(options, path or hindcasts.command(document, options))
    return None


def embed(config: Path, options: Options) -> int | None:
    """What an encoder says of every pixel at the dates of the products, as a data set."""
    path = embedding.command(load(config, options.settings), options)
    _tell(options, f"embedding: {(path.parent / 'analysis.nc').resolve()}")
    _tell(options, f"report: {path.resolve()}")
    return None


def inspect(config: Path, options: Options) -> int | None:
    """Read everything a run would read and report what it found, without running."""
    root = inspection.command(load(config, options.settings), options)
    _tell(options, f"figure: {(root / 'figures' / 'inspection.png').resolve()}")
    _tell(options, f"tables: {(root / 'inspection.json').resolve()}")
    return None


def cycle(config: Path, options: Options, once: bool) -> int | None:
    """Assimilate what has arrived in the inbox; without ``once``, until a signal ends it."""
    document = load(config, options.settings)
    root = run_root(document, options, "cycle")
    heard = Heard(root)

    def say(swept: str) -> None:
        _tell(options, swept)
        for alarm in heard.raised():
            warn(alarm)

    def work() -> tuple[Path | None, int]:
        command = tile_cycle.command if tiling.wanted(document) else cycling.command
        return command(document, options, once, say, warn, stop)

    def inbox() -> Path:
        wanted = section(document, "cycle", cycling.cycle)
        return document.resolve(folder_and_pattern(wanted.inbox)[0])

    with stopping() as stop:
        path, status = last_call.noted(root, work, inbox, stop, once)
    if stop():
        warn(last_call.stopped(stop, status))
    elif path is not None:
        _finished(options, path)
    return status


def forecast(run: Path, until: date, options: Options, weather: Path | None = None) -> int | None:
    """Ensemble forecast from the last state of a run to a date, or a scenario of its weather."""
    if (run / PLAN).is_file():
        done, status = tile_forecast.command(run, until, options, warn, scenario=weather)
        name = forecasts.file_of(weather)
        _tell(options, f"forecast: {name} of {done} tiles under {run.resolve()}")
        return status
    path = forecasts.command(run, until, options, weather)
    _tell(options, f"forecast: {(run / forecasts.file_of(weather)).resolve()}")
    _tell(options, f"report: {path.resolve()}")
    return None


def status(run: Path, as_json: bool) -> int | None:
    """Where a cycling run stands; 2 where its last state or a tile is not to be resumed from."""
    if (run / PLAN).is_file():
        found, lines = tile_status.tiled_status(run), tile_status.tiled_lines
        wrong = found["summary"]["failed"] > 0
    else:
        found, lines = standing.status(run), standing.lines
        wrong = found["damaged"] is not None
    told = [json.dumps(found, indent=2)] if as_json else lines(found)
    for line in told:
        Console().print(line, soft_wrap=True, highlight=False, markup=False)
    return 2 if wrong else None


def verify(run: Path, as_json: bool) -> int | None:
    """Whether a cycling run is sound; 2 where it is damaged."""
    found = verifying.found(run)
    told = [json.dumps(found, indent=2)] if as_json else verifying.lines(found)
    for line in told:
        Console().print(line, soft_wrap=True, highlight=False, markup=False)
    return None if found["sound"] else 2


def train(config: Path, options: Options) -> int | None:
    """Fit dynamics and observation error, or make an emulator, an encoder or a retrieval."""
    document = load(config, options.settings)
    make = toy_training.command if is_toy(document) else maker_of(document)
    path = make(document, options)
    told = mapping_of(path.parent / "train.json")
    ended = [told["ended"]] if "ended" in told else []
    for line in toy_training.lines(told) if is_toy(document) else ended:
        _tell(options, line)
    _tell(options, f"weights: {path.resolve()}")
    _tell(options, f"report: {(path.parent / 'report.html').resolve()}")
    return None


FORECASTER = "dynamics"
"""What ``train.target`` is unless given: dynamics and observation error."""

MAKERS: Mapping[str, Callable[[Document, Options], Path]] = {
    "emulator": emulation.command,
    "retrieval": retrieving.command,
    "encoder": encoding.command,
}
"""What ``train.target`` may ask for beside a forecaster."""


def maker_of(document: Document) -> Callable[[Document, Options], Path]:
    """What makes the weights that ``train.target`` of a configuration asks for.

    Raises:
        InputError: it asks for something else than ``dynamics`` and those of `MAKERS`.
    """
    spec = document.values.get("train")
    target = spec.get("target", FORECASTER) if isinstance(spec, dict) else FORECASTER
    valid = [FORECASTER, *MAKERS]
    if target not in valid:
        raise InputError(
            f"{document.path}: train.target: unknown value {target!r}; "
            f"{nearest(str(target), valid)}"
        )
    return MAKERS.get(target, training.command)


def experiment(name: str, options: Options) -> int | None:
    """All folds, offsets and seeds of a study, and its table."""
    path = studies.command(name, options)
    _tell(options, path.read_text(encoding="utf-8"))
    _tell(options, f"table: {path.resolve()}")
    return None


def plot(run: Path, options: Options) -> int | None:
    """Redraw the figures and the report of a finished run; says where they are."""
    try:
        path = report(run)
    except (KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError) as error:
        raise InputError(
            f"{run}: its files do not fit together or were not written by this version "
            f"({type(error).__name__}: {error}); make the run again"
        ) from error
    _tell(options, f"figures: {(path.parent / 'figures').resolve()}")
    _tell(options, f"report: {path.resolve()}")
    return None


def compare(runs: Sequence[Path], options: Options) -> int | None:
    """Several finished runs in one report; says where it is, and what differs."""
    path, said = comparing.command(runs, options)
    for line in said:
        _tell(options, line)
    _tell(options, f"numbers: {(path.parent / comparing.NUMBERS).resolve()}")
    _tell(options, f"report: {path.resolve()}")
    return None


def benchmark(options: Options, output: Path | None) -> int | None:
    """Speed of each part beside its peers, as JSON."""
    from releo_da.config.benchmark import benchmark as figures  # FilterPy, for this alone

    found = figures()
    if output is not None:
        write_json(output, found)
    _tell(options, json.dumps(found, indent=2))
    return None


def sections() -> Mapping[str, Any]:
    """What each section of a configuration accepts, for the schema."""
    made = [options_schema(f) for f in (twin_source.twin_source, toy_source)]
    twin_schema = {
        "type": "object",
        "properties": {"twin": {"anyOf": made}},
        "required": ["twin"],
        "additionalProperties": False,
    }
    weights = {"weights": {"type": "string", "description": "Fitted parameters, of `train`."}}
    told = "Weights of an encoder, of `train`, for `embed`: default for those of the package."
    encoder = {"encoder": {"type": "string", "description": told}}
    fields = {"correlated": options_schema(correlated), "initial": component(INITIALS)}
    return {
        "source": {"anyOf": [component(READERS), twin_schema]},
        "state": component(STATES, encoder),
        "forecast": {"anyOf": [component(FORECASTERS, weights | fields), component(TOYS, weights)]},
        "observe": {"anyOf": [component(OPERATORS), component(TOY_OPERATORS)]},
        "analyse": SCHEMES,
        "smooth": SMOOTHERS,
        "score": score,
        "products": products,
        "train": {
            "anyOf": [
                options_schema(train_section),
                options_schema(emulation.emulation),
                options_schema(encoder_section.encoding),
                options_schema(retrieving.retrieving),
            ]
        },
        "cycle": cycling.cycle,
    }
