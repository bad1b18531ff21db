"""The quantile-conserving update against Bayes' rule by quadrature."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import ensrf, quantile
from releo_da.assimilation.quantile import probit_move
from releo_da.types import InputError

DOUBLE = torch.float64


def gammas(members: int, seed: int = 1) -> Tensor:
    """Draws of an exponential distribution: a hard bound at 0 with most of the mass near it."""
    rng = torch.Generator().manual_seed(seed)
    return -torch.log(torch.rand(1, members, 1, generator=rng, dtype=DOUBLE))


@pytest.mark.parametrize(("value", "error"), [(0.05, 0.3), (1.5, 0.4), (4.0, 1.0)])
def test_a_bounded_quantity_follows_bayes(value: float, error: float) -> None:
    prior = gammas(4000)
    y = torch.tensor([[value]], dtype=DOUBLE)
    precision = torch.full_like(y, error**-2)
    z = torch.special.ndtri(1.0 - torch.exp(-prior))  # a Gaussian latent, h bounded

    def observe(latent: Tensor) -> Tensor:
        return -torch.log(torch.special.ndtr(-latent))

    found = observe(quantile(z, observe, y, precision, torch.zeros, {}, lower=0.0).ensemble)
    h = torch.linspace(0.0, 30.0, 60_001, dtype=DOUBLE)
    density = torch.exp(-h - 0.5 * ((value - h) / error).square())
    density = density / density.sum()
    mean = float((density * h).sum())
    sd = float((density * (h - mean).square()).sum().sqrt())
    assert (found > 0).all()
    assert abs(float(found.mean()) - mean) < 0.1 * sd
    assert abs(float(found.std()) / sd - 1.0) < 0.1
    for q in (0.1, 0.5, 0.9):
        exact = float(h[int((density.cumsum(0) < q).sum())])
        assert abs(float(found.quantile(q)) - exact) < 0.12 * sd


def test_a_gaussian_quantity_gets_the_kalman_update() -> None:
    """Also far from the ensemble, where no member lies: the tails are normal."""
    rng = torch.Generator().manual_seed(2)
    prior = torch.randn(1, 2000, 2, generator=rng, dtype=DOUBLE)
    prior[..., 1] += 0.8 * prior[..., 0]
    precision = torch.tensor([[2.0]], dtype=DOUBLE)
    for value in (0.3, 2.0, 6.0):
        y = torch.tensor([[value]], dtype=DOUBLE)
        arguments = (prior, lambda x: x[..., :1], y, precision, torch.zeros, {})
        ours, theirs = quantile(*arguments).ensemble, ensrf(*arguments).ensemble
        assert (ours.mean(1) - theirs.mean(1)).abs().max() < 0.1
        assert (ours.std(1) / theirs.std(1) - 1).abs().max() < 0.1


def test_order_and_probability_are_kept() -> None:
    rng = torch.Generator().manual_seed(3)
    h = torch.rand(50, 20, generator=rng, dtype=DOUBLE)
    y = torch.rand(50, 1, generator=rng, dtype=DOUBLE)
    z, change = probit_move(h, y, torch.full_like(y, 8.0), 0.0, 1.0)
    order = h.argsort(-1)
    moved = (z + change).gather(-1, order)
    assert (moved.diff(dim=-1) > 0).all()
    unseen, still = probit_move(h, y, torch.zeros_like(y), 0.0, 1.0)
    assert torch.equal(unseen, z) and still.abs().max() < 1e-9


def test_an_impossible_value_moves_members_and_breaks_none() -> None:
    prior = gammas(15)
    for value in (-5.0, 0.0, 1e3):
        y = torch.tensor([[value]], dtype=DOUBLE)
        for options in ({}, {"lower": 0.0}, {"lower": 0.0, "upper": 50.0}):
            found = quantile(
                prior, lambda x: x, y, torch.full_like(y, 1e4), torch.zeros, {}, **options
            )
            assert torch.isfinite(found.ensemble).all()
            assert not torch.equal(found.ensemble, prior)


def test_a_quantity_without_spread_tells_nothing() -> None:
    prior = gammas(10)
    y = torch.ones(1, 1, dtype=DOUBLE)
    found = quantile(prior, lambda x: 0.0 * x + 0.3, y, y, torch.zeros, {})
    assert torch.equal(found.ensemble, prior)
    with pytest.raises(InputError, match="lower must be below upper"):
        quantile(prior, lambda x: x, y, y, torch.zeros, {}, lower=1.0, upper=0.0)


def test_members_at_a_bound_have_no_order() -> None:
    """Half of them are predicted at 0: permuting members permutes the analysis."""
    rng = torch.Generator().manual_seed(4)
    prior = torch.randn(20, 12, 3, generator=rng, dtype=DOUBLE)
    y = torch.rand(20, 2, generator=rng, dtype=DOUBLE)

    def observe(x: Tensor) -> Tensor:
        return (x[..., :2] + 0.3 * x[..., 2:]).clamp(min=0.0)

    def run(ensemble: Tensor) -> Tensor:
        arguments = (observe, y, torch.full_like(y, 20.0), torch.zeros, {})
        return quantile(ensemble, *arguments, lower=0.0).ensemble

    order = torch.randperm(12, generator=rng)
    assert (observe(prior) == 0).sum(1).min() > 1
    found = run(prior)
    assert not torch.equal(found, prior)
    torch.testing.assert_close(run(prior[:, order]), found[:, order], rtol=1e-11, atol=1e-11)
    h = observe(prior)[..., 0]
    z, change = probit_move(h, y[:, :1], torch.full_like(y[:, :1], 4.0), 0.0, 1e9)
    for pixel in range(20):
        at = h[pixel] == 0
        ranks = torch.arange(1, int(at.sum()) + 1, dtype=DOUBLE) / 13.0
        mean = torch.special.ndtri(ranks).mean().expand(int(at.sum()))
        torch.testing.assert_close(z[pixel, at], mean)
        assert (change[pixel, at].diff() == 0).all()


def test_gradients_are_finite_where_all_members_are_tied() -> None:
    prior = gammas(10).requires_grad_()
    y = torch.ones(1, 1, dtype=DOUBLE)
    found = quantile(prior, lambda x: (x - 99.0).clamp(min=0.0), y, y, torch.zeros, {}, lower=0.0)
    found.ensemble.sum().backward()
    assert prior.grad is not None and torch.isfinite(prior.grad).all()
