"""The likelihood of innovations against an independent multivariate normal."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from releo_da.learning.likelihood import BROAD, innovation_likelihood

PIXELS, MEMBERS, CHANNELS = 6, 12, 4


@pytest.fixture
def case() -> tuple[Tensor, Tensor, Tensor]:
    """Predicted, observed and precision; pixel 4 has two channels, pixel 5 none."""
    generator = torch.Generator().manual_seed(2)
    mixing = torch.randn((CHANNELS, CHANNELS), generator=generator, dtype=torch.float64)
    shape = (PIXELS, MEMBERS, CHANNELS)
    predicted = 0.05 * torch.randn(shape, generator=generator, dtype=torch.float64) @ mixing
    y = predicted[:, 0] + 0.03
    precision = torch.full((PIXELS, CHANNELS), 900.0, dtype=torch.float64)
    precision[:, 1] = 2500.0
    precision[4, [0, 2]] = 0.0
    precision[5] = 0.0
    return predicted, y, precision


def log_normal(
    predicted: Tensor, y: Tensor, precision: Tensor, added: np.ndarray, between: float = 0.0
) -> np.ndarray:
    """By scipy, with the channels that were not seen left out."""
    found = []
    for members, value, weight in zip(predicted, y, precision, strict=True):
        seen = (weight > 0).numpy()
        covariance = np.cov(members.numpy().T) + added
        sd = 1.0 / np.sqrt(weight[seen].numpy())
        error = np.outer(sd, sd) * np.where(np.eye(len(sd)) > 0, 1.0, between)
        total = covariance[np.ix_(seen, seen)] + error
        mean = members.mean(0)[seen].numpy()
        found.append(
            multivariate_normal.logpdf(value[seen].numpy(), mean, total) if seen.any() else 0.0
        )
    return np.array(found)


def test_density_is_that_of_the_channels_that_were_seen(case: tuple[Tensor, ...]) -> None:
    found = innovation_likelihood(*case, contamination=0.0)
    expected = log_normal(*case, added=np.zeros((CHANNELS, CHANNELS)))
    np.testing.assert_allclose(found.log_density.numpy(), expected, rtol=1e-10, atol=1e-12)
    assert (found.clean == 1.0).all()


@pytest.mark.parametrize("contamination", [1e-6, 0.05, 0.5])
def test_mixture_of_clean_and_contaminated(case: tuple[Tensor, ...], contamination: float) -> None:
    broad = BROAD[0] ** 2 + BROAD[1] ** 2 * np.eye(CHANNELS)
    good = log_normal(*case, added=np.zeros((CHANNELS, CHANNELS))) + math.log1p(-contamination)
    bad = log_normal(*case, added=broad) + math.log(contamination)
    found = innovation_likelihood(*case, contamination=contamination)
    np.testing.assert_allclose(found.log_density.numpy(), np.logaddexp(good, bad), rtol=1e-9)
    np.testing.assert_allclose(
        found.clean.numpy(), np.exp(good - np.logaddexp(good, bad)), rtol=1e-9
    )
    assert found.clean[5] == pytest.approx(1.0 - contamination)  # nothing was seen: the prior


@pytest.mark.parametrize("between", [0.3, 0.9])
def test_errors_that_go_together(case: tuple[Tensor, ...], between: float) -> None:
    expected = log_normal(*case, added=np.zeros((CHANNELS, CHANNELS)), between=between)
    found = innovation_likelihood(*case, contamination=0.0, correlation=between)
    np.testing.assert_allclose(found.log_density.numpy(), expected, rtol=1e-10, atol=1e-12)
    matrix = between + (1.0 - between) * torch.eye(CHANNELS, dtype=torch.float64)
    same = innovation_likelihood(*case, contamination=0.0, correlation=matrix)
    torch.testing.assert_close(same.log_density, found.log_density)


def test_cloud_is_not_clean_and_costs_little(case: tuple[Tensor, ...]) -> None:
    predicted, y, precision = case
    cloudy = y.clone()
    cloudy[0] += 0.4
    found = innovation_likelihood(predicted, cloudy, precision)
    whole = innovation_likelihood(predicted, cloudy, precision, contamination=0.0)
    assert found.clean[0] < 1e-6
    assert (found.clean[1:] > 0.999).all()
    assert found.log_density[0] > whole.log_density[0] + 50.0
    torch.testing.assert_close(found.log_density[1:], whole.log_density[1:], atol=1e-3, rtol=0)


def test_what_was_not_seen_has_no_influence(case: tuple[Tensor, ...]) -> None:
    predicted, y, precision = case
    other = torch.where(precision > 0, y, 1e3)
    one, two = (innovation_likelihood(predicted, v, precision) for v in (y, other))
    assert torch.equal(one.log_density, two.log_density)


def test_gradients_are_exact_and_finite_where_nothing_was_seen(case: tuple[Tensor, ...]) -> None:
    predicted, y, precision = (t.clone().requires_grad_() for t in case)

    def density(predicted: Tensor, y: Tensor, precision: Tensor) -> Tensor:
        return innovation_likelihood(predicted, y, precision, 0.01).log_density

    seen = [predicted[:4], y[:4], precision[:4]]
    assert torch.autograd.gradcheck(density, [t.detach().requires_grad_() for t in seen])
    density(predicted, y, precision).sum().backward()
    for tensor in (predicted, y, precision):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert (tensor.grad[5] == 0).all()
    assert not innovation_likelihood(predicted, y, precision).clean.requires_grad
