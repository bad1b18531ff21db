r"""Lorenz's convection model of 1963: three variables, two wings, errors that double in 0.8.

    dx/dt = sigma (y - x)      dy/dt = rho x - y - x z      dz/dt = x y - beta z

The volume of any set of states shrinks by the rate sigma + 1 + beta; with sigma = 10, rho = 28,
beta = 8/3 states end on the attractor, with a deviation of about 8 in each variable.

Reference: Lorenz (1963), Deterministic nonperiodic flow, J. Atmos. Sci. 20, 130-141.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from releo_da.dynamics.rk4 import rk4
from releo_da.dynamics.stepped import Stepped


class Lorenz63(nn.Module):
    """One Runge-Kutta step of the Lorenz-63 equations; its three coefficients can be learned."""

    sigma: Tensor
    rho: Tensor
    beta: Tensor

    def __init__(self, sigma: float, rho: float, beta: float, dt: float) -> None:
        super().__init__()
        self.dt = dt
        start = torch.tensor([sigma, rho, beta], dtype=torch.float64)
        self.sigma, self.rho, self.beta = (nn.Parameter(one.clone()) for one in start)

    def tendency(self, state: Tensor) -> Tensor:
        """dx/dt, ``[..., 3]``."""
        x, y, z = state.unbind(-1)
        return torch.stack(
            [self.sigma * (y - x), self.rho * x - y - x * z, x * y - self.beta * z], -1
        )

    def forward(self, state: Tensor) -> Tensor:
        """The state one step later, ``[..., 3]``."""
        return rk4(self.tendency, state, self.dt)


def lorenz63(
    sigma: float = 10.0,
    rho: float = 28.0,
    beta: float = 8.0 / 3.0,
    dt: float = 0.01,
    noise_variance: float | Sequence[float] = 0.0,
) -> Stepped:
    """Lorenz's model of 1963, three components.

    Args:
        sigma: Prandtl number.
        rho: Rayleigh number relative to its critical value.
        beta: aspect of the convection cells.
        dt: model time of a Runge-Kutta step.
        noise_variance: of the model error that enters with each step.

    Raises:
        InputError: a step or variance that cannot be.
    """
    return Stepped(Lorenz63(sigma, rho, beta, dt), 3, dt, noise_variance)
