"""Factors of spread and of error that innovations ask for, on systems with known ones."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import adaptive, etkf, tuned
from releo_da.assimilation.adaptive import INFLATION
from releo_da.assimilation.tuned import ERROR, statistic
from releo_da.types import InputError

DOUBLE = torch.float64


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def cycled(scheme, spread: float, cycles: int = 150) -> tuple[Tensor, Tensor]:
    """A constant ensemble spread that is wrong by a factor, cycle after cycle: 200 pixels."""
    rng = torch.Generator().manual_seed(6)
    memory: dict[str, Tensor] = {}
    for _ in range(cycles):
        truth = torch.randn(200, 3, generator=rng, dtype=DOUBLE)
        prior = spread * torch.randn(200, 20, 3, generator=rng, dtype=DOUBLE)
        y = truth[:, :2] + 0.5 * torch.randn(200, 2, generator=rng, dtype=DOUBLE)
        weight = torch.full_like(y, 4.0)
        weight[:10] = 0.0
        result = scheme(prior, lambda x: x[..., :2], y, weight, torch.zeros, memory)
        memory = result.memory
    return memory[INFLATION].exp(), result.ensemble


@pytest.mark.parametrize("spread", [0.6, 1.0, 1.4])
def test_the_factor_that_is_missing_is_found(spread: float) -> None:
    factor, _ = cycled(adaptive(etkf, damping=1.0), spread)
    found = factor[10:, :2].mean()
    assert abs(float(found) * spread**2 - 1.0) < 0.25
    assert (factor[:10] == 1.0).all()  # saw nothing
    assert (factor[10:, 2] - 1.0).abs().mean() < 0.5 * (factor[10:, :2] - 1.0).abs().mean() + 0.05


def test_what_was_learned_fades_without_observations() -> None:
    scheme = adaptive(etkf, damping=0.5)
    prior, nothing = randn(2, 6, 3), torch.zeros(2, 1, dtype=DOUBLE)
    memory = {INFLATION: torch.full((2, 3), 3.0, dtype=DOUBLE).log()}
    result = scheme(prior, lambda x: x[..., :1], nothing, nothing, torch.zeros, memory)
    assert torch.equal(result.ensemble, prior)
    torch.testing.assert_close(result.memory[INFLATION].exp(), torch.full((2, 3), 2.0).double())
    for options, message in (
        ({"variance": 0.0}, "variance must be positive"),
        ({"damping": 1.5}, "damping must lie"),
        ({"largest": 0.5}, "largest must be"),
    ):
        with pytest.raises(InputError, match=message):
            adaptive(etkf, **options)


def test_the_error_that_is_wrong_is_found_channel_by_channel() -> None:
    """R said to be 1 for all; in truth 4, 1 and 1/4. The spread is right."""
    rng = torch.Generator().manual_seed(8)
    truth = torch.tensor([2.0, 1.0, 0.5], dtype=DOUBLE)
    scheme, memory = tuned(etkf, damping=0.95), {"kept": torch.ones(50)}
    for _ in range(400):
        state = torch.randn(50, 1, 3, generator=rng, dtype=DOUBLE)
        prior = torch.randn(50, 200, 3, generator=rng, dtype=DOUBLE)
        y = state[:, 0] + truth * torch.randn(50, 3, generator=rng, dtype=DOUBLE)
        precision = torch.ones_like(y)
        precision[:10, 1] = 0.0
        result = scheme(prior, lambda x: x, y, precision, torch.zeros, memory)
        assert torch.equal(result.precision, precision)
        memory = result.memory
    factor = memory[ERROR].exp()
    assert (factor[:10, 1] == 1.0).all() and torch.equal(memory["kept"], torch.ones(50))
    found = factor[10:].log().mean(0).exp() / truth.square()
    assert (found - 1.0).abs().max() < 0.15


def test_the_statistic_has_the_mean_that_it_is_said_to_have() -> None:
    rng = torch.Generator().manual_seed(9)
    h, latent = randn(2, 3, seed=10), randn(1, 50, 2, seed=11)
    predicted, covariance = latent @ h, latent[0].T.cov()
    q = torch.tensor([0.5, 1.0, 3.0], dtype=DOUBLE)
    precision = torch.tensor([[1.0, 2.0, 0.5]], dtype=DOUBLE)
    cases = 20_000
    away = torch.randn(cases, 2, generator=rng, dtype=DOUBLE) @ torch.linalg.cholesky(covariance).T
    noise = torch.randn(cases, 3, generator=rng, dtype=DOUBLE) * (q / precision).sqrt()
    y = predicted.mean(1) + away @ h + noise
    z = statistic(predicted.expand(cases, -1, -1), y, precision.expand(cases, -1))
    root = precision.sqrt()
    g = torch.eye(3, dtype=DOUBLE) + root.mT * (h.T @ covariance @ h) * root
    expected = 1.0 + torch.linalg.inv(g).diagonal() * (q - 1.0)
    assert ((z.mean(0) - expected).abs() < 4.0 * z.std(0) / cases**0.5).all()


def test_impossible_tuning_is_refused() -> None:
    for options, message in (
        ({"damping": -0.1}, "damping must lie"),
        ({"largest": 0.0}, "largest"),
    ):
        with pytest.raises(InputError, match=message):
            tuned(etkf, **options)
