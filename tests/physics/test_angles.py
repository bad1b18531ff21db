"""Derivatives with respect to angles: forward and reverse mode against central differences."""

from __future__ import annotations

import pytest
import torch
from torch.func import jvp

from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import prosail

CANOPY = {
    "n": 1.5, "cab": 40.0, "car": 8.0, "ant": 0.0, "cbrown": 0.0, "cw": 0.015, "cm": 0.006,
    "lai": 2.0, "ala": 57.0, "hspot": 0.2, "psoil": 0.5, "rsoil": 1.0,
}  # fmt: skip
OPTICS = load_optics((550, 800, 1650), torch.float64)
VARIABLES = {name: torch.tensor([value], dtype=torch.float64) for name, value in CANOPY.items()}


def seen(*angles: torch.Tensor) -> torch.Tensor:
    return prosail(VARIABLES, *angles, OPTICS).squeeze(0)


@pytest.mark.parametrize(
    "angles", [(35.0, 10.0, 60.0), (35.0, 0.0, 60.0), (60.0, 20.0, 180.0), (70.0, 55.0, 5.0)]
)
@pytest.mark.parametrize("position", range(3))
def test_derivatives_with_respect_to_angles(
    angles: tuple[float, float, float], position: int
) -> None:
    at = [torch.tensor([angle], dtype=torch.float64) for angle in angles]
    along = [torch.zeros_like(angle) for angle in at]
    along[position] = torch.ones_like(at[position])
    _, forward = jvp(seen, tuple(at), tuple(along))
    step = 1e-4
    ahead, behind = (
        seen(*(a + sign * step * d for a, d in zip(at, along, strict=True))) for sign in (1, -1)
    )
    # At nadir and at psi 180 the reflectance has the same value on both sides.
    torch.testing.assert_close(forward, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-9)
    reverse = torch.autograd.functional.jacobian(seen, tuple(at))[position].flatten()
    torch.testing.assert_close(reverse, forward, rtol=1e-9, atol=1e-15)
