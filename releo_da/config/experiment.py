"""`releo-da experiment NAME`: all folds, offsets and seeds of a study, and its table.

``experiments/NAME/experiment.yaml`` says what is fitted on what:

    seeds: [0, 1, 2]
    runs:
      toulouse: {config: config.yaml, folds: {count: 5, within_metres: 250}}
      strickhof: {config: strickhof.yaml, fitted_on: arenenberg.yaml}
      thinned: {config: strickhof.yaml, fitted_on: arenenberg.yaml, every: 12}
      nadir: {config: config.yaml, settings: ["source.0.angles={sun_zenith: sza}"]}
      angles: {config: config.yaml, against: nadir}

A file with ``cases`` is a table of published benchmarks (`releo_da.config.published`); runs whose
source is a twin are repeated over seeds (`releo_da.config.twin_study`).

A run with folds is fitted, for each fold, on the pixels of the others; one with ``fitted_on`` on
the series of another configuration; any other on its own ``train.period``. ``every: 12`` scores one
pixel of twelve of a large map, and all with field measurements. ``settings`` change a
configuration as ``--set`` does; the O-B of the run named by ``against`` stand beside a run's own.
Every seed fits and runs anew. Units of work (seed, run, fold) are independent and go to one process
per core.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import xarray as xr

from releo_da.config import hindcast as hindcasts
from releo_da.config import published, twin_study
from releo_da.config.assemble import assemble
from releo_da.config.auxiliary import weather_of
from releo_da.config.document import load
from releo_da.config.driven import keep_weather
from releo_da.config.initial import begun
from releo_da.config.options import Options
from releo_da.config.retrieval_weights import read_beside
from releo_da.config.sections import Score, products, section
from releo_da.config.sections import score as score_section
from releo_da.config.side_by_side import side_by_side
from releo_da.config.sources import read_sources
from releo_da.config.study import Folds, contents, study
from releo_da.config.study_figure import draw, place_figures
from releo_da.config.study_parts import parts_of, said_by_baselines, subset, thinned
from releo_da.config.study_table import table
from releo_da.config.training import fitted, save_weights
from releo_da.io import create_run_directory, write_json, write_text_atomic
from releo_da.runs.baselines import Said
from releo_da.runs.field import FieldRows
from releo_da.runs.folds import Units
from releo_da.runs.folds import units as redrawn_units
from releo_da.runs.scoring import score
from releo_da.types import InputError

MARKS = "<!-- table -->", "<!-- end of table -->"
"""Between these lines of a README stands the table."""


@dataclass(frozen=True)
class Unit:
    """One fit and one scored hindcast: what a worker process receives.

    Units of the first seed that are whole maps are ``reported``: they leave a run directory with
    figures and report.
    """

    run: str
    config: Path
    fitted_on: Path | None
    folds: Folds | None
    fold: int
    options: Options
    out: Path
    reported: bool
    against: str = ""
    every: int = 1


@dataclass(frozen=True)
class Found:
    """What a unit leaves behind: comparisons, baselines, field rows, and what it was scored on."""

    run: str
    seed: int
    fold: int
    verification: xr.Dataset
    said: Said
    redrawn: Units
    field: list[FieldRows] = field(default_factory=list)
    score: Score = Score()  # frozen, so one for all
    against: str = ""
    leads: xr.Dataset | None = None


def work(unit: Unit) -> Found:
    """Fit on the training part, run on the rest, compare."""
    torch.set_num_threads(1)
    document = load(unit.config, unit.options.settings)
    series = read_sources(document)
    reading = read_beside(document, series.channels)  # refused before the fit, not after it
    learned, rows = parts_of(
        document, series, unit.folds, unit.fold, unit.fitted_on, unit.options.settings
    )
    assembly = fitted(learned.document, learned.series, unit.options, learned.rows).assembly
    weights = unit.out / f"{unit.run}-{unit.fold}-{unit.options.seed}.safetensors"
    save_weights(weights, assembly)
    weather, _ = weather_of(document, series.pixels)
    device = unit.options.torch_device()
    if unit.fitted_on is not None and weather is not None:  # another place has other weather
        assembly = assemble(document, series.channels, weights, device, weather)
    assembly, past = begun(document, assembly, device, weather)
    if unit.every > 1:
        rows = thinned(document, series, unit.every)
    scored = subset(series, rows)
    task = hindcasts.task_of(document, scored)
    outcome = hindcasts.run(document, scored, assembly, unit.options, reading)
    wanted = section(document, "score", score_section)
    said = said_by_baselines(document, learned, wanted, scored, outcome, task)
    if unit.reported:
        options = replace(unit.options, out=unit.out / unit.run)
        opened = hindcasts.begin(document, options, scored, "experiment", weights)
        for record in past:
            opened.log.write(record)
        keep_weather(opened.root, document, weather_of(document, scored.pixels)[0])
        scores = score(outcome, task, said, wanted.periods)
        output = section(document, "products", products)
        hindcasts.finish(opened, scored, outcome, scores, output)
    return Found(
        unit.run,
        task.seed,
        unit.fold,
        outcome.verification,
        said,
        redrawn_units(scored.pixels),
        outcome.field,
        wanted,
        unit.against,
        None if outcome.leads is None else outcome.leads.told,
    )


def units(folder: Path, options: Options, out: Path) -> list[Unit]:
    """All fits of a study, seeds outside, folds inside."""
    seeds, runs = study(folder / "experiment.yaml")
    if options.seed is not None:
        seeds = [options.seed]
    return [
        Unit(
            name,
            folder / run.config,
            None if run.fitted_on is None else folder / run.fitted_on,
            run.folds,
            fold,
            replace(options, seed=seed, quiet=True, overrides=(*run.settings, *options.overrides)),
            out,
            run.folds is None and run.every == 1 and seed == seeds[0],
            run.against,
            run.every,
        )
        for seed in seeds
        for name, run in runs.items()
        for fold in ((0,) if run.folds is None else run.folds.chosen)
    ]


def command(name: str, options: Options) -> Path:
    """Run a study; writes ``table.md`` and ``scores.json``, and the table into its README.

    Raises:
        InputError: no such experiment.
    """
    folder = Path(name) if Path(name).is_dir() else Path("experiments") / name
    if not folder.is_dir():
        folder = Path(__file__).resolve().parents[2] / "experiments" / name
    if not folder.is_dir():
        raise InputError(f"experiment {name!r}: no folder experiments/{name}")
    out = options.out or Path("runs") / f"experiment-{folder.name}"
    values = contents(folder / "experiment.yaml")
    if "cases" in values:
        text, scores = published.run(folder, values, options)
        create_run_directory(out)
        figures: list[Path] = []
    elif twin_study.of_twins(folder):
        create_run_directory(out)
        text, scores, figures = twin_study.run(folder, options, out)
    else:
        text, scores = table(studied(folder, options, create_run_directory(out)))
        figures = draw(scores, out)
    write_text_atomic(out / "table.md", text)
    write_json(out / "scores.json", scores)
    if options.seed is None and not options.overrides:  # a part of a study is not its table
        place_table(folder / "README.md", text)
        place_figures(folder / "README.md", figures)
    return out / "table.md"


def studied(folder: Path, options: Options, out: Path) -> list[Found]:
    """Run all fits and hindcasts of a study."""
    pending = units(folder, options, out)
    for unit in pending:  # wrong configurations end here, not in a worker
        load(unit.config, unit.options.settings)
    label = f"experiment {folder.name}"
    return side_by_side(
        work,
        pending,
        label,
        options.quiet,
        lambda u: f"{u.run} fold {u.fold} seed {u.options.seed}",
    )


def place_table(readme: Path, text: str) -> None:
    """Put the table between its marks in a README, where it has them."""
    if not readme.is_file():
        return
    whole = readme.read_text(encoding="utf-8")
    if not all(mark in whole for mark in MARKS):
        return
    head, _, rest = whole.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    write_text_atomic(readme, f"{head}{MARKS[0]}\n{text}\n{MARKS[1]}{tail}")
