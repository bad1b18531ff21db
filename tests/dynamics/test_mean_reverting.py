"""The forecaster: laws of a Gauss-Markov process, seen through ensembles."""

import math

import pytest
import torch

from releo_da.cycling.draws import block_draws
from releo_da.dynamics.mean_reverting import MeanReverting, correlation_factor, correlation_raw
from releo_da.state.layout import Layout
from releo_da.state.prior import correlation
from releo_da.types import State

NAMES = ("cab", "lai", "cw")


KERNELS = {"matern32": (True, False), "ou": (False, False), "matern32+ou": (True, True)}


@pytest.fixture(params=KERNELS.values(), ids=list(KERNELS))
def forecaster(request):
    velocities, rough = request.param
    model = MeanReverting(Layout(NAMES, {}, velocities, (490.0, 665.0, 842.0), rough))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator).double()
    return model


def _draws(pixels, seed=1):
    return block_draws(seed, pixels, torch.zeros((), dtype=torch.float64))


def test_a_correlation_comes_back_from_its_parameters():
    c = correlation(NAMES)
    lower = correlation_factor(correlation_raw(c))
    torch.testing.assert_close(lower @ lower.T, c)


def test_ensemble_moments_follow_the_exact_transition(forecaster):
    pixels = torch.arange(1)
    draws = _draws(pixels)
    start = forecaster.initial(100.0, pixels, 20_000, draws(100.0, "initial"))
    moved = forecaster(start, 130.0, draws(130.0, "forecast"))
    _, stationary = forecaster.transition(math.inf)
    for state in (start, moved):
        torch.testing.assert_close(state.mean[0], forecaster.mean(state.time), atol=1e-9, rtol=0)
        sample = torch.cov(state.ensemble[0].T)
        scale = stationary.diagonal().sqrt()
        error = (sample - stationary) / (scale[:, None] * scale)
        assert error.abs().max() < 4.0 * math.sqrt(2.0 / 20_000)


def test_no_time_is_no_change_and_the_past_is_refused(forecaster):
    pixels = torch.arange(2)
    draws = _draws(pixels)
    state = forecaster.initial(10.0, pixels, 8, draws(10.0, "initial"))
    assert forecaster(state, 10.0, draws(10.0, "forecast")) is state
    with pytest.raises(ValueError, match="back in time"):
        forecaster(state, 9.0, draws(9.0, "forecast"))


def test_a_pixel_does_not_depend_on_its_neighbours(forecaster):
    everyone, some = torch.arange(250, 262), torch.tensor([251, 257, 260])
    ensembles = {}
    for name, pixels in {"all": everyone, "some": some}.items():
        draws = _draws(pixels)
        state = forecaster.initial(0.0, pixels, 8, draws(0.0, "initial"))
        ensembles[name] = forecaster(state, 3.0, draws(3.0, "forecast")).ensemble
    assert torch.equal(ensembles["all"][some - 250], ensembles["some"])


def test_input_state_is_not_modified(forecaster):
    pixels = torch.arange(2)
    draws = _draws(pixels)
    state = forecaster.initial(0.0, pixels, 8, draws(0.0, "initial"))
    before = State(state.time, state.ensemble.clone(), pixels)
    forecaster(state, 5.0, draws(5.0, "forecast"))
    assert torch.equal(state.ensemble, before.ensemble)


def test_without_fitted_weights_every_kernel_has_the_prior_s_variance():
    for velocities, rough in KERNELS.values():
        layout = Layout(NAMES, {}, velocities, (), rough)
        _, covariance = MeanReverting(layout).transition(math.inf)
        n = len(NAMES)
        total = covariance[:n, :n]
        if rough:
            total = total + covariance[-n:, -n:]
        torch.testing.assert_close(total, correlation(NAMES), atol=1e-9, rtol=0)
