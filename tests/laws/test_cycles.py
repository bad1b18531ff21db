"""Laws of whole cycles, over every scheme: the gradient of the likelihood, and where they run.

Three cycles of a small nonlinear model. The likelihood of the last innovation has passed through
two analyses and what a scheme remembers between them; the oracle of its gradient is a central
difference.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from releo_da.assimilation import inflated
from releo_da.cycling.cycle import cycle
from releo_da.learning.likelihood import innovation_likelihood
from releo_da.types import Acquisition, Noise, Scheme, State, System

DOUBLE = torch.float64
PIXELS, MEMBERS, LATENTS, CHANNELS = 2, 6, 3, 2


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def draws(time: float, stage: str) -> Noise:
    rng = torch.Generator().manual_seed(int(10 * time) + len(stage))
    return lambda shape: torch.randn(*shape, generator=rng, dtype=DOUBLE)


def forecaster(rate: Tensor | float, mixing: Tensor):
    """x <- x + rate tanh(x M): what is learned is the rate."""

    def forecast(state: State, time: float, noise: Noise) -> State:
        x = state.ensemble
        return state._replace(time=time, ensemble=x + rate * torch.tanh(x @ mixing))

    return forecast


def likelihood(scheme: Scheme, rate: Tensor, error: Tensor, factor: Tensor) -> Tensor:
    """Sum of log densities of three innovations as a function of model, R and inflation."""
    mixing, h = randn(LATENTS, LATENTS, seed=1), 0.3 * randn(LATENTS, CHANNELS, seed=2)
    start = 0.5 * randn(PIXELS, MEMBERS, LATENTS, seed=3)
    angles = torch.zeros(PIXELS, 3, dtype=DOUBLE)
    acquisitions = []
    for k, time in enumerate((1.0, 2.0, 3.0)):
        values = 0.3 * randn(PIXELS, CHANNELS, seed=4 + k)
        errors = error * (0.5 + randn(PIXELS, CHANNELS, seed=7 + k).abs())
        acquisitions.append(Acquisition(time, "any", values, errors, angles))
    seen = torch.ones(PIXELS, CHANNELS, dtype=torch.bool)
    seen[0, 1] = False
    acquisitions[0] = acquisitions[0]._replace(
        error=torch.where(seen, acquisitions[0].error, torch.inf)
    )
    system = System(
        forecaster(rate, mixing), lambda x, acquisition: torch.tanh(x @ h), inflated(scheme, factor)
    )
    total = torch.zeros((), dtype=DOUBLE)
    for step in cycle(State(0.0, start, torch.arange(PIXELS)), acquisitions, system, draws):
        a = step.acquisition
        total = (
            total + innovation_likelihood(step.predicted, a.values, a.precision).log_density.sum()
        )
    return total


@pytest.mark.needs("gradients")
def test_the_gradient_of_the_likelihood_is_its_slope(case) -> None:
    """By a model parameter, by R and by inflation, against central differences."""
    inputs = [torch.tensor(x, dtype=DOUBLE, requires_grad=True) for x in (0.4, 0.6, 1.1)]
    gradients = torch.autograd.grad(likelihood(case.scheme, *inputs), inputs)
    step = 1e-5
    for k, gradient in enumerate(gradients):
        sides = []
        for sign in (1.0, -1.0):
            moved = [x.detach() + sign * step * (i == k) for i, x in enumerate(inputs)]
            sides.append(float(likelihood(case.scheme, *moved).detach()))
        slope = (sides[0] - sides[1]) / (2.0 * step)
        assert float(gradient) == pytest.approx(slope, rel=1e-4, abs=1e-5)
        assert gradient != 0.0


@pytest.mark.needs("device")
def test_a_cycle_runs_where_its_tensors_are(case) -> None:
    """Two cycles under fake tensors of an accelerator: what one keeps, the next can use."""
    device = torch.device("cuda" if torch.backends.cuda.is_built() else "meta")

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.empty(tuple(shape), device=device)

    with FakeTensorMode():
        mixing, h = noise((LATENTS, LATENTS)), noise((LATENTS, CHANNELS))
        system = System(
            forecaster(0.1, mixing),
            lambda x, acquisition: torch.tanh(x @ h),
            case.brief or case.scheme,
        )
        state = State(0.0, noise((PIXELS, MEMBERS, LATENTS)), torch.arange(PIXELS))
        values = noise((PIXELS, CHANNELS))
        acquisitions = [
            Acquisition(time, "any", values, values, noise((PIXELS, 3))) for time in (1.0, 2.0)
        ]
        last = list(cycle(state, acquisitions, system, lambda time, stage: noise))[-1]
        held = [last.analysis.ensemble, last.precision, *last.analysis.memory.values()]
        assert {t.device.type for t in held} == {device.type}
