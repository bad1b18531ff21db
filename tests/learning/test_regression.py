"""Muon and the regression loop against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from releo_da.learning.muon import Muon, orthogonalised
from releo_da.learning.regression import regress, squares


@pytest.mark.parametrize("shape", [(12, 12), (20, 6), (6, 20)])
def test_all_directions_of_a_step_are_about_equal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    spread = u @ torch.diag(torch.logspace(0, -1.5, len(s))) @ vt
    found = orthogonalised(spread)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5
    assert values.max() < 1.3
    # The same singular vectors: U' X V is diagonal.
    inner = u.T @ found @ vt.T
    assert (inner - torch.diag(inner.diagonal())).abs().max() < 1e-4


def test_a_zero_matrix_stays_zero_and_one_without_gradient_stays_put() -> None:
    assert (orthogonalised(torch.zeros(3, 4)) == 0).all()
    still = nn.Parameter(torch.ones(3, 4))
    Muon([still]).step(0.1)
    assert (still == 1).all()


def test_a_step_has_the_size_asked_for() -> None:
    matrix = nn.Parameter(torch.zeros(8, 8))
    matrix.grad = torch.randn(8, 8, generator=torch.Generator().manual_seed(1)) * 1e-4
    Muon([matrix]).step(0.1)
    assert 0.05 < torch.linalg.svdvals(matrix.detach()).max() < 0.13


class Linear(nn.Module):
    """Two matrices in a row: the least-squares solution is known."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.inner, self.outer = nn.Linear(4, 8, bias=False), nn.Linear(8, 3)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(0.3 * torch.randn(p.shape, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x))


def problem() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2048, 4, generator=generator)
    y = x @ torch.randn(4, 3, generator=generator) + 0.5
    return x, y + 0.1 * torch.randn(2048, 3, generator=generator)


def fitted(weight: Tensor) -> tuple[Linear, list[float]]:
    network, (x, y) = Linear(), problem()
    generator = torch.Generator().manual_seed(3)
    cost, hidden = squares(weight), [network.inner.weight]
    steps = regress(network, hidden, x, y, cost, generator, 25, 128, 0.01, 50)
    return network, [one.loss for one in steps]


def test_it_finds_the_least_squares_solution() -> None:
    network, losses = fitted(torch.tensor([1.0, 1.0, 1.0]))
    x, y = problem()
    design = torch.cat([x, torch.ones(len(x), 1)], 1)
    best = torch.linalg.lstsq(design, y).solution
    floor = float((design @ best - y).square().sum(1).mean())
    with torch.no_grad():
        reached = float((network(x) - y).square().sum(1).mean())
    assert reached < 1.01 * floor
    assert losses[-1] < 0.1 * losses[0]


def test_an_output_of_no_weight_is_not_fitted_and_a_seed_gives_the_same_bits() -> None:
    weight = torch.tensor([1.0, 1.0, 0.0])
    (one, losses), (two, again) = fitted(weight), fitted(weight)
    assert losses == again
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    torch.testing.assert_close(one.outer.weight[2], Linear().outer.weight[2])
