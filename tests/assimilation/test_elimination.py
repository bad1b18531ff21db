"""Elimination, channel by channel, beside LAPACK and beside the tables' definition."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation.elimination import FEW, eliminated, factored, gains

DOUBLE = torch.float64


def tables(channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """S'S, S'A and d of six pixels, the second of which lacks its last channel."""
    rng = torch.Generator().manual_seed(channels)
    s = torch.randn(6, 15, channels, generator=rng, dtype=DOUBLE)
    s[1, :, -1] = 0.0
    a = torch.randn(6, 15, 4, generator=rng, dtype=DOUBLE)
    d = torch.randn(6, channels, generator=rng, dtype=DOUBLE)
    return s.mT @ s, s.mT @ a, d


@pytest.mark.parametrize("channels", [1, 2, 7, FEW, FEW + 5])
def test_both_ways_give_what_the_tables_are_defined_by(channels: int) -> None:
    g, b, d = tables(channels)
    lower = torch.linalg.cholesky(torch.eye(channels, dtype=DOUBLE) + g)
    inverse = torch.linalg.inv(lower)
    q = torch.linalg.inv(lower + torch.eye(channels, dtype=DOUBLE)).mT @ inverse @ b
    for way in (eliminated, factored, gains):
        found, inner, lost = way(g.clone(), b, d)
        torch.testing.assert_close(found, q, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(inner, (inverse @ d[..., None])[..., 0], rtol=1e-10, atol=1e-12)
        assert not lost.any()


@pytest.mark.parametrize("way", [eliminated, factored])
@pytest.mark.parametrize("broken", [-3.0, torch.nan])
def test_a_covariance_that_is_none_has_no_gain_and_harms_no_other(way, broken: float) -> None:
    g, b, d = tables(5)
    whole = way(g.clone(), b, d)
    g[2, 3, 3] = broken
    q, inner, lost = way(g.clone(), b, d)
    assert lost.tolist() == [False, False, True, False, False, False]
    assert not q[2].any() and not inner[2].any()
    kept = ~lost
    assert torch.equal(q[kept], whole[0][kept]) and torch.equal(inner[kept], whole[1][kept])


def test_gradients_take_the_way_that_has_them() -> None:
    rng = torch.Generator().manual_seed(1)
    s, a = (torch.randn(2, 5, n, generator=rng, dtype=DOUBLE).requires_grad_() for n in (3, 2))
    d = torch.randn(2, 3, generator=rng, dtype=DOUBLE).requires_grad_()
    assert torch.autograd.gradcheck(lambda s, a, d: gains(s.mT @ s, s.mT @ a, d)[:2], (s, a, d))
