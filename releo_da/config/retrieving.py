"""`releo-da train` with ``train: {target: retrieval}``: draws, a network, how well it does.

The draws are those of the system that the configuration describes: the ensemble that a run starts
from, at days over a year, seen by each of the sensors under angles over their ranges, with the
errors that R holds (instrument, representativeness, operator). All randomness comes from the seed
of the configuration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.document import Document
from releo_da.config.options import Options
from releo_da.config.regressed import check_sizes, write_passes
from releo_da.config.retrieval_weights import Kept, write_retrieval
from releo_da.config.run_files import open_run, progress
from releo_da.config.sections import section
from releo_da.config.weight_paths import NETWORK
from releo_da.diagnostics.naming import Naming
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.training import read_beside_truth
from releo_da.diagnostics.scores import summarise
from releo_da.diagnostics.tables import by_variable
from releo_da.learning.regression import Pass, regress
from releo_da.observation.derived import described
from releo_da.representation.retrieval import Retrieval, likelihood, looked_at
from releo_da.runs.block import Tick
from releo_da.sensors import load_sensor
from releo_da.sensors.noise import channel_error
from releo_da.types import Acquisition, InputError

PIECE = 1 << 12
"""Draws of one sensor on one day, at most."""
DAYS = 12
"""Over the year, of every sensor, at least."""
YEAR = 365.25
MEMBERS = 64
"""By which a network is scored on draws that it has not seen."""


@dataclass(frozen=True)
class Retrieving:
    """How a retrieval is made; see `retrieving`."""

    sensors: tuple[str, ...]
    channels: tuple[str, ...]
    sun_zenith: tuple[float, float]
    view_zenith: tuple[float, float]
    draws: int
    held_out: int
    passes: int
    batch: int
    learning_rate: float
    average: int
    width: int
    depth: int


class Drawn(NamedTuple):
    """Draws of one system: inputs of the network ``[draw, C + 3]``, variables ``[draw, V]``."""

    inputs: Tensor
    variables: Tensor


def retrieving(
    target: Literal["retrieval"],
    sensors: Sequence[str],
    channels: Sequence[str],
    sun_zenith: tuple[float, float] = (20.0, 75.0),
    view_zenith: tuple[float, float] = (0.0, 12.0),
    draws: int = 200_000,
    held_out: int = 20_000,
    passes: int = 20,
    batch: int = 1024,
    learning_rate: float = 2e-3,
    average: int = 500,
    width: int = 64,
    depth: int = 2,
) -> Retrieving:
    """How a network that reads the output variables from one acquisition is made.

    Args:
        target: ``retrieval``; the variables are those of ``products``.
        sensors: that it is for; draws are shared among them.
        channels: that it reads, which all of the sensors have.
        sun_zenith: least and largest zenith angle of the sun (degrees); the packaged emulator was
            made for 80 at most, and for 70 of the view.
        view_zenith: likewise of the view.
        draws: canopies that it is fitted to.
        held_out: canopies that it is scored on.
        passes: over the draws.
        batch: draws per step.
        learning_rate: of Adam; the hidden matrices' is five times that.
        average: steps over which the weights are averaged.
        width: neurons per hidden layer.
        depth: hidden layers.

    Raises:
        InputError: a number is out of range, or a sensor or a channel is unknown.
    """
    numbers = {"draws": draws, "held_out": held_out}
    sizes = {"passes": passes, "batch": batch, "average": average, "width": width, "depth": depth}
    check_sizes(numbers, sizes, learning_rate)
    for name, (low, high) in {"sun_zenith": sun_zenith, "view_zenith": view_zenith}.items():
        if not 0 <= low <= high < 90:
            raise InputError(f"train.{name} is {[low, high]}; give two angles from 0 to below 90")
    if not sensors or not channels:
        raise InputError("train: sensors and channels are empty; name at least one of each")
    for sensor in sensors:
        load_sensor(sensor).index(tuple(channels))
    return Retrieving(
        tuple(dict.fromkeys(sensors)),
        tuple(dict.fromkeys(channels)),
        sun_zenith,
        view_zenith,
        learning_rate=learning_rate,
        **numbers,
        **sizes,
    )


def refuse_beyond(how: Retrieving, zeniths: tuple[float, float], document: Document) -> None:
    """Refuse angles for which the operator was not made: R is infinite there.

    Args:
        how: the ranges of angles.
        zeniths: largest zenith angles of sun and view (degrees) of the operator.
        document: the configuration, for the message.

    Raises:
        InputError: a range ends beyond them.
    """
    ranges = {"sun_zenith": how.sun_zenith, "view_zenith": how.view_zenith}
    for (name, (_, high)), limit in zip(ranges.items(), zeniths, strict=True):
        if high > limit:
            raise InputError(
                f"{document.path}: train.{name} ends at {high:g}, and the operator was made for "
                f"{limit:g} at most; give less, or observe: {{name: prosail}}"
            )


@torch.no_grad()
def drawn(assembly: Assembly, how: Retrieving, number: int, generator: torch.Generator) -> Drawn:
    """Draws of a system, piece by piece over the year, the sensors in turn.

    Args:
        assembly: the system.
        how: sensors, channels and angles.
        number: of draws.
        generator: the source of all randomness.
    """
    model, inputs, variables = assembly.model, [], []
    size = min(PIECE, math.ceil(number / (DAYS * len(how.sensors))))
    pieces = math.ceil(number / size)
    for piece in range(pieces):
        sensor = how.sensors[piece % len(how.sensors)]
        ids = torch.arange(piece * size, min((piece + 1) * size, number))

        def noise(shape: Sequence[int]) -> Tensor:
            return torch.randn(*shape, generator=generator)

        angles = torch.rand(len(ids), 3, generator=generator)
        low = torch.tensor([how.sun_zenith[0], how.view_zenith[0], 0.0])
        high = torch.tensor([how.sun_zenith[1], how.view_zenith[1], 180.0])
        angles = low + (high - low) * angles
        state = model.initial(YEAR * piece / pieces, ids, 1, noise)
        empty = angles.new_zeros(len(ids), len(how.channels))
        bare = Acquisition(state.time, sensor, empty, empty, angles)
        exact = model.observe(state.ensemble, bare)[:, 0]
        error = channel_error(sensor, how.channels, exact)
        whole = model.error(bare._replace(values=exact, error=error)).error
        drawn = exact + whole * model.errors(noise)(exact.shape)
        inputs.append(looked_at(drawn, angles))
        told = model.derive(state.ensemble, angles)
        variables.append(torch.stack([told[name][:, 0] for name in model.described], -1))
    return Drawn(torch.cat(inputs).float(), torch.cat(variables).float())


def trained(
    how: Retrieving,
    names: tuple[str, ...],
    table: Drawn,
    generator: torch.Generator,
    tick: Tick = lambda text: None,
) -> tuple[Retrieval, list[Pass]]:
    """Make a network from draws.

    Args:
        how: sizes and settings.
        names: of the variables.
        table: what it is fitted to.
        generator: the source of all randomness.
        tick: told after each pass.
    """
    network = Retrieval(table.inputs.shape[1] - 3, names, how.width, how.depth)
    network.prepare(*table, generator)
    passes = []
    for done in regress(
        network,
        [layer.weight for layer in network.layers()],
        table.inputs,
        network.encode(table.variables),
        likelihood,
        generator,
        how.passes,
        how.batch,
        how.learning_rate,
        how.average,
    ):
        passes.append(done)
        tick(f"loss {done.loss:.3f}")
    return network.requires_grad_(False), passes


def scores(network: Retrieval, table: Drawn) -> dict[str, dict[str, float]]:
    """Rows of scores by variable, on draws that the network has not seen."""
    members = network.members(table.inputs, MEMBERS).numpy()
    truth = table.variables.numpy()
    return {
        name: summarise(np.asarray(truth[:, k], float), np.asarray(members[..., k], float))
        for k, name in enumerate(network.names)
    }


def command(document: Document, options: Options) -> Path:
    """Make a retrieval and write its weights; returns their path."""
    how: Retrieving = section(document, "train", retrieving)
    seed = document.values.get("seed", 0)
    generator = torch.Generator().manual_seed(seed)
    assembly = assemble(document, dict.fromkeys(how.sensors, how.channels))
    refuse_beyond(how, assembly.error.zeniths, document)
    opened = open_run(document, options, "train", seed)
    names = tuple(assembly.model.described)
    table = drawn(assembly, how, how.draws, generator)
    with progress(how.passes, "train", options.quiet) as tick:
        network, passes = trained(how, names, table, generator, tick)
    unseen = drawn(assembly, how, how.held_out, generator)
    found = scores(network, unseen)
    told: dict[str, Any] = {
        "train": document.values["train"],
        "version": opened.made["version"],
        "seed": seed,
        "torch": opened.made["torch"],
        "scores": found,
    }
    write_retrieval(opened.root / NETWORK, Kept(network, how.sensors, how.channels), told)
    note = f"On {how.held_out:,} draws that were held out; the prior of the state is their spread."
    called = Naming({name: unit for name, (unit, _) in described(names).items()})
    told_of = ", ".join(f"{called.text(name)} {row['rmse']:.3f}" for name, row in found.items())
    write_passes(
        opened,
        passes,
        ("minus log-likelihood", [one.loss for one in passes]),
        [by_variable("Variables read from one acquisition", note, found, called)],
        picture_of(network, unseen, called),
        f"A network that reads one acquisition, fitted to {how.draws:,} draws; RMSE on "
        f"{how.held_out:,} others: {told_of}.",
        scores=found,
    )
    return opened.root / NETWORK


def picture_of(network: Retrieval, table: Drawn, called: Naming) -> Picture:
    """What a network reads of draws, beside what they are."""
    mean = network.members(table.inputs, MEMBERS).mean(1).numpy()
    truth = table.variables.numpy()
    there, read = (
        {called.measured(name): values[:, k] for k, name in enumerate(network.names)}
        for values in (truth, mean)
    )
    caption = (
        "What the network reads (mean of its distribution) of draws that were held out, against "
        "what they are; the darker, the more draws, on a logarithmic scale."
    )
    figure = read_beside_truth(there, read)
    return Picture("read", "Read beside the truth", caption, figure)
