r"""Wrappers that change the analysis anomalies and leave the analysis mean where it is.

A finite ensemble and an imperfect model make the analysis too sure of itself. With anomalies A_b
of the background and A_a of the analysis and their spreads s_b, s_a per latent, A_a becomes

    inflated         f A_a                                  Anderson and Anderson (1999)
    relaxed          (1 - f) A_a + f A_b                    RTPP, Zhang, Snyder and Sun (2004)
    relaxed_spread   A_a (1 + f (s_b - s_a) / s_a)          RTPS, Whitaker and Hamill (2012)
    rotated          O A_a, O orthogonal, O1 = 1            Livings, Dance and Nichols (2008)
    additive         A_a + (draws of N(0, f^2 s_b^2))       Mitchell and Houtekamer (2000)

Inflation belongs where observations acted: repeated on what no one observes it grows without
bound. `relaxed` and `relaxed_spread` are the identity where the analysis is the background;
`inflated`, `additive` and `rotated` are made so per pixel (a pixel that saw nothing is returned bit
by bit). Within a pixel `inflated` acts on all latents, also on those that no channel tells anything
about: prefer a relaxation there, or `releo_da.assimilation.adaptive`, which estimates its factors.
`additive` renews directions that an ensemble has lost: its draws are centred over members, and
independent between latents. Cost: N L per pixel; `rotated` adds a QR of size N-1, about 4/3 N^3.

Inside of `releo_da.assimilation.enks` the ensembles of earlier cycles stand beside the state. The
first three and `additive` leave those as the scheme made them (`own`): each was inflated in its own
cycle, and again in every cycle it would grow with the lag. `rotated` turns all of them alike.

Each takes a scheme first and returns a scheme: ``relaxed(etkf, 0.3)``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import acted, anomalies
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme

EARLIER = "earlier"
"""Key of the memory that holds the ensembles of earlier cycles while they are part of the state."""


def own(more: Tensor, memory: dict[str, Tensor]) -> Tensor:
    """What is added to the latents of this cycle; 0 for those of earlier cycles, which come last.

    Args:
        more: ``[pixel, member, latent]``.
        memory: says how many latents are of earlier cycles, where there are any.
    """
    if EARLIER not in memory:
        return more
    latents = more.shape[-1] - memory[EARLIER].shape[-1]
    return torch.cat([more[..., :latents], torch.zeros_like(more[..., latents:])], -1)


def _check_fraction(name: str, factor: float) -> None:
    if not 0.0 <= factor <= 1.0:
        raise InputError(
            f"{name}: factor must lie between 0 (nothing) and 1 (the background's), got {factor}"
        )


def inflated(scheme: Scheme, factor: float = 1.02) -> Scheme:
    """Multiply the analysis anomalies by ``factor`` at pixels where something was used.

    Raises:
        InputError: ``factor`` is not positive.
    """
    if not factor > 0.0:
        raise InputError(f"inflated: factor must be positive (1 changes nothing), got {factor}")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        result = scheme(prior, observe, y, precision, noise, memory)
        more = (factor - 1.0) * anomalies(result.ensemble) * acted(result.precision)
        return result._replace(ensemble=result.ensemble + own(more, memory))

    return analyse


def relaxed(scheme: Scheme, factor: float = 0.3) -> Scheme:
    """Relaxation to prior perturbations: anomalies become (1 - f) A_a + f A_b.

    Raises:
        InputError: ``factor`` is not in [0, 1].
    """
    _check_fraction("relaxed", factor)

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        result = scheme(prior, observe, y, precision, noise, memory)
        more = factor * (anomalies(prior) - anomalies(result.ensemble))
        return result._replace(ensemble=result.ensemble + own(more, memory))

    return analyse


def relaxed_spread(scheme: Scheme, factor: float = 0.5) -> Scheme:
    """Relaxation to prior spread: anomalies are stretched by 1 + f (s_b - s_a) / s_a.

    Raises:
        InputError: ``factor`` is not in [0, 1].
    """
    _check_fraction("relaxed_spread", factor)

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        result = scheme(prior, observe, y, precision, noise, memory)
        before, after = anomalies(prior), anomalies(result.ensemble)
        more = factor * (_spread_ratio(before, after) - 1.0)[:, None] * after
        return result._replace(ensemble=result.ensemble + own(more, memory))

    return analyse


def _spread_ratio(before: Tensor, after: Tensor) -> Tensor:
    """s_b / s_a per latent, ``[pixel, latent]``; 1, with gradient 0, where a spread is 0."""
    b, a = before.square().sum(1), after.square().sum(1)
    both = (b > 0) & (a > 0)
    one = torch.ones_like(a)
    return (torch.where(both, b, one) / torch.where(both, a, one)).sqrt()


def additive(scheme: Scheme, factor: float = 0.1) -> Scheme:
    """Add draws with ``factor`` times the background's spread of each latent, where used.

    Args:
        scheme: what is inflated.
        factor: deviation of the draws in background spreads.

    Raises:
        InputError: ``factor`` is negative.
    """
    if factor < 0.0:
        raise InputError(f"additive: factor must not be negative, got {factor}")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        result = scheme(prior, observe, y, precision, noise, memory)
        before = anomalies(prior).square().sum(1, keepdim=True)
        some = before > 0
        spread = torch.where(some, torch.where(some, before, 1.0).sqrt(), 0.0)
        drawn = anomalies(noise(prior.shape)) * (factor / (prior.shape[1] - 1) ** 0.5) * spread
        ensemble = result.ensemble + own(drawn * acted(result.precision), memory)
        return result._replace(ensemble=ensemble)

    return analyse


def rotated(scheme: Scheme) -> Scheme:
    """Rotate the members at random about their mean, which keeps mean and covariance.

    It undoes the clustering of members (one far outlier, the rest together) that square-root
    schemes fall into under strong nonlinearity. The rotation is uniform (Haar) over all that keep
    the mean, drawn anew for each pixel from ``noise``.
    """

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        result = scheme(prior, observe, y, precision, noise, memory)
        pixels, members = prior.shape[:2]
        turned = _rotate(result.ensemble, noise((pixels, members - 1, members - 1)))
        ensemble = torch.where(acted(result.precision), turned, result.ensemble)
        return result._replace(ensemble=ensemble)

    return analyse


def _rotate(ensemble: Tensor, draws: Tensor) -> Tensor:
    """Rotation about the mean by the orthogonal factor of ``draws [pixel, N-1, N-1]``.

    A Householder reflection carries the direction of ones to the first axis; there the first row
    of the ensemble is its mean times sqrt(N) and stays, the N-1 others are turned among themselves.
    """
    q, r = torch.linalg.qr(draws)
    q = q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0)[:, None]
    reflected = _reflect(ensemble)
    return _reflect(torch.cat([reflected[:, :1], q @ reflected[:, 1:]], 1))


def _reflect(ensemble: Tensor) -> Tensor:
    """(I - v v' / (1 - 1/sqrt(N))) X with v = e_1 - 1/sqrt(N): swaps ones/sqrt(N) and e_1."""
    members = ensemble.shape[1]
    v = torch.full((members, 1), -(members**-0.5), dtype=ensemble.dtype, device=ensemble.device)
    v[0] += 1.0
    return ensemble - v * ((v * ensemble).sum(1, keepdim=True) / (1.0 - members**-0.5))
