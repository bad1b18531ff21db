"""The particle filter against Bayes' rule by quadrature, and its resampling against its promise."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf, particle
from releo_da.assimilation.particle import systematic
from releo_da.types import InputError, Noise

DOUBLE = torch.float64


def source(seed: int) -> Noise:
    rng = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(*shape, generator=rng, dtype=DOUBLE)


def test_two_modes_are_kept() -> None:
    """x^2 observed: the posterior has two modes; mean 0 is where no mass is."""
    prior = 0.2 + source(1)((1, 4000, 1))
    y, precision = torch.tensor([[4.0]], dtype=DOUBLE), torch.tensor([[4.0]], dtype=DOUBLE)

    def observe(x: Tensor) -> Tensor:
        return x.square()

    found = particle(prior, observe, y, precision, source(2), {}, reg=0.2).ensemble[0, :, 0]
    x = torch.linspace(-6, 6, 4001, dtype=DOUBLE)
    density = torch.exp(-0.5 * (x - 0.2).square() - 2.0 * (4.0 - x.square()).square())
    density = density / density.sum()
    assert abs(float((found > 0).double().mean() - density[x > 0].sum())) < 0.05
    for power in (1, 2, 4):
        exact = float((density * x**power).sum())
        assert abs(float((found**power).mean()) - exact) < 0.12 * max(1.0, abs(exact))
    linear = etkf(prior, observe, y, precision, source(2), {}).ensemble
    assert (linear.abs() < 1.0).double().mean() > 4 * (found.abs() < 1.0).double().mean()


def test_resampling_copies_each_member_as_often_as_it_weighs() -> None:
    weights = torch.tensor([[0.5, 0.1, 0.0, 0.4], [0.25] * 4], dtype=DOUBLE)
    uniform = torch.tensor([[0.3], [0.9]], dtype=DOUBLE)
    found = systematic(weights, uniform)
    assert found.tolist() == [[0, 0, 1, 3], [0, 1, 2, 3]]
    many = torch.softmax(source(3)((20, 50)), -1)
    strides = torch.linspace(0.01, 0.99, 99, dtype=DOUBLE)
    counts = torch.stack(
        [torch.nn.functional.one_hot(systematic(many, u.expand(20, 1)), 50).sum(1) for u in strides]
    ).double()
    assert ((counts - 50 * many).abs() < 1.0 + 1e-9).all()  # at most one more or less
    assert ((counts.mean(0) - 50 * many).abs() < 0.03).all()


def test_the_kernel_restores_spread_and_can_be_left_out() -> None:
    prior = source(7)((1, 200, 2))
    y = torch.tensor([[1.5, 0.0]], dtype=DOUBLE)
    precision = torch.full((1, 2), 30.0, dtype=DOUBLE)

    def run(reg: float) -> Tensor:
        return particle(prior, lambda x: x, y, precision, source(8), {}, reg=reg).ensemble[0]

    bare, spread = run(0.0), run(1.0)
    assert len(torch.unique(bare, dim=0)) < 60
    assert len(torch.unique(spread, dim=0)) == 200
    kept = (spread[:, None] == prior[0]).all(-1).any(1)
    assert kept.sum() == len(torch.unique(bare, dim=0))  # the first copy of each stays


def test_a_negative_kernel_is_refused() -> None:
    prior, y = torch.zeros(1, 3, 1), torch.zeros(1, 1)
    with pytest.raises(InputError, match="reg must not"):
        particle(prior, lambda x: x, y, y, torch.zeros, {}, reg=-1.0)
