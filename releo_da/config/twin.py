"""`releo-da twin`: a document becomes a truth, its acquisitions, and a system that estimates it.

Satellites over a landscape here; toy models of published benchmarks in `releo_da.config.toy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

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
from releo_da.runs.block import Task
from releo_da.runs.located import located, told
from releo_da.runs.twin import NOWHERE, pooled, turns, twin
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
    made = source_of(document)
    device = options.torch_device()
    looks = passes(document, made, device)
    task = task_of(document, made)
    ours, theirs = assemblies(document, made, device)
    output = section(document, "products", products)
    check_table(
        document, output, int(np.prod(made.shape)), len(task.asked), len(ours.model.described)
    )
    root, log, provenance = open_run(document, options, "twin", task.seed)
    pixels = torch.arange(int(np.prod(made.shape)))
    seed = task.seed + 1 if made.seed is None else made.seed
    ground = ground_of(made.shape, made.spacing, seed)
    ours, theirs = (replace(a, model=located(a.model, ground)) for a in (ours, theirs))
    for record in told(ours.model, ground):
        log.write(record)
    known = known_biases(ours, made)
    wanted = section(document, "score", score)
    sample = sample_of(made.shape, comparisons(ours, looks, task))
    held = None if sample is None or len(made.shape) == 1 else pixels_of(made.shape)
    outcomes = []
    with (
        writing(root, ours, task, held, provenance) as sinks,
        progress(wanted.repeats * turns(len(looks), task, pixels), "twin", options.quiet) as tick,
    ):
        for k in range(wanted.repeats):
            one = replace(task, seed=task.seed + k)
            simulate = simulation(made, theirs, looks, (one.start, *one.asked), seed + k, known)
            # Of further seeds sums are wanted, and the records of one pixel.
            kept = (sample, sinks) if k == 0 else (pixels[:1], NOWHERE)
            outcomes.append(
                twin(ours.model, simulate, comparing(ours), one, pixels, device, tick, *kept)
            )
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
    return report(root)


def comparisons(ours: Assembly, looks: Sequence[Acquisition], task: Task) -> int:
    """Comparisons of one pixel, about: dates, cases, channels and variables."""
    names = len(ours.layout.names) + len(ours.model.described)
    cases = 5 + len(task.horizons)
    return cases * sum(a.values.shape[1] + 1 + names for a in looks)
