"""`releo-da twin`: a document becomes a truth, its acquisitions, and a system that estimates it.

Satellites over a landscape here; toy models of published benchmarks in `releo_da.config.toy`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from releo_da.config import toy
from releo_da.config.copies import check_table, copied
from releo_da.config.document import Document
from releo_da.config.innovations import impacts, ledger, of_sensors
from releo_da.config.options import Options
from releo_da.config.report import report
from releo_da.config.run_files import open_run, progress, warn
from releo_da.config.sections import products, score, section
from releo_da.config.toy_source import is_toy
from releo_da.config.twin_files import write_estimates, writing
from releo_da.config.twin_pixels import pixels_of
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.config.twin_workers import telling
from releo_da.diagnostics.repeats import repeated
from releo_da.io import write_json, write_products
from releo_da.runs.located import told
from releo_da.runs.twin import NOWHERE, TwinOutcome, gathered, pooled, turns
from releo_da.runs.twin import score as scores_of
from releo_da.state.bias import bias_rows


def command(document: Document, options: Options, workers: int | None = None) -> Path:
    """Run a twin experiment and write its run directory; returns the path of the report.

    Args:
        document: the configuration.
        options: of the command line.
        workers: number of processes; one per core unless given, where there are enough blocks.
    """
    if is_toy(document):
        return toy.command(document, options)
    ready = prepared(document, options.torch_device())
    # Its records are read again from their file: they are not held twice.
    root = performed(document, options, ready, workers)[0]
    return report(root)


def performed(
    document: Document, options: Options, ready: Prepared, workers: int | None = 1
) -> tuple[Path, TwinOutcome]:
    """Run a twin experiment and write its run directory, without figures and report.

    Args:
        document: the configuration.
        options: of the command line.
        ready: the experiment.
        workers: see `command`.
    """
    made, looks, task, ours = ready.made, ready.looks, ready.task, ready.ours
    output, wanted = section(document, "products", products), section(document, "score", score)
    number = len(ready.pixels)
    check_table(document, output, number, len(task.asked), len(ours.model.described))
    root, log, provenance = open_run(document, options, "twin", task.seed)
    for record in [*ready.noted, *told(ours.model, ready.ground)]:
        log.write(record)
    for message in ready.silent:
        log.write({"kind": "left_out", "message": message})
        warn(message, options.quiet)
    held = None if ready.sample is None or len(made.shape) == 1 else pixels_of(made.shape)
    length = wanted.repeats * turns(len(looks), task, ready.pixels)
    outcomes = []
    with (
        writing(root, ours, task, held, provenance) as sinks,
        progress(length, "twin", options.quiet) as tick,
        telling(document, ready, workers, tick) as tell,
    ):
        for k in range(wanted.repeats):  # of further seeds sums are wanted
            one = ready.repeat(k)
            taking = sinks if k == 0 else NOWHERE
            outcomes.append(gathered(tell(k), ours.model, one.task, one.pixels, one.sample, taking))
    outcome, burn_in = pooled(outcomes), wanted.burn_in
    scores = scores_of(outcome, task, burn_in)
    if wanted.repeats > 1:
        parts = [scores_of(one, task, burn_in) for one in outcomes]
        scores = {**scores, "repeats": repeated(parts, outcome.seeds)}
    place = xr.Dataset(coords={"lat": ("pixel", np.full(number, made.place[1]))})
    unmet = ours.model.not_met(lambda: max(outcome.unseen, task.furthest), place)
    for record in [*unmet, *ledger(outcomes[0].judged, looks)]:
        log.write(record)
    names, scored = ours.model.labels, task.start + burn_in
    said = of_sensors(outcome.judged, looks, names, scored)
    impact = impacts(outcome.judged, looks, names, outcome.names, scored)
    scores = {**scores, "innovations": said, "impact": impact}
    if ours.model.biases is not None:
        rows = bias_rows(ours.model.biases, outcome.state.ensemble, ready.known)
        scores = {**scores, "biases": rows}
    if held is None:
        axis = pixels_of(made.shape)
        write_estimates(root, outcome, axis, provenance, task.seasons)
    write_products(root / "verification.nc", outcome.verification)
    write_json(root / "scores.json", scores)
    copied(root / "analysis.nc", output)
    log.write({"kind": "finished", "diverged": outcome.diverged})
    return root, outcome
