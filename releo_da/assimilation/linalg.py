r"""Small linear algebra that every ensemble scheme shares, batched over pixels.

Symbols, with N members, L latents and C channels per pixel:

    A = X - mean(X)                      anomalies              [N, L]
    S = (Y - mean(Y)) R^-1/2 / sqrt(N-1) weighted anomalies     [N, C]
    d = R^-1/2 (y - mean(Y))             weighted innovation    [C]
    G = I + S'S = Lo Lo'                 innovation covariance  [C, C], lower factor Lo

R is diagonal and enters as the precision 1/R, so that what was not seen is a column of zeros in S
and a zero in d: a row and column of the identity in G. Nothing is ever divided by R, and the
eigenvalues of G are at least 1. In float32 rounding moves them by some 1e-7 of the largest. With
ten channels that are copies of each other (the worst case) the analysis spread is right to 1 %
while the spread of H(x) stays below 100 errors, to 7 % at 300, lost at 1,000; from 2,000 on G is no
longer positive definite in some pixels, which then keep their background and return precision 0
(`used`). Beyond 300 use float64.

Two maps of member space follow from the factor alone, in C dimensions and without an N x N matrix:

    T    = I - S (Lo + I)^-T Lo^-1 S'    T'T = (I + SS')^-1     a square root of the analysis
    T^-1 = I + S (Lo + I)^-1 S'          the way back

T keeps the mean (S'1 = 0, hence T1 = 1). Cost per pixel: N C^2 + C^3/3 for the factor and
2 N C L + C^2 L for a map applied to ``[N, L]``.

Reference: Andrews (1968), A square root formulation of the Kalman covariance equations, AIAA J. 6;
Tippett et al. (2003), Ensemble square root filters, Mon. Wea. Rev. 131, 1485-1490.
"""

from __future__ import annotations

import torch
from torch import Tensor


def precision_root(precision: Tensor) -> Tensor:
    """Square root of a precision, with gradient 0 (and not infinity) where it is 0."""
    least = precision.new_full((), torch.finfo(precision.dtype).tiny)
    return torch.fmax(precision, least).sqrt() - least.sqrt()


def anomalies(ensemble: Tensor) -> Tensor:
    """Members minus their mean, ``[pixel, member, n]``."""
    return ensemble - ensemble.mean(1, keepdim=True)


def check_members(members: int) -> None:
    """Refuse an ensemble that has no spread.

    Raises:
        ValueError: fewer than two members (no spread can be estimated from one).
    """
    if members < 2:
        raise ValueError(f"an ensemble analysis needs at least 2 members, got {members}")


def weighted(predicted: Tensor, y: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted anomalies S ``[pixel, member, channel]`` and innovation d ``[pixel, channel]``.

    Args:
        predicted: H of each member, ``[pixel, member, channel]``.
        y: observations, ``[pixel, channel]``, finite also where not seen.
        precision: 1 / R, ``[pixel, channel]``, 0 where not seen.

    Raises:
        ValueError: fewer than two members (no spread can be estimated from one).
    """
    members = predicted.shape[1]
    check_members(members)
    root = precision_root(precision)
    mean = predicted.mean(1)
    scale = root * (members - 1) ** -0.5
    s = torch.addcmul((-mean * scale)[:, None], predicted, scale[:, None])
    return s, root * (y - mean)


def innovation_factor(s: Tensor) -> Tensor:
    """Lower Cholesky factor of I + S'S, ``[pixel, channel, channel]``; see `factor`."""
    return factor(s.mT @ s)


def factor(g: Tensor) -> Tensor:
    """Lower Cholesky factor of I + g, where ``g`` may be overwritten, ``[pixel, n, n]``.

    Where rounding has left no positive definite matrix (or numbers are not finite) the factor
    of that pixel is an infinite diagonal, by which all gains are 0: it keeps its background, which
    `refused` tells of, and stops no other pixel.
    """
    g.diagonal(dim1=-2, dim2=-1).add_(1.0)
    lower, info = torch.linalg.cholesky_ex(g)
    lost = (info > 0) | ~torch.isfinite(lower.diagonal(dim1=-2, dim2=-1)).all(-1)
    if settled(lost):
        return lower
    failed = lost[:, None, None]
    eye = torch.eye(g.shape[-1], dtype=torch.bool, device=g.device)
    if g.requires_grad:  # the derivative of a factor that broke off is not finite
        lower = torch.linalg.cholesky_ex(torch.where(failed, eye.to(g), g)).L
    # filled in place: another layout in memory would change the rounding of the other pixels
    return lower.clone().masked_fill_(failed, 0.0).masked_fill_(failed & eye, torch.inf)


def refused(lower: Tensor) -> Tensor:
    """True for pixels that `factor` could not factor, ``[pixel]``."""
    return torch.isinf(lower.diagonal(dim1=-2, dim2=-1)).any(-1)


def used(precision: Tensor, lower: Tensor) -> Tensor:
    """The precision with 0 at pixels that `factor` could not factor, ``[pixel, channel]``.

    A scheme returns it, so that what encloses the scheme neither inflates nor rotates these pixels
    and a run counts their values as refused.
    """
    return precision.masked_fill(refused(lower)[:, None], 0.0)


def plus_identity(lower: Tensor) -> Tensor:
    """A square matrix plus the identity, ``[..., n, n]``."""
    moved = lower.clone()
    moved.diagonal(dim1=-2, dim2=-1).add_(1.0)
    return moved


def solve_lower(lower: Tensor, right: Tensor) -> Tensor:
    """Solution of ``lower x = right``, ``[..., n, k]``."""
    return torch.linalg.solve_triangular(lower, right, upper=False)


def solve_lower_transposed(lower: Tensor, right: Tensor) -> Tensor:
    """Solution of ``lower' x = right``, ``[..., n, k]``."""
    return torch.linalg.solve_triangular(lower.mT, right, upper=True)


def contract(s: Tensor, lower: Tensor, members: Tensor) -> Tensor:
    """What T takes away: T Z - Z = -S (Lo + I)^-T Lo^-1 S'Z, ``[pixel, member, n]``."""
    inner = solve_lower(lower, s.mT @ members)
    return -s @ solve_lower_transposed(plus_identity(lower), inner)


def expand(s: Tensor, lower: Tensor, members: Tensor) -> Tensor:
    """What T^-1 adds: T^-1 Z - Z = S (Lo + I)^-1 S'Z, ``[pixel, member, n]``."""
    return s @ solve_lower(plus_identity(lower), s.mT @ members)


def mean_shift(w: Tensor, a: Tensor) -> Tensor:
    """What weights ``[pixel, member, 1]`` of anomalies add to the mean, ``[pixel, 1, latent]``."""
    return (w.mT @ a) * (a.shape[1] - 1) ** -0.5


def weights_cost(w: Tensor, d: Tensor) -> Tensor:
    """J(w) = (|w|^2 + |d|^2) / 2, with d the weighted innovation at w, ``[pixel, 1, 1]``."""
    return 0.5 * (w.square().sum((1, 2)) + d.square().sum(1))[:, None, None]


def gauss_newton_weights(s: Tensor, lower: Tensor, d: Tensor, w: Tensor) -> Tensor:
    """Minimiser of J with H linear about w, ``[pixel, member, 1]``."""
    return s @ torch.cholesky_solve(d[..., None] + s.mT @ w, lower)


def acted(precision: Tensor) -> Tensor:
    """True for pixels where at least one channel was used, ``[pixel, 1, 1]``."""
    return (precision > 0).any(-1)[:, None, None]


def settled(moving: Tensor) -> bool:
    """Whether an iteration may stop for all pixels, asked only where asking is free.

    On an accelerator the answer would make the host wait for every kernel before; there all
    iterations run, and pixels that have arrived stand still.
    """
    return moving.device.type == "cpu" and not bool(moving.any())
