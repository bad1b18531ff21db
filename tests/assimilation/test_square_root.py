"""The symmetric square root: that it is one, with a derivative where eigh has none."""

from functools import partial

import pytest
import torch

from releo_da.assimilation import etkf
from releo_da.assimilation.square_root import shrink, symmetric_contraction

DOUBLE = torch.float64


def anomalies(pixels: int, members: int, channels: int, seed: int = 1) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    s = torch.randn(pixels, members, channels, generator=rng, dtype=DOUBLE)
    return s - s.mean(1, keepdim=True)


@pytest.mark.parametrize("channels", [1, 3, 6, 20])
def test_it_is_the_symmetric_square_root(channels: int) -> None:
    s = anomalies(4, 6, channels)
    t = torch.eye(6, dtype=DOUBLE) + symmetric_contraction(s)
    torch.testing.assert_close(t, t.mT)
    assert (torch.linalg.eigvalsh(t) > 0).all()
    expected = torch.linalg.inv(torch.eye(6, dtype=DOUBLE) + s @ s.mT)
    torch.testing.assert_close(t @ t, expected)
    torch.testing.assert_close(t.sum(1), torch.ones(4, 6, dtype=DOUBLE))


def test_the_derivative_is_right_where_eigenvalues_repeat() -> None:
    """Backwards and forwards; a rank of 2 among 5 leaves 0 threefold."""
    low = anomalies(2, 5, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: symmetric_contraction(s @ s.mT), (low,))

    def of(x: torch.Tensor) -> torch.Tensor:
        return shrink(x @ x.mT)

    assert torch.autograd.gradcheck(of, (low,), check_forward_ad=True)
    same = (0.5 * torch.eye(4, dtype=DOUBLE)[None]).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: shrink(m + m.mT), (same,))


def test_it_moves_the_members_least() -> None:
    """Of all square roots the symmetric one changes the members least, in the sum of squares."""
    prior = anomalies(5, 9, 4, seed=2)
    y, precision = torch.zeros(5, 3, dtype=DOUBLE), torch.ones(5, 3, dtype=DOUBLE)

    def moved(root: str) -> torch.Tensor:
        result = etkf(prior, lambda x: 2 * x[..., :3], y, precision, torch.zeros, {}, root=root)
        transform = torch.linalg.lstsq(prior, result.ensemble - prior).solution
        return transform.square().sum()

    symmetric = partial(moved, "symmetric")()
    assert symmetric < moved("triangular")


def test_a_matrix_that_is_not_finite_spoils_itself_only() -> None:
    s = anomalies(3, 6, 4)
    whole = symmetric_contraction(s)
    s[1, 0, 0] = torch.inf
    broken = symmetric_contraction(s)
    assert torch.equal(broken[[0, 2]], whole[[0, 2]])
    assert not torch.isfinite(broken[1]).all()
