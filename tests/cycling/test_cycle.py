"""Laws of the loop: a Kalman filter where everything is linear, restartable anywhere, pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from releo_da.assimilation.etkf import etkf
from releo_da.assimilation.inflation import relaxed
from releo_da.cycling.cycle import assimilate, cycle
from releo_da.cycling.draws import Draws, block_draws
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.runs.timeline import hide, merged, requests
from releo_da.state.layout import Layout
from releo_da.types import Acquisition, Analysis, Noise, State, Step, System

PIXELS = torch.arange(254, 258)  # two blocks of randomness
LATENTS = 4  # two variables, each with a velocity
H = torch.tensor([[1.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.3, 0.0]], dtype=torch.float64)
FORECASTER = MeanReverting(Layout(("lai", "cab"), {}, True), harmonics=1).requires_grad_(False)


def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
    return ensemble @ H[:, : ensemble.shape[-1]].T if acquisition.sensor else ensemble[..., :0]


SYSTEM = System(FORECASTER, observe, etkf)


def draws(seed: int = 0) -> Draws:
    return block_draws(seed, PIXELS, torch.zeros((), dtype=torch.float64))


def series(dates: int = 8) -> list[Acquisition]:
    generator = torch.Generator().manual_seed(1)
    made = []
    for k in range(dates):
        y = torch.randn((len(PIXELS), 2), generator=generator, dtype=torch.float64)
        error = torch.full_like(y, 0.4)
        error[k % 4, 0] = math.inf
        error[(k + 1) % 4] = math.inf
        made.append(Acquisition(100.0 + 7.0 * k, "s", y, error, torch.zeros(len(PIXELS), 3), ""))
    return made


def run(
    acquisitions: Sequence[Acquisition], members: int = 32, state: State | None = None
) -> list[Step]:
    if state is None:
        state = FORECASTER.initial(95.0, PIXELS, members, draws()(95.0, "initial"))
    return list(cycle(state, acquisitions, SYSTEM, draws()))


def test_linear_and_gaussian_it_is_the_kalman_filter() -> None:
    members = 20_000
    steps = run(series(), members)
    _, stationary = FORECASTER.transition(math.inf)
    mean = FORECASTER.mean(95.0).expand(len(PIXELS), -1)
    covariance, time = stationary.expand(len(PIXELS), -1, -1), 95.0
    for step in steps:
        a = step.acquisition
        f, q = FORECASTER.transition(a.time - time)
        mean = FORECASTER.mean(a.time) + (mean - FORECASTER.mean(time)) @ f.T
        covariance, time = f @ covariance @ f.T + q, a.time
        assert_near(step.background, mean, covariance, members)
        r = torch.where(a.seen, a.error, 1e6).square()
        gain = covariance @ H.T @ torch.linalg.inv(H @ covariance @ H.T + torch.diag_embed(r))
        mean = mean + (gain @ (a.values - mean @ H.T)[..., None])[..., 0]
        covariance = covariance - gain @ H @ covariance
        assert_near(step.analysis, mean, covariance, members)


def assert_near(state: State, mean: Tensor, covariance: Tensor, members: int) -> None:
    """Within what so many members can tell, over several cycles."""
    deviation = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    assert ((state.mean - mean) / deviation).abs().max() < 6.0 / math.sqrt(members)
    sample = state.anomalies.mT @ state.anomalies / (members - 1)
    error = (sample - covariance) / (deviation[:, :, None] * deviation[:, None])
    assert error.abs().max() < 8.0 * math.sqrt(2.0 / members)


def test_each_background_is_the_forecast_of_the_analysis_before() -> None:
    steps = run(series())
    assert [step.acquisition.time for step in steps] == [a.time for a in series()]
    for before, after in zip(steps, steps[1:], strict=False):
        time = after.acquisition.time
        expected = FORECASTER(before.analysis, time, draws()(time, "forecast"))
        assert torch.equal(after.background.ensemble, expected.ensemble)
        assert after.background.time == after.analysis.time == time
        seen = observe(after.background.ensemble, after.acquisition)
        assert torch.equal(after.predicted, seen)


@pytest.mark.parametrize("cut", [1, 4, 7])
def test_a_restart_from_any_state_changes_no_bit(cut: int) -> None:
    whole = run(series())
    first = run(series()[:cut])
    second = run(series()[cut:], state=first[-1].analysis)
    for one, two in zip(whole, [*first, *second], strict=True):
        assert torch.equal(one.analysis.ensemble, two.analysis.ensemble)
        assert torch.equal(one.background.ensemble, two.background.ensemble)


def test_pixels_run_alone_as_they_run_together() -> None:
    whole = run(series())
    for rows in ([0, 1], [2], [1, 3]):
        pixels = PIXELS[rows]
        some = block_draws(0, pixels, torch.zeros((), dtype=torch.float64))
        state = FORECASTER.initial(95.0, pixels, 32, some(95.0, "initial"))
        part = [
            a._replace(values=a.values[rows], error=a.error[rows], angles=a.angles[rows])
            for a in series()
        ]
        for one, two in zip(whole, cycle(state, part, SYSTEM, some), strict=True):
            torch.testing.assert_close(
                one.analysis.ensemble[rows], two.analysis.ensemble, rtol=0, atol=1e-13
            )


def test_what_is_hidden_or_asked_is_not_assimilated() -> None:
    line = series()
    everywhere = torch.ones(len(PIXELS), dtype=torch.bool)
    hidden = [hide(a, everywhere) if k == 3 else a for k, a in enumerate(line)]
    step = run(hidden)[3]
    assert torch.equal(step.analysis.ensemble, step.background.ensemble)
    assert (step.precision == 0).all()
    assert torch.equal(step.acquisition.values, line[3].values)  # kept for the score
    asked = run(merged(line, requests([line[3].time], line)))
    assert asked[4].predicted.shape[-1] == 0
    assert torch.equal(asked[4].analysis.ensemble, asked[3].analysis.ensemble)
    for one, two in zip(run(line)[4:], asked[5:], strict=True):
        assert torch.equal(one.analysis.ensemble, two.analysis.ensemble)


def test_nothing_that_is_given_is_modified() -> None:
    line = series(3)
    state = FORECASTER.initial(95.0, PIXELS, 8, draws()(95.0, "initial"))
    kept = state.ensemble.clone()
    values, errors = [a.values.clone() for a in line], [a.error.clone() for a in line]
    steps = run(line, state=state)
    assert torch.equal(state.ensemble, kept)
    for a, value, error in zip(line, values, errors, strict=True):
        assert torch.equal(a.values, value)
        assert torch.equal(a.error, error)
    assert not torch.equal(steps[-1].analysis.ensemble, kept)


def test_it_is_lazy_and_keeps_the_memory_of_the_scheme() -> None:
    def counting(
        prior: Tensor, seen: object, y: Tensor, precision: Tensor, noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:  # fmt: skip
        count = memory.get("count", torch.zeros(len(prior))) + 1.0
        return Analysis(prior, prior[..., :0], precision, {"count": count})

    state = FORECASTER.initial(95.0, PIXELS, 4, draws()(95.0, "initial"))
    steps = cycle(state, iter(series()), System(FORECASTER, observe, counting), draws())
    assert next(steps).analysis.memory["count"].tolist() == [1.0] * 4
    second = next(steps)
    assert second.background.memory["count"].tolist() == [1.0] * 4
    assert second.analysis.memory["count"].tolist() == [2.0] * 4
    assert "count" not in state.memory


def test_a_step_is_the_scheme_at_the_time_of_the_acquisition() -> None:
    state = FORECASTER.initial(100.0, PIXELS, 16, draws()(100.0, "initial"))
    (a, *_) = series()
    wider = SYSTEM._replace(analyse=relaxed(etkf, 0.5))
    step = assimilate(state, a, wider, draws()(a.time, "analysis"))
    alone = assimilate(state, a, SYSTEM, draws()(a.time, "analysis"))
    torch.testing.assert_close(step.analysis.mean, alone.analysis.mean)
    assert (step.analysis.spread[[0, 3]] > alone.analysis.spread[[0, 3]]).all()
    assert step.background is state
