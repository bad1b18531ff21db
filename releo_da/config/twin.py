"""`releo-da twin`: a document becomes a truth, its acquisitions, and a system that estimates it.

Satellites over a landscape here; toy models of published benchmarks in `releo_da.config.toy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.config import toy
from releo_da.config.assemble import Assembly, assemble
from releo_da.config.compared import comparing, constant
from releo_da.config.copies import check_table, copied
from releo_da.config.document import Document
from releo_da.config.hindcast import MEMBERS, SEED
from releo_da.config.innovations import ledger, of_sensors
from releo_da.config.options import Options
from releo_da.config.report import report
from releo_da.config.run_files import open_run, progress
from releo_da.config.sections import horizons_of, products, score, section
from releo_da.config.simulation import simulation
from releo_da.config.toy_source import is_toy
from releo_da.config.twin_files import write_estimates, writing
from releo_da.config.twin_pixels import ground_of, pixels_of, sample_of
from releo_da.config.twin_source import (
    Twin,
    channels_of,
    offsets,
    passes,
    period_of,
    source_of,
    true_biases,
)
from releo_da.diagnostics.repeats import repeated
from releo_da.io import write_json, write_products
from releo_da.observation.bias import Offset
from releo_da.runs.block import Task, Tick
from releo_da.runs.located import located, told
from releo_da.runs.twin import NOWHERE, Sinks, TwinOutcome, pooled, turns, twin
from releo_da.runs.twin import score as scores_of
from releo_da.state.bias import bias_rows
from releo_da.types import Acquisition, InputError


def assemblies(document: Document, made: Twin, device: torch.device) -> tuple[Assembly, Assembly]:
    """The system that assimilates and the one of the truth, which are the same unless told.

    A bias of the truth is what the satellites say and no latent: it is one number for all pixels.
    """
    channels, constants = channels_of(made), offsets(made)
    ours = assemble(document, channels, device=device)
    if made.truth is None and ours.model.biases is None and not constants:
        return ours, ours
    told = {} if made.truth is None else {"forecast": made.truth}
    values = {**document.values, **told}
    if isinstance(values.get("observe"), Mapping):
        left_out = ("bias", "bias_days")
        values["observe"] = {k: v for k, v in values["observe"].items() if k not in left_out}
    theirs = assemble(replace(document, values=values), channels, device=device)
    added = {sensor: torch.tensor(row, device=device) for sensor, row in constants.items()}
    known = known_biases(ours, made)
    surface = theirs.model.derive
    model = replace(
        theirs.model,
        observe=Offset(theirs.model.observe, added),
        derive=lambda ensemble, angles: surface(ensemble, angles) | constant(known, ensemble),
    )
    return ours, replace(theirs, model=model)


def known_biases(ours: Assembly, made: Twin) -> dict[str, float]:
    """What the bias latents of a run are in truth, by their names; none where it has none."""
    biases, true = ours.model.biases, true_biases(made)
    return {} if biases is None else {name: true.get(name, 0.0) for name in biases.names}


def task_of(document: Document, made: Twin) -> Task:
    """What the configuration asks of every block."""
    wanted, output = section(document, "score", score), section(document, "products", products)
    for key in ("withhold", "in_situ"):
        if (document.values.get("score") or {}).get(key):
            raise InputError(
                f"{document.path}: score.{key}: a twin experiment is scored on its truth; remove it"
            )
    start, end = period_of(document)
    asked = tuple(float(t) for t in np.arange(start + 0.5, end, output.every_days))
    return Task(
        seed=document.values.get("seed", SEED),
        members=document.values.get("members", MEMBERS),
        start=start,
        asked=asked,
        horizons=horizons_of(document, wanted),
        smooth=document.values.get("smooth") is not None,
    )


def command(document: Document, options: Options) -> Path:
    """Run a twin experiment and write its run directory; returns the path of the report."""
    if is_toy(document):
        return toy.command(document, options)
    root, _ = performed(document, options, prepared(document, options.torch_device()))
    return report(root)


class Prepared(NamedTuple):
    """A twin experiment over a landscape, ready to run.

    Attributes:
        made: what is simulated.
        looks: the passes, in time order.
        task: what is asked of every block; its seed is the first.
        ours: the system that assimilates, which knows where pixels lie.
        theirs: that of the truth.
        seed: of truth, clouds and noise, beside the seed of the task.
        known: the biases of the truth, by name.
        ground: the pixels with their places.
    """

    made: Twin
    looks: list[Acquisition]
    task: Task
    ours: Assembly
    theirs: Assembly
    seed: int
    known: dict[str, float]
    ground: xr.Dataset


def prepared(document: Document, device: torch.device) -> Prepared:
    """What a document asks for, checked and built."""
    made = source_of(document)
    looks = passes(document, made, device)
    task = task_of(document, made)
    ours, theirs = assemblies(document, made, device)
    seed = task.seed + 1 if made.seed is None else made.seed
    ground = ground_of(made.shape, made.spacing, seed)
    known = known_biases(ours, made)
    ours, theirs = (replace(a, model=located(a.model, ground)) for a in (ours, theirs))
    return Prepared(made, looks, task, ours, theirs, seed, known, ground)


def one_run(
    ready: Prepared,
    device: torch.device,
    later: int = 0,
    tick: Tick = lambda label: None,
    sample: Tensor | None = None,
    sinks: Sinks | None = NOWHERE,
) -> TwinOutcome:
    """Run a twin experiment once.

    Args:
        ready: the experiment.
        device: where tensors live.
        later: how many seeds after the first, of run and truth alike.
        tick: called after each piece of work.
        sample: ids of the pixels whose records are kept; all unless given.
        sinks: take output variables and states, which are returned where None.
    """
    task = replace(ready.task, seed=ready.task.seed + later)
    pixels = torch.arange(int(np.prod(ready.made.shape)))
    times, seed = (task.start, *task.asked), ready.seed + later
    simulate = simulation(ready.made, ready.theirs, ready.looks, times, seed, ready.known)
    return twin(
        ready.ours.model, simulate, comparing(ready.ours), task, pixels, device, tick, sample, sinks
    )


def performed(document: Document, options: Options, ready: Prepared) -> tuple[Path, TwinOutcome]:
    """Run a twin experiment and write its run directory, without figures and report."""
    device = options.torch_device()
    made, looks, task, ours, known = ready.made, ready.looks, ready.task, ready.ours, ready.known
    output = section(document, "products", products)
    pixels = torch.arange(int(np.prod(made.shape)))
    check_table(document, output, len(pixels), len(task.asked), len(ours.model.described))
    root, log, provenance = open_run(document, options, "twin", task.seed)
    for record in told(ours.model, ready.ground):
        log.write(record)
    wanted = section(document, "score", score)
    sample = sample_of(made.shape, comparisons(ours, looks, task))
    held = None if sample is None or len(made.shape) == 1 else pixels_of(made.shape)
    outcomes = []
    with (
        writing(root, ours, task, held, provenance) as sinks,
        progress(wanted.repeats * turns(len(looks), task, pixels), "twin", options.quiet) as tick,
    ):
        for k in range(wanted.repeats):
            # Of further seeds sums are wanted, and the records of one pixel.
            kept = (sample, sinks) if k == 0 else (pixels[:1], NOWHERE)
            outcomes.append(one_run(ready, device, k, tick, *kept))
    outcome, burn_in = pooled(outcomes), wanted.burn_in
    scores = scores_of(outcome, task, burn_in)
    if wanted.repeats > 1:
        parts = [scores_of(one, task, burn_in) for one in outcomes]
        scores = {**scores, "repeats": repeated(parts, outcome.seeds)}
    for record in ledger(outcomes[0].judged, looks):
        log.write(record)
    names, scored = ours.model.labels, task.start + burn_in
    said = of_sensors(outcome.judged, looks, names, scored)
    scores = {**scores, "innovations": said}
    if ours.model.biases is not None:
        rows = bias_rows(ours.model.biases, outcome.state.ensemble, known)
        scores = {**scores, "biases": rows}
    if held is None:
        write_estimates(root, outcome, pixels_of(made.shape), provenance)
    write_products(root / "verification.nc", outcome.verification)
    write_json(root / "scores.json", scores)
    copied(root / "analysis.nc", output)
    log.write({"kind": "finished", "diverged": outcome.diverged})
    return root, outcome


def comparisons(ours: Assembly, looks: Sequence[Acquisition], task: Task) -> int:
    """Comparisons of one pixel, about: dates, cases, channels and variables."""
    names = len(ours.layout.names) + len(ours.model.described)
    cases = 5 + len(task.horizons)
    return cases * sum(a.values.shape[1] + 1 + names for a in looks)
