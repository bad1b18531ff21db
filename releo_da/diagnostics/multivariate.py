r"""Scores of vectors: are the variables of a pixel right together, not only one by one?

With members x_i (i = 1..N) of a vector of D numbers and the observed vector y, each number divided
by a scale of its own (a climatological deviation, an observation error), so that units do not
decide what counts:

    energy     = mean_i |x_i - y| - 1/2 mean_ij |x_i - x_j|                  |.| Euclidean
    variogram  = sum_ab w_ab (|y_a - y_b|^p - mean_i |x_ia - x_ib|^p)^2

The energy score (Gneiting and Raftery 2007, doi:10.1198/016214506000001437, section 4.3) is the
CRPS for D = 1; it sees errors of location well and errors of correlation badly. The variogram score
(Scheuerer and Hamill 2015, doi:10.1175/MWR-D-14-00269.1) sees the differences between pairs alone,
hence correlations, and is blind to a common shift: read both. Both are proper, 0 is best.

``fair`` scores what an infinite ensemble of the same distribution would have: mean_ij over i != j,
and for the variogram the squared mean without its sampling variance (1/N of the variance over
members), so that ensembles of different sizes compare.

Cost per sample: energy N^2 D, variogram N D^2; memory about a million numbers, whatever the number
of samples. Sums over samples add up like those of any mean.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from releo_da.diagnostics.scores import CHUNK, Array
from releo_da.types import InputError


def energy_score(
    observed: Array, ensemble: Array, scale: Array | float = 1.0, fair: bool = False
) -> Array:
    """The energy score of each sample.

    Args:
        observed: ``[..., dim]``.
        ensemble: ``[..., member, dim]``.
        scale: ``[dim]`` or a number, what each component is divided by.
        fair: estimate what an infinite ensemble would score.

    Returns:
        ``[...]`` in units of the scale; NaN where a vector or a member is not finite.

    Raises:
        InputError: shapes that do not fit, a scale that is not positive, fair with one member.
    """

    def score(y: Array, x: Array) -> Array:
        members = x.shape[1]
        error = np.linalg.norm(x - y[:, None], axis=-1).mean(1)
        apart = np.linalg.norm(x[:, :, None] - x[:, None], axis=-1).sum((1, 2))
        return error - 0.5 * apart / (members * (members - 1 if fair else members))

    return _scored(observed, ensemble, scale, fair, score, lambda n, d: n * n * d)


def variogram_score(
    observed: Array,
    ensemble: Array,
    scale: Array | float = 1.0,
    order: float = 0.5,
    weights: Array | None = None,
    fair: bool = False,
) -> Array:
    """The variogram score of each sample.

    Args:
        observed: ``[..., dim]``.
        ensemble: ``[..., member, dim]``.
        scale: ``[dim]`` or a number, what each component is divided by.
        order: p, positive; 0.5 is robust against single large differences.
        weights: ``[dim, dim]`` of pairs, not negative; 1 where None. Both orders of a pair count.
        fair: estimate what an infinite ensemble would score.

    Returns:
        ``[...]``, without a unit; NaN where a vector or a member is not finite.

    Raises:
        InputError: as `energy_score`; an order that is not positive; weights of another shape.
    """
    dim = np.shape(observed)[-1]
    weight = np.ones((dim, dim)) if weights is None else np.asarray(weights, float)
    if not order > 0:
        raise InputError(f"variogram score: order is {order}; give a positive number, such as 0.5")
    if weight.shape != (dim, dim) or (weight < 0).any():
        raise InputError(
            f"variogram score: weights have shape {weight.shape}; give one number, 0 or more, for "
            f"each pair of {dim} components"
        )

    def score(y: Array, x: Array) -> Array:
        said = np.abs(x[..., None] - x[..., None, :]) ** order
        seen = np.abs(y[..., None] - y[..., None, :]) ** order
        square = (seen - said.mean(1)) ** 2
        if fair:
            square = square - said.var(1, ddof=1) / x.shape[1]
        found: Array = (weight * square).sum((1, 2))
        return found

    return _scored(observed, ensemble, scale, fair, score, lambda n, d: n * d * d)


def _scored(
    observed: Array,
    ensemble: Array,
    scale: Array | float,
    fair: bool,
    score: Callable[[Array, Array], Array],
    size: Callable[[int, int], int],
) -> Array:
    """Scores of the finite samples, part by part; ``size(members, dim)`` numbers per sample."""
    y, x, scale = np.asarray(observed), np.asarray(ensemble), np.asarray(scale, float)
    if x.ndim < 2 or y.shape != (*x.shape[:-2], x.shape[-1]):
        raise InputError(
            f"vectors of shape {y.shape} do not fit an ensemble of shape {x.shape}; give "
            "[..., dim] and [..., member, dim]"
        )
    members, dim = x.shape[-2:]
    if scale.shape not in ((), (dim,)) or not (scale > 0).all():
        raise InputError(f"a scale of {dim} components is needed, positive, got {scale}")
    if fair and members < 2:
        raise InputError("a fair score needs at least 2 members, got 1")
    y, x = y.reshape(-1, dim), x.reshape(-1, members, dim)
    found = np.full(len(y), np.nan)
    step = max(1, CHUNK // max(size(members, dim), 1))
    for start in range(0, len(y), step):
        rows = slice(start, start + step)
        good = np.isfinite(y[rows]).all(1) & np.isfinite(x[rows]).all((1, 2))
        some = y[rows][good] / scale, x[rows][good] / scale
        found[rows][good] = score(*(part.astype(float) for part in some))
    return found.reshape(np.shape(observed)[:-1])
