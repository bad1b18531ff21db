r"""Exact transitions of correlated Matern-3/2 and Ornstein-Uhlenbeck processes.

Each process i of rate lambda_i and stationary deviation sigma_i is driven by white noise; noises of
different processes are correlated by C. The deviation x of a process from its mean obeys

    OU           dx = -lambda x dt + s dW                       s^2 = 2 lambda sigma^2
    Matern-3/2   dx = v dt                                      state (x, v)
                 dv = -(lambda^2 x + 2 lambda v) dt + s dW      s^2 = 4 lambda^3 sigma^2

so that over an interval t the transition and the noise that enters are, with q_ij = s_i s_j C_ij,
Lam = lambda_i + lambda_j and the incomplete gamma integrals I_n = int_0^t s^n exp(-Lam s) ds,

    OU           F = exp(-lambda t)
                 Q_ij = q_ij I_0
    Matern-3/2   F = exp(-lambda t) [[1 + lambda t, t], [-lambda^2 t, 1 - lambda t]]
                 Q_ij = q_ij [[I_2,                I_1 - lambda_j I_2],
                              [I_1 - lambda_i I_2, I_0 - Lam I_1 + lambda_i lambda_j I_2]]

exact for any interval, without the cancellation of P - F P F'; t -> infinity gives the stationary
covariance. Velocities are kept in units of lambda (v / lambda), so that they have the same spread
as positions. Float64 throughout; cost O(V^3) per interval, shared by all pixels and members.

Reference: Sarkka and Solin (2019), Applied Stochastic Differential Equations, sections 6.2, 12.3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _integral(n: int, rate: Tensor, interval: float) -> Tensor:
    """int_0^t s^n exp(-rate s) ds, elementwise over ``rate``."""
    whole = math.factorial(n) / rate ** (n + 1)
    if math.isinf(interval):
        return whole
    return whole * torch.special.gammainc(torch.full_like(rate, n + 1.0), rate * interval)


def ou_transition(rate: Tensor, interval: float) -> Tensor:
    """Transition of V Ornstein-Uhlenbeck processes, ``[V, V]`` diagonal; ``rate [V]`` per day."""
    return torch.diag(torch.exp(-rate * interval))


def ou_noise(rate: Tensor, sigma: Tensor, correlation: Tensor, interval: float) -> Tensor:
    """Covariance of the noise entering over an interval, ``[V, V]``."""
    both = rate[:, None] + rate
    drive = torch.sqrt(2.0 * rate) * sigma
    return correlation * drive[:, None] * drive * _integral(0, both, interval)


def matern_transition(rate: Tensor, interval: float) -> Tensor:
    """Transition of V Matern-3/2 processes, ``[2V, 2V]``: positions first, then velocities."""
    a = rate * interval
    decay = torch.exp(-a)
    return torch.cat(
        [
            torch.cat([torch.diag(decay * (1.0 + a)), torch.diag(decay * a)], 1),
            torch.cat([torch.diag(-decay * a), torch.diag(decay * (1.0 - a))], 1),
        ]
    )


def matern_noise(rate: Tensor, sigma: Tensor, correlation: Tensor, interval: float) -> Tensor:
    """Covariance of the noise entering over an interval, ``[2V, 2V]``, positions first."""
    left, right = rate[:, None], rate[None, :]
    both = left + right
    drive = 2.0 * rate**1.5 * sigma
    q = correlation * drive[:, None] * drive
    i0, i1, i2 = (_integral(n, both, interval) for n in range(3))
    position = q * i2
    cross = q * (i1 - right * i2) / right
    velocity = q * (i0 - both * i1 + left * right * i2) / (left * right)
    return torch.cat([torch.cat([position, cross], 1), torch.cat([cross.T, velocity], 1)])


def factor(covariance: Tensor) -> Tensor:
    """Lower Cholesky factor of a covariance with entries of very different size, ``[L, L]``.

    Scaled to unit diagonal first; a jitter of 1e-10 absorbs rounding.
    """
    scale = covariance.diagonal().clamp_min(1e-300).sqrt()
    unit = covariance / (scale[:, None] * scale)
    jitter = 1e-10 * torch.eye(len(unit), dtype=unit.dtype, device=unit.device)
    return scale[:, None] * torch.linalg.cholesky(unit + jitter)
