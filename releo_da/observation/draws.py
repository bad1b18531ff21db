"""Canopies and geometries that the emulator is made from, and the ranges that it is made for.

The ranges hold both those of the state (`releo_da.state.variables`), so that no member is ever
outside, and those of the band quadrature; sun zenith reaches 80 degrees and view zenith 70.

Half of the draws are uniform. In the other half the variables of `DENSE`, to which a spectrum is
the more sensitive the less there is of them, are those of a square of a uniform number: half of the
leaf areas are below 3, where the reflectance of a canopy changes most.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.observation.canopies import RANGES
from releo_da.physics.prosail import VARIABLES
from releo_da.state.variables import variables

LIMITS = {"tts": (0.0, 80.0), "tto": (0.0, 70.0), "psi": (0.0, 180.0)}
"""Ranges of the angles (degrees)."""

DENSE = ("lai", "cw", "cab", "car", "ant", "cbrown")
"""Variables that are drawn more densely where they are small."""


def limits() -> dict[str, tuple[float, float]]:
    """Lower and upper limit of every input: the variables, then the angles."""
    found = {}
    for name in VARIABLES:
        (lower, upper), known = RANGES[name], variables((name,))[name]
        found[name] = min(lower, known.lower), max(upper, known.upper)
    return found | LIMITS


def draw(number: int, generator: torch.Generator, dense: float = 0.5) -> dict[str, Tensor]:
    """Inputs over the ranges, uniform or denser towards small contents.

    Args:
        number: of draws.
        generator: the source of randomness.
        dense: share of the draws that are denser; the first ones.

    Returns:
        name -> ``[number]`` float32, the variables and the angles.
    """
    ranges = limits()
    unit = torch.rand(number, len(ranges), generator=generator)
    squared = torch.arange(number) < dense * number
    found = {}
    for k, (name, (lower, upper)) in enumerate(ranges.items()):
        u = unit[:, k]
        u = torch.where(squared, u.square(), u) if name in DENSE else u
        found[name] = lower + (upper - lower) * u
    return found
