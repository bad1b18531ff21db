r"""A linear-Gaussian model: where the Kalman filter is exact and every scheme can be measured.

    x(t + dt) = F x(t) + Q^1/2 e,    e ~ N(0, I)

F is any square matrix, or, without one, ``factor`` times a shift of all components around a circle:
the linear advection of Evensen (2009). Over k steps F_k = F^k and Q_k = sum_(j<k) F^j Q F^j', which
`Linear.transition` gives to the smoother. Cost: L^2 per member and step.

Reference: Evensen (2009), Data Assimilation: The Ensemble Kalman Filter, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from releo_da.dynamics.stepped import Stepped
from releo_da.types import InputError


class Multiply(nn.Module):
    """x -> F x; F can be learned."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, x: Tensor) -> Tensor:
        """The state one step later, ``[..., latent]``."""
        return x @ self.matrix.to(x).mT


class Linear(Stepped):
    """The forecaster x -> F x + noise, with its exact transition over any number of steps."""

    step: Multiply

    def transition(self, interval: float) -> tuple[Tensor, Tensor]:
        """F and Q over an interval of model time, each ``[latent, latent]``."""
        one = self.step.matrix
        f = torch.eye(self.size, dtype=one.dtype, device=one.device)
        q = torch.zeros_like(f)
        entering = torch.diag(self.noise_sd.to(one).square())
        for _ in range(self.steps(interval)):
            f, q = one @ f, one @ q @ one.mT + entering
        return f, q


def linear(
    matrix: Sequence[Sequence[float]] | None = None,
    size: int = 40,
    factor: float = 1.0,
    shift: int = 0,
    dt: float = 1.0,
    noise_variance: float | Sequence[float] = 0.0,
) -> Linear:
    """A linear model with Gaussian model error.

    Args:
        matrix: F, rows of a square matrix; without it F is made of the next three.
        size: number of components.
        factor: of every component per step, below 1 for a model that forgets.
        shift: places by which components move around a circle per step.
        dt: model time of a step.
        noise_variance: of the model error that enters with each step.

    Raises:
        InputError: a matrix that is not square, a size, step or variance that cannot be.
    """
    if matrix is None:
        if size < 1:
            raise InputError(f"size is {size}; give 1 component or more")
        f = factor * torch.eye(size, dtype=torch.float64).roll(shift, 0)
    else:
        rows = {len(row) for row in matrix}
        if rows != {len(matrix)}:
            raise InputError(
                f"matrix has {len(matrix)} rows of {sorted(rows)} numbers; give a square one"
            )
        f = torch.tensor(matrix, dtype=torch.float64)
    return Linear(Multiply(f), len(f), dt, noise_variance)
