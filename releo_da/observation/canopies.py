"""Canopies and geometries that rules are chosen on and errors are measured on.

Two populations, since none speaks for the other:

    ranges   every input uniform over `RANGES`: all canopies alike, also those that are never met
    prior    the variables of the state with their correlations; any sun and view that is observed

A draw is a table of inputs ``{name: [number]}``: the variables of the canopy model and the angles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from releo_da.physics.optics import Optics
from releo_da.physics.prosail import VARIABLES, prosail
from releo_da.state.layout import Layout
from releo_da.state.prior import prior_ensemble

ANGLES = ("tts", "tto", "psi")

RANGES = {
    "n": (1.2, 1.8),
    "cab": (0.0, 90.0),
    "car": (0.0, 23.0),
    "ant": (0.0, 5.0),
    "cbrown": (0.0, 2.0),
    "cw": (0.0005, 0.075),
    "cm": (0.001, 0.011),
    "lai": (0.0, 10.0),
    "ala": (30.0, 80.0),
    "hspot": (0.01, 0.5),
    "psoil": (0.0, 1.0),
    "rsoil": (0.3, 1.5),
    "tts": (15.0, 70.0),
    "tto": (0.0, 15.0),
    "psi": (0.0, 180.0),
}
"""Limits of the uniform draws; units as in the canopy model."""

OBSERVED = {"tts": (15.0, 75.0), "tto": (0.0, 70.0), "psi": (0.0, 180.0)}
"""Angles (degrees) of draws of the prior: those of imagers that look far to the side, too."""


def uniform(
    number: int, ranges: Mapping[str, tuple[float, float]], generator: torch.Generator
) -> dict[str, Tensor]:
    """Inputs uniform over ranges, each ``[number]`` float64."""
    unit = torch.rand(number, len(ranges), generator=generator, dtype=torch.float64)
    return {
        name: lower + (upper - lower) * unit[:, i]
        for i, (name, (lower, upper)) in enumerate(ranges.items())
    }


def of_the_prior(
    number: int,
    generator: torch.Generator,
    angles: Mapping[str, tuple[float, float]] = OBSERVED,
) -> dict[str, Tensor]:
    """Inputs from the prior of the state under uniform angles, each ``[number]`` float64."""

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    latents = prior_ensemble(number, 1, VARIABLES, noise)[:, 0]
    return Layout(VARIABLES).decode(latents) | uniform(number, angles, generator)


def spectra(inputs: Mapping[str, Tensor], optics: Optics) -> Tensor:
    """Reflectance of drawn inputs, ``[number, w]``, of their type."""
    canopies = {name: inputs[name] for name in VARIABLES}
    tts, tto, psi = (inputs[name] for name in ANGLES)
    return prosail(canopies, tts, tto, psi, optics)
