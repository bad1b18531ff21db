"""`releo-da experiment NAME` of twin experiments: runs over several seeds, pooled and compared.

``experiments/NAME/experiment.yaml`` names configurations whose source is a twin over a landscape:

    seeds: [0, 1, 2]
    runs:
      s2a: {config: config.yaml, settings: ["source.twin.satellites=[{sensor: sentinel2a}]"]}
      s2ab: {config: config.yaml, against: s2a}
    label: satellites     # optional, under the axis of the figure

Every (run, seed) is a whole experiment, truth and all, whose seed is that of the run and, one
higher, of the truth: two runs with one seed have the same land, clouds and instruments where both
ask for the same ones, so that ``against`` compares them in pairs, on the passes that both have.
Units go to one process per core and leave their sums of comparisons, a few hundred kB each,
whatever the number of pixels; the first seed of each run leaves its run directory as well.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from releo_da.config import twin
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.report import report
from releo_da.config.run_files import warn
from releo_da.config.sections import score, section
from releo_da.config.side_by_side import side_by_side
from releo_da.config.study import Run, label_of, study
from releo_da.config.toy_source import is_toy
from releo_da.config.twin_setting import one_run, prepared
from releo_da.config.twin_source import is_twin
from releo_da.config.twin_study_figure import draw
from releo_da.config.twin_study_table import Found, table
from releo_da.types import InputError


@dataclass(frozen=True)
class Unit:
    """One run with one seed: what a worker process receives."""

    run: str
    config: Path
    options: Options
    reported: bool


def of_twins(folder: Path) -> bool:
    """Whether a study holds a twin experiment.

    Raises:
        InputError: its file or a configuration that it names is wrong.
    """
    runs = study(folder / "experiment.yaml")[1].values()
    return any(is_twin(load(folder / run.config, run.settings)) for run in runs)


def run(folder: Path, options: Options, out: Path) -> tuple[str, dict[str, Any], list[Path]]:
    """All runs of a study of twins: their table, the same as numbers, and its figures.

    Args:
        folder: of the experiment.
        options: of the command line.
        out: directory of the study; figures and run directories go there.

    Raises:
        InputError: its file or a configuration that it names is wrong.
    """
    seeds, runs = study(folder / "experiment.yaml")
    seeds = seeds if options.seed is None else [options.seed]
    pending = [
        Unit(
            name,
            folder / one.config,
            replace(
                options,
                seed=seed,
                quiet=True,
                overrides=(*one.settings, *options.overrides),
                out=out / name,
            ),
            seed == seeds[0],
        )
        for seed in seeds
        for name, one in runs.items()
    ]
    for unit in pending[: len(runs)]:  # wrong configurations end here, not in a worker
        _check(unit, runs[unit.run], folder / "experiment.yaml")
    found = side_by_side(
        work,
        pending,
        f"experiment {folder.name}",
        options.quiet,
        lambda unit: f"{unit.run} seed {unit.options.seed}",
    )
    text, scores = table(found, {name: one.against for name, one in runs.items() if one.against})
    label = label_of(folder / "experiment.yaml")
    return text, scores, draw(scores, out / f"{folder.name}.png", label)


def _check(unit: Unit, asked: Run, path: Path) -> None:
    """Refuse what is no repeated twin experiment over a landscape."""
    where = f"{path}: runs.{unit.run}"
    document = load(unit.config, unit.options.settings)
    if not is_twin(document):
        raise InputError(
            f"{where}: {unit.config.name} has no source.twin, other runs have one; "
            "give hindcasts an experiment of their own"
        )
    if is_toy(document):
        raise InputError(f"{where}: the truth is a toy model; studies of those hold cases")
    if asked.folds is not None or asked.fitted_on is not None:
        raise InputError(f"{where}: folds and fitted_on belong to hindcasts; remove them")
    if asked.every > 1:
        raise InputError(f"{where}.every: a study of twins scores all pixels; remove it")
    if section(document, "score", score).repeats > 1:
        raise InputError(f"{where}: score.repeats: a study repeats by its seeds; remove it")
    ready = prepared(document, unit.options.torch_device())
    for message in ready.silent:
        warn(f"{unit.run}: {message}")
    if ready.made.seed is not None:
        raise InputError(
            f"{where}: source.twin.seed: every seed of a study has a truth of its own; remove it"
        )


def work(unit: Unit) -> Found:
    """Run one twin experiment; the first seed of a run writes its run directory."""
    torch.set_num_threads(1)
    began = time.process_time()
    document = load(unit.config, unit.options.settings)
    device = unit.options.torch_device()
    ready = prepared(document, device)
    if unit.reported:
        root, outcome = twin.performed(document, unit.options, ready)
        report(root)
    else:  # sums are wanted, and the records of one pixel
        outcome = one_run(ready, sample=torch.arange(1))
    return Found(
        unit.run,
        ready.task.seed,
        ready.task.start + section(document, "score", score).burn_in,
        tuple((a.time, a.sensor) for a in ready.looks),
        outcome.sums,
        outcome.seen,
        time.process_time() - began,
    )
