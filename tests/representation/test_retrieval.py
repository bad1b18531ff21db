"""The network that reads one date, beside the exact posterior of a linear-Gaussian simulator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from releo_da.learning.regression import regress
from releo_da.representation.retrieval import LEVELS, Retrieval, likelihood, looked_at

PRIOR = torch.tensor([[1.0, 0.6], [0.6, 1.0]])
SEEN = torch.tensor([[1.0, 0.3], [0.2, 0.5], [-0.4, 0.8]])
ERROR = torch.tensor([0.3, 0.2, 0.5])
CENTRE, UNIT = torch.tensor([3.0, 40.0]), torch.tensor([2.0, 0.5])


def drawn(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Reflectances with error and angles that say nothing, and the variables."""
    x = torch.randn(number, 2, generator=generator) @ torch.linalg.cholesky(PRIOR).T
    noise = torch.randn(number, 3, generator=generator)
    angles = 60.0 * torch.rand(number, 3, generator=generator)
    return looked_at(x @ SEEN.T + ERROR.sqrt() * noise, angles), CENTRE + UNIT * x


@pytest.fixture(scope="module")
def learned() -> Retrieval:
    generator = torch.Generator().manual_seed(0)
    inputs, variables = drawn(30_000, generator)
    network = Retrieval(3, ("lai", "cab"), 24, 2)
    network.prepare(inputs, variables, generator)
    hidden, targets = [layer.weight for layer in network.layers()], network.encode(variables)
    for _ in regress(network, hidden, inputs, targets, likelihood, generator, 15, 512, 5e-3, 200):
        pass
    return network.requires_grad_(False)


def test_it_comes_near_the_exact_posterior(learned: Retrieval) -> None:
    inputs, variables = drawn(5000, torch.Generator().manual_seed(1))
    gain = PRIOR @ SEEN.T @ torch.linalg.inv(SEEN @ PRIOR @ SEEN.T + torch.diag(ERROR))
    mean, spread = inputs[:, :3] @ gain.T, (PRIOR - gain @ SEEN @ PRIOR).diagonal().sqrt()
    ours, deviation = learned.normal(inputs)
    assert ((ours - mean).square().mean(0).sqrt() < 0.1 * spread).all()
    assert ((deviation.mean(0) / spread - 1.0).abs() < 0.03).all()
    assert (deviation.std(0) < 0.06 * spread).all()
    members = learned.members(inputs, 64)
    torch.testing.assert_close(members.mean(1).mean(0), variables.mean(0), rtol=0.01, atol=0.0)
    ends = learned.members(inputs, 19)  # the first and the last are those of 5 and 95 %
    inside = (ends[:, 0] < variables) & (variables < ends[:, -1])
    assert ((inside.double().mean(0) - 0.9).abs() < 0.03).all()


def test_no_member_leaves_the_range_of_the_draws(learned: Retrieval) -> None:
    """Also of inputs that are like none of them."""
    inputs, _ = drawn(200, torch.Generator().manual_seed(2))
    members = learned.members(inputs * 50.0, 32)
    lowest, highest = learned.table[:, 0], learned.table[:, -1]
    assert ((members >= lowest) & (members <= highest)).all()
    assert (members.diff(dim=1) >= 0).all()


def test_coordinates_of_draws_are_standard_normal_and_lead_back() -> None:
    generator = torch.Generator().manual_seed(3)
    skewed = torch.rand(40_000, 2, generator=generator).pow(4)
    network = Retrieval(1, ("fapar", "fcover"), 4, 1)
    network.prepare(torch.rand(40_000, 4, generator=generator), skewed, generator)
    z = network.encode(skewed)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.02, rtol=0.0)
    torch.testing.assert_close(z.std(0), torch.ones(2), atol=0.02, rtol=0.0)
    torch.testing.assert_close(network.decode(z), skewed, atol=2e-5, rtol=1e-3)
    beyond = network.encode(torch.tensor([[-1.0, 2.0]]))
    assert beyond.tolist() == [[float(LEVELS[0]), float(LEVELS[-1])]]
    assert torch.equal(network.decode(2.0 * beyond), network.decode(beyond))


def test_what_is_said_of_a_row_depends_on_that_row_alone(learned: Retrieval) -> None:
    inputs, _ = drawn(40, torch.Generator().manual_seed(4))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(5))
    whole = learned.members(inputs, 8)
    torch.testing.assert_close(learned.members(inputs[order], 8), whole[order])
