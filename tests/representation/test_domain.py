"""Misfits beside their definition, and levels beside the quantiles they interpolate."""

from __future__ import annotations

import numpy as np
import torch

from releo_da.representation.domain import Domain, domain_of, misfit
from releo_da.types import Acquisition


def test_misfit_is_the_mean_over_what_was_seen() -> None:
    values = torch.tensor([[0.1, 0.3, 9.0], [0.5, 0.0, 0.0], [7.0, 7.0, 7.0]])
    error = torch.tensor([[0.01, 0.02, torch.inf], [0.1, torch.inf, torch.inf], [torch.inf] * 3])
    said = Acquisition(0.0, "s", values, error, torch.zeros(3, 3))
    predicted = torch.tensor([[0.13, 0.22, 0.1], [0.4, 0.2, 0.2], [0.1, 0.1, 0.1]])
    found = misfit(predicted, said)
    torch.testing.assert_close(found, torch.tensor([(0.5 * (9 + 16)) ** 0.5, 1.0, 0.0]))


def test_gradient_of_a_misfit_of_nothing_is_not_asked_for() -> None:
    """A misfit is a diagnostic: it is finite for any input."""
    said = Acquisition(
        0.0, "s", torch.zeros(2, 2), torch.full((2, 2), torch.inf), torch.zeros(2, 3)
    )
    assert not misfit(torch.full((2, 2), 1e30), said).any()


def test_levels_are_the_shares_of_what_was_held_back() -> None:
    generator = np.random.default_rng(0)
    held = np.sqrt(generator.chisquare(6, 200_000) / 6)
    levels = tuple(np.linspace(0.01, 0.99, 99))
    domain = domain_of(torch.as_tensor(held), levels)
    np.testing.assert_allclose(domain.misfits, np.quantile(held, levels), rtol=1e-12)
    fresh = np.sqrt(generator.chisquare(6, 200_000) / 6)
    said = domain.level(torch.as_tensor(fresh)).numpy()
    for share in (0.25, 0.5, 0.9):
        assert abs((said < share).mean() - share) < 0.005
    assert abs(domain.outside(torch.as_tensor(fresh)).double().mean() - 0.01) < 0.002


def test_levels_at_the_ends() -> None:
    domain = Domain((0.5, 0.9), (1.0, 2.0))
    said = domain.level(torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 2.1, 1e9]))
    torch.testing.assert_close(said, torch.tensor([0.0, 0.25, 0.5, 0.7, 0.9, 1.0, 1.0]))
    assert domain.outside(torch.tensor([2.0, 2.1])).tolist() == [False, True]
