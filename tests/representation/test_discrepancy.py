"""The discrepancy: its covariance in wavelength and time, and the operator with it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from releo_da.representation.discrepancy import SCALE, Discrepancy, drawn, modes_at
from releo_da.types import Acquisition

CENTRES = torch.tensor([490.0, 660.0, 705.0, 850.0, 2200.0], dtype=torch.float64)
BANDS = {"a": (CENTRES.tolist(), [30.0] * 5)}


def test_draws_have_the_covariance_that_is_written() -> None:
    """SCALE^2 sum_k phi_k phi_k' over wavelengths, (1 + cos) / 2 over dates."""
    times = torch.tensor([0.0, 91.310625, 182.62125, 365.2425], dtype=torch.float64)
    d = drawn(times, 40000, 5, torch.Generator().manual_seed(0))
    shapes = modes_at(CENTRES, 5)
    factor = d @ shapes
    for k, expected in enumerate((1.0, 0.5, 0.0, 1.0)):
        found = factor[:, 0].T @ factor[:, k] / len(d)
        torch.testing.assert_close(found, expected * shapes.T @ shapes, rtol=0.0, atol=3e-4)
    covariance = shapes.T @ shapes
    deviation = covariance.diagonal().sqrt()
    correlation = covariance / (deviation[:, None] * deviation)
    assert correlation[1, 2] > 0.95 and correlation[1, 3] < 0.7


def test_the_operator_multiplies_what_the_physical_model_says() -> None:
    def physical(z: Tensor, acquisition: Acquisition) -> Tensor:
        return z.sum(-1, keepdim=True) * torch.linspace(0.05, 0.4, 5, dtype=z.dtype)

    observe = Discrepancy(physical, BANDS, 2)
    nothing = torch.zeros(3, 5)
    seen = Acquisition(0.0, "a", nothing, nothing + 0.1, torch.zeros(3, 3))
    z = torch.rand(3, 4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    exact = physical(z, seen)
    assert torch.equal(observe(z, seen), exact)
    modes = torch.zeros(3, 4, 3, dtype=torch.float64)
    assert torch.equal(observe(torch.cat([z, modes], -1), seen), exact)
    modes[..., 0], modes[..., 2] = 1.0, -2.0
    u = torch.log(CENTRES / 400.0) / math.log(6.25)
    expected = exact * (1.0 + SCALE * (1.0 - 2.0 * torch.cos(2.0 * math.pi * u)))
    torch.testing.assert_close(observe(torch.cat([z, modes], -1), seen), expected)


def test_what_has_no_wavelength_has_no_discrepancy() -> None:
    assert not modes_at(torch.tensor([math.nan], dtype=torch.float64), 4).any()
