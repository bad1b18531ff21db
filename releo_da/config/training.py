"""`releo-da train`: fit dynamics and observation error, write the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.auxiliary import undriven, weather_of
from releo_da.config.checkpoint_file import Checkpoint
from releo_da.config.correlated_errors import correlation_of, fitting_scheme
from releo_da.config.document import Document
from releo_da.config.experience import apart, divided, forget, remember
from releo_da.config.fit_following import Following, content_of, files_of
from releo_da.config.fit_report import ended, extent, turned, write_fit_report
from releo_da.config.fit_start import begin, leave
from releo_da.config.forecasters import uses_weather
from releo_da.config.margins import margins_of
from releo_da.config.options import Options
from releo_da.config.report_notes import reading_notes
from releo_da.config.run_files import open_run, progress, run_root
from releo_da.config.schemes import supplied
from releo_da.config.sections import score, section
from releo_da.config.simulated import simulated
from releo_da.config.sources import read_sources
from releo_da.config.train_section import Train, train
from releo_da.config.twin_source import is_twin
from releo_da.config.weights import parameters, write_weights
from releo_da.dynamics.neural import Neural
from releo_da.dynamics.unheard import unheard
from releo_da.io import write_json
from releo_da.io.series import Series
from releo_da.learning.fit import fit
from releo_da.learning.fitting import Best, Epoch, Parts, Schedule, begun
from releo_da.learning.stretches import Part, Problem
from releo_da.runs.model import on
from releo_da.runs.timeline import where_seen
from releo_da.types import InputError, Noise, State


class Fitted(NamedTuple):
    """A system that was fitted, and how.

    Attributes:
        assembly: with the parameters that are kept.
        epochs: what all reported.
        best: the highest judgement and its parameters; None where nothing judged.
        schedule: of the fit.
        last: what judged the parameters after all epochs; None where nothing did.
        extent: what was learned from and what was held out, a sentence.
    """

    assembly: Assembly
    epochs: list[Epoch]
    best: Best | None
    schedule: Schedule
    last: float | None
    extent: str


def fitted(
    document: Document,
    series: Series,
    options: Options,
    rows: Sequence[int] | None = None,
    label: str = "train",
    following: Following | None = None,
) -> Fitted:
    """Fit the system of a configuration on a series.

    Args:
        document: the configuration; its ``train`` section says how.
        series: what is fitted.
        options: device, seed, quiet.
        rows: positions of the training pixels; all when None.
        label: of the progress bar.
        following: keeps the fit after every epoch, and goes on from what was kept.

    Raises:
        InputError: nothing was seen in the training period, there is no weather to hide, or too
            little to hold out.
    """
    settings: Train = section(document, "train", train)
    device = options.torch_device()
    weather, _ = weather_of(document, series.pixels)
    used = weather if uses_weather(document) else None
    if settings.weather_hidden and used is None:
        raise InputError(
            f"{document.path}: train.weather_hidden: this forecaster has no weather to be hidden; "
            "give it weather, or remove the option"
        )
    chosen = spread(series.pixels.sizes["pixel"] if rows is None else rows, settings.pixels)
    out = apart(series.pixels.isel(pixel=chosen), settings.held_out)
    part = learned_from(document, series, chosen, settings.period, device)
    training, judges = divided(part, out, settings.held_out_years)
    assembly = assemble(document, series.channels, device=device, weather=weather)
    begin(document, settings.start, assembly)
    forget(assembly.forecaster)
    parts = in_turn(document, settings, assembly)
    modules = (assembly.forecaster, assembly.error)
    for module in modules:
        module.requires_grad_(True)
    leave(document, settings.keep, modules, parts)
    problem = problem_of(document, assembly, settings, series.channels)
    fitting = begun({"forecaster": assembly.dynamics, "error": assembly.error}, parts=parts)
    schedule, seed = settings.schedule, document.values.get("seed", 0)
    content, epochs = "", list[Epoch]()
    if following is not None:
        files = files_of(document)
        start = parameters(assembly.forecaster, assembly.error)
        content = content_of([training, *judges], used, start, files)
        epochs = following.resume(fitting, content)
    with progress(schedule.epochs - len(epochs), label, options.quiet) as tick:
        for epoch in fit(fitting, problem, training, schedule, seed, judges):
            epochs.append(epoch)
            if following is not None:
                following.keep(fitting, epochs, content)
            tick(shown(epoch))
    remember(assembly.forecaster, training.acquisitions, schedule.gaps)
    for module in modules:
        module.requires_grad_(False)
    best = fitting.best if judges else None
    return Fitted(assembly, epochs, best, schedule, fitting.last, extent(training, judges))


def spread(rows: int | Sequence[int], most: int) -> NDArray[np.int64]:
    """Positions of at most so many pixels, evenly among all.

    Args:
        rows: positions, or their number.
        most: of them.
    """
    chosen = np.arange(rows) if isinstance(rows, int) else np.asarray(rows, dtype=np.int64)
    if len(chosen) <= most:
        return chosen
    return chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]


def learned_from(
    document: Document,
    series: Series,
    chosen: NDArray[np.int64],
    period: tuple[float, float],
    device: torch.device,
) -> Part:
    """What a fit may look at: some pixels in a period, without what is withheld for scoring.

    Args:
        document: the configuration.
        series: what was read.
        chosen: positions of the pixels.
        period: first and last day.
        device: where it is wanted.

    Raises:
        InputError: nothing was seen.
    """
    index = torch.as_tensor(chosen)
    part = [on(a, device, index) for a in series.acquisitions if period[0] <= a.time <= period[1]]
    rule = section(document, "score", score).withhold
    part = part if rule is None else rule.shown(part, series.channels)
    part = [a for a in part if bool(a.seen.any())]
    if not part:
        raise InputError(f"{document.path}: train.period holds no clear acquisition; widen it")
    return Part(part, torch.as_tensor(series.pixels["id"].values)[index])


def problem_of(
    document: Document,
    assembly: Assembly,
    settings: Train,
    channels: Mapping[str, tuple[str, ...]],
) -> Problem:
    """The likelihood that is climbed, of a system and by the options of ``train``."""

    def start(time: float, pixels: Tensor, noise: Noise) -> State:
        state = assembly.dynamics.initial(time, pixels, settings.members, noise)
        return unheard(state, settings.weather_hidden, noise)

    return Problem(
        assembly.dynamics,
        start,
        where_seen(assembly.model.observe),
        fitting_scheme(document, supplied(document, assembly.dynamics)),
        assembly.error,
        margins=margins_of(settings.margins, channels),
        correlation=correlation_of(document),
    )


def in_turn(document: Document, settings: Train, assembly: Assembly) -> Parts:
    """The parameters of the physics and of the network beside it, where they learn in turn.

    Raises:
        InputError: they are to learn in turn, and there is no network, or one that says nothing.
    """
    if not settings.schedule.physics_first:
        return (), ()
    forecaster = assembly.forecaster
    if not isinstance(forecaster, Neural):
        raise InputError(
            f"{document.path}: train.physics_first: this forecaster has no network that could "
            "learn after its physics; remove the option, or take `forecast: {name: neural}`"
        )
    if not forecaster.network.speaks:
        raise InputError(
            f"{document.path}: train.physics_first: forecast has neither drift nor "
            "diffusion, so there is nothing to learn after the physics; remove the option"
        )
    return forecaster.parts


def shown(epoch: Epoch) -> str:
    """An epoch in a line."""
    each = epoch.log_likelihood / epoch.observations
    said = f"log-likelihood per value {each:.3f}, penalty {epoch.penalty:.1f}"
    if epoch.held_out is None:
        return said
    return f"{said}, held out {epoch.held_out / max(epoch.held_out_observations, 1):.3f}"


def save_weights(path: Path, assembly: Assembly) -> None:
    """Write fitted parameters as safetensors, whole or not at all."""
    write_weights(path, assembly.layout, assembly.forecaster, assembly.error)


def command(document: Document, options: Options) -> Path:
    """Fit a system and write its weights; returns their path.

    A checkpoint is written after every epoch: the same command in the same directory goes on from
    there, to the same bits.
    """
    series = simulated(document, options) if is_twin(document) else read_sources(document)
    file = Checkpoint(run_root(document, options, "train"), document)
    before = file.read()
    root, log, made = open_run(document, options, "train", document.values.get("seed", 0))
    following = Following(file, before, log.write)
    found = [*series.log, *undriven(document)]
    for record in found:
        log.write(record)
    made_of = fitted(document, series, options, following=following)
    epochs, best, schedule = made_of.epochs, made_of.best, made_of.schedule
    kept = None if best is None else best.number
    said = ended(epochs, best, schedule)
    end = {"kept": kept, "last": made_of.last, "learned_from": made_of.extent}
    log.write({"kind": "ended", "epochs": len(epochs), **end, "message": said})
    save_weights(root / "weights.safetensors", made_of.assembly)
    told = {"epochs": [e._asdict() for e in epochs], **end, "ended": said}
    write_json(root / "train.json", told)
    turn = turned(schedule, len(epochs))
    write_fit_report(
        root, made, epochs, best, made_of.last, [said, *turn],
        [made_of.extent, *reading_notes(found)], schedule.physics_first if turn else 0,
    )  # fmt: skip
    return root / "weights.safetensors"
