r"""A posterior of the state at some dates: normal in the unbounded coordinates.

    q(z) = N(mean, F F'),    x = decode(z)           mean [..., V],  F lower triangular [..., V, V]

Bounds, skew and correlations of the physical variables follow: x is a monotone function of z,
variable by variable (`releo_da.state.transforms`), so no draw leaves its bounds, and a quantile of
x is the image of the quantile of z,

    x_p = decode(mean + Phi^-1(p) sd),        sd_i = |F_i|  (norm of row i)

without sampling, and so are its mean and deviation, by quadrature. With d = z - mean, w = F^-1 d,
V variables,

    log q(z)           = -1/2 (|w|^2 + V log 2 pi) - sum_i log F_ii
    KL(q || N(m, G G')) = 1/2 (|G^-1 F|^2 + |G^-1 (mean - m)|^2 - V) + sum_i log (G_ii / F_ii)

(|.| of a matrix is the Frobenius norm). Cost: triangular solves, O(V^2) per draw and O(V^3) per
divergence.

Reference: Cover and Thomas (2006), Elements of Information Theory, 2nd ed., section 8.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.state.prior import correlation

Decode = Callable[[Tensor], Tensor]
"""Physical values of coordinates, ``[..., V] -> [..., V]``, monotone in each variable."""


NODES = 32
"""Points of the quadrature of moments, to 1e-3 of a deviation for skewed variables."""


class Posterior(NamedTuple):
    """A normal distribution of V coordinates at every place and date of its leading axes.

    Attributes:
        mean: ``[..., V]``.
        factor: ``[..., V, V]`` lower triangular with a positive diagonal.
    """

    mean: Tensor
    factor: Tensor

    def leading(self, number: int) -> Posterior:
        """The distribution of the first coordinates, whatever the others are."""
        return Posterior(self.mean[..., :number], self.factor[..., :number, :number])

    @property
    def covariance(self) -> Tensor:
        """F F', ``[..., V, V]``."""
        return self.factor @ self.factor.mT

    @property
    def spread(self) -> Tensor:
        """Standard deviations of the coordinates, ``[..., V]``."""
        return self.factor.square().sum(-1).sqrt()

    def sample(self, noise: Tensor) -> Tensor:
        """Draws by reparametrisation, so that gradients reach mean and factor.

        Args:
            noise: ``[..., N, V]`` standard normal numbers, N draws of each distribution.

        Returns:
            ``[..., N, V]`` coordinates.
        """
        return self.mean[..., None, :] + noise @ self.factor.mT

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of coordinates ``[..., V]``, ``[...]``."""
        white = _solved(self.factor, z - self.mean)
        size = self.mean.shape[-1]
        return -0.5 * (white.square().sum(-1) + size * math.log(2.0 * math.pi)) - _volume(
            self.factor
        )

    def kl(self, prior: Posterior) -> Tensor:
        """Kullback-Leibler divergence from another normal, ``[...]``.

        Args:
            prior: whose leading axes broadcast against those of this one.
        """
        white = _solved(prior.factor, self.mean - prior.mean)
        whitened = torch.linalg.solve_triangular(prior.factor, self.factor, upper=False)
        squares = whitened.square().sum((-2, -1)) + white.square().sum(-1)
        size = self.mean.shape[-1]
        return 0.5 * (squares - size) + _volume(prior.factor) - _volume(self.factor)

    def moments(self, decode: Decode, nodes: int = NODES) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the physical variables, ``[..., V]`` each.

        By Gauss-Hermite quadrature over each coordinate.

        Args:
            decode: of the variables.
            nodes: of the quadrature.
        """
        at, weight = (t.to(self.mean) for t in gauss_hermite(nodes))
        values = decode(self.mean[..., None, :] + at[:, None] * self.spread[..., None, :])
        mean = (weight[:, None] * values).sum(-2)
        departures = values - mean[..., None, :]
        return mean, (weight[:, None] * departures.square()).sum(-2).sqrt()

    def quantiles(self, probabilities: Sequence[float], decode: Decode) -> Tensor:
        """Quantiles of the physical variables, ``[Q, ..., V]``.

        Args:
            probabilities: Q numbers between 0 and 1.
            decode: of the variables, `releo_da.state.transforms.Anamorphosis.decode`.
        """
        levels = torch.tensor(probabilities, dtype=torch.float64, device=self.mean.device)
        standard = torch.special.ndtri(levels).to(self.mean)
        shape = (-1, *[1] * self.mean.dim())
        return decode(self.mean + standard.reshape(shape) * self.spread)


def prior_of(names: Sequence[str], like: Tensor | None = None, modes: int = 0) -> Posterior:
    """The prior of the state, N(0, C) of all places and dates: mean ``[V]``, factor ``[V, V]``.

    Args:
        names: of the variables.
        like: a tensor whose dtype and device it takes; float64 without one.
        modes: of a discrepancy, coordinates behind those of the variables, independent.
    """
    factor = torch.linalg.cholesky(correlation(tuple(names)))
    factor = torch.block_diag(factor, torch.eye(modes, dtype=factor.dtype))
    factor = factor if like is None else factor.to(like)
    return Posterior(factor.new_zeros(len(factor)), factor)


def gauss_hermite(nodes: int) -> tuple[Tensor, Tensor]:
    """Points and weights of the quadrature under a standard normal, ``[nodes]`` float64 each.

    The eigenvalues of the Jacobi matrix of Hermite's polynomials, and the squares of the first
    components of its eigenvectors (Golub and Welsch 1969, Math. Comput. 23, 221-230).
    """
    beside = torch.arange(1, nodes, dtype=torch.float64).sqrt()
    points, vectors = torch.linalg.eigh(torch.diag(beside, 1) + torch.diag(beside, -1))
    return points, vectors[0].square()


def _solved(factor: Tensor, difference: Tensor) -> Tensor:
    """F^-1 d, ``[..., V]``."""
    column = torch.linalg.solve_triangular(factor, difference[..., None], upper=False)
    return column[..., 0]


def _volume(factor: Tensor) -> Tensor:
    """Log of the determinant of a factor, ``[...]``."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
