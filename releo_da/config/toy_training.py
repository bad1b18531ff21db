"""`releo-da train` of a toy model: its coefficients learned from the observations of a truth.

The run directory gets ``weights.safetensors``, which a configuration names as
``forecast: {name: .., weights: ..}``, and ``train.json`` with the likelihood of every epoch, each
coefficient before and after, beside the truth's where that has the same terms, and the likelihood
of another truth's observations, which took no part in the fit, and a report of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from releo_da.config import toy
from releo_da.config.correlated_errors import correlation_of, fitting_scheme
from releo_da.config.document import Document
from releo_da.config.fit_report import likelihood_picture
from releo_da.config.options import Options
from releo_da.config.run_files import open_run, progress
from releo_da.config.sections import section
from releo_da.config.toy_climate import supplied
from releo_da.config.toy_source import ToySource, source_of
from releo_da.config.toy_weights import write_weights
from releo_da.config.train_report import write_train_report
from releo_da.config.train_section import Train, train
from releo_da.config.weight_paths import WEIGHTS
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.tables import ABSENT
from releo_da.dynamics.lorenz96 import Lorenz96
from releo_da.dynamics.quadratic_ring import QuadraticRing, lorenz96_coefficients
from releo_da.dynamics.stepped import Stepped
from releo_da.io import write_json
from releo_da.learning.fit import fit
from releo_da.learning.fitting import Epoch, begun
from releo_da.learning.gaps import NONE
from releo_da.learning.stretches import Part, Problem, log_likelihood
from releo_da.types import InputError, Noise, State

MISSING = (
    "period", "gaps", "pixels", "batch", "held_out", "held_out_years", "weather_hidden", "margins",
    "start", "physics_first", "keep",
)  # fmt: skip
"""Options of ``train`` that a toy model has not."""


class Learned(NamedTuple):
    """What a fit leaves behind.

    Attributes:
        forecaster: with the learned coefficients.
        coefficients: a row for each, with ``start``, ``fitted`` and ``truth`` (None if unknown).
        epochs: what each reported.
        held_out: log-likelihood per value of a truth that was not fitted, by the coefficients
            before and after, and by the model of the truth.
    """

    forecaster: Stepped
    coefficients: list[dict[str, Any]]
    epochs: list[Epoch]
    held_out: dict[str, float]


def fitted(document: Document, made: ToySource, options: Options) -> Learned:
    """Learn the forecaster of a configuration from the observations of its truth.

    Raises:
        InputError: the section ``train`` asks for what toy models have not.
    """
    for key in MISSING:
        if (document.values.get("train") or {}).get(key) is not None:
            raise InputError(f"{document.path}: train.{key}: a toy model has none; remove it")
    settings: Train = section(document, "train", train)
    task, device = toy.task_of(document, made), options.torch_device()
    forecaster = toy.forecaster_of(document, made, device)
    if not list(forecaster.parameters()):
        raise InputError(f"{document.path}: forecast has no coefficients to learn; name another")
    model = toy.model_of(document, made, forecaster)
    if model.biases is not None:
        raise InputError(f"{document.path}: observe.bias: nothing is learned with it; remove it")
    first = task.seed + 1 if made.seed is None else made.seed

    def start(time: float, pixels: Tensor, noise: Noise) -> State:
        return model.initial(task.start, pixels, settings.members, noise)  # before the first look

    def problem(step: Stepped) -> Problem:
        scheme = fitting_scheme(document, supplied(document, made))
        together = correlation_of(document)
        return Problem(step, start, model.observe, scheme, lambda a: a, 0.0, correlation=together)

    def seen(seed: int) -> Part:
        truth = toy.simulated(replace(made, seed=seed), task.seed, device)
        return Part(truth.acquisitions, torch.arange(made.replicates))

    def judged(step: Stepped) -> float:
        other = seen(first + 1)
        source = torch.Generator().manual_seed(task.seed)
        return log_likelihood(problem(step), other, NONE, source) / other.values

    before, held_out = coefficients(forecaster.step), {"before": judged(forecaster)}
    epochs = []
    forecaster.requires_grad_(True)
    asked = settings.schedule
    schedule = replace(asked, gaps=NONE, stretches=asked.stretches or 1)
    with progress(schedule.epochs, "train", options.quiet) as tick:
        fitting = begun({"forecaster": forecaster}, anchors=False)
        for epoch in fit(fitting, problem(forecaster), seen(first), schedule, task.seed):
            epochs.append(epoch)
            tick(f"log-likelihood per value {epoch.log_likelihood / epoch.observations:.3f}")
    forecaster.requires_grad_(False)
    held_out |= {"after": judged(forecaster), "truth": judged(made.truth)}
    known = true_coefficients(forecaster.step, made.truth.step)
    rows = [
        {"name": name, "start": before[name], "fitted": value, "truth": known.get(name)}
        for name, value in coefficients(forecaster.step).items()
    ]
    return Learned(forecaster, rows, epochs, held_out)


def coefficients(step: nn.Module) -> dict[str, float]:
    """The learned numbers of a model step by name."""
    if isinstance(step, QuadraticRing):
        return step.named_coefficients()
    found: dict[str, float] = {}
    for name, parameter in step.named_parameters():
        values = parameter.detach().flatten().tolist()
        found |= {name if parameter.dim() == 0 else f"{name}[{k}]": v for k, v in enumerate(values)}
    return found


def true_coefficients(step: nn.Module, truth: nn.Module) -> dict[str, float]:
    """The truth's numbers in the terms of a model step; none where it has other terms."""
    if isinstance(step, QuadraticRing) and isinstance(truth, Lorenz96):
        known = lorenz96_coefficients(*(float(p.detach()) for p in truth.parameters()))
        return dict.fromkeys(step.named_coefficients(), 0.0) | known
    return coefficients(truth) if type(step) is type(truth) else {}


def command(document: Document, options: Options) -> Path:
    """Learn a toy model and write its weights; returns their path."""
    made = source_of(document)
    task = toy.task_of(document, made)
    toy.forecaster_of(document, made, options.torch_device())
    root, log, made_by = open_run(document, options, "train", task.seed)
    learned = fitted(document, made, options)
    write_weights(root / WEIGHTS, learned.forecaster)
    for epoch in learned.epochs:
        log.write({"kind": "epoch", **epoch._asdict()})
    told = {
        "epochs": [epoch._asdict() for epoch in learned.epochs],
        "held_out": learned.held_out,
        "coefficients": learned.coefficients,
    }
    write_json(root / "train.json", told)
    curves = likelihood_picture(learned.epochs)
    write_train_report(root, made_by, tables_of(told), [curves], ["The equations of a toy model."])
    return root / WEIGHTS


def tables_of(found: Mapping[str, Any]) -> list[Table]:
    """What train.json of a toy model says, for the report."""
    judged = "Per value, of observations of another truth, which took no part in the fit."
    note = "Learned from observations; the truth's where it has the same terms."
    rows = [
        (
            row["name"],
            [
                Cell(ABSENT if row[key] is None else f"{row[key]:.3f}")
                for key in ("start", "fitted", "truth")
            ],
        )
        for row in found["coefficients"]
    ]
    likelihood = [(name, [Cell(f"{value:.3f}")]) for name, value in found["held_out"].items()]
    return [
        Table("Log-likelihood", judged, ["parameters", "log-likelihood"], likelihood),
        Table("Coefficients", note, ["coefficient", "start", "learned", "truth"], rows),
    ]


def lines(found: Mapping[str, Any]) -> list[str]:
    """What train.json of a toy model says, for the terminal."""
    text = [f"{'coefficient':20}{'start':>9}{'learned':>9}{'truth':>9}"]
    for row in found["coefficients"]:
        truth = "" if row["truth"] is None else f"{row['truth']:9.3f}"
        text.append(f"{row['name']:20}{row['start']:9.3f}{row['fitted']:9.3f}{truth}")
    told = ", ".join(f"{name} {value:.3f}" for name, value in found["held_out"].items())
    return [*text, f"log-likelihood per value of a truth that was not fitted: {told}"]
