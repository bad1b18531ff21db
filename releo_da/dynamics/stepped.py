r"""Forecasters that repeat one model step: the toy models of published benchmarks.

    x(t + dt) = M(x(t)) + Q^1/2 e,    e ~ N(0, I),    Q diagonal, 0 for a perfect model

M is a map of ``[..., latent]``, such as a Runge-Kutta step of Lorenz's equations; time is model
time, and a forecast goes over a whole number of steps. Noise is centred over members, as in
`releo_da.dynamics.mean_reverting`, so that the mean of a linear model moves exactly. Cost: that of
M per member and step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from releo_da.dynamics.mean_reverting import centred
from releo_da.types import InputError, Noise, State

WHOLE = 1e-6
"""How far (in steps) an interval may be from a whole number of steps: rounding of times."""


def checked_step(dt: float) -> float:
    """A length of a step.

    Raises:
        InputError: it is not positive.
    """
    if not dt > 0.0:
        raise InputError(f"dt is {dt}; give a positive length of a model step")
    return dt


def model_error(variance: float | Sequence[float], size: int) -> nn.Parameter | None:
    """Logarithms of the standard deviation of the noise of a step, or None for no noise.

    One number where one was given, else ``[latent]``; float64. It can be learned.

    Raises:
        InputError: a variance is negative, or their number is not that of the components.
    """
    given = torch.as_tensor(variance, dtype=torch.float64)
    if given.dim() and len(given) != size:
        raise InputError(f"noise_variance has {len(given)} values for {size} components; give one")
    if bool((given < 0).any()):
        raise InputError(f"noise_variance is {variance}; give variances of 0 or more")
    return nn.Parameter(0.5 * given.log()) if bool((given > 0).any()) else None


class Stepped(nn.Module):
    """A forecaster that applies a map once per model step.

    Args:
        step: x(t) -> x(t + dt), ``[..., latent]``; a module where it has parameters.
        size: number of latents.
        dt: model time of a step.
        noise_variance: of the model error that enters with each step, one for all latents or one
            for each.
    """

    def __init__(
        self,
        step: nn.Module,
        size: int,
        dt: float,
        noise_variance: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        self.step, self.size, self.dt = step, size, checked_step(dt)
        self.log_noise = model_error(noise_variance, size)

    @property
    def noise_sd(self) -> Tensor:
        """Standard deviation of the noise of a step, ``[latent]`` float64."""
        if self.log_noise is None:
            return torch.zeros(self.size, dtype=torch.float64)
        return self.log_noise.exp().expand(self.size)

    def steps(self, interval: float) -> int:
        """The number of steps of an interval of model time.

        Raises:
            ValueError: the interval is negative or no whole number of steps.
        """
        number = round(interval / self.dt)
        if number < 0 or abs(number - interval / self.dt) > WHOLE * max(number, 1):
            raise ValueError(
                f"{interval} is no whole number of steps of {self.dt}, forward in time"
            )
        return number

    def forward(self, state: State, time: float, noise: Noise) -> State:
        """Carry a state to ``time``; a time equal to the state's returns it unchanged."""
        ensemble = state.ensemble
        for _ in range(self.steps(time - state.time)):
            ensemble = self.step(ensemble)
            if self.log_noise is not None:
                drawn = centred(noise(ensemble.shape))
                ensemble = ensemble + drawn * self.noise_sd.to(ensemble)
        return state._replace(time=time, ensemble=ensemble)
