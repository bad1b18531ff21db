r"""One step of the classical Runge-Kutta method of fourth order.

    k1 = f(x)    k2 = f(x + h k1 / 2)    k3 = f(x + h k2 / 2)    k4 = f(x + h k3)
    x(t + h) = x + h (k1 + 2 k2 + 2 k3 + k4) / 6 + O(h^5)

for an autonomous tendency f of any shape. Cost: four evaluations of f. Published scores of Lorenz
models hold for this integrator with the step they name: another step is another model.

Reference: Kutta (1901), Z. Math. Phys. 46, 435-453.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Tendency = Callable[[Tensor], Tensor]
"""dx/dt of x, both ``[..., latent]``."""


def rk4(tendency: Tendency, x: Tensor, dt: float) -> Tensor:
    """The state after one step.

    Args:
        tendency: dx/dt, autonomous.
        x: ``[..., latent]``.
        dt: length of the step, in the time unit of the tendency.
    """
    k1 = tendency(x)
    k2 = tendency(x + 0.5 * dt * k1)
    k3 = tendency(x + 0.5 * dt * k2)
    k4 = tendency(x + dt * k3)
    return x + (dt / 6.0) * (k1 + 2.0 * (k2 + k3) + k4)
