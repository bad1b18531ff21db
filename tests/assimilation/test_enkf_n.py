"""The finite-size filter: its scalar problem against scipy, and what the stretch does."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from releo_da.assimilation import enkf_n
from releo_da.assimilation.enkf_n import stretch
from releo_da.assimilation.linalg import weighted
from releo_da.types import InputError

DOUBLE = torch.float64


def case(pixels: int, members: int, channels: int, size: float) -> tuple:
    rng = torch.Generator().manual_seed(1)
    s = torch.randn(pixels, members, channels, generator=rng, dtype=DOUBLE)
    s = (s - s.mean(1, keepdim=True)) / (members - 1) ** 0.5
    return s, size * torch.randn(pixels, channels, generator=rng, dtype=DOUBLE)


def dual(u: float, s: np.ndarray, d: np.ndarray, tuning: float) -> float:
    """D of the module's docstring at l^2 = exp(u), written with an inverse and the full trace."""
    members = len(s)
    k = np.mean(1.0 / np.linalg.eigvalsh(np.eye(members) + s @ s.T))
    e, c = (members + 1) / members, members / (members - 1)
    m = (e / c) ** (k / 2)
    g = np.eye(len(d)) + np.exp(u) * s.T @ s
    fit = d @ np.linalg.solve(g, d) / (members - 1)
    return fit + tuning * (e / m * np.exp(-u) + c * m * u)


@pytest.mark.parametrize(("members", "channels"), [(5, 3), (4, 9)])
@pytest.mark.parametrize("size", [0.5, 3.0])
@pytest.mark.parametrize("tuning", [1.0, 2.0])
def test_the_stretch_minimises_the_dual_cost(
    members: int, channels: int, size: float, tuning: float
) -> None:
    s, d = case(6, members, channels, size)
    ours = 2.0 * stretch(s, d, tuning).log()
    for pixel in range(6):
        one = (s[pixel].numpy(), d[pixel].numpy(), tuning)
        grid = np.linspace(-1.0, 8.0, 400)
        costs = [dual(u, *one) for u in grid]
        near = grid[int(np.argmin(costs))]
        best = minimize_scalar(
            dual, bracket=(near - 0.1, near, near + 0.1), args=one, options={"xtol": 1e-12}
        )
        assert abs(float(ours[pixel]) - best.x) < 1e-5


def test_surprise_inflates_and_agreement_does_not() -> None:
    s, d = case(200, 8, 6, 1.0)
    small, large = stretch(s, 0.1 * d, 1.0), stretch(s, 5.0 * d, 1.0)
    assert (large > small).all() and large.median() > 1.3
    assert small.median() < 1.0  # well-observed and agreeing: the sample is trusted, and more
    assert (stretch(s, torch.zeros_like(d), 1.0) < small).all()


def test_its_derivative_is_that_of_the_minimiser() -> None:
    s, d = case(3, 6, 4, 2.0)
    s.requires_grad_(), d.requires_grad_()
    tuning = torch.tensor(1.5, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(stretch, (s, d, tuning))


def test_an_impossible_tuning_is_refused() -> None:
    prior = torch.zeros(1, 3, 1)
    with pytest.raises(InputError, match="tuning must be positive"):
        enkf_n(prior, lambda x: x, prior[:, 0], prior[:, 0], torch.zeros, {}, tuning=0.0)


def test_fewer_members_than_channels_in_float32() -> None:
    """SS' has eigenvalues 0, whose rounding once drove the stretch to its bound of e^6."""
    rng = torch.Generator().manual_seed(1)
    seen = torch.randn(50, 8, 8, generator=rng) @ torch.randn(8, 10, generator=rng)
    y, precision = 3.0 * torch.randn(50, 10, generator=rng), torch.full((50, 10), 9e4)
    single = stretch(*weighted(seen, y, precision), 1.0).double()
    exact = stretch(*weighted(seen.double(), y.double(), precision.double()), 1.0)
    assert (single / exact - 1.0).abs().max() < 0.05
