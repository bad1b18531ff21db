"""The emulator beside the canopy model: speed, error, and the exact model at the same error.

    land            the ten land channels of Sentinel-2A, members of the prior under an ordinary
                    pass: canopies/s of the emulator, of the canopy model at the fewest band nodes
                    that are no less exact in the worst channel, and of both with the gradient
    hyperspectral   all channels of EnMAP, likewise

Both errors are those of the same fresh draws, uniform over the ranges of the emulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from releo_da.config.benchmark_cycle import LAND, SENSOR, assembly, geometry, seeded
from releo_da.config.emulator_weights import packaged
from releo_da.observation.canopies import spectra
from releo_da.observation.emulated import EmulatedBands
from releo_da.observation.emulator import Emulator
from releo_da.observation.held_out import PIECE, population, scores
from releo_da.observation.prosail import Bands, NodeBands
from releo_da.physics.optics import load_optics
from releo_da.runs.timing import rates
from releo_da.sensors import FIRST_NM, load_sensor

HYPERSPECTRAL = "enmap"
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
"""Tolerances, in units of the emulator's error, of the quadratures that are tried."""
DRAWS = 20_000
"""Held-out canopies that errors are measured on."""
SEED = 2_000_003
"""Of the held-out draws; the training's is another."""


def emulator(
    members: int, repeats: int, peer: Callable[[], object] | None, peers: int
) -> dict[str, Any]:
    """The figures of the emulator.

    Args:
        members: of the ensemble, for each of 64 pixels.
        repeats: of the timing.
        peer: the PyPI package over some canopies, or None where it is not installed.
        peers: how many those are.
    """
    network = packaged()
    held = population("uniform", DRAWS, torch.Generator().manual_seed(SEED))
    land = compared(network, SENSOR, LAND, members, repeats, held, (peer, peers))
    theirs = land.pop("prosail_spectra_per_s", None)
    names = load_sensor(HYPERSPECTRAL).channels
    wide = compared(network, HYPERSPECTRAL, names, members, repeats, held)
    return {
        "prosail_spectra_per_s": theirs,
        "ratio": None if theirs is None else land["channels_per_s"] / theirs,
        "land": land,
        "hyperspectral": {"sensor": HYPERSPECTRAL, "channels": len(names), **wide},
    }


def compared(
    network: Emulator,
    sensor: str,
    channels: tuple[str, ...],
    members: int,
    repeats: int,
    held: dict[str, Tensor],
    peer: tuple[Callable[[], object] | None, int] = (None, 0),
) -> dict[str, Any]:
    """Errors and speeds of the emulator and of the canopy model at its error, for one sensor."""
    described = load_sensor(sensor)
    response = described.response[list(described.behind(channels)[0])]
    error = scores(network, held, response)
    names = {sensor: channels}
    ours = EmulatedBands(names, network)
    exact, wrong = no_less_exact(names, sensor, held, max(error["rms"]))
    variables, angles = canopies(64, members)
    number = 64 * members
    contenders: dict[str, tuple[Callable[[], object], int]] = {
        "channels_per_s": (lambda: ours(sensor, variables, *angles), number),
        "exact_per_s": (lambda: exact(sensor, variables, *angles), number),
        "gradients_per_s": (lambda: gradient(ours, sensor, variables, angles), number),
        "exact_gradients_per_s": (lambda: gradient(exact, sensor, variables, angles), number),
    }
    if peer[0] is not None:
        contenders["prosail_spectra_per_s"] = peer[0], peer[1]
    return {
        **{name: max(values) for name, values in error.items()},
        "exact_nodes": len(exact.quadratures[sensor].wavelengths),
        "exact_rms": wrong,
        **rates(contenders, repeats),
    }


def no_less_exact(
    names: Mapping[str, tuple[str, ...]], sensor: str, held: dict[str, Tensor], error: float
) -> tuple[NodeBands, float]:
    """The canopy model at the fewest nodes whose worst channel has at most this rms error.

    Args:
        names: channels of the sensor, none of them an index.
        sensor: its name.
        held: the canopies that errors are measured on.
        error: the rms allowed.

    Returns:
        The bands, and the rms error of their worst channel.
    """
    described = load_sensor(sensor)
    response = described.response[list(described.behind(names[sensor])[0])]
    rules = [NodeBands(names, error * share) for share in SHARES]
    differences = []
    for bands in rules:
        rule = bands.quadratures[sensor]
        difference = -response
        difference[:, [nm - FIRST_NM for nm in rule.wavelengths]] += rule.weights
        differences.append(difference)
    optics, squares = load_optics(), torch.zeros(len(rules), len(response)).double()
    for start in range(0, len(held["lai"]), PIECE):
        piece = {name: value[start : start + PIECE] for name, value in held.items()}
        wrong = spectra(piece, optics).double() @ torch.cat(differences).T
        squares += wrong.square().sum(0).reshape(squares.shape)
    worst = (squares / len(held["lai"])).sqrt().amax(1)
    within = (worst <= error).tolist()
    first = within.index(True) if any(within) else len(rules) - 1
    return rules[first], float(worst[first])


def canopies(pixels: int, members: int) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """Variables ``[pixel, member]`` of the prior and the angles of an ordinary pass."""
    made = assembly()
    state = made.model.initial(0.0, torch.arange(pixels), members, seeded(1))
    angles = geometry(pixels).unsqueeze(1).unbind(-1)
    return made.layout.decode(state.ensemble), angles


def gradient(
    bands: Bands, sensor: str, variables: Mapping[str, Tensor], angles: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Gradient of the sum of squared reflectances by every variable."""
    with torch.enable_grad():
        leaves = {name: value.clone().requires_grad_() for name, value in variables.items()}
        total = bands(sensor, leaves, *angles).square().sum()
        return torch.autograd.grad(total, list(leaves.values()))
