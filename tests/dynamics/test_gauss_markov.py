"""Exact transitions: composition over intervals, stationarity and an independent integral."""

import math

import pytest
import torch
from scipy.integrate import quad_vec
from scipy.linalg import expm

from releo_da.dynamics import gauss_markov as gm

RATE = torch.tensor([0.02, 0.05, 0.3], dtype=torch.float64)
SIGMA = torch.tensor([0.7, 1.0, 2.0], dtype=torch.float64)
CORRELATION = torch.tensor(
    [[1.0, 0.6, -0.2], [0.6, 1.0, 0.1], [-0.2, 0.1, 1.0]], dtype=torch.float64
)
KINDS = {
    "ou": (gm.ou_transition, gm.ou_noise),
    "matern32": (gm.matern_transition, gm.matern_noise),
}


def _noise(kind, interval):
    return KINDS[kind][1](RATE, SIGMA, CORRELATION, interval)


@pytest.mark.parametrize("kind", KINDS)
def test_two_intervals_make_one(kind):
    f1, f2 = (KINDS[kind][0](RATE, t) for t in (3.0, 8.5))
    whole = KINDS[kind][0](RATE, 11.5)
    torch.testing.assert_close(f2 @ f1, whole, rtol=0, atol=1e-14)
    combined = f2 @ _noise(kind, 3.0) @ f2.T + _noise(kind, 8.5)
    torch.testing.assert_close(combined, _noise(kind, 11.5), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_stationary_covariance_is_kept_and_has_the_stated_deviation(kind):
    p = _noise(kind, math.inf)
    f = KINDS[kind][0](RATE, 5.0)
    torch.testing.assert_close(f @ p @ f.T + _noise(kind, 5.0), p, rtol=1e-12, atol=1e-13)
    repeats = len(p) // len(SIGMA)
    torch.testing.assert_close(p.diagonal().sqrt(), SIGMA.repeat(repeats))


def test_matern_noise_against_numerical_integral_of_the_matrix_exponential():
    n = len(RATE)
    rate = RATE.numpy()
    drift = torch.zeros(2 * n, 2 * n, dtype=torch.float64).numpy()
    drive = drift.copy()
    q = (2 * RATE**1.5 * SIGMA).numpy()
    for i in range(n):  # velocities in units of the rate: x' = rate v, v' = -rate x - 2 rate v
        drift[i, n + i], drift[n + i, i], drift[n + i, n + i] = rate[i], -rate[i], -2 * rate[i]
        for j in range(n):
            drive[n + i, n + j] = CORRELATION[i, j] * q[i] * q[j] / (rate[i] * rate[j])
    integral, _ = quad_vec(lambda s: expm(drift * s) @ drive @ expm(drift * s).T, 0.0, 6.0)
    torch.testing.assert_close(
        _noise("matern32", 6.0), torch.tensor(integral), rtol=1e-9, atol=1e-12
    )
    torch.testing.assert_close(
        gm.matern_transition(RATE, 6.0), torch.tensor(expm(drift * 6.0)), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("interval", [1e-6, 1e-3, 1.0, 300.0])
@pytest.mark.parametrize("kind", KINDS)
def test_factor_reproduces_the_covariance_at_any_interval(kind, interval):
    q = _noise(kind, interval)
    lower = gm.factor(q)
    scale = q.diagonal().sqrt()
    error = (lower @ lower.T - q) / (scale[:, None] * scale)
    assert error.abs().max() < 1e-9


def test_gradients_reach_every_parameter():
    def whole(rate, sigma, raw):
        return gm.matern_noise(rate, sigma, raw @ raw.T, 7.0)

    raw = torch.linalg.cholesky(CORRELATION)
    inputs = [t.clone().requires_grad_() for t in (RATE, SIGMA, raw)]
    assert torch.autograd.gradcheck(whole, inputs)
