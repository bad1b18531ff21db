r"""The fixed-interval smoother: what later acquisitions say about earlier dates.

The backward pass of Rauch, Tung and Striebel, member by member. With the analysis x_a(k), the
background x_f(k+1) that the same member was carried to, and the smoothed x_s(k+1),

    x_s(k) = x_a(k) + G_k (x_s(k+1) - x_f(k+1)),       G_k = C_af C_ff^-1         [L, L]

starting from x_s(last) = x_a(last). Where G comes from is the only choice:

    ensemble     C_af, C_ff are sample covariances of x_a(k) and x_f(k+1); any forecaster
    transition   C_af = P F', C_ff = F P F' + Q with the exact F, Q of a linear-Gaussian forecaster
                 and the sample covariance P of x_a(k); less sampling noise

Members stay draws of the smoothing distribution because forecast noise that entered x_f is taken
back with it: on linear-Gaussian systems mean and covariance are those of the RTS smoother. Where
members are fewer than latents, or two latents move as one, C_ff is singular: everything is scaled
by the spreads of x_f, and ``ridge`` is added to the diagonal of the correlations that remain, which
also makes the pass safe in float32. Steps at the same time (several sensors, a requested date) have
G = I exactly.

Cost per pixel and step: 3 N L^2 + L^3; no evaluation of H. Memory: two ensembles per step are kept
by the caller, ``2 T P N L`` numbers for T steps, so run it block by block.

Reference: Rauch, Tung and Striebel (1965), AIAA J. 3, 1445-1450; Raanes (2016), On the ensemble
Rauch-Tung-Striebel smoother and its equivalence to the ensemble Kalman smoother, Q. J. R. Meteorol.
Soc. 142, 1259-1264.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from releo_da.assimilation.linalg import anomalies
from releo_da.types import InputError, Step

Transition = Callable[[float], tuple[Tensor, Tensor]]
"""``transition(days) -> F, Q``, each ``[latent, latent]`` or ``[pixel, latent, latent]``."""


def rts(
    steps: Iterable[Step],
    transition: Transition | None = None,
    *,
    damping: float = 1.0,
    ridge: float = 1e-5,
) -> list[Tensor]:
    """Smoothed ensembles at the times of the steps.

    Args:
        steps: of one run, in time order; member i of a background was carried from member i of the
            analysis before it.
        transition: F and Q of a linear-Gaussian forecaster over a number of days; ``None`` takes
            the gain from the ensembles alone.
        damping: factor of every gain, in (0, 1]; below 1 it limits sampling noise that would
            otherwise travel through many short steps.
        ridge: added to the diagonal of the correlation matrix of the background.

    Returns:
        For each step ``[pixel, member, latent]``; the last is its analysis ensemble.

    Raises:
        InputError: times that run backwards, ``damping`` outside (0, 1] or a negative ``ridge``.
    """
    steps = list(steps)
    _check(steps, damping, ridge)
    smoothed: list[Tensor] = []
    for k in range(len(steps) - 1, -1, -1):
        analysis = steps[k].analysis.ensemble
        if not smoothed:
            smoothed.append(analysis)
            continue
        background = steps[k + 1].background.ensemble
        correction = smoothed[-1] - background
        days = steps[k + 1].background.time - steps[k].analysis.time
        if days > 0:
            gain = _gain(analysis, background, transition, days, ridge)
            correction = damping * correction @ gain.mT
        smoothed.append(analysis + correction)
    return smoothed[::-1]


def _check(steps: Sequence[Step], damping: float, ridge: float) -> None:
    if not 0.0 < damping <= 1.0:
        raise InputError(f"rts: damping must lie in (0, 1], got {damping}")
    if ridge < 0.0:
        raise InputError(f"rts: ridge must not be negative, got {ridge}")
    times = [step.analysis.time for step in steps]
    for before, after in zip(times, times[1:], strict=False):
        if after < before:
            raise InputError(f"rts: steps must be in time order, but {after} follows {before}")


def _gain(
    analysis: Tensor, background: Tensor, transition: Transition | None, days: float, ridge: float
) -> Tensor:
    """G, ``[pixel, latent, latent]``."""
    if transition is None:
        return ensemble_gain(analysis, background, ridge)
    f, q = (part.to(analysis) for part in transition(days))
    return linear_gain(analysis, f, q, ridge)


def ensemble_gain(analysis: Tensor, background: Tensor, ridge: float) -> Tensor:
    """G = C_af C_ff^-1 from paired ensembles ``[pixel, member, latent]``, ``[pixel, L, L]``."""
    a, f = anomalies(analysis), anomalies(background)
    scale = _inverse_or_zero(f.square().sum(1).sqrt())
    unit = f * scale[:, None]
    cross = a.mT @ unit
    return _solve(cross, unit.mT @ unit, ridge) * scale[:, None]


def linear_gain(analysis: Tensor, f: Tensor, q: Tensor, ridge: float) -> Tensor:
    """G = P F' (F P F' + Q)^-1 with the sample covariance P of ``analysis``, ``[pixel, L, L]``."""
    a = anomalies(analysis) * (analysis.shape[1] - 1) ** -0.5
    carried = a @ f.mT
    variance = carried.square().sum(1) + q.diagonal(dim1=-2, dim2=-1)
    scale = _inverse_or_zero(variance.sqrt())
    unit = carried * scale[:, None]
    cross = a.mT @ unit
    correlation = unit.mT @ unit + scale[:, :, None] * q * scale[:, None]
    return _solve(cross, correlation, ridge) * scale[:, None]


def _inverse_or_zero(x: Tensor) -> Tensor:
    """1 / x, and 0 where x is 0: what has no spread takes no part."""
    return torch.where(x > 0, 1.0 / torch.where(x > 0, x, 1.0), 0.0)


def _solve(cross: Tensor, correlation: Tensor, ridge: float) -> Tensor:
    """``cross (correlation + ridge I)^-1``; latents without spread get an identity row."""
    diagonal = correlation.diagonal(dim1=-2, dim2=-1)
    filled = torch.where(diagonal > 0, diagonal + ridge, 1.0)
    regular = correlation + torch.diag_embed(filled - diagonal)
    return torch.cholesky_solve(cross.mT, torch.linalg.cholesky_ex(regular).L).mT
