"""Correlated errors against the textbook update with a full R."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf, whitened
from releo_da.types import InputError

DOUBLE = torch.float64


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def correlation(channels: int) -> Tensor:
    k = torch.arange(channels, dtype=DOUBLE)
    return torch.exp(-(k[:, None] - k).abs() / 2.0)


def test_correlated_errors_equal_the_textbook_update_whatever_is_masked() -> None:
    prior, h = randn(4, 9, 3), randn(3, 4, seed=2)
    y, precision = randn(4, 4, seed=3), torch.exp(randn(4, 4, seed=4))
    precision[0, 1] = precision[1, 0] = precision[1, 3] = 0.0
    precision[2] = 0.0
    c = correlation(4)
    found = whitened(etkf, c)(prior, lambda x: x @ h, y, precision, torch.zeros, {})
    assert torch.equal(found.ensemble[2], prior[2])
    torch.testing.assert_close(found.predicted, prior @ h)
    assert torch.equal(found.precision, precision)
    for pixel in (0, 1, 3):
        seen = precision[pixel] > 0
        sd = precision[pixel][seen].rsqrt()
        r = sd[:, None] * c[seen][:, seen] * sd
        g, p = h[:, seen].T, prior[pixel].T.cov()
        gain = p @ g.T @ torch.linalg.inv(g @ p @ g.T + r)
        mean = prior[pixel].mean(0)
        expected = mean + gain @ (y[pixel][seen] - g @ mean)
        torch.testing.assert_close(found.ensemble[pixel].mean(0), expected)
        torch.testing.assert_close(found.ensemble[pixel].T.cov(), p - gain @ g @ p)


def test_a_correlation_can_be_learned() -> None:
    prior, h = randn(3, 9, 3), randn(3, 4, seed=2)
    y, precision = randn(3, 4, seed=3), torch.exp(randn(3, 4, seed=4))
    precision[0, 2] = 0.0

    def run(free: Tensor) -> Tensor:
        c = correlation(4) * (1 - torch.eye(4)) * free + torch.eye(4, dtype=DOUBLE)
        scheme = whitened(etkf, c)
        return scheme(prior, lambda x: x @ h, y, precision, torch.zeros, {}).ensemble

    free = torch.tensor(0.7, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(run, (free,))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (1.0, r"must lie in \[0, 1\)"),
        ([[1.0, 0.5]], "square matrix"),
        ([[1.0, 0.5], [0.4, 1.0]], "symmetric and positive definite"),
        ([[2.0, 0.5], [0.5, 1.0]], "ones on its diagonal"),
        ([[1.0, 1.0], [1.0, 1.0]], "positive definite"),
    ],
)
def test_what_is_no_correlation_is_refused(given, message: str) -> None:
    with pytest.raises(InputError, match=message):
        whitened(etkf, given)


def test_a_matrix_for_another_sensor_is_refused_and_a_request_is_none() -> None:
    prior = randn(1, 4, 3)
    scheme = whitened(etkf, [[1.0, 0.2], [0.2, 1.0]])
    with pytest.raises(InputError, match="2 channels, but the acquisition has 3"):
        scheme(prior, lambda x: x, prior[:, 0], torch.ones(1, 3), torch.zeros, {})
    nothing = torch.zeros(1, 0, dtype=DOUBLE)
    found = scheme(prior, lambda x: x[..., :0], nothing, nothing, torch.zeros, {})
    assert torch.equal(found.ensemble, prior)
