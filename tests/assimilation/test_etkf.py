"""The default scheme beside FilterPy, in float32 under strain, and over many cycles."""

import numpy as np
import pytest
import torch
from filterpy.kalman import EnsembleKalmanFilter, ensemble_kalman_filter

from releo_da.assimilation import enkf, etkf
from releo_da.assimilation.etkf import update

DOUBLE = torch.float64


def peer(sigmas: np.ndarray, h: np.ndarray, y: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """FilterPy's analysis ensemble, ``[member, latent]``."""
    members, latents = sigmas.shape
    other = EnsembleKalmanFilter(
        x=sigmas.mean(0),
        P=np.eye(latents),
        dim_z=len(y),
        dt=1.0,
        N=members,
        hx=lambda x: x @ h,
        fx=lambda x, dt: x,
    )
    other.sigmas, other.R = sigmas.copy(), np.diag(variance)
    other.update(y)
    return other.sigmas


def problem(members: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    sigmas = rng.normal(size=(members, 4)) @ rng.normal(size=(4, 4)) + 1.0
    return sigmas, rng.normal(size=(4, 3)), rng.normal(size=3), np.array([0.5, 1.0, 2.0])


def test_stochastic_scheme_equals_filterpy_with_its_perturbations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same perturbations, member by member, give the same members: draws that are centred
    and have the variance that they had before."""
    sigmas, h, y, variance = problem(12)
    raw = np.random.default_rng(4).normal(size=(12, 3))
    draws = (raw - raw.mean(0)) * np.sqrt(12 / 11)
    monkeypatch.setattr(
        ensemble_kalman_filter,
        "multivariate_normal",
        lambda mean, cov, size: draws * np.sqrt(variance),
    )
    ours = enkf(
        torch.tensor(sigmas)[None],
        lambda x: x @ torch.tensor(h),
        torch.tensor(y)[None],
        torch.tensor(1.0 / variance)[None],
        lambda shape: torch.tensor(raw).expand(*shape),
        {},
    ).ensemble[0]
    np.testing.assert_allclose(ours.numpy(), peer(sigmas, h, y, variance), rtol=1e-10, atol=1e-12)


def test_perturbations_have_the_variance_of_the_error_in_small_ensembles() -> None:
    """Over many draws the covariance is (I - KH) P (I - KH)' + K R K' N / (N-1)."""
    members, draws = 4, 40_000
    sigmas, h, y, variance = problem(members)
    rng = torch.Generator().manual_seed(6)
    found = enkf(
        torch.tensor(sigmas).expand(draws, -1, -1),
        lambda x: x @ torch.tensor(h),
        torch.tensor(y).expand(draws, -1),
        torch.tensor(1.0 / variance).expand(draws, -1),
        lambda shape: torch.randn(*shape, generator=rng, dtype=torch.float64),
        {},
    ).ensemble
    away = found - found.mean(1, keepdim=True)
    each = (away.mT @ away / (members - 1)).numpy()
    p, r = np.cov(sigmas.T), np.diag(variance)
    gain = p @ h @ np.linalg.inv(h.T @ p @ h + r)
    rest = np.eye(len(p)) - gain @ h.T
    expected = rest @ p @ rest.T + gain @ r @ gain.T * members / (members - 1)
    error = each.std(0) / np.sqrt(draws)
    assert (np.abs(each.mean(0) - expected) < 4 * error).all()


def test_mean_and_covariance_approach_those_of_filterpy() -> None:
    """FilterPy perturbs at random: 10,000 members, 4 standard errors."""
    members = 10_000
    sigmas, h, y, variance = problem(members)
    np.random.seed(5)
    other = peer(sigmas, h, y, variance)
    ours = update(
        torch.tensor(sigmas)[None],
        torch.tensor(sigmas @ h)[None],
        torch.tensor(y)[None],
        torch.tensor(1.0 / variance)[None],
    )[0].numpy()
    p, q = np.cov(ours.T), np.cov(other.T)
    spread = np.sqrt(p.diagonal())
    assert (np.abs(ours.mean(0) - other.mean(0)) < 4 * spread / np.sqrt(members)).all()
    error = np.sqrt((p**2 + np.outer(p.diagonal(), p.diagonal())) / members)
    assert (np.abs(p - q) < 4 * error).all()


@pytest.mark.parametrize("precision", [1e-12, 1.0, 1e4])
def test_float32_follows_float64(precision: float) -> None:
    """Channels that are nearly copies, and errors from useless to a hundredth of the spread."""
    rng = torch.Generator().manual_seed(6)
    prior = torch.randn(8, 32, 5, generator=rng, dtype=DOUBLE)
    predicted = prior @ torch.randn(5, 2, generator=rng, dtype=DOUBLE)
    copies = predicted[..., :1] + 1e-3 * torch.randn(8, 32, 3, generator=rng, dtype=DOUBLE)
    predicted = torch.cat([predicted, copies], -1)
    y = predicted.mean(1) + 0.01 * torch.randn(8, 5, generator=rng, dtype=DOUBLE)
    weight = torch.full((8, 5), precision, dtype=DOUBLE)
    exact = update(prior, predicted, y, weight)
    single = update(prior.float(), predicted.float(), y.float(), weight.float())
    assert single.dtype == torch.float32
    assert (single.double() - exact).abs().max() < 1e-3
    if precision > 1.0:
        assert exact.var(1).sum() < 0.8 * prior.var(1).sum()


def test_many_cycles_of_one_constant() -> None:
    """A constant seen K times with error r: mean of the data, variance r^2 / K, wide prior."""
    rng = torch.Generator().manual_seed(7)
    draws = torch.randn(1, 20, 1, generator=rng, dtype=DOUBLE)
    ensemble = 1e4 * (draws - draws.mean(1)) / draws.std(1)
    data = 3.0 + 0.5 * torch.randn(40, 1, 1, generator=rng, dtype=DOUBLE)
    weight = torch.tensor([[4.0]], dtype=DOUBLE)
    for y in data:
        ensemble = etkf(ensemble, lambda x: x, y, weight, torch.zeros, {}).ensemble
    assert abs(float(ensemble.mean() - data.mean())) < 1e-6
    assert abs(float(ensemble.var(1)) - 0.25 / 40) < 1e-8
