"""Correlated errors against the textbook update with a full R."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf, screen, screened, tuned, whitened
from releo_da.assimilation.tuned import statistic
from releo_da.assimilation.whitening import checked, coloured, correlation_matrix
from releo_da.config.correlated_errors import analyse_of
from releo_da.config.document import Document
from releo_da.config.schemes import SCHEMES
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


def correlated_cases(
    cases: int, c: float, shared: float = 1.5
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Predictions, values, precision and C of a system whose S and R are as said: 5 channels."""
    matrix = c + (1 - c) * torch.eye(5, dtype=DOUBLE)
    one = randn(1, 400, 5) + shared * randn(1, 400, 1, seed=4)
    predicted = one.expand(cases, -1, -1)
    spread = torch.linalg.cholesky(predicted[0].T.cov())
    error = torch.tensor([0.5, 1.0, 2.0, 1.0, 0.7], dtype=DOUBLE)
    noise = randn(cases, 5, seed=3) @ torch.linalg.cholesky(matrix).T * error
    y = predicted.mean(1) + randn(cases, 5, seed=2) @ spread.T + noise
    return predicted, y, error.pow(-2).expand(cases, -1).clone(), matrix


def test_tuned_leaves_a_right_r_alone_where_errors_are_correlated() -> None:
    predicted, y, precision, c = correlated_cases(40_000, 0.5)
    precision[:20_000, 1] = 0.0
    z = statistic(predicted, y, precision, c)
    assert (z[:20_000, 1] == 0.0).all()
    for part in (z[:20_000][:, [0, 2, 3, 4]], z[20_000:]):
        assert ((part.mean(0) - 1.0).abs() < 4.0 * part.std(0) / len(part) ** 0.5).all()
    unaware = statistic(predicted[20_000:], y[20_000:], precision[20_000:]).mean()
    assert unaware < 0.9  # what it would shrink R by


def test_the_statistic_is_that_of_desroziers_with_a_full_r() -> None:
    predicted, y, precision, c = correlated_cases(3, 0.4)
    sd = precision[0].rsqrt()
    r, s = sd[:, None] * c * sd, predicted[0].T.cov()
    d = y - predicted.mean(1)
    residual = d @ torch.linalg.inv(s + r) @ r
    torch.testing.assert_close(statistic(predicted, y, precision, c), d * residual / sd**2)


def test_the_joint_check_refuses_what_it_is_asked_to_where_errors_are_correlated() -> None:
    predicted, y, precision, c = correlated_cases(60_000, 0.5, shared=0.0)
    asked = {"threshold": 99.0, "share": 1.0, "pixel_quantile": 0.99}
    aware = (screen(predicted, y, precision, **asked, correlation=c) > 0).any(-1).double().mean()
    unaware = (screen(predicted, y, precision, **asked) > 0).any(-1).double().mean()
    assert abs(float(aware) - 0.01) < 0.0025
    assert unaware > 0.015


def test_draws_of_errors_go_together_as_they_are_told() -> None:
    draws = torch.randn((300_000, 3), generator=torch.Generator().manual_seed(7)).double()
    for given in (0.7, torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, -0.4], [0.0, -0.4, 1.0]])):
        found = torch.corrcoef(coloured(draws, checked(given, "whitened")).T)
        wanted = correlation_matrix(given, draws)
        torch.testing.assert_close(found, wanted, atol=0.01, rtol=0.0)
    assert coloured(draws, 0.0) is draws


def test_a_configuration_tells_the_wrappers_outside_of_whitened() -> None:
    layers = ["etkf", {"name": "whitened", "correlation": 0.3}, "huber", {"name": "tuned"}]
    outer = ["screened", {"name": "screened", "correlation": 0.1}]
    document = Document(Path("a.yaml"), {"analyse": [*layers, *outer]})
    told = analyse_of(document)
    assert told[:3] == layers[:3]
    assert [layer["correlation"] for layer in told[3:]] == [0.3, 0.3, 0.1]
    SCHEMES.build(told, "analyse")
    for wrapper in (tuned, screened):
        with pytest.raises(InputError, match=f"{wrapper.__name__}: correlation must lie"):
            wrapper(etkf, correlation=1.5)
