"""The posterior beside closed forms: torch.distributions, scipy, and its own draws."""

from __future__ import annotations

import pytest
import scipy.special
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from releo_da.representation.posterior import Posterior, gauss_hermite, prior_of
from releo_da.state.prior import correlation
from releo_da.state.transforms import Anamorphosis
from releo_da.state.variables import variables

from .series import NAMES

SIZE = len(NAMES)
DOUBLE = torch.float64


def random_posterior(seed: int, *shape: int) -> Posterior:
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn((*shape, SIZE, SIZE), generator=generator, dtype=DOUBLE) * 0.4
    factor = torch.tril(raw, -1) + torch.diag_embed(raw.diagonal(dim1=-2, dim2=-1).exp())
    return Posterior(torch.randn((*shape, SIZE), generator=generator, dtype=DOUBLE), factor)


@pytest.fixture
def posterior() -> Posterior:
    return random_posterior(0, 5, 3)


def oracle(one: Posterior) -> MultivariateNormal:
    return MultivariateNormal(one.mean, covariance_matrix=one.covariance)


def test_log_density(posterior: Posterior) -> None:
    z = torch.randn((5, 3, SIZE), dtype=DOUBLE)
    torch.testing.assert_close(posterior.log_prob(z), oracle(posterior).log_prob(z))


def test_divergence(posterior: Posterior) -> None:
    """From the prior of all dates, and from another posterior of each."""
    for other in (prior_of(NAMES), random_posterior(1, 5, 3)):
        found = posterior.kl(other)
        torch.testing.assert_close(found, kl_divergence(oracle(posterior), oracle(other)))
    prior = prior_of(NAMES)
    assert prior.kl(prior).abs() < 1e-14


def test_draws(posterior: Posterior) -> None:
    """Mean and covariance of many draws, within four standard errors."""
    number = 40_000
    noise = torch.randn((5, 3, number, SIZE), dtype=DOUBLE)
    z = posterior.sample(noise)
    error = posterior.spread / number**0.5
    assert bool(((z.mean(-2) - posterior.mean).abs() < 4.5 * error).all())
    d = z - posterior.mean[..., None, :]
    found = d.mT @ d / number
    size = posterior.spread[..., None] * posterior.spread[..., None, :]
    assert bool(((found - posterior.covariance).abs() < 4.5 * size * (2 / number) ** 0.5).all())


def test_prior_is_that_of_the_state() -> None:
    prior = prior_of(NAMES)
    torch.testing.assert_close(prior.covariance, correlation(NAMES), rtol=0, atol=1e-12)
    assert not prior.mean.any()


def truncated(name: str, probability: float) -> float:
    v = variables((name,))[name]
    a, b = (v.lower - v.mean) / v.sd, (v.upper - v.mean) / v.sd
    return float(scipy.stats.truncnorm.ppf(probability, a, b, loc=v.mean, scale=v.sd))


def test_quantiles_of_the_prior_are_those_of_the_table() -> None:
    levels = (0.05, 0.5, 0.9)
    decode = Anamorphosis(list(variables(NAMES).values())).decode
    found = prior_of(NAMES).quantiles(levels, decode)
    wanted = torch.tensor([[truncated(n, p) for n in NAMES] for p in levels], dtype=DOUBLE)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_moments_of_the_prior_are_those_of_the_table() -> None:
    decode = Anamorphosis(list(variables(NAMES).values())).decode
    mean, deviation = prior_of(NAMES).moments(decode)
    for k, v in enumerate(variables(NAMES).values()):
        a, b = (v.lower - v.mean) / v.sd, (v.upper - v.mean) / v.sd
        oracle = scipy.stats.truncnorm(a, b, loc=v.mean, scale=v.sd)
        assert abs(float(mean[k]) - oracle.mean()) < 1e-3 * oracle.std()
        assert float(deviation[k]) == pytest.approx(oracle.std(), rel=3e-3)


def test_quadrature_is_that_of_scipy() -> None:
    points, weights = gauss_hermite(9)
    wanted, weighing = scipy.special.roots_hermitenorm(9)
    torch.testing.assert_close(points, torch.as_tensor(wanted), atol=1e-12, rtol=0)
    torch.testing.assert_close(weights, torch.as_tensor(weighing / weighing.sum()))


def test_quantiles_are_those_of_draws(posterior: Posterior) -> None:
    """Beside the quantiles of the decoded draws, in standard errors of an order statistic."""
    number, levels = 40_000, (0.1, 0.5, 0.95)
    decode = Anamorphosis(list(variables(NAMES).values())).decode
    found = posterior.quantiles(levels, decode)
    x = decode(posterior.sample(torch.randn((5, 3, number, SIZE), dtype=DOUBLE)))
    for level, quantile in zip(levels, found, strict=True):
        below = (x < quantile[..., None, :]).double().mean(-2)
        assert bool(((below - level).abs() < 5 * (level * (1 - level) / number) ** 0.5).all())


def test_no_draw_leaves_its_bounds() -> None:
    """Not even of a posterior that is far out and wide."""
    table = variables(NAMES)
    mean = torch.tensor([-30.0, 0.0, 30.0])[:, None].expand(3, SIZE)
    wide = Posterior(mean, 9.0 * torch.eye(SIZE).expand(3, SIZE, SIZE))
    x: Tensor = Anamorphosis(list(table.values())).decode(wide.sample(torch.randn(3, 4000, SIZE)))
    lower = torch.tensor([v.lower for v in table.values()])
    upper = torch.tensor([v.upper for v in table.values()])
    assert bool(((x >= lower) & (x <= upper)).all())


def test_gradients_of_draws_and_divergence(posterior: Posterior) -> None:
    noise = torch.randn((5, 3, 2, SIZE), dtype=DOUBLE)

    def both(mean: Tensor, lower: Tensor) -> tuple[Tensor, Tensor]:
        one = Posterior(mean, torch.tril(lower))
        return one.sample(noise), one.kl(prior_of(NAMES))

    given = [t.clone().requires_grad_() for t in posterior]
    assert torch.autograd.gradcheck(both, given)
