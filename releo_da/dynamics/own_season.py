r"""A season of the place itself: slow waves about the season that all places share.

Two fields of one crop differ year after year: in level, in how far they swing and when. A wave of
frequency w_k = 2 pi k / year that turns and fades,

    d (a)   (-lambda   w_k  ) (a)                                       a, b  stationary N(0, s_k^2)
      (b) = ( -w_k   -lambda) (b) dt + s_k sqrt(2 lambda) (dW, dW')

is what the place adds to the k-th harmonic: cov a(t) a(t + h) = s_k^2 exp(-lambda h) cos(w_k h).
The level is the wave of k = 0, a process of first order without b. With 1 / lambda of many years
the filter learns a climatology for each place from what was seen there, and forgets it slowly; what
is added to a variable is the sum of all a. Over an interval t, exactly,

    F_k = exp(-lambda t) (  cos w_k t   sin w_k t )          Q_k = s_k^2 (1 - exp(-2 lambda t)) I
                         ( -sin w_k t   cos w_k t )

Latents in the order level, a_1, b_1, a_2, b_2, ..., each of P variables; float64; cost O(P^2 K^2).

Reference: Harvey (1989), Forecasting, structural time series models and the Kalman filter,
Cambridge University Press, section 2.3.4 (stochastic cycles).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def own_transition(
    log_sigma: Tensor, rate: float, year: float, interval: float
) -> tuple[Tensor, Tensor]:
    """Transition F and noise covariance Q of the waves over an interval.

    Args:
        log_sigma: ``[1 + harmonics, variable]``, logarithms of s_k, the level first.
        rate: lambda, per day.
        year: days of the longest wave.
        interval: days; infinite for the stationary covariance.

    Returns:
        F and Q, ``[latent, latent]`` with ``latent = (1 + 2 harmonics) variables``.
    """
    waves, variables = log_sigma.shape
    kept = math.exp(-rate * interval)
    blocks = [log_sigma.new_full((1, 1), kept)]
    for k in range(1, waves):
        turn = 0.0 if math.isinf(interval) else 2.0 * math.pi * k * interval / year
        c, s = kept * math.cos(turn), kept * math.sin(turn)
        blocks.append(log_sigma.new_tensor([[c, s], [-s, c]]))
    eye = torch.eye(variables, dtype=log_sigma.dtype, device=log_sigma.device)
    variance = (2.0 * log_sigma).exp()
    pairs = torch.cat([variance[:1], variance[1:].repeat_interleave(2, 0)])
    return torch.kron(torch.block_diag(*blocks), eye), torch.diag(
        -math.expm1(-2.0 * rate * interval) * pairs.flatten()
    )


def unturned(waves: Tensor, year: float, time: float) -> Tensor:
    """What a place keeps: its waves turned back to New Year, where they stand still.

    A wave turns through the year though the season that it stands for is the same; turned back by
    w_k t it moves only as the place forgets.

    Args:
        waves: ``[..., 1 + 2 harmonics, variable]``, level, a_1, b_1, ...
        year: days of the longest wave.
        time: days at which they stand so.

    Returns:
        ``[..., 1 + 2 harmonics, variable]``.
    """
    a, b = waves[..., 1::2, :], waves[..., 2::2, :]
    k = torch.arange(1, a.shape[-2] + 1, dtype=torch.float64, device=waves.device)
    turn = (2.0 * math.pi * math.fmod(time / year, 1.0) * k)[:, None]
    c, s = turn.cos().to(waves), turn.sin().to(waves)
    pairs = torch.stack([c * a - s * b, s * a + c * b], -2).flatten(-3, -2)
    return torch.cat([waves[..., :1, :], pairs], -2)


def standing(waves: Tensor, log_sigma: Tensor, year: float, time: float) -> Tensor:
    """What a place keeps, in its deviations: what a forest and a field differ in all year.

    Args:
        waves: ``[..., (1 + 2 harmonics) variables]``, as latents.
        log_sigma: ``[1 + harmonics, variable]``, logarithms of s_k.
        year: days of the longest wave.
        time: days at which they stand so.

    Returns:
        As many of unit variance, by `unturned`.
    """
    s = log_sigma.exp()
    sizes = torch.cat([s[:1], s[1:].repeat_interleave(2, 0)]).to(waves)
    return (unturned(waves.unflatten(-1, sizes.shape), year, time) / sizes).flatten(-2)


def starting_shares(harmonics: int) -> Tensor:
    """Shares of a variance of 1 before fitting, ``[1 + harmonics]``: half the level's.

    The harmonics share the other half in proportion to 1 / k^2.
    """
    k = torch.arange(1, harmonics + 1, dtype=torch.float64)
    if not harmonics:
        return torch.ones(1, dtype=torch.float64)
    waves = k**-2 / (k**-2).sum()
    return torch.cat([torch.ones(1, dtype=torch.float64), waves]) / 2.0
