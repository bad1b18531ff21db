"""Windows on a linear-Gaussian system: smoothing at the start, filtering at the end."""

import weakref
from collections.abc import Iterator
from functools import partial

import pytest
import torch

from releo_da.assimilation import (
    Places,
    adaptive,
    enks,
    envar4d,
    etkf,
    ienks,
    inflated,
    letkf,
    rts,
    sl_eakf,
    variational,
)
from releo_da.assimilation.enks import LAGGED, collected
from releo_da.cycling.controlled import Controlled
from releo_da.cycling.cycle import assimilate, cycle
from releo_da.cycling.window import analyse_window
from releo_da.cycling.windows import turns, windowed
from releo_da.dynamics.linear import linear
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.state.layout import Layout
from releo_da.types import InputError, Scheme, Step, System
from tests.cycling.linear import Linear, conditioned, draws, moments, randn, trajectory

assert_close = partial(torch.testing.assert_close, rtol=1e-7, atol=1e-7)
EXACTLY = {"iterations": 30, "inner": 40, "tolerance": 1e-11}
SCHEMES = {
    "etkf": etkf,
    "ienks": partial(ienks, iterations=3),
    "envar4d": envar4d,
    "4dvar": variational(**EXACTLY),
    "4dvar_lbfgs": variational(minimiser="lbfgs", **EXACTLY),
}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_the_start_of_a_window_is_smoothed(scheme: Scheme) -> None:
    """Mean and covariance of the Kalman smoother, at the start and at every acquisition."""
    made = Linear()
    state = made.prior(12)
    found, states = analyse_window(state, made.acquisitions, made.system(scheme), draws)
    for pixel in range(made.pixels):
        smoothed = made.smoothed(state, pixel)
        at = [(0.0, found.ensemble), *((s.time, s.ensemble) for s in states)]
        for time, ensemble in at:
            for ours, theirs in zip(moments(ensemble, pixel), made.at(time, smoothed), strict=True):
                assert_close(ours, theirs)


@pytest.mark.parametrize(("lag", "shift"), [(3, 3), (2, 1), (1, 1), (3, 2)])
def test_windows_end_where_the_filter_ends(lag: int, shift: int) -> None:
    """Without model error, whatever the windows: each value is used once."""
    made = Linear(times=(1.0, 2.0, 3.0, 5.0, 6.0))
    state, system = made.prior(9), made.system(etkf)
    filtered = list(cycle(state, made.acquisitions, system, draws))[-1].analysis
    system = system._replace(analyse=windowed(etkf, lag, shift))
    steps = list(cycle(state, made.acquisitions, system, draws))
    assert [s.acquisition.time for s in steps] == [1.0, 2.0, 3.0, 5.0, 6.0]
    late = steps[-1].analysis
    assert late.time == 6.0
    for pixel in range(made.pixels):
        for ours, theirs in zip(
            moments(late.ensemble, pixel), moments(filtered.ensemble, pixel), strict=True
        ):
            assert_close(ours, theirs)
    for step in steps:
        assert step.predicted.shape == (2, 9, 2)
        assert torch.equal(step.precision, step.acquisition.precision)


def test_a_longer_lag_smooths_more() -> None:
    made = Linear(times=(1.0, 2.0, 3.0, 4.0))
    state, system = made.prior(10), made.system(etkf)
    last = list(turns(state, made.acquisitions, system, draws, windowed(etkf, 3, 1)))[-1]
    assert last.start.time == 1.0 and len(last.steps) == 1
    for pixel in range(made.pixels):
        expected = made.at(1.0, made.smoothed(state, pixel))
        for ours, theirs in zip(moments(last.start.ensemble, pixel), expected, strict=True):
            assert_close(ours, theirs)


@pytest.mark.parametrize("scheme", [letkf, sl_eakf])
def test_noise_as_control_has_no_place(scheme) -> None:
    made = Linear(q=0.6)
    window = 2 * torch.arange(4, dtype=torch.float64)[:, None]
    local = scheme(Places(torch.arange(3).double()[:, None], window))
    system = made.system(windowed(local, 2, model_error="control"))
    with pytest.raises(InputError, match="localization: keeps numbers per latent"):
        list(cycle(made.prior(9), made.acquisitions, system, draws))


def test_weak_constraint_4dvar_is_the_kalman_smoother() -> None:
    """With model error as control: the means are exact, the spread is that of many members."""
    made = Linear(q=0.6)
    state = made.prior(12)
    system = made.system(variational(**EXACTLY))
    found, states = analyse_window(state, made.acquisitions, system, draws, "control")
    assert found.ensemble.shape == (2, 12, 3 + 4 * 3)
    assert "appended" not in found.memory
    for pixel in range(made.pixels):
        smoothed = made.smoothed(state, pixel)
        at = [(0.0, found.ensemble[..., :3]), *((s.time, s.ensemble) for s in states)]
        for time, ensemble in at:
            assert_close(ensemble[pixel].mean(0), made.at(time, smoothed)[0])
    many = made.prior(2_000)
    _, states = analyse_window(many, made.acquisitions, system, draws, "control")
    for s in states:
        covariance = made.at(s.time, made.smoothed(many, 0))[1]
        variance = covariance.diagonal()
        error = ((covariance.square() + variance[:, None] * variance) / 2_000).sqrt()
        assert ((moments(s.ensemble, 0)[1] - covariance).abs() < 5.0 * error).all()


def test_weak_constraint_with_the_stepped_forecaster() -> None:
    """`dynamics.linear`: the mean of the Kalman smoother, as with the forecaster of this test."""
    made = Linear(q=0.6)
    state = made.prior(12)
    model = linear(made.f.tolist(), noise_variance=made.q**2).requires_grad_(False)
    system = made.system(variational(**EXACTLY))._replace(forecast=model)
    _, states = analyse_window(state, made.acquisitions, system, draws, "control")
    for pixel in range(made.pixels):
        smoothed = made.smoothed(state, pixel)
        for s in states:
            assert_close(s.ensemble[pixel].mean(0), made.at(s.time, smoothed)[0])


def test_weak_constraint_with_the_mean_reverting_forecaster() -> None:
    """Intervals of any length, noise correlated between latents: the Kalman smoother's mean."""
    model = MeanReverting(Layout(("cab", "lai"), {}, True, (665.0,))).requires_grad_(False)
    made = Linear(latents=model.layout.size, times=(2.5, 9.0, 21.0))
    state = made.prior(12)
    system = System(model, made.observe, variational(**EXACTLY))
    _, states = analyse_window(state, made.acquisitions, system, draws, "control")
    times = [0.0, *made.times]
    moves = [model.transition(late - early) for early, late in zip(times, made.times, strict=False)]
    n = made.latents
    means = torch.cat([model.mean(time) for time in times])
    rows = [torch.zeros(made.channels, len(means), dtype=means.dtype) for _ in made.times]
    for k, row in enumerate(rows, start=1):
        row[:, k * n : (k + 1) * n] = made.h.T
    for pixel in range(made.pixels):
        cov = state.ensemble[pixel].T.cov()
        away, joint = trajectory(state.mean[pixel] - model.mean(0.0), cov, moves)
        smoothed = conditioned((means + away, joint), rows, made.acquisitions, pixel)[0]
        for k, s in enumerate(states, start=1):
            assert_close(s.ensemble[pixel].mean(0), smoothed[k * n : (k + 1) * n])


def test_noise_under_control_reaches_what_is_seen() -> None:
    made = Linear(q=0.6)
    state = made.prior(4)
    model = linear(made.f.tolist(), noise_variance=1.0).requires_grad_(False)
    controlled = Controlled(state, made.acquisitions, System(model, made.observe, etkf))
    still = controlled.appended(lambda shape: randn(*shape, seed=30))
    moved = still.clone()
    moved[..., made.latents :] += 1.0
    assert (controlled.observe(moved) - controlled.observe(still)).abs().min() > 1e-3


def test_an_ensemble_estimates_noise_as_well() -> None:
    """IEnKS with noise as control: against the smoother, by sampling."""
    made = Linear(q=0.6)
    state = made.prior(4_000)
    system = made.system(partial(ienks, iterations=2))
    _, states = analyse_window(state, made.acquisitions, system, draws, "control")
    for s in states:
        mean, covariance = made.at(s.time, made.smoothed(state, 1))
        error = (covariance.diagonal() / 4_000).sqrt()
        assert ((s.ensemble[1].mean(0) - mean).abs() < 6.0 * error).all()


def test_the_lagged_smoother_and_the_fixed_interval_one_agree_with_kalman() -> None:
    """EnKS and RTS without model error, against the same oracle."""
    made = Linear(times=(1.0, 2.0, 4.0))
    state = made.prior(11)
    steps = list(cycle(state, made.acquisitions, made.system(enks(etkf, lag=2)), draws))
    forward = collected(steps)
    plain = list(cycle(state, made.acquisitions, made.system(etkf), draws))
    backward = rts(plain, ridge=0.0)
    assert torch.equal(forward[-1], steps[-1].analysis.ensemble)
    for pixel in range(made.pixels):
        smoothed = made.smoothed(state, pixel)
        for k, time in enumerate(made.times):
            for ensemble in (forward[k], backward[k]):
                for ours, theirs in zip(
                    moments(ensemble, pixel), made.at(time, smoothed), strict=True
                ):
                    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_short_lag_sees_so_many_acquisitions_more() -> None:
    """A step is smoothed by the next ``lag`` acquisitions, and by no others."""
    made = Linear(times=(1.0, 2.0, 4.0, 5.0))
    state = made.prior(11)
    forward = collected(list(cycle(state, made.acquisitions, made.system(enks(etkf, 1)), draws)))
    short = Linear(times=(1.0, 2.0, 4.0, 5.0))
    short.acquisitions = short.acquisitions[:3]
    for pixel in range(made.pixels):
        expected = made.at(2.0, short.smoothed(state, pixel))
        for ours, theirs in zip(moments(forward[1], pixel), expected, strict=True):
            assert_close(ours, theirs)


def test_a_lag_beyond_the_run_sees_all_of_it_and_steps_need_not_be_kept() -> None:
    """The same as the lag of the whole run, from steps of which no more than three are alive."""
    made = Linear(times=(1.0, 2.0, 4.0, 5.0, 6.0, 7.0))
    state = made.prior(11)
    whole = collected(list(cycle(state, made.acquisitions, made.system(enks(etkf, 5)), draws)))
    alive = []

    def passing() -> Iterator[Step]:
        for step in cycle(state, made.acquisitions, made.system(enks(etkf, 40)), draws):
            alive.append(weakref.ref(step.analysis.memory[LAGGED]))
            assert sum(kept() is not None for kept in alive) <= 3
            yield step

    for ours, theirs in zip(collected(passing()), whole, strict=True):
        assert_close(ours, theirs)


def test_inflation_around_the_lagged_smoother_leaves_earlier_ensembles_as_they_are() -> None:
    made = Linear(times=(1.0, 2.0, 4.0))
    state = made.prior(11)

    def ran(scheme: Scheme) -> Step:
        return next(cycle(state, made.acquisitions, made.system(scheme), draws))

    plain, stretched = ran(enks(etkf, 2)), ran(inflated(enks(etkf, 2), 1.5))
    assert torch.equal(stretched.analysis.memory[LAGGED], plain.analysis.memory[LAGGED])
    spread, without = (s.analysis.ensemble.std(1) for s in (stretched, plain))
    assert_close(spread, 1.5 * without)


def test_impossible_windows_are_refused() -> None:
    made = Linear()
    state = made.prior(4)
    made.q = 0.3
    with pytest.raises(InputError, match="shift must lie in 1..lag"):
        windowed(etkf, lag=1, shift=2)
    with pytest.raises(InputError, match="windows end to end"):
        windowed(etkf, 2, 1, "control")
    with pytest.raises(InputError, match="lag must be at least 1"):
        enks(etkf, lag=0)
    with pytest.raises(InputError, match="one at a time"):
        assimilate(state, made.acquisitions[0], made.system(windowed(etkf)), draws(0.0, "analysis"))
    for wrapped in (enks(etkf), adaptive(etkf)):
        by = made.system(windowed(wrapped, 3, model_error="control"))
        with pytest.raises(InputError, match="keeps numbers per latent"):
            list(cycle(made.prior(4), made.acquisitions, by, draws))
    with pytest.raises(InputError, match="add {name: enks"):
        collected(list(cycle(state, made.acquisitions, made.system(etkf), draws)))
