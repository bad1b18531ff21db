"""Statistics of innovations and residuals on systems whose errors are known."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf
from releo_da.assimilation.consistency import innovations
from releo_da.assimilation.desroziers import desroziers, estimate, faded, joined
from releo_da.types import InputError

DOUBLE = torch.float64


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def drawn(pixels: int, wrong: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted members, observations and precision of a consistent system; errors times wrong."""
    truth = randn(pixels, 1, 3, seed=8)
    predicted = truth + randn(pixels, 1, 3, seed=9) + randn(pixels, 400, 3, seed=10)
    r = torch.tensor([0.5, 1.0, 2.0], dtype=DOUBLE)
    y = truth[:, 0] + wrong * r * randn(pixels, 3, seed=11)
    precision = r.pow(-2).repeat(pixels, 1)
    precision[: pixels // 5, 1] = 0.0
    return predicted, y, precision


def test_chi_square_and_degrees_of_freedom() -> None:
    predicted, y, precision = drawn(3000)
    found = innovations(predicted, y, precision)
    assert abs(float(found.reduced.mean()) - 1.0) < 0.06
    assert found.used.tolist()[:601] == [2] * 600 + [3]
    s = predicted[-1].T.cov()
    exact = (s @ torch.linalg.inv(s + torch.diag(1 / precision[-1]))).trace()
    torch.testing.assert_close(found.dfs[-1], exact)
    assert float(innovations(*drawn(3000, wrong=2.0)).reduced.mean()) > 1.5
    nothing = innovations(predicted, y, torch.zeros_like(y))
    assert (nothing.chi2 == 0).all() and nothing.dfs.abs().max() < 1e-12
    assert torch.isnan(nothing.reduced).all()


def test_desroziers_finds_the_errors() -> None:
    """With the right gain R and HPH' come back; with a wrong one R moves towards the truth."""
    predicted, y, precision = drawn(8000)
    analysis = etkf(predicted, lambda x: x, y, precision, torch.zeros, {}).ensemble
    sums = desroziers(predicted.mean(1), analysis.mean(1), y, precision)
    assert sums.cases[0, 0] == 8000 and sums.cases[0, 1] == 6400
    found = estimate(sums)
    truth = torch.tensor([0.25, 1.0, 4.0], dtype=DOUBLE)
    assert (found.error.diagonal() / truth - 1).abs().max() < 0.1
    assert (found.background.diagonal() - 1).abs().max() < 0.15
    assert found.bias.abs().max() < 0.1
    halves = [desroziers(predicted.mean(1)[p], analysis.mean(1)[p], y[p], precision[p])
              for p in (slice(0, 4000), slice(4000, 8000))]  # fmt: skip
    for ours, theirs in zip(joined(*halves), sums, strict=True):
        torch.testing.assert_close(ours, theirs)
    wrong = 4.0 * precision
    analysis = etkf(predicted, lambda x: x, y, wrong, torch.zeros, {}).ensemble
    better = estimate(desroziers(predicted.mean(1), analysis.mean(1), y, wrong)).error.diagonal()
    assert ((better - truth).abs() < (0.25 * truth - truth).abs()).all()


def test_an_online_estimate_moves_from_what_was_known() -> None:
    predicted, y, precision = drawn(1000)
    known = 3.0 * torch.eye(3, dtype=DOUBLE)
    analysis = etkf(predicted, lambda x: x, y, precision, torch.zeros, {}).ensemble
    one = desroziers(predicted.mean(1), analysis.mean(1), y, precision)
    near, far = estimate(one, known, weight=1e6).error, estimate(one, known, weight=1.0).error
    assert (near - known).abs().max() < 0.01
    assert (far.diagonal() - estimate(one).error.diagonal()).abs().max() < 0.01
    old = faded(one, 0.5)
    torch.testing.assert_close(old.cases, 0.5 * one.cases)
    unseen = desroziers(predicted.mean(1), analysis.mean(1), y, torch.zeros_like(y))
    assert torch.equal(estimate(unseen, known).error, known)
    assert torch.isnan(estimate(unseen).error).all()
    for action in (lambda: faded(one, 1.5), lambda: estimate(one, None, 2.0)):
        with pytest.raises(InputError, match="desroziers"):
            action()


def test_a_bias_stays_what_it_is_while_sums_fade_below_one_case() -> None:
    """A bias of 2, one case, faded to a half, a quarter: still 2."""
    y = torch.tensor([[2.0, 0.0]], dtype=DOUBLE)
    precision = torch.tensor([[1.0, 0.0]], dtype=DOUBLE)
    sums = desroziers(torch.zeros_like(y), torch.zeros_like(y), y, precision)
    for _ in range(2):
        sums = faded(sums, 0.5)
        found = estimate(sums)
        assert found.bias[0] == 2.0 and found.error[0, 0] == 4.0
        assert torch.isnan(found.bias[1])
