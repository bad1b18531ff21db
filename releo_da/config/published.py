"""`releo-da experiment NAME` of published benchmarks: every case with its figures beside ours.

``experiments/NAME/experiment.yaml`` holds the cases as data:

    replicates: 5
    settings:
      sakov2008: {config: sakov2008.yaml, source: "Sakov and Oke (2008), Tellus A 60, 361-371"}
    cases:
      - setting: sakov2008
        name: square root
        set: {members: 24, analyse: [{name: etkf}, {name: inflated, factor: 1.013}]}
        figures: {published: 0.18, median: 0.181, seeds: 5, min: 0.171, max: 3.415}

A case is the configuration of its setting with the keys of ``set`` in place of its own. Replicates
run side by side on the pixel axis, cases in one process per core.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from releo_da.config import toy
from releo_da.config.document import KEYS, Document, load, nearest
from releo_da.config.options import Options
from releo_da.config.published_table import table
from releo_da.config.registry import bind
from releo_da.config.sections import score, section
from releo_da.config.side_by_side import side_by_side
from releo_da.config.toy_source import is_toy, source_of
from releo_da.diagnostics.scores import Array
from releo_da.runs.toy import means, toy_twin
from releo_da.runs.toy_scores import diverged, references
from releo_da.types import InputError

SINGLE = 0.15
"""A figure whose range over seeds says nothing is met within this share of it: one seed was run,
some diverged, or the range is not known."""


@dataclass(frozen=True)
class Figures:
    """What was published of a case, and what its public implementation gives over seeds.

    Attributes:
        published: given with the settings in the literature, or None.
        median: over the seeds.
        seeds: how many were run.
        min: of them, where it is known.
        max: of them, where it is known.
        diverged: how many of them diverged.
    """

    median: float
    seeds: int
    min: float | None = None
    max: float | None = None
    published: float | None = None
    diverged: int = 0

    @property
    def limits(self) -> tuple[float, float]:
        """The band that our median is held to."""
        if self.min is None or self.max is None or self.seeds == 1 or self.diverged:
            return (1.0 - SINGLE) * self.median, (1.0 + SINGLE) * self.median
        return self.min, self.max


@dataclass(frozen=True)
class Setting:
    """A configuration that several cases share, and where it was published."""

    config: str
    source: str


@dataclass(frozen=True)
class Case:
    """One run, and the published figures of its analysis and, if it has one, of its smoother."""

    setting: str
    name: str
    figures: dict[str, Any]
    smoothed: dict[str, Any] | None = None
    set: dict[str, Any] | None = None
    reference: Literal["climatology", "optimal_interpolation"] | None = None

    @property
    def published(self) -> dict[str, Figures]:
        """Figures by estimate."""
        given = {"analysis": self.figures, "smoothed": self.smoothed}
        return {k: bind(Figures, v, f"{self.name}: {k}")() for k, v in given.items() if v}


@dataclass(frozen=True)
class Benchmark:
    """An ``experiment.yaml`` of published cases."""

    settings: dict[str, Setting]
    cases: tuple[Case, ...]
    replicates: int = 5


@dataclass(frozen=True)
class Unit:
    """One case, ready to run: what a worker process receives."""

    case: Case
    document: Document
    options: Options


@dataclass(frozen=True)
class Row:
    """What a case gave for one estimate.

    Attributes:
        case: of which it is a row.
        document: its whole configuration.
        estimate: analysis or smoothed.
        figures: what it is compared with.
        rmse: ``[replicate]``.
        spread: ``[replicate]``, NaN for a reference.
        diverged: number of replicates.
        seconds: of work.
    """

    case: Case
    document: Document
    estimate: str
    figures: Figures
    rmse: Array
    spread: Array
    diverged: int
    seconds: float


def benchmark_of(values: Mapping[str, Any], path: Path) -> Benchmark:
    """The checked contents of an ``experiment.yaml`` of published cases.

    Raises:
        InputError: an unknown key, a missing one, or a case of a setting that is not there.
    """
    if not isinstance(values.get("cases"), list) or not isinstance(values.get("settings"), Mapping):
        raise InputError(f"{path}: needs settings (a mapping) and cases (a list)")
    settings = {
        name: bind(Setting, entry, f"{path}: settings.{name}")()
        for name, entry in values["settings"].items()
    }
    cases = []
    for number, entry in enumerate(values["cases"]):
        where = f"{path}: cases[{number}]"
        case: Case = bind(Case, entry, where)()
        if case.setting not in settings:
            raise InputError(
                f"{where}.setting: '{case.setting}' is none; {nearest(case.setting, settings)}"
            )
        for name, figures in {"figures": case.figures, "smoothed": case.smoothed}.items():
            if figures is not None:
                bind(Figures, figures, f"{where}.{name}")()
        for key in case.set or {}:
            if key not in KEYS:
                raise InputError(f"{where}.set: unknown key '{key}'; {nearest(key, KEYS)}")
        cases.append(case)
    rest = {k: v for k, v in values.items() if k not in ("settings", "cases")}
    provided = {"settings": settings, "cases": tuple(cases)}
    made: Benchmark = bind(Benchmark, rest, str(path), provided=provided)()
    return made


def units(folder: Path, benchmark: Benchmark, options: Options) -> list[Unit]:
    """Every case with its whole configuration, checked before anything runs."""
    found = []
    for case in benchmark.cases:
        several = f"source.twin.replicates={benchmark.replicates}"
        path = folder / benchmark.settings[case.setting].config
        document = load(path, (several, *options.settings), case.set)
        if not is_toy(document):
            raise InputError(f"{document.path}: source.twin.truth is no toy model; name one")
        prepared(document, torch.device("cpu"))
        found.append(Unit(case, document, options))
    return found


def prepared(document: Document, device: torch.device) -> tuple[Any, Any, Any]:
    """Source, task and system of a case."""
    made = source_of(document)
    task = toy.task_of(document, made)
    return made, task, toy.model_of(document, made, toy.forecaster_of(document, made, device))


def work(unit: Unit) -> list[Row]:
    """Run all replicates of a case; a row for each of its estimates."""
    torch.set_num_threads(1)
    began = time.process_time()
    made, task, model = prepared(unit.document, unit.options.torch_device())
    burn_in = section(unit.document, "score", score).burn_in
    truth = toy.simulated(made, task.seed, unit.options.torch_device())
    scored = np.array(made.times) > task.start + burn_in
    beside = references(truth, scored)
    if unit.case.reference is not None:
        rmse = getattr(beside, unit.case.reference)
        found = {"analysis": (rmse, np.full_like(rmse, np.nan))}
        lost = 0
    else:
        pixels = torch.arange(made.replicates)
        outcome = toy_twin(model, truth, task, pixels, detail=False, free_run=False)
        found = dict(means(outcome, burn_in, task.start))
        lost = int(diverged(outcome, scored, beside).sum())
    seconds = time.process_time() - began
    return [
        Row(unit.case, unit.document, estimate, figures, *found[estimate], lost, seconds)
        for estimate, figures in unit.case.published.items()
    ]


def run(folder: Path, values: Mapping[str, Any], options: Options) -> tuple[str, dict[str, Any]]:
    """All cases of an experiment: their table, and the same figures as numbers.

    Raises:
        InputError: its file or a configuration that it names is wrong.
    """
    benchmark = benchmark_of(values, folder / "experiment.yaml")
    pending = units(folder, benchmark, replace(options, quiet=True))
    found = side_by_side(
        work, pending, f"experiment {folder.name}", options.quiet, lambda u: u.case.name
    )
    return table([row for rows in found for row in rows], benchmark.settings)
