r"""A circle of components with unknown interactions: what Lorenz-96 is learned as.

    dx_i/dt = c + sum_k l_k x_(i+k) + sum_(j<=k) q_jk x_(i+j) x_(i+k),    j, k = -2..2, k - j <= 2

has 1 constant, 5 linear and 12 quadratic coefficients, the same for every component; Lorenz-96 is
the member c = F, l_0 = -1, q_(-2,-1) = -1, q_(-1,1) = 1. With w the five neighbours of a component,
a view of the circle, the tendency is c + w l + (w Q . w) with Q upper triangular.

Shapes: ``[..., n]`` in and out, neighbours ``[..., n, 5]``. Cost: about 180 n multiplications per
Runge-Kutta step.

Reference: Chen, Sanz-Alonso and Willett (2022), Autodifferentiable ensemble Kalman filters, SIAM J.
Math. Data Sci. 4, 801-833, section 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from releo_da.dynamics.lorenz96 import checked_size
from releo_da.dynamics.rk4 import rk4
from releo_da.dynamics.stepped import Stepped
from releo_da.types import InputError

REACH = 2
"""Neighbours to either side."""

NEAR = tuple(range(-REACH, REACH + 1))
PRODUCTS = tuple((j, k) for j in NEAR for k in NEAR if j <= k <= j + REACH)
"""Pairs of neighbours whose products take part, in the order of the quadratic coefficients."""


def term(*places: int) -> str:
    """Name of a product of neighbours, ``x[i-1] x[i+1]``."""
    return " ".join(f"x[i{place:+d}]" if place else "x[i]" for place in places)


TERMS = ("1", *(term(k) for k in NEAR), *(term(*pair) for pair in PRODUCTS))
"""Names of all 18 terms."""


def lorenz96_coefficients(
    forcing: float = 8.0, linear: float = -1.0, quadratic: float = 1.0
) -> dict[str, float]:
    """The coefficients with which the circle is Lorenz-96; those not named are 0."""
    return {"1": forcing, term(0): linear, term(-2, -1): -quadratic, term(-1, 1): quadratic}


class QuadraticRing(nn.Module):
    """One Runge-Kutta step of the equations; all coefficients can be learned.

    Args:
        coefficients: ``[18]`` in the order of `TERMS`.
        dt: model time of a step.
    """

    def __init__(self, coefficients: Tensor, dt: float) -> None:
        super().__init__()
        self.dt = dt
        self.rows: Tensor
        self.columns: Tensor
        parts = coefficients.double().split([1, len(NEAR), len(PRODUCTS)])
        self.constant, self.linear, self.quadratic = (nn.Parameter(p.clone()) for p in parts)
        rows, columns = zip(*((j + REACH, k + REACH) for j, k in PRODUCTS), strict=True)
        self.register_buffer("rows", torch.tensor(rows), persistent=False)
        self.register_buffer("columns", torch.tensor(columns), persistent=False)

    @property
    def coefficients(self) -> Tensor:
        """``[18]`` in the order of `TERMS`."""
        return torch.cat([self.constant, self.linear, self.quadratic])

    def named_coefficients(self) -> dict[str, float]:
        """Each term and its coefficient."""
        return dict(zip(TERMS, self.coefficients.detach().tolist(), strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """The state one step later, ``[..., n]``."""
        weights = self.quadratic.new_zeros(len(NEAR), len(NEAR))
        weights = weights.index_put((self.rows, self.columns), self.quadratic).to(x)
        linear, constant = self.linear.to(x), self.constant.to(x)

        def tendency(x: Tensor) -> Tensor:
            circle = torch.cat([x[..., -REACH:], x, x[..., :REACH]], -1)
            near = circle.unfold(-1, len(NEAR), 1)
            return (near * (near @ weights + linear)).sum(-1) + constant

        return rk4(tendency, x, self.dt)


def quadratic_ring(
    size: int = 40,
    constant: float = 0.0,
    linear: Sequence[float] = (0.0,) * len(NEAR),
    quadratic: Sequence[float] = (0.0,) * len(PRODUCTS),
    dt: float = 0.05,
    noise_variance: float | Sequence[float] = 0.0,
) -> Stepped:
    """A circle of components with constant, linear and quadratic terms, to be learned.

    Args:
        size: number of components.
        constant: coefficient of the constant.
        linear: coefficients of the neighbours from -2 to +2.
        quadratic: coefficients of the 12 products of neighbours at most 2 apart, in the order of
            the first and then of the second.
        dt: model time of a Runge-Kutta step.
        noise_variance: of the model error that enters with each step.

    Raises:
        InputError: a number of coefficients, a size, step or variance that cannot be.
    """
    for name, given, wanted in (("linear", linear, NEAR), ("quadratic", quadratic, PRODUCTS)):
        if len(given) != len(wanted):
            raise InputError(f"{name} has {len(given)} coefficients; give {len(wanted)}")
    coefficients = torch.tensor([constant, *linear, *quadratic], dtype=torch.float64)
    return Stepped(QuadraticRing(coefficients, dt), checked_size(size), dt, noise_variance)
