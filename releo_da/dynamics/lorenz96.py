r"""Lorenz's model of 1996: components around a circle of latitude, advected, damped and forced.

    dx_i/dt = q x_(i-1) (x_(i+1) - x_(i-2)) + l x_i + c,      i modulo the size n

with c the forcing (8 in most publications), l = -1 and q = 1. The quadratic terms conserve the
energy sum x_i^2 / 2 and the volume of sets of states; with forcing 8 and n = 40 the model has 13
growing directions and a deviation of 3.6 in each component. A Runge-Kutta step of 0.05 stands for
six hours of weather.

Shapes: ``[..., n]``; the circle is one concatenation of two neighbours and views of it. Cost: about
12 n multiplications per step.

Reference: Lorenz (1996), Predictability: a problem partly solved, ECMWF Seminar on predictability;
Lorenz and Emanuel (1998), J. Atmos. Sci. 55, 399-414.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from releo_da.dynamics.rk4 import rk4
from releo_da.dynamics.stepped import Stepped
from releo_da.types import InputError

LEAST = 4
"""Components below which the neighbours of a component are not four different ones."""


class Lorenz96(nn.Module):
    """One Runge-Kutta step of the Lorenz-96 equations; its three coefficients can be learned."""

    constant: Tensor
    linear: Tensor
    quadratic: Tensor

    def __init__(self, forcing: float, linear: float, quadratic: float, dt: float) -> None:
        super().__init__()
        self.dt = dt
        start = torch.tensor([forcing, linear, quadratic], dtype=torch.float64)
        self.constant, self.linear, self.quadratic = (nn.Parameter(one.clone()) for one in start)

    def tendency(self, x: Tensor) -> Tensor:
        """dx/dt, ``[..., n]``."""
        circle = torch.cat([x[..., -2:], x, x[..., :1]], -1)
        behind, before, after = circle[..., :-3], circle[..., 1:-2], circle[..., 3:]
        advection = before * (after - behind)
        return self.quadratic * advection + self.linear * x + self.constant

    def forward(self, x: Tensor) -> Tensor:
        """The state one step later, ``[..., n]``."""
        return rk4(self.tendency, x, self.dt)


def checked_size(size: int) -> int:
    """A number of components around a circle.

    Raises:
        InputError: the neighbours of a component are not different ones.
    """
    if size < LEAST:
        raise InputError(f"size is {size}; give {LEAST} components or more")
    return size


def lorenz96(
    size: int = 40,
    forcing: float = 8.0,
    linear: float = -1.0,
    quadratic: float = 1.0,
    dt: float = 0.05,
    noise_variance: float | Sequence[float] = 0.0,
) -> Stepped:
    """Lorenz's model of 1996, components around a circle.

    Args:
        size: number of components.
        forcing: the constant coefficient.
        linear: coefficient of the component itself; -1 damps.
        quadratic: coefficient of the advection.
        dt: model time of a Runge-Kutta step.
        noise_variance: of the model error that enters with each step.

    Raises:
        InputError: a size, step or variance that cannot be.
    """
    step = Lorenz96(forcing, linear, quadratic, dt)
    return Stepped(step, checked_size(size), dt, noise_variance)
