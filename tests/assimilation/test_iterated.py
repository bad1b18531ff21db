"""Updates for nonlinear operators: that they pay, and that pixels go their own ways."""

from functools import partial

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf, iterated, multiple, screened
from releo_da.types import Analysis, InputError, Scheme

DOUBLE = torch.float64


def saturating(x: Tensor) -> Tensor:
    """Two channels of something like a canopy: cover saturates, soil shows through the gaps."""
    area = 15.0 * torch.sigmoid(x[..., 0] - 1.5)
    gaps = torch.exp(-0.7 * area)
    soil = 0.2 * torch.exp(0.4 * x[..., 1])
    return torch.stack([0.03 + soil * gaps, 0.45 * (1.0 - gaps) + 1.4 * soil * gaps], -1)


def analyse(
    scheme: Scheme, pixels: int = 600, error: float = 0.01
) -> tuple[Analysis, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    prior = torch.randn(pixels, 48, 2, generator=rng, dtype=DOUBLE)
    truth = torch.randn(pixels, 1, 2, generator=rng, dtype=DOUBLE)
    clean = saturating(truth)[:, 0]
    y = clean + error * torch.randn(*clean.shape, generator=rng, dtype=DOUBLE)
    weight = torch.full_like(y, error**-2)
    return scheme(prior, saturating, y, weight, torch.zeros, {}), truth, y


@pytest.mark.parametrize("scheme", [multiple(etkf, 4), iterated], ids=["multiple", "iterated"])
def test_a_nonlinear_operator_is_fitted_better(scheme: Scheme) -> None:
    """Against one update: closer to the truth, and to the data by a factor of two."""
    once, truth, y = analyse(etkf)
    more, _, _ = analyse(scheme)

    def error(result: Analysis) -> Tensor:
        return (result.ensemble.mean(1) - truth[:, 0]).square().mean().sqrt()

    def misfit(result: Analysis) -> Tensor:
        return (saturating(result.ensemble).mean(1) - y).abs().median()

    assert error(more) < 0.93 * error(once)
    assert misfit(more) < 0.5 * misfit(once)
    # and it knows how good it is: spread and error agree better than after one update
    assert more.ensemble.var(1).mean().sqrt() > 0.7 * error(more)


def test_more_iterations_do_not_undo_the_fit() -> None:
    errors = []
    for iterations in (1, 2, 4, 8):
        result, truth, _ = analyse(partial(iterated, iterations=iterations))
        errors.append(float((result.ensemble.mean(1) - truth[:, 0]).square().mean().sqrt()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[3] < 1.02 * errors[2]


def test_one_iteration_is_the_plain_update() -> None:
    plain, _, _ = analyse(etkf)
    once, _, _ = analyse(partial(iterated, iterations=1))
    torch.testing.assert_close(once.ensemble, plain.ensemble)


def test_a_linear_operator_needs_one_check_and_no_more() -> None:
    calls = []
    prior = torch.randn(4, 10, 3, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)

    def observe(x: Tensor) -> Tensor:
        calls.append(x)
        return x[..., :2]

    y, weight = torch.ones(4, 2, dtype=DOUBLE), torch.ones(4, 2, dtype=DOUBLE)
    iterated(prior, observe, y, weight, torch.zeros, {}, iterations=9)
    assert len(calls) == 2


def test_a_pixel_stops_by_itself() -> None:
    """A pixel alone and the same pixel beside slower ones: the same result, bit by bit."""
    rng = torch.Generator().manual_seed(3)
    prior = torch.randn(64, 24, 2, generator=rng, dtype=DOUBLE)
    y = saturating(torch.randn(64, 1, 2, generator=rng, dtype=DOUBLE))[:, 0]
    weight = torch.full_like(y, 1e4)
    weight[:32] = 1e-2  # nearly uninformative: these converge at once

    def run(part: slice) -> Tensor:
        result = iterated(
            prior[part], saturating, y[part], weight[part], torch.zeros, {}, iterations=6
        )
        return result.ensemble

    assert torch.equal(run(slice(0, 32)), run(slice(None))[:32])
    assert torch.equal(run(slice(32, 64)), run(slice(None))[32:])


def test_a_step_that_makes_it_worse_is_halved() -> None:
    """An exponential operator overshoots; the safeguarded mean stays within the prior's reach."""
    rng = torch.Generator().manual_seed(4)
    prior = torch.randn(200, 32, 1, generator=rng, dtype=DOUBLE)
    y = torch.exp(2.0 * torch.randn(200, 1, generator=rng, dtype=DOUBLE))
    weight = torch.full_like(y, 100.0)

    def observe(x: Tensor) -> Tensor:
        return torch.exp(2.0 * x)

    def fit(iterations: int) -> Tensor:
        result = iterated(
            prior, observe, y, weight, torch.zeros, {}, iterations=iterations
        ).ensemble
        assert torch.isfinite(result).all()
        return (observe(result.mean(1)) - y).abs().mean()

    assert fit(12) < 0.1 * fit(1)


def test_a_value_refused_once_stays_refused() -> None:
    prior = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(5), dtype=DOUBLE)
    y = torch.tensor([[0.1, 40.0, 0.1, 0.0]] * 2, dtype=DOUBLE)
    weight = torch.full((2, 4), 25.0, dtype=DOUBLE)

    def observe(x: Tensor) -> Tensor:
        return torch.cat([x, x[..., :1]], -1)

    clean = weight.clone()
    clean[:, 1] = 0.0
    expected = multiple(etkf, 3)(prior, observe, y, clean, torch.zeros, {})
    for scheme in (multiple(screened(etkf), 3), screened(multiple(etkf, 3))):
        result = scheme(prior, observe, y, weight, torch.zeros, {})
        torch.testing.assert_close(result.ensemble, expected.ensemble)
        assert torch.equal(result.precision, clean)


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="times must be at least 1"):
        multiple(etkf, 0)
    with pytest.raises(InputError, match="iterations must be at least 1"):
        analyse(partial(iterated, iterations=0))
