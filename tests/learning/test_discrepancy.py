"""A discrepancy shared by the dates of a series, where the posterior is known in closed form."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from releo_da.cycling.draws import generator
from releo_da.learning.prediction import Batch, known_density, loss_of, simplex
from releo_da.types import Acquisition

DOUBLE = torch.float64
H = torch.tensor([[0.8, 0.1], [-0.3, 0.6], [0.2, 0.4]], dtype=DOUBLE)
MODES = torch.tensor([[0.5], [0.4], [0.3]], dtype=DOUBLE)
PERSISTS, NOISE, DATES, PIXELS = 0.9, 0.1, 6, 3000
"""A state of two that persists from date to date, one mode that stays, errors of three channels."""


class Gaussian(NamedTuple):
    """A posterior at one date."""

    mean: Tensor
    factor: Tensor

    def kl(self, prior: object) -> Tensor:
        return self.mean.new_zeros(self.mean.shape[:2])

    def log_prob(self, z: Tensor) -> Tensor:
        return MultivariateNormal(self.mean, scale_tril=self.factor).log_prob(z)


def law() -> tuple[Tensor, Tensor]:
    """Prior covariance of (z at all dates, mode), and what all dates see of it."""
    lag = (torch.arange(DATES)[:, None] - torch.arange(DATES)).abs()
    states = torch.kron(PERSISTS ** lag.to(DOUBLE), torch.eye(2, dtype=DOUBLE))
    prior = torch.block_diag(states, torch.eye(1, dtype=DOUBLE))
    seen = torch.kron(torch.eye(DATES, dtype=DOUBLE), H)
    return prior, torch.cat([seen, MODES.repeat(DATES, 1)], 1)


def conditional(prior: Tensor, seen: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """Gain and covariance of what the first rows say, all dates but the last shown."""
    shown = seen[:-3]
    gain = prior @ shown.T @ torch.linalg.inv(shown @ prior @ shown.T + error[:-3, :-3])
    return gain, prior - gain @ shown @ prior


def last(gain: Tensor, covariance: Tensor, y: Tensor, columns: list[int]) -> Gaussian:
    """The posterior of some coordinates, at one date, of every series."""
    part = covariance[columns][:, columns]
    mean = (y[:, :-3] @ gain.T)[:, None, columns]
    return Gaussian(mean, torch.linalg.cholesky(part).expand(len(y), 1, -1, -1))


def test_a_shared_discrepancy_is_no_white_noise() -> None:
    """With the mode among the coordinates the score is the exact predictive density; a posterior
    that takes the mode for white noise is surer than it may be, and the score says so."""
    prior, seen = law()
    source = generator(0, 0, 0.0, "truth")
    truth = torch.randn(PIXELS, len(prior), generator=source, dtype=DOUBLE)
    truth = truth @ torch.linalg.cholesky(prior).T
    noise = torch.randn(PIXELS, len(seen), generator=source, dtype=DOUBLE)
    y = truth @ seen.T + NOISE * noise
    white = NOISE**2 * torch.eye(len(seen), dtype=DOUBLE)
    exact = conditional(prior, seen, white)
    q = last(*exact, y, [2 * DATES - 2, 2 * DATES - 1, 2 * DATES])
    spread = MODES.square().sum(1).repeat(DATES)
    sure = conditional(prior[:-1, :-1], seen[:, :-1], white + torch.diag(spread))
    alone = last(*sure, y, [2 * DATES - 2, 2 * DATES - 1])

    true = truth[:, None, -3:]
    inside = {}
    for name, one in {"joint": q, "white": alone}.items():
        deviation = one.factor[:, 0].square().sum(-1).sqrt()
        apart = (true[:, 0, :2] - one.mean[:, 0, :2]).abs() / deviation[:, :2]
        inside[name] = float((apart < 1.6448536).double().mean())
    assert inside["joint"] == pytest.approx(0.9, abs=0.01)
    assert inside["white"] < 0.85

    hidden = Acquisition(
        5.0, "toy", y[:, -3:], torch.full((PIXELS, 3), NOISE, dtype=DOUBLE), torch.zeros(PIXELS, 3)
    )
    batch = Batch(None, torch.tensor([5.0], dtype=DOUBLE), [hidden])
    both = torch.cat([H, MODES], 1)
    points = simplex(1, 3, generator(0, 0, 0.0, "test"))
    found = loss_of(q, batch, lambda z, a: z @ both.T, None, points, 0.0).prediction
    covariance = seen[-3:] @ exact[1] @ seen[-3:].T + white[-3:, -3:]
    mean = (y[:, :-3] @ exact[0].T) @ seen[-3:].T
    expected = -MultivariateNormal(mean, covariance).log_prob(y[:, -3:]).mean() / 3
    assert float(found) == pytest.approx(float(expected), rel=1e-9)
    wide = torch.sqrt(hidden.error.square() + MODES.square().sum(1))
    other = Batch(None, batch.times, [hidden._replace(error=wide)])
    points = simplex(1, 2, generator(0, 0, 0.0, "test"))
    worse = loss_of(alone, other, lambda z, a: z @ H.T, None, points, 0.0).prediction
    assert float(worse) > float(found) + 0.1


def test_the_density_of_what_is_known_is_that_of_its_marginal() -> None:
    source = torch.Generator().manual_seed(0)
    factor = torch.tril(torch.rand(5, 2, 4, 4, generator=source, dtype=DOUBLE)) + torch.eye(4)
    q = Gaussian(torch.rand(5, 2, 4, generator=source, dtype=DOUBLE), factor)
    latents = torch.rand(5, 2, 4, generator=source, dtype=DOUBLE)
    whole = MultivariateNormal(q.mean, scale_tril=factor).log_prob(latents).mean() / 4
    assert float(known_density(q, latents)) == pytest.approx(float(whole))
    assert float(known_density(q, torch.full_like(latents, math.nan))) == 0.0
    for columns in ([2], [1, 3]):
        told = torch.full_like(latents, math.nan)
        told[..., columns] = latents[..., columns]
        part = (factor @ factor.mT)[..., columns, :][..., columns]
        law = MultivariateNormal(q.mean[..., columns], part)
        expected = law.log_prob(latents[..., columns]).mean() / len(columns)
        assert float(known_density(q, told)) == pytest.approx(float(expected))
