"""How wrong the emulator is on spectra that it was not fitted to.

Errors are stated for three populations, since none speaks for the others:

    uniform   every input uniform over its whole range
    dense     the contents of `draws.DENSE` as squares of uniform numbers: sparse, pale, dry
    prior     the prior of the state; sun 20-70 degrees, view up to 12, any azimuth

What enters R comes from draws as the training's, half of each of the first two.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.observation.canopies import ANGLES, of_the_prior, spectra
from releo_da.observation.draws import draw
from releo_da.observation.emulator import Emulator
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES

POPULATIONS = ("uniform", "dense", "prior")

ORDINARY = {"tts": (20.0, 70.0), "tto": (0.0, 12.0), "psi": (0.0, 180.0)}
"""Angles (degrees) of the population of the prior."""

PIECE = 1 << 12
"""Whole spectra that are held at once."""


def population(name: str, number: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Inputs ``{name: [number]}`` of one of `POPULATIONS`."""
    if name != "prior":
        return draw(number, generator, dense=float(name == "dense"))

    inputs = of_the_prior(number, generator, ORDINARY)
    return {name: values.float() for name, values in inputs.items()}


def emulated(emulator: Emulator, inputs: dict[str, Tensor], response: Tensor) -> Tensor:
    """Bands ``[number, band]`` of inputs by the emulator."""
    canopies = {name: inputs[name] for name in VARIABLES}
    tts, tto, psi = (inputs[name] for name in ANGLES)
    return emulator.bands(canopies, tts, tto, psi, emulator.head(response))


@torch.no_grad()
def measure(emulator: Emulator, inputs: dict[str, Tensor]) -> None:
    """Estimate the emulator's error on inputs it was not fitted to, in place.

    Args:
        emulator: whose ``moment`` and ``left_out`` are set.
        inputs: name -> ``[number]``.
    """
    basis, optics = emulator.basis_of(), load_optics()
    number = len(inputs["lai"])
    moment, left = (torch.zeros_like(t).double() for t in (emulator.moment, emulator.left_out))
    response = torch.eye(emulator.mean.numel(), device=emulator.mean.device)
    for start in range(0, number, PIECE):
        piece = {name: value[start : start + PIECE] for name, value in inputs.items()}
        truth = spectra(piece, optics)
        exact = basis.coefficients(truth)
        wrong = (exact - basis.coefficients(emulated(emulator, piece, response))).double()
        moment += wrong.T @ wrong
        left += (truth - basis.spectra(exact)).double().square().sum(0)
    emulator.moment.copy_(moment / number)
    emulator.left_out.copy_((left / number).sqrt())


@torch.no_grad()
def scores(
    emulator: Emulator, inputs: dict[str, Tensor], response: Tensor
) -> dict[str, list[float]]:
    """Errors of bands: ``rms``, ``p99_9`` and ``max`` of the absolute error, each ``[band]``.

    Args:
        emulator: the network.
        inputs: name -> ``[number]``.
        response: ``[band, 2101]``.
    """
    optics, pieces = load_optics(), []
    for start in range(0, len(inputs["lai"]), PIECE):
        piece = {name: value[start : start + PIECE] for name, value in inputs.items()}
        exact = spectra(piece, optics) @ response.T.float()
        pieces.append(emulated(emulator, piece, response) - exact)
    wrong = torch.cat(pieces).abs().double()
    return {
        "rms": wrong.square().mean(0).sqrt().tolist(),
        "p99_9": wrong.quantile(0.999, 0).tolist(),
        "max": wrong.amax(0).tolist(),
    }
