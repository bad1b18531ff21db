r"""The finite-size ensemble Kalman filter: the inflation that the size of the ensemble asks for.

Mean and covariance of N members are uncertain themselves. Integrated over, that uncertainty
replaces the Gaussian background by one with long tails, whose analysis is that of `etkf` with the
background anomalies stretched by l. With S and d as in `linalg`, l minimises for each pixel

    D(l) = d'(I + l^2 S'S)^-1 d / (N-1) + e / l^2 + c log l^2

where e = (N+1)/N stands for the uncertain mean and c = N/(N-1) for the uncertain covariance. The
mode of their prior, l^2 = e/c = 1 - 1/N^2, lies just below 1, so that a little spread would be lost
where little is observed; both are corrected by m = (e/c)^(k/2), e <- x e/m, c <- x c m, with k the
mean over members of the eigenvalues of (I + SS')^-1 (1 where nothing is observed: then the mode is
1) and x = ``tuning`` (1: as derived; 2 suits nearly linear systems).

The scalar problem is solved in u = log l^2 by Newton steps, kept between the mode (where D falls)
and an upper bound and replaced by bisection where D is not convex, the same number for each pixel.
One more step with gradients gives those of the minimiser itself. Where nothing is seen, l = 1.

With fewer members than channels l may reach 10 and more, and rounding grows with l^2, so everything
between H and the result is float64, also for an ensemble in float32.

It needs no tuned inflation for sampling errors; model error is not its business. Cost per pixel:
that of `etkf`, eigenvalues of the smaller of S'S and SS' (about 9 n^3), and two factors of C x C.

Reference: Bocquet (2011), Ensemble Kalman filtering without the intrinsic need for inflation,
Nonlin. Processes Geophys. 18, 735-750; Bocquet, Raanes and Hannart (2015), Expanding the validity
of the ensemble Kalman filter without the intrinsic need for inflation, Nonlin. Processes Geophys.
22, 645-662 (dual form; correction of the mode, section 5).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.etkf import transformed
from releo_da.assimilation.linalg import (
    acted,
    anomalies,
    innovation_factor,
    solve_lower,
    weighted,
)
from releo_da.assimilation.square_root import eigen
from releo_da.types import Analysis, InputError, Noise, Observe

STEPS = 40
"""Newton or bisection steps: 40 halvings of the widest interval reach float64's rounding."""
WIDEST = 12.0
"""Largest log l^2 above the mode: anomalies stretched by more than 400 are no ensemble any more."""


class Prior(NamedTuple):
    """Coefficients of D that depend on size and spread of the ensemble, ``[pixel]`` each."""

    mean: Tensor  # e
    covariance: Tensor  # c


def hyperprior(sampled: Tensor, members: int, tuning: float) -> Prior:
    """Return e and c after the correction of the mode.

    Args:
        sampled: `trace_of_gain`, ``[pixel]``; N less N k.
        members: number N of members.
        tuning: x above.
    """
    mean, covariance = (members + 1) / members, members / (members - 1)
    mode = mean / covariance
    correction = mode ** (0.5 * (1.0 - sampled / members))
    return Prior(tuning * mean / correction, tuning * covariance * correction)


def trace_of_gain(s: Tensor) -> Tensor:
    """Trace of SS'(I + SS')^-1, ``[pixel]``: the degrees of freedom that observations determine."""
    lower = innovation_factor(s)
    eye = torch.eye(lower.shape[-1], dtype=s.dtype, device=s.device)
    return lower.shape[-1] - solve_lower(lower, eye).square().sum((-2, -1))


def stretch(s: Tensor, d: Tensor, tuning: float) -> Tensor:
    """Stretch l of every pixel, ``[pixel]``, differentiable.

    Args:
        s: weighted anomalies, ``[pixel, member, channel]``.
        d: weighted innovation, ``[pixel, channel]``.
        tuning: x above.
    """
    members = s.shape[1]
    prior = hyperprior(trace_of_gain(s), members, tuning)
    with torch.no_grad():
        u, curvature = _minimise(s, d, Prior(*(_plain(part) for part in prior)))
    # D'(u) once more with gradients: d'(M - M^2)d with M = (I + l^2 S'S)^-1.
    factor = innovation_factor((0.5 * u).exp()[:, None, None] * s)
    m = torch.cholesky_solve(d[..., None], factor)[..., 0]
    fit = (d * m - m.square()).sum(-1) / (members - 1)
    slope = prior.covariance - prior.mean * (-u).exp() - fit
    # u is the solution already: of the step only the gradient is wanted, not the rounding of D'.
    return (0.5 * (u - (slope - slope.detach()) / curvature)).exp()


def _plain(x: Tensor | float) -> Tensor:
    return torch.as_tensor(x).detach()


def _minimise(s: Tensor, d: Tensor, prior: Prior) -> tuple[Tensor, Tensor]:
    """Solve for u = log l^2 where D' vanishes, and D'' there, ``[pixel]`` each."""
    members = s.shape[1]
    if s.shape[-1] < members:
        values, vectors = eigen(s.mT @ s)
        weight = values * (vectors.mT @ d[..., None])[..., 0].square()
    else:
        values, vectors = eigen(s @ s.mT)
        weight = (vectors.mT @ (s @ d[..., None]))[..., 0].square()
        # of directions without spread only rounding is left, and D would fall for ever
        least = members * torch.finfo(s.dtype).eps * values.amax(-1, keepdim=True)
        weight = torch.where(values > least, weight, 0.0)
    e, c, weight = prior.mean, prior.covariance, weight / (members - 1)

    def slopes(u: Tensor) -> tuple[Tensor, Tensor]:
        z = u.exp()[:, None]
        part = weight * z / (1.0 + values * z).square()
        bend = part * (1.0 - values * z) / (1.0 + values * z)
        return c - e / u.exp() - part.sum(-1), e / u.exp() - bend.sum(-1)

    low = (e / c).log().expand(len(s))
    high = low + WIDEST
    u = torch.zeros_like(low).clamp(min=low)
    for _ in range(STEPS):
        slope, bend = slopes(u)
        low, high = torch.where(slope < 0, u, low), torch.where(slope < 0, high, u)
        newton = u - slope / bend
        inside = (bend > 0) & (newton >= low) & (newton <= high)
        u = torch.where(inside, newton, 0.5 * (low + high))
    return u, slopes(u)[1].clamp(min=torch.finfo(u.dtype).eps)


def enkf_n(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
    *,
    tuning: float = 1.0,
) -> Analysis:
    """Finite-size analysis: a square root update that sets its own inflation (Bocquet 2011).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated once.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: not used; the scheme is deterministic.
        memory: returned as it is.
        tuning: how sure one is of mean and covariance of the ensemble; 2 halves the inflation
            that rare large innovations bring.

    Raises:
        InputError: ``tuning`` is not positive.
        ValueError: fewer than two members.
    """
    if not tuning > 0.0:
        raise InputError(f"enkf_n: tuning must be positive (1: as derived), got {tuning}")
    predicted = observe(prior)
    x, seen, told, weight = (given.double() for given in (prior, predicted, y, precision))
    factor = stretch(*weighted(seen, told, weight), tuning)[:, None, None]
    more = torch.where(acted(precision), factor - 1.0, 0.0)
    wider = weighted(seen + more * anomalies(seen), told, weight)
    ensemble, lost = transformed(x + more * anomalies(x), *wider)
    ensemble = torch.where(lost[:, None, None], prior, ensemble.to(prior.dtype))
    return Analysis(ensemble, predicted, precision.masked_fill(lost[:, None], 0.0), memory)
