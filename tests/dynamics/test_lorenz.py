"""Toy models: order of the integrator, conserved quantities, model time and model error."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from releo_da.cycling.draws import block_draws
from releo_da.dynamics.linear import linear
from releo_da.dynamics.lorenz63 import lorenz63
from releo_da.dynamics.lorenz96 import lorenz96
from releo_da.dynamics.rk4 import rk4
from releo_da.types import InputError, State

DOUBLE = torch.float64


def no_noise(shape):
    raise AssertionError("a perfect model draws no noise")


def start(size, pixels=2, members=3, scale=3.0):
    generator = torch.Generator().manual_seed(size)
    drawn = torch.randn(pixels, members, size, generator=generator, dtype=DOUBLE)
    return State(0.0, scale * drawn, torch.arange(pixels))


def field63(_, x):
    return [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]


def field96(_, x):
    return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0


@pytest.mark.parametrize(
    ("make", "field", "size"), [(lorenz63, field63, 3), (lorenz96, field96, 40)]
)
def test_the_error_of_a_unit_time_falls_with_the_fourth_power_of_the_step(make, field, size):
    state = start(size, 1, 1)
    true = solve_ivp(field, (0.0, 0.5), state.ensemble[0, 0].numpy(), rtol=1e-12, atol=1e-12)
    errors = []
    for dt in (0.01, 0.005, 0.0025):
        found = make(dt=dt)(state, 0.5, no_noise).ensemble[0, 0].detach().numpy()
        errors.append(np.abs(found - true.y[:, -1]).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders == pytest.approx([4.0, 4.0], abs=0.3)


def test_runge_kutta_integrates_cubic_polynomials_exactly():
    """For dx/dt = (1, 3 t^2) the second component is t^3."""
    x = torch.tensor([0.3, 0.3**3], dtype=DOUBLE)
    moved = rk4(lambda y: torch.stack([torch.ones_like(y[0]), 3.0 * y[0] ** 2]), x, 0.5)
    torch.testing.assert_close(moved, torch.tensor([0.8, 0.8**3], dtype=DOUBLE))


def test_the_quadratic_terms_of_lorenz96_conserve_energy_and_volume():
    model = lorenz96(size=12, forcing=0.0, linear=0.0, dt=0.002)
    state = start(12)
    moved = model(state, 2.0, no_noise)
    energy = [s.ensemble.square().sum(-1) for s in (state, moved)]
    torch.testing.assert_close(energy[1], energy[0], rtol=1e-8, atol=0.0)
    assert not torch.allclose(moved.ensemble, state.ensemble, atol=0.1)
    jacobian = torch.func.jacrev(model.step.tendency)(state.ensemble[0, 0])
    assert abs(float(jacobian.trace().detach())) < 1e-12


def test_the_volume_of_lorenz63_shrinks_at_its_rate():
    model = lorenz63()
    jacobian = torch.func.jacrev(model.step.tendency)(start(3).ensemble[0, 0])
    assert float(jacobian.trace().detach()) == pytest.approx(-(10.0 + 1.0 + 8.0 / 3.0))


def test_the_steady_states_of_both_models_stay():
    root = math.sqrt(8 / 3 * 27)
    for model, point in (
        (lorenz63(), [root, root, 27.0]),
        (lorenz96(size=9, forcing=0.7), [0.7] * 9),
    ):
        state = State(1.0, torch.tensor(point, dtype=DOUBLE).expand(1, 2, -1), torch.arange(1))
        moved = model(state, 1.0 + 10 * model.dt, no_noise)
        torch.testing.assert_close(moved.ensemble, state.ensemble, rtol=0.0, atol=1e-10)
        assert moved.time == pytest.approx(1.0 + 10 * model.dt)


def test_replicates_and_members_do_not_mix_and_the_dtype_stays():
    model = lorenz96(size=8)
    state = start(8)
    whole = model(state, 1.0, no_noise).ensemble
    one = State(0.0, state.ensemble[1:, 2:], torch.arange(1))
    torch.testing.assert_close(model(one, 1.0, no_noise).ensemble[0, 0], whole[1, 2])
    single = state._replace(ensemble=state.ensemble.float())
    assert model(single, 0.5, no_noise).ensemble.dtype == torch.float32


def test_gradients_reach_the_coefficients_and_the_state():
    model = lorenz96(size=6)
    x = start(6, 1, 2).ensemble.requires_grad_()

    def forecast(x, constant, linear_, quadratic):
        values = {"constant": constant, "linear": linear_, "quadratic": quadratic}
        return torch.func.functional_call(model.step, values, (x,))

    coefficients = [p.detach().clone().requires_grad_() for p in model.parameters()]
    assert len(coefficients) == 3
    assert torch.autograd.gradcheck(forecast, (x, *coefficients))
    assert len(list(lorenz63().parameters())) == 3


@pytest.mark.parametrize("times", [(1.0, 0.5), (0.0, 0.26)])
def test_only_whole_steps_forward_are_taken(times):
    state = start(5)._replace(time=times[0])
    with pytest.raises(ValueError, match="no whole number of steps"):
        lorenz96(size=5)(state, times[1], no_noise)


def test_intervals_of_many_steps_are_counted_through_rounding():
    assert lorenz63(dt=0.01).steps(0.01 * 7 * 1001 - 0.01 * 7 * 1000) == 7
    assert lorenz96().steps(365.0) == 7300


def test_the_linear_model_has_the_moments_of_its_transition():
    f = [[0.9, 0.2, 0.0], [-0.1, 0.8, 0.1], [0.0, 0.3, 0.5]]
    model = linear(matrix=f, dt=0.5, noise_variance=[0.1, 0.0, 0.3])
    pixels, members = torch.arange(1), 20_000
    draws = block_draws(1, pixels, torch.zeros((), dtype=DOUBLE))
    state = start(3, 1, members)
    with torch.no_grad():
        moved = model(state, 2.0, draws(2.0, "forecast"))
        transition, noise = model.transition(2.0)
    torch.testing.assert_close(transition, torch.linalg.matrix_power(torch.tensor(f).double(), 4))
    torch.testing.assert_close(moved.mean, state.mean @ transition.mT)
    carried = transition @ torch.cov(state.ensemble[0].mT) @ transition.mT + noise
    sample = torch.cov(moved.ensemble[0].mT)
    scale = carried.diagonal().sqrt()
    assert ((sample - carried) / (scale[:, None] * scale)).abs().max() < 4.0 * (2 / members) ** 0.5


def test_linear_advection_shifts_the_circle():
    state = start(7)
    moved = linear(size=7, factor=0.5, shift=2)(state, 3.0, no_noise).ensemble
    torch.testing.assert_close(moved, 0.125 * state.ensemble.roll(6, -1))


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lorenz96, {"size": 3}, "size is 3; give 4"),
        (lorenz96, {"dt": 0.0}, "dt is 0.0"),
        (lorenz63, {"noise_variance": [0.1, 0.1]}, "2 values for 3 components"),
        (lorenz63, {"noise_variance": -1.0}, "0 or more"),
        (linear, {"matrix": [[1.0, 0.0]]}, "1 rows of \\[2\\] numbers"),
        (linear, {"size": 0}, "size is 0"),
    ],
)
def test_impossible_options_are_refused(make, options, message):
    with pytest.raises(InputError, match=message):
        make(**options)
