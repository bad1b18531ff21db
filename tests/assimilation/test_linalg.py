"""The maps of member space, against the N x N matrices that they stand for."""

import pytest
import torch

from releo_da.assimilation import etkf
from releo_da.assimilation.linalg import (
    anomalies,
    contract,
    expand,
    innovation_factor,
    precision_root,
    refused,
    weighted,
)

DOUBLE = torch.float64


def problem() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    y_members = torch.randn(3, 9, 4, generator=rng, dtype=DOUBLE)
    s, _ = weighted(y_members, torch.zeros(3, 4).double(), torch.full((3, 4), 7.0).double())
    return s, innovation_factor(s), torch.randn(3, 9, 5, generator=rng, dtype=DOUBLE)


def test_square_root_of_the_analysis() -> None:
    """T'T (I + SS') = I, and T keeps the mean: T 1 = 1."""
    s, lower, _ = problem()
    eye = torch.eye(9, dtype=DOUBLE).expand(3, 9, 9)
    t = eye + contract(s, lower, eye)
    torch.testing.assert_close(t.mT @ t @ (eye + s @ s.mT), eye.clone())
    ones = torch.ones(3, 9, 1, dtype=DOUBLE)
    torch.testing.assert_close(t @ ones, ones)


def test_expand_undoes_contract() -> None:
    s, lower, z = problem()
    there = z + contract(s, lower, z)
    assert (there - z).abs().max() > 0.1
    torch.testing.assert_close(there + expand(s, lower, there), z)


def test_factor_is_that_of_the_innovation_covariance() -> None:
    s, lower, _ = problem()
    torch.testing.assert_close(lower @ lower.mT, torch.eye(4, dtype=DOUBLE) + s.mT @ s)


@pytest.mark.parametrize("root", ["triangular", "symmetric"])
def test_a_pixel_that_cannot_be_factored_keeps_its_background(root: str) -> None:
    """Float32, ten copies of a channel with a spread of 3,000 errors: no NaN, and refused."""
    rng = torch.Generator().manual_seed(1)
    prior = torch.randn(200, 24, 4, generator=rng)
    y, precision = torch.zeros(200, 10), torch.full((200, 10), 9e6)
    precision[100:] = 1.0

    def copies(x: torch.Tensor) -> torch.Tensor:
        return x[..., :1].expand(-1, -1, 10)

    given = prior.clone().requires_grad_()
    found = etkf(given, copies, y, precision, torch.zeros, {}, root=root)
    away = refused(innovation_factor(weighted(copies(prior), y, precision)[0]))
    assert away[:100].any() and not away[:100].all() and not away[100:].any()
    assert torch.equal(found.ensemble[away], prior[away])
    assert (found.precision[away] == 0).all()
    assert torch.equal(found.precision[~away], precision[~away])
    assert torch.isfinite(found.ensemble).all()
    found.ensemble[100:].square().sum().backward()
    assert given.grad is not None and torch.isfinite(given.grad).all()


def test_root_of_precision_and_its_gradient() -> None:
    precision = torch.tensor([0.0, 4.0, 1e-30, 1e12], dtype=DOUBLE, requires_grad=True)
    root = precision_root(precision)
    torch.testing.assert_close(root, torch.tensor([0.0, 2.0, 1e-15, 1e6], dtype=DOUBLE))
    root.sum().backward()
    assert precision.grad is not None
    expected = torch.tensor([0.0, 0.25, 0.5e15, 0.5e-6], dtype=DOUBLE)
    torch.testing.assert_close(precision.grad, expected)


def test_weighted_anomalies_and_innovation() -> None:
    predicted = torch.tensor([[[1.0, 5.0], [3.0, 9.0], [5.0, 1.0]]], dtype=DOUBLE)
    s, d = weighted(
        predicted, torch.tensor([[4.0, 99.0]]).double(), torch.tensor([[9.0, 0.0]]).double()
    )
    expected = torch.tensor([[[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0]]], dtype=DOUBLE) * 3.0 / 2.0**0.5
    torch.testing.assert_close(s, expected)
    torch.testing.assert_close(d, torch.tensor([[3.0, 0.0]], dtype=DOUBLE))
    assert anomalies(predicted).sum(1).abs().max() == 0
