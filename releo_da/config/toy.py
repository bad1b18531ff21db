"""`releo-da twin` of a toy model: a published benchmark by the same command and language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.assimilation.etkf import etkf
from releo_da.assimilation.sequence import followed
from releo_da.config.bias import Wanted, biased, biases_of
from releo_da.config.correlated_errors import analyse_of, reasons_of, tally_of
from releo_da.config.document import Document
from releo_da.config.hindcast import MEMBERS, SEED
from releo_da.config.innovations import ledger, of_sensors
from releo_da.config.options import Options
from releo_da.config.registry import Registry
from releo_da.config.report import report
from releo_da.config.run_files import open_run, progress
from releo_da.config.schemes import SCHEMES, smoother_of
from releo_da.config.sections import horizons_of, score, section
from releo_da.config.toy_climate import supplied
from releo_da.config.toy_source import TOYS, Initial, ToySource, source_of
from releo_da.config.toy_weights import load_weights
from releo_da.config.weight_paths import weights_at
from releo_da.dynamics.drifting import Drifting
from releo_da.dynamics.stepped import Stepped
from releo_da.io import products_dataset, write_json, write_products, write_state
from releo_da.observation.bias import Offset
from releo_da.observation.identity import Components
from releo_da.runs.block import Task
from releo_da.runs.model import Model
from releo_da.runs.toy import SENSOR, ToyNature, ToyOutcome, toy_nature, toy_twin, turns
from releo_da.runs.toy_scores import best_estimate, comparison, estimates, scores_of
from releo_da.state.bias import DAYS, bias_name, bias_rows
from releo_da.types import Acquisition, InputError, Noise, State

START = 0.0
"""Model time of the initial distribution."""


def identity(bias: Mapping[str, float] | None = None, bias_days: float = DAYS) -> Wanted:
    """Components of the state as they are; the network of ``source.twin`` says which.

    Args:
        bias: channels (``x0``, ``x1``, ..) whose bias is estimated, with its prior standard
            deviation.
        bias_days: model time over which a bias forgets; .inf for a constant.
    """
    return Wanted({SENSOR: bias} if bias else {}, bias_days)


TOY_OPERATORS = Registry("observation operator of toy models", {"identity": identity})


def first_state(initial: Initial) -> Any:
    """The ensemble before any observation, as a function of time, pixels, members and noise."""

    def draw(time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        drawn = noise((len(pixels), members, len(initial.mean)))
        mean, variance = drawn.new_tensor(initial.mean), drawn.new_tensor(initial.variance)
        return State(time, mean + variance.sqrt() * drawn, pixels, {})

    return draw


def model_of(document: Document, made: ToySource, forecaster: Stepped) -> Model:
    """The system that a configuration describes, with this forecaster."""
    wanted = TOY_OPERATORS.build(document.values.get("observe", "identity"), "observe")
    channels = {SENSOR: made.channels}
    biases = biases_of(wanted, channels)
    start, transition = first_state(made.initial), getattr(forecaster, "transition", None)
    drifting = None if biases is None else Drifting(forecaster, start, biases)
    if drifting is not None and transition is not None:
        transition = drifting.transition
    return Model(
        drifting or forecaster,
        biased(Components(made.network), biases, channels),
        SCHEMES.build(analyse_of(document), "analyse", supplied(document, made, biases)),
        lambda acquisition: acquisition,
        start if drifting is None else drifting.initial,
        smoother_of(document, transition),
        lambda ensemble, angles: {},
        channels,
        {},
        reasons_of(document),
        tally_of(document),
        biases=biases,
        follow=followed,
    )


def truth_of(made: ToySource, device: torch.device) -> Model:
    """The truth as a system that is forecast and observed, and estimates nothing."""
    return Model(
        made.truth.to(device).requires_grad_(False),
        Components(made.network),
        etkf,
        lambda acquisition: acquisition,
        first_state(made.initial),
        None,
        lambda ensemble, angles: {},
        {SENSOR: made.channels},
        {},
    )


def forecaster_of(document: Document, made: ToySource, device: torch.device) -> Stepped:
    """The model that assimilates; that of the truth unless the configuration names another.

    Raises:
        InputError: it has other components or times than the truth.
    """
    spec = document.values.get("forecast", document.values["source"]["twin"]["truth"])
    weights = weights_at(document, "forecast.weights")
    if isinstance(spec, dict):
        spec = {key: value for key, value in spec.items() if key != "weights"}
    found: Stepped = TOYS.build(spec, "forecast")
    if found.size != made.truth.size:
        raise InputError(
            f"{document.path}: forecast has {found.size} components, source.twin.truth "
            f"{made.truth.size}; give both the same"
        )
    for before, after in zip((START, *made.times), made.times, strict=False):
        check_interval(found, after - before, f"{document.path}: forecast.dt")
    if weights is not None:
        load_weights(weights, found)
    return found.to(device).requires_grad_(False)


def check_interval(forecaster: Stepped, interval: float, where: str) -> None:
    """Refuse an interval that is no whole number of model steps."""
    try:
        forecaster.steps(interval)
    except ValueError as error:
        raise InputError(f"{where}: {error}; give another dt or interval") from None


def task_of(document: Document, made: ToySource) -> Task:
    """What the configuration asks of the experiment.

    Raises:
        InputError: scores that a toy model has not, or a burn-in that leaves nothing.
    """
    wanted = section(document, "score", score)
    for key in ("withhold", "in_situ", "network", "forecast_period"):
        if (document.values.get("score") or {}).get(key):
            raise InputError(
                f"{document.path}: score.{key}: a toy model is scored on its truth; remove it"
            )
    if wanted.repeats > 1:
        raise InputError(
            f"{document.path}: score.repeats: a toy model has source.twin.replicates; give those"
        )
    if not START + wanted.burn_in < made.times[-1]:
        raise InputError(
            f"{document.path}: score.burn_in is {wanted.burn_in}, the last observation comes at "
            f"{made.times[-1]:g}; give less, or more steps"
        )
    for horizon in horizons_of(document, wanted):
        check_interval(made.truth, horizon, f"{document.path}: score.horizons")
    return Task(
        seed=document.values.get("seed", SEED),
        members=document.values.get("members", MEMBERS),
        start=START,
        horizons=horizons_of(document, wanted),
        smooth=document.values.get("smooth") is not None,
    )


def passes(made: ToySource, device: torch.device) -> list[Acquisition]:
    """Time and error of every observation; angles and values mean nothing yet."""
    error = torch.tensor(made.error_variance, dtype=torch.float64, device=device).sqrt()
    errors = error.expand(made.replicates, -1)
    nothing = torch.zeros(made.replicates, 3, dtype=torch.float64, device=device)
    return [Acquisition(t, SENSOR, torch.zeros_like(errors), errors, nothing) for t in made.times]


def simulated(made: ToySource, seed: int, device: torch.device) -> ToyNature:
    """The truth and its observations."""
    truth, looks = truth_of(made, device), passes(made, device)
    pixels = torch.arange(made.replicates)
    number = seed + 1 if made.seed is None else made.seed
    constants = {SENSOR: torch.tensor(made.bias, dtype=torch.float64, device=device)}
    seen = replace(truth, observe=Offset(truth.observe, constants))
    found = toy_nature(seen, looks, START, pixels, number, made.missing)
    return found._replace(model=truth)


def command(document: Document, options: Options) -> Path:
    """Run a toy model's twin experiment and write its run directory; returns the report."""
    made = source_of(document)
    device = options.torch_device()
    task = task_of(document, made)
    model = model_of(document, made, forecaster_of(document, made, device))
    burn_in = section(document, "score", score).burn_in
    root, log, provenance = open_run(document, options, "twin", task.seed)
    truth = simulated(made, task.seed, device)
    with progress(turns(truth), "twin", options.quiet) as tick:
        pixels = torch.arange(made.replicates)
        outcome = toy_twin(model, truth, task, pixels, tick=tick)
    scores = scores_of(outcome, truth, task, burn_in)
    for record in ledger(outcome.judged, truth.acquisitions):
        log.write(record)
    # Published scores begin after the burn-in, those of satellites with its end.
    scored = float(np.nextafter(task.start + burn_in, np.inf))
    said = of_sensors(outcome.judged, truth.acquisitions, model.channels, scored)
    scores = {**scores, "innovations": said}
    if model.biases is not None:
        known = {
            bias_name(SENSOR, channel): value
            for channel, value in zip(made.channels, made.bias, strict=True)
        }
        scores = {**scores, "biases": bias_rows(model.biases, outcome.state.ensemble, known)}
    write_outcome(root, outcome, truth, made, task, scores, provenance)
    log.write({"kind": "finished", "diverged": scores["diverged"]})
    return report(root)


def points_of(made: ToySource) -> xr.Dataset:
    """Components of all replicates as points, in the form of `releo_da.io.series.Series`."""
    size, number = made.truth.size, made.replicates * made.truth.size
    replicate, component = np.divmod(np.arange(number), size)
    return xr.Dataset(
        coords={
            "id": ("pixel", np.arange(number)),
            "replicate": ("pixel", replicate),
            "component": ("pixel", component),
        }
    ).assign_attrs(kind="point")


def write_outcome(
    root: Path,
    outcome: ToyOutcome,
    truth: ToyNature,
    made: ToySource,
    task: Task,
    scores: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """The files of a run directory, each written whole or not at all."""
    told = {
        "title": "twin experiment of a toy model; time is model time, counted as days",
        "source": f"releo_da {provenance['version']} {provenance['commit'] or ''}".strip(),
        "history": f"{provenance['written']} releo-da {provenance['command']}",
        "role": "smoother" if best_estimate(outcome) == "smoothed" else "filter",
    }
    points = points_of(made)
    axes = {name: ("point", points[name].values) for name in ("replicate", "component")}
    for name, held in estimates(outcome, truth).items():
        dataset = products_dataset(outcome.times, points, held, told).assign_coords(axes)
        write_products(root / f"{name}.nc", dataset)
    write_products(root / "verification.nc", comparison(outcome, task.members, points))
    write_state(root / "state.safetensors", outcome.state)
    write_json(root / "scores.json", scores)
