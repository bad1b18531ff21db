"""Minimisers against scipy and closed forms; backgrounds; the spread at the minimum."""

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from releo_da.assimilation import ienks, variational
from releo_da.types import InputError

DOUBLE = torch.float64
EXACTLY = {"iterations": 30, "inner": 20, "tolerance": 1e-9}


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


H = randn(4, 6, seed=2)


def observe(x: Tensor) -> Tensor:
    return torch.tanh(0.6 * x @ H[: x.shape[-1]]) + 0.1 * x[..., :1] ** 2


def scheme_run(
    scheme, seed: int = 7, members: int = 40, scale: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    prior = scale * randn(3, members, 4, seed=seed)
    y = observe(scale * randn(3, 1, 4, seed=8))[:, 0]
    precision = torch.full_like(y, 25.0)
    rng = torch.Generator().manual_seed(9)
    noise = lambda shape: torch.randn(*shape, generator=rng, dtype=DOUBLE)  # noqa: E731
    return scheme(prior, observe, y, precision, noise, {}).ensemble, prior, y


def test_the_mean_is_where_the_cost_is_smallest() -> None:
    found, prior, y = scheme_run(variational(**EXACTLY))
    mean = found.mean(1, keepdim=True).requires_grad_()
    a = prior - prior.mean(1, keepdim=True)
    precision = torch.linalg.inv(a.mT @ a / 39)
    away = mean - prior.mean(1, keepdim=True)
    fit = 25.0 * (y[:, None] - observe(mean)).square().sum()
    cost = 0.5 * ((away @ precision * away).sum() + fit)
    (slope,) = torch.autograd.grad(cost, mean)
    assert slope.abs().max() < 1e-6


def test_spread_from_the_hessian_is_that_of_the_linearised_problem() -> None:
    found, prior, _ = scheme_run(variational(**EXACTLY))
    for pixel in range(3):
        jacobian = torch.autograd.functional.jacobian(observe, found[pixel].mean(0)[None])
        j = jacobian[0, :, 0]
        exact = torch.linalg.inv(torch.linalg.inv(prior[pixel].T.cov()) + 25.0 * j.T @ j)
        torch.testing.assert_close(found[pixel].T.cov(), exact, rtol=1e-6, atol=1e-9)


def test_spread_of_perturbed_members_is_that_of_the_hessian_where_h_is_nearly_linear() -> None:
    climate = 0.01 * (torch.eye(4, dtype=DOUBLE) + 0.4)
    options = {"climatology": climate, "background": "static", "iterations": 6, "inner": 8}
    spreads = {}
    for spread in ("hessian", "perturbed"):
        scheme = variational(spread=spread, **options)
        found, _, _ = scheme_run(scheme, members=1500, scale=0.1)
        spreads[spread] = found.std(1)
    # a deviation of 1500 draws is known to 1 / sqrt(2 * 1500) = 1.8 %, and both are sampled
    assert (spreads["perturbed"] / spreads["hessian"] - 1.0).abs().max() < 4 * 0.018 * 2**0.5


def test_it_agrees_with_the_ensemble_smoother_where_both_are_at_home() -> None:
    """Small spread: derivatives at a point and slopes over the members are the same."""
    prior = 0.01 * randn(3, 30, 4)
    y = observe(0.01 * randn(3, 1, 4, seed=3))[:, 0]
    precision = torch.full_like(y, 1e4)
    ours = variational(**EXACTLY)(prior, observe, y, precision, torch.zeros, {}).ensemble
    theirs = ienks(prior, observe, y, precision, torch.zeros, {}, tolerance=1e-9).ensemble
    assert (ours.mean(1) - theirs.mean(1)).abs().max() < 1e-4
    assert (ours.std(1) / theirs.std(1) - 1).abs().max() < 0.02


@pytest.mark.parametrize("kind", ["static", "hybrid"])
def test_static_and_hybrid_backgrounds_are_what_they_say(kind: str) -> None:
    """Linear case: Kalman update with B = scale C, or with half of each; spread by sampling."""
    h = randn(3, 2, seed=11)
    prior = randn(2, 4_000, 3, seed=12) @ randn(3, 3, seed=13) + 1.0
    climate = torch.eye(3, dtype=DOUBLE) + 0.4
    y, precision = randn(2, 2, seed=14), torch.exp(randn(2, 2, seed=15))
    rng = torch.Generator().manual_seed(16)
    scheme = variational(climate, background=kind, scale=0.5, share=0.3, **EXACTLY)
    if kind == "hybrid":
        prior = prior[:, :60]
    found = scheme(
        prior,
        lambda x: x @ h,
        y,
        precision,
        lambda shape: torch.randn(*shape, generator=rng, dtype=DOUBLE),
        {},
    ).ensemble
    for pixel in range(2):
        b = 0.5 * climate
        if kind == "hybrid":
            b = 0.3 * b + 0.7 * prior[pixel].T.cov()
        mean = prior[pixel].mean(0)
        gain = b @ h @ torch.linalg.inv(h.T @ b @ h + torch.diag(1.0 / precision[pixel]))
        expected = mean + gain @ (y[pixel] - h.T @ mean)
        torch.testing.assert_close(found[pixel].mean(0), expected, rtol=1e-8, atol=1e-8)
        cov = b - gain @ h.T @ b
        if kind == "static":
            variance = cov.diagonal()
            error = ((cov.square() + variance[:, None] * variance) / 4_000).sqrt()
            assert ((found[pixel].T.cov() - cov).abs() < 5.0 * error).all()
        else:
            assert (found[pixel].var(0) / cov.diagonal() - 1.0).abs().max() < 0.6


def test_the_spread_of_few_members_is_right_on_average() -> None:
    """Four draws of a static background: B = R = 1 leaves a variance of 1/2."""
    pixels, members = 20_000, 4
    prior = randn(pixels, members, 1, seed=17)
    rng = torch.Generator().manual_seed(18)
    scheme = variational(torch.eye(1, dtype=DOUBLE), background="static", iterations=1, inner=1)
    y = torch.zeros(pixels, 1, dtype=DOUBLE)
    found = scheme(
        prior,
        lambda x: x,
        y,
        torch.ones_like(y),
        lambda shape: torch.randn(*shape, generator=rng, dtype=DOUBLE),
        {},
    ).ensemble
    # a sample variance of N members has a standard error of its own size times sqrt(2 / (N - 1))
    error = 0.5 * (2.0 / (members - 1) / pixels) ** 0.5
    assert abs(float(found.var(1).mean()) - 0.5) < 4.0 * error


@pytest.mark.parametrize("kind", ["static", "hybrid"])
def test_a_climatology_follows_the_tensors_to_their_device(kind: str) -> None:
    """It is checked where it is built, on the host, and copied once it is needed."""
    scheme = variational(torch.eye(3), background=kind, iterations=2, inner=3)
    with FakeTensorMode(allow_non_fake_inputs=True):
        prior, y = torch.empty(2, 5, 3, device="meta"), torch.empty(2, 3, device="meta")
        found = scheme(prior, torch.tanh, y, y, lambda s: torch.empty(s, device="meta"), {})
        assert found.ensemble.device.type == "meta" and found.ensemble.shape == prior.shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "static"}, "needs a climatological covariance"),
        ({"background": "static", "climatology": -torch.eye(2)}, "not positive definite"),
        ({"iterations": 0}, "iterations must be at least 1"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"share": 0.0}, "share must lie in"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        variational(**options)
    with pytest.raises(InputError, match="has 2 latents, the state 3"):
        scheme = variational(torch.eye(2, dtype=DOUBLE), background="static")
        y = torch.zeros(1, 3, dtype=DOUBLE)
        scheme(randn(1, 4, 3), lambda x: x, y, y, torch.zeros, {})
