"""`releo-da train` with ``train: {target: emulator}``: spectra, a network, its error, the weights.

Draws of the inputs over their ranges, their spectra by the canopy model, a basis of the spectra, a
network from features to coefficients, and its error on draws that it has not seen. All randomness
comes from the seed of the configuration, in that order.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from releo_da.config.benchmark_cycle import LAND, SENSOR
from releo_da.config.document import Document
from releo_da.config.emulator_weights import is_half, write_emulator
from releo_da.config.options import Options
from releo_da.config.regressed import check_sizes, write_passes
from releo_da.config.run_files import open_run, progress
from releo_da.config.sections import section
from releo_da.config.weight_paths import EMULATOR
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.training import spectral_errors
from releo_da.learning.regression import Pass, regress, squares
from releo_da.observation.basis import halved, principal
from releo_da.observation.canopies import ANGLES, spectra
from releo_da.observation.draws import draw
from releo_da.observation.emulator import Emulator
from releo_da.observation.features import features
from releo_da.observation.held_out import POPULATIONS, measure, population, scores
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES
from releo_da.runs.block import Tick
from releo_da.sensors import load_sensor
from releo_da.types import InputError

Errors = dict[str, dict[str, dict[str, float]]]
"""Population -> statistic -> channel -> error of reflectance."""

STATISTICS = {"rms": "rms", "p99_9": "99.9 % of draws below", "max": "largest"}
"""What is told of errors, and how it is called."""

BASIS_SPECTRA = 1 << 14
PIECE = 1 << 12


@dataclass(frozen=True)
class Emulation:
    """How an emulator is made."""

    spectra: int
    held_out: int
    passes: int
    batch: int
    learning_rate: float
    average: int
    width: int
    depth: int
    coefficients: int


def emulation(
    target: Literal["emulator"],
    spectra: int = 400_000,
    held_out: int = 20_000,
    passes: int = 60,
    batch: int = 1024,
    learning_rate: float = 3e-3,
    average: int = 1000,
    width: int = 128,
    depth: int = 3,
    coefficients: int = 40,
) -> Emulation:
    """How an emulator of the canopy model is made.

    Args:
        target: ``emulator``; without it dynamics and observation error are fitted.
        spectra: number that the network is fitted to.
        held_out: number that its error is measured on, for R and for each population of the table.
        passes: over the spectra.
        batch: spectra per step.
        learning_rate: of Adam; the hidden matrices' is five times that.
        average: steps over which the weights are averaged.
        width: neurons per hidden layer.
        depth: hidden layers.
        coefficients: principal components that a spectrum is expressed in.
    """
    draws = {"spectra": spectra, "held_out": held_out}
    sizes = {
        "passes": passes, "batch": batch, "average": average, "width": width, "depth": depth,
        "coefficients": coefficients,
    }  # fmt: skip
    check_sizes(draws, sizes, learning_rate)
    if coefficients > min(spectra, BASIS_SPECTRA) // 2:
        raise InputError(f"train.coefficients is {coefficients}; give fewer, or more spectra")
    return Emulation(learning_rate=learning_rate, **draws, **sizes)


def trained(
    how: Emulation, generator: torch.Generator, tick: Tick = lambda text: None
) -> tuple[Emulator, list[Pass]]:
    """Make an emulator, its error measured.

    Args:
        how: sizes and settings.
        generator: the source of all randomness.
        tick: told after each pass.
    """
    optics = load_optics()
    emulator = Emulator(how.width, how.depth, how.coefficients)
    basis = principal(
        spectra(draw(min(how.spectra, BASIS_SPECTRA), generator), optics), how.coefficients
    )
    inputs = draw(how.spectra, generator)
    x, y = [], []
    for start in range(0, how.spectra, PIECE):
        piece = {name: value[start : start + PIECE] for name, value in inputs.items()}
        x.append(looked_at(piece))
        y.append(basis.coefficients(spectra(piece, optics)))
    table, targets = torch.cat(x), torch.cat(y)
    emulator.prepare(basis, table, targets, generator)
    table = (table - emulator.centre) / emulator.scale
    targets = targets / emulator.spread
    passes = []
    for done in regress(
        emulator,
        [layer.weight for layer in emulator.layers()],
        table,
        targets,
        squares(emulator.spread.square() / emulator.mean.numel()),
        generator,
        how.passes,
        how.batch,
        how.learning_rate,
        how.average,
    ):
        passes.append(done)
        tick(f"rms of a spectrum {done.loss**0.5:.2e}")
    with torch.no_grad():
        for name, parameter in emulator.named_parameters():
            parameter.copy_(halved(parameter) if is_half(name) else parameter)
    measure(emulator.requires_grad_(False), draw(how.held_out, generator))
    return emulator, passes


def looked_at(inputs: dict[str, Tensor]) -> Tensor:
    """Features ``[number, feature]`` of drawn inputs."""
    canopies = {name: inputs[name] for name in VARIABLES}
    return features(canopies, *(inputs[a] for a in ANGLES)).T


def errors(emulator: Emulator, number: int, generator: torch.Generator) -> Errors:
    """Errors at the ten land channels of Sentinel-2A: population -> statistic -> channel."""
    sensor = load_sensor(SENSOR)
    response = sensor.response[list(sensor.index(LAND))]
    found: Errors = {}
    for name in POPULATIONS:
        held = scores(emulator, population(name, number, generator), response)
        found[name] = {kind: dict(zip(LAND, v, strict=True)) for kind, v in held.items()}
    return found


def command(document: Document, options: Options) -> Path:
    """Make an emulator and write its weights; returns their path."""
    how: Emulation = section(document, "train", emulation)
    seed = document.values.get("seed", 0)
    generator = torch.Generator().manual_seed(seed)
    opened = open_run(document, options, "train", seed)
    with progress(how.passes, "train", options.quiet) as tick:
        emulator, passes = trained(how, generator, tick)
    found = errors(emulator, how.held_out, generator)
    text = json.dumps(document.values["train"], sort_keys=True, default=str)
    told = {
        "train": document.values["train"],
        "version": opened.made["version"],
        "seed": seed,
        "config": hashlib.sha256(text.encode()).hexdigest()[:16],
        "torch": opened.made["torch"],
        "errors": found,
    }
    write_emulator(opened.root / EMULATOR, emulator, told)
    write_passes(
        opened,
        passes,
        ("rms error of a spectrum", [one.loss**0.5 for one in passes]),
        [errors_table(found)],
        errors_picture(found),
        f"An emulator of the canopy model, fitted to {how.spectra:,} spectra; its largest rms "
        f"error at the channels of the table is {max(found['prior']['rms'].values()):.5f} over "
        "the prior of the state.",
        errors=found,
    )
    return opened.root / EMULATOR


def errors_table(found: Errors) -> Table:
    """Errors of `errors` as a table, channels down."""
    note = (
        "Errors of reflectance at channels of Sentinel-2A, on draws that were held out: every "
        "input uniform, contents dense at small values, and the prior of the state."
    )
    columns = [(name, kind) for name in found for kind in STATISTICS]
    head = ["channel", *(f"{name}, {STATISTICS[kind]}" for name, kind in columns)]
    rows = [
        (channel, [Cell(f"{found[name][kind][channel]:.5f}") for name, kind in columns])
        for channel in LAND
    ]
    return Table("Emulator against the canopy model", note, head, rows)


def errors_picture(found: Errors) -> Picture:
    """Errors of `errors` against wavelength."""
    sensor = load_sensor(SENSOR)
    centres = [sensor.centres[k] for k in sensor.index(LAND)]
    drawn = {
        STATISTICS[kind]: {name: list(found[name][kind].values()) for name in found}
        for kind in STATISTICS
    }
    caption = (
        "Errors at the channels of Sentinel-2A on draws that were held out, of the three "
        "populations of the table."
    )
    figure = spectral_errors(centres, drawn)
    return Picture("errors", "Errors on held-out draws", caption, figure)
