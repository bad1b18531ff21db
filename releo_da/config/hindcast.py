"""`releo-da hindcast`: a document becomes a system and a series, an outcome becomes files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.auxiliary import with_weather
from releo_da.config.copies import check_table, copied
from releo_da.config.document import Document
from releo_da.config.driven import keep_weather
from releo_da.config.initial import begun
from releo_da.config.innovations import ledger, of_sensors
from releo_da.config.options import Options
from releo_da.config.phenology import write_seasons
from releo_da.config.report import report
from releo_da.config.retrieval_weights import read_beside
from releo_da.config.run_files import Opened, open_run, progress
from releo_da.config.sections import (
    Products,
    days,
    field_tables,
    product_times,
    products,
    score,
    section,
)
from releo_da.config.sources import read_sources
from releo_da.config.train_section import train
from releo_da.config.weight_paths import weights_at
from releo_da.io import (
    products_dataset,
    write_json,
    write_products,
    write_state,
    write_text_atomic,
)
from releo_da.io.series import Series
from releo_da.io.times import isoformat
from releo_da.runs.axis import PIXELS
from releo_da.runs.block import Task
from releo_da.runs.field import FieldRows
from releo_da.runs.hindcast import Outcome, hindcast, turns
from releo_da.runs.located import told
from releo_da.runs.retrieved import Reading, beside, silent
from releo_da.runs.scoring import in_sample, rivals_left_out, score_baselines
from releo_da.runs.scoring import score as scores_of
from releo_da.runs.unseen import longest
from releo_da.runs.withhold import Withhold
from releo_da.sensors import labels
from releo_da.types import InputError

SEED, MEMBERS = 0, 64
"""Seed and ensemble size when the configuration gives none."""


def task_of(document: Document, series: Series) -> Task:
    """What the configuration asks of every block."""
    wanted = section(document, "score", score)
    if wanted.burn_in:
        raise InputError(
            f"{document.path}: score.burn_in: a twin experiment has one; remove it, or give "
            "score.forecast_period"
        )
    if wanted.repeats > 1:
        raise InputError(
            f"{document.path}: score.repeats: a twin experiment of a landscape has some; remove it"
        )
    period = document.period
    start = series.acquisitions[0].time if period is None else days(period[0])
    return Task(
        seed=document.values.get("seed", SEED),
        members=document.values.get("members", MEMBERS),
        start=min(start, series.acquisitions[0].time),
        horizons=wanted.horizons,
        bins=wanted.bins,
        forecast_period=wanted.period,
        smooth=document.values.get("smooth") is not None,
        seasons=section(document, "products", products).seasons,
    )


def run(
    document: Document,
    series: Series,
    assembly: Assembly,
    options: Options,
    reading: Reading | None = None,
) -> Outcome:
    """The hindcast that a configuration describes, beside a network where one is given."""
    wanted = section(document, "score", score)
    task = task_of(document, series)
    times = product_times(document, series, section(document, "products", products))
    total = turns(series, task, wanted.withhold)
    with progress(total, "hindcast", options.quiet) as tick:
        outcome = hindcast(
            assembly.model,
            series,
            task,
            times,
            field_tables(document, wanted, series),
            wanted.withhold,
            options.torch_device(),
            tick,
        )
    if reading is None:
        return outcome
    field = beside(outcome.field, series.acquisitions, series.pixels["id"].values, reading)
    return replace(outcome, field=field, silent=silent(field, reading))


def command(document: Document, options: Options) -> Path:
    """Run a hindcast and write its run directory; returns the path of the report."""
    series, weather = with_weather(document, read_sources(document))
    device = options.torch_device()
    assembly = assemble(document, series.channels, device=device, weather=weather)
    assembly, past = begun(document, assembly, device, weather)
    task, reading = task_of(document, series), read_beside(document, series.channels)
    output = section(document, "products", products)
    times = product_times(document, series, output)
    names = assembly.model.described
    check_table(document, output, series.pixels.sizes["pixel"], len(times), len(names))
    opened = begin(document, options, series, "hindcast")
    keep_weather(opened.root, document, weather)
    unmet = assembly.model.not_met(
        lambda: max(longest(series.acquisitions), task.furthest), series.pixels
    )
    for record in [*past, *told(assembly.model, series.pixels), *unmet]:
        opened.log.write(record)
    outcome = run(document, series, assembly, options, reading)
    fitted, wanted = section(document, "train", train), section(document, "score", score)
    said = score_baselines(
        series.acquisitions,
        series.channels,
        outcome,
        task,
        train_period=fitted.period,
        every=every_of(document),
        also=wanted.baselines,
    )
    scores = scores_of(outcome, task, said, wanted.periods)
    scores["in_sample"] = in_sample(series.acquisitions, task, fitted.period)
    return finish(opened, series, outcome, scores, output)


def every_of(document: Document) -> int:
    """One in how many dates is withheld; the default where nothing is."""
    rule = section(document, "score", score).withhold
    return Withhold().every if rule is None else int(rule.every)


def begin(
    document: Document, options: Options, series: Series, name: str, weights: Path | None = None
) -> Opened:
    """A run directory whose log holds what was found while reading.

    Args:
        document: the configuration.
        options: where, and on which device.
        series: what was read.
        name: of the command.
        weights: fitted weights that the configuration does not name.
    """
    field = field_tables(document, section(document, "score", score), series)
    opened = open_run(document, options, name, document.values.get("seed", SEED), weights)
    for record in [*series.log, *(record for table in field for record in table.log)]:
        opened.log.write(record)
    opened.log.write({"kind": "channels", "channels": series.channels})
    if weights is None and weights_at(document, "forecast.weights") is None:
        opened.log.write({"kind": "unfitted"})
    return opened


def finish(
    opened: Opened, series: Series, outcome: Outcome, scores: Mapping[str, Any], wanted: Products
) -> Path:
    """Write the outcome of a run and draw its report; returns the report's path."""
    scores = noted(opened, series, outcome, scores)
    write_outcome(opened.root, outcome, series, scores, opened.made)
    attributes = attributes_of(opened.made, series, outcome.estimate)
    times, seasons = outcome.product_times, wanted.seasons
    write_seasons(opened.root, times, series.pixels, outcome.seasons, seasons, attributes)
    copied(opened.root / "analysis.nc", wanted)
    opened.log.write({"kind": "finished", "diverged": outcome.diverged})
    return report(opened.root)


def noted(
    opened: Opened, series: Series, outcome: Outcome, scores: Mapping[str, Any]
) -> dict[str, Any]:
    """The scores with what the analyses said of their innovations, all of it in the log."""
    for kind in ("rejected", "rejected_by_reason"):
        if scores[kind]:
            opened.log.write({"kind": kind, **scores[kind]})
    for record in rivals_left_out(outcome, scores["baselines"]):
        opened.log.write(record)
    for message in outcome.silent:
        opened.log.write({"kind": "left_out", "message": message})
    for record in ledger(outcome.judged, series.acquisitions):
        opened.log.write(record)
    said = of_sensors(outcome.judged, series.acquisitions, labels(series.channels))
    return {**scores, "innovations": said}


def write_outcome(
    root: Path, outcome: Outcome, series: Series, scores: Mapping[str, Any], made: Mapping[str, Any]
) -> None:
    """The files of a run directory, each written whole or not at all."""
    times, pixels = outcome.product_times, series.pixels
    for name, found, estimate in (
        ("analysis.nc", outcome.products, outcome.estimate),
        ("unsmoothed.nc", outcome.analysed, "analysis"),
    ):
        attributes = attributes_of(made, series, estimate)
        write_products(root / name, products_dataset(times, pixels, found, attributes))
    write_products(root / "verification.nc", outcome.verification)
    if outcome.leads is not None:
        write_products(root / "leads.nc", outcome.leads.told)
    field_files(root, outcome.field)
    write_products(root / PIXELS, pixels)
    write_state(root / "state.safetensors", outcome.state)
    write_json(root / "scores.json", scores)


def attributes_of(made: Mapping[str, Any], series: Series, estimate: str) -> dict[str, str]:
    """Global attributes of a product: what it is, and all that it was made of.

    Args:
        made: provenance of the run.
        series: whose log names the files that were read.
        estimate: "smoothed" or "analysis".
    """
    read = dict.fromkeys(Path(r["path"]).name for r in series.log if r["kind"] == "read")
    return {
        "title": "land-surface variables by assimilation of satellite reflectances",
        "source": f"releo_da {made['version']} {made['commit'] or ''}".strip(),
        "history": f"{made['written']} releo-da {made['command']}",
        "estimate": estimate,
        "seed": str(made["seed"]),
        "configuration_sha256": str(made["configuration_sha256"]),
        "input_files": ", ".join(read),
    }


def field_files(root: Path, tables: Sequence[FieldRows]) -> None:
    """A table per variable that was measured in the field, numbered where one repeats."""
    for number, rows in enumerate(tables):
        repeated = any(rows.variable == other.variable for other in tables[:number])
        suffix = f"-{number}" if repeated else ""
        write_text_atomic(root / f"field_{rows.variable}{suffix}.csv", field_csv(rows))


def field_csv(rows: FieldRows) -> str:
    """Field measurements and estimates as a table, one row per measurement; times as ISO 8601."""
    columns: dict[str, Any] = {
        "row": rows.row,
        "pixel": rows.pixel,
        "time": [isoformat(time) for time in rows.time],
        "measured": rows.measured,
        "stage": rows.stage,
        "ndvi": rows.ndvi,
    }
    for case, members in rows.estimates.items():
        columns[f"{case}_mean"] = members.mean(1)
        columns[f"{case}_sd"] = members.std(1, ddof=1)
    return str(pd.DataFrame(columns).to_csv(index=False, float_format="%.6g"))
