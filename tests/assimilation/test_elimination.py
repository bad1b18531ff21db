"""Elimination, channel by channel, beside LAPACK and beside the tables' definition."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation.elimination import FEW, eliminated, factored, gains
from releo_da.assimilation.etkf import etkf

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
def test_without_a_channel_nothing_is_lost(way) -> None:
    q, inner, lost = way(torch.zeros(4, 0, 0), torch.zeros(4, 0, 3), torch.zeros(4, 0))
    assert q.shape == (4, 0, 3) and inner.shape == (4, 0) and lost.tolist() == [False] * 4


@pytest.mark.parametrize("way", [eliminated, factored])
@pytest.mark.parametrize("broken", [-3.0, torch.nan, torch.inf])
def test_a_covariance_that_is_none_has_no_gain_and_harms_no_other(way, broken: float) -> None:
    g, b, d = tables(5)
    whole = way(g.clone(), b, d)
    g[2, 3, 3] = broken
    q, inner, lost = way(g.clone(), b, d)
    assert lost.tolist() == [False, False, True, False, False, False]
    assert not q[2].any() and not inner[2].any()
    kept = ~lost
    assert torch.equal(q[kept], whole[0][kept]) and torch.equal(inner[kept], whole[1][kept])


@pytest.mark.parametrize("way", [eliminated, factored])
def test_gains_that_are_not_finite_are_refused(way) -> None:
    g, b, d = tables(5)
    whole = way(g.clone(), b, d)
    b[2, 3, 1], d[4, 0] = torch.inf, torch.nan
    q, inner, lost = way(g.clone(), b, d)
    assert lost.tolist() == [False, False, True, False, True, False]
    assert not q[lost].any() and not inner[lost].any()
    assert torch.equal(q[~lost], whole[0][~lost]) and torch.equal(inner[~lost], whole[1][~lost])


@pytest.mark.parametrize(
    "options", [{}, {"kernel": "compiled"}, {"root": "symmetric"}, {"gradient": True}]
)
@pytest.mark.parametrize("scale", [1e25, torch.inf])
def test_what_overflows_keeps_its_background_and_harms_no_other(options, scale: float) -> None:
    rng = torch.Generator().manual_seed(3)
    prior, y = torch.randn(3, 15, 4, generator=rng), torch.randn(3, 5, generator=rng)
    h, factor = torch.randn(4, 5, generator=rng), torch.ones(3, 1, 1)
    factor[1] = scale
    prior.requires_grad_(options.get("gradient", False))
    rest = {name: given for name, given in options.items() if name != "gradient"}

    def analysed(times: Tensor):
        observe, error = (lambda x: (x @ h) * times), torch.full_like(y, 4.0)
        return etkf(prior, observe, y, error, lambda shape: torch.zeros(*shape), {}, **rest)

    found, whole = analysed(factor), analysed(torch.ones(3, 1, 1))
    assert torch.equal(found.ensemble[1], prior[1]) and not found.precision[1].any()
    for other in (0, 2):
        assert torch.equal(found.ensemble[other], whole.ensemble[other])
        assert (found.precision[other] == 4.0).all()


def test_gradients_take_the_way_that_has_them() -> None:
    rng = torch.Generator().manual_seed(1)
    s, a = (torch.randn(2, 5, n, generator=rng, dtype=DOUBLE).requires_grad_() for n in (3, 2))
    d = torch.randn(2, 3, generator=rng, dtype=DOUBLE).requires_grad_()
    assert torch.autograd.gradcheck(lambda s, a, d: gains(s.mT @ s, s.mT @ a, d)[:2], (s, a, d))
