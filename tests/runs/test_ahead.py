"""Forecasts of a block by bins of lead, on a linear system whose forecasts are known."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

import releo_da.runs.ahead as module
from releo_da.cycling.draws import block_draws
from releo_da.diagnostics.leads import Pairs, pairs_of
from releo_da.diagnostics.verification import FIELDS
from releo_da.dynamics.drifting import Drifting
from releo_da.observation.bias import Biased
from releo_da.runs.ahead import Kept, forecast_pairs
from releo_da.runs.compare import ndvi_index
from releo_da.runs.model import Model
from releo_da.state.bias import Biases
from releo_da.types import Acquisition, Noise, State

from .linear import CHANNELS, forecast, initial, linear_model

BINS = ((0.0, 5.0), (5.0, 20.0))
MEMBERS = 32
TIMES = [18000.4, 18003.4, 18010.4, 18010.4, 18016.4]
SENSORS = ["sentinel2a", "sentinel2b", "sentinel2a", "sentinel2b", "sentinel2b"]


@pytest.fixture
def block() -> tuple[dict[int, State], list[Acquisition], Pairs]:
    """Three pixels, some of them unseen at some dates; analyses are drawn at random."""
    generator = torch.Generator().manual_seed(2)
    pixels = torch.tensor([4, 5, 9])
    acquisitions, analyses = [], {}
    seen = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1], [1, 1, 0]]).bool()
    for k, (time, sensor) in enumerate(zip(TIMES, SENSORS, strict=True)):
        values = 0.2 + 0.2 * torch.rand(3, 2, generator=generator)
        error = torch.full((3, 2), 0.01).masked_fill(~seen[k][:, None], torch.inf)
        acquisitions.append(Acquisition(time, sensor, values, error, torch.zeros(3, 3)))
        ensemble = 0.3 + 0.05 * torch.randn(3, MEMBERS, 2, generator=generator)
        analyses[k] = State(time, ensemble, pixels, {})
    return analyses, acquisitions, pairs_of(np.array(TIMES), seen.T.numpy(), BINS)


def run(
    block: tuple[dict[int, State], list[Acquisition], Pairs],
    ticks: list[str],
    model: Model | None = None,
) -> np.ndarray:
    analyses, acquisitions, pairs = block
    draws = block_draws(3, analyses[0].pixels, analyses[0].ensemble)
    index = {name: ndvi_index(name, names) for name, names in CHANNELS.items()}
    model = model or linear_model()
    return forecast_pairs(model, analyses, acquisitions, pairs, index, draws, ticks.append)


def test_errors_that_go_together_leave_an_index_of_them_narrower(block) -> None:
    """One error for all channels of a date moves NDVI by its brightness alone."""
    model = replace(linear_model(), coloured=lambda z: z[..., :1].expand(z.shape))
    apart, together = run(block, []), run(block, [], model)
    sd = FIELDS.index("sd")
    assert together[:, sd].mean() < 0.99 * apart[:, sd].mean()
    assert np.array_equal(together[:, 0], apart[:, 0])


def test_each_pair_is_the_forecast_from_its_origin(block) -> None:
    """Members 0.3 + 0.95^dt (x - 0.3) + 0.05 (1 - 0.95^dt) z, then NDVI of noisy channels."""
    ticks: list[str] = []
    found = run(block, ticks)
    analyses, acquisitions, pairs = block
    assert len(ticks) == len(TIMES)
    assert np.isfinite(found).all() and len(found) == len(pairs.pixel) > 10
    draws = block_draws(3, analyses[0].pixels, analyses[0].ensemble)
    for k in range(len(pairs.pixel)):
        p, origin, target, _ = (int(column[k]) for column in pairs)
        state, wanted = analyses[origin], acquisitions[target]
        kept = 0.95 ** (wanted.time - state.time)
        z = draws(state.time, "ahead")(state.ensemble.shape)[p]
        moved = 0.3 + kept * (state.ensemble[p] - 0.3) + 0.05 * (1 - kept) * z
        e = draws(state.time, f"verify ahead {wanted.sensor}")((3, MEMBERS, 2))[p]
        red, near = (moved + 0.01 * e).unbind(-1)
        members = ((near - red) / (near + red)).double()
        row = dict(zip(FIELDS, found[k], strict=True))
        red, near = wanted.values[p].tolist()
        observed = (near - red) / (near + red)
        assert row["observed"] == pytest.approx(observed, abs=1e-6)
        assert row["mean"] == pytest.approx(float(members.mean()), abs=1e-5)
        assert row["sd"] == pytest.approx(float(members.std()), abs=1e-5)
        assert row["rank"] == int((members < observed).sum())


def test_results_do_not_depend_on_the_size_of_batches(block, monkeypatch) -> None:
    whole = run(block, [])
    monkeypatch.setattr(module, "BLOCK", 2)
    np.testing.assert_array_equal(run(block, []), whole)


class Stepping:
    """The linear system once more, one that gives several times at once."""

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def __call__(self, state: State, time: float, noise: Noise) -> State:
        raise AssertionError("each time was asked for alone")

    def along(self, state: State, times: Sequence[float], noise: Noise) -> list[State]:
        self.asked.append(list(times))
        drawn = noise(state.ensemble.shape)
        return [forecast(state, time, lambda shape: drawn) for time in times]


def test_a_forecaster_that_shares_steps_is_asked_for_all_times_of_an_origin(block) -> None:
    stepping = Stepping()
    found = run(block, [], replace(linear_model(), forecast=stepping))
    np.testing.assert_array_equal(found, run(block, []))
    assert max(map(len, stepping.asked)) == 3
    assert all(times == sorted(times) for times in stepping.asked)


def test_biases_of_sensors_go_along_with_noise_of_their_own(block) -> None:
    """Red of Sentinel-2B is red + b, with phi b + 0.05 (1 - phi^2)^1/2 (z - mean z) at a target."""
    analyses, acquisitions, pairs = block
    biases = Biases(("sentinel2b",), ("B04",), (0.05,), 100.0)
    analyses = {
        k: state._replace(ensemble=torch.cat([state.ensemble, 0.05 * state.ensemble[..., :1]], -1))
        for k, state in analyses.items()
    }
    plain = linear_model()
    model = replace(
        plain,
        forecast=Drifting(forecast, initial, biases),
        observe=Biased(
            plain.observe,
            biases.of,
            {"sentinel2b": torch.tensor([[1.0, 0.0]])},
        ),
        biases=biases,
    )
    draws = block_draws(3, analyses[0].pixels, analyses[0].ensemble)
    index = {name: ndvi_index(name, names) for name, names in CHANNELS.items()}
    found = forecast_pairs(model, analyses, acquisitions, pairs, index, draws)
    for k in range(len(pairs.pixel)):
        p, origin, target, _ = (int(column[k]) for column in pairs)
        state, wanted = analyses[origin], acquisitions[target]
        days = wanted.time - state.time
        z = draws(state.time, "ahead")(state.ensemble.shape)[p]
        kept, phi = 0.95**days, math.exp(-days / 100.0)
        surface = 0.3 + kept * (state.ensemble[p, :, :2] - 0.3) + 0.05 * (1 - kept) * z[:, :2]
        drawn = (z[:, 2] - z[:, 2].mean()) * (MEMBERS / (MEMBERS - 1)) ** 0.5
        bias = phi * state.ensemble[p, :, 2] + 0.05 * (1 - phi**2) ** 0.5 * drawn
        e = draws(state.time, f"verify ahead {wanted.sensor}")((3, MEMBERS, 2))[p]
        red, near = (surface + 0.01 * e).unbind(-1)
        red = red + (bias if wanted.sensor == "sentinel2b" else 0.0)
        members = ((near - red) / (near + red)).double()
        row = dict(zip(FIELDS, found[k], strict=True))
        assert row["mean"] == pytest.approx(float(members.mean()), abs=1e-5)
        assert row["sd"] == pytest.approx(float(members.std()), abs=1e-5)


def test_a_forecaster_of_many_steps_gets_the_same_noise_for_every_target() -> None:
    """More numbers than an ensemble has, drawn once; a shorter forecast meets the first of them."""
    generator = torch.Generator().manual_seed(0)
    kept = Kept(lambda shape: torch.randn(tuple(shape), generator=generator), (4, 5, 3))
    far, near = kept.at(torch.tensor([0, 2, 3])), kept.at(torch.tensor([2]))
    steps = [far((3, 5, width)) for width in (3, 2, 4)]
    again = [near((1, 5, width)) for width in (3, 2, 4)]
    for one, other in zip(steps, again, strict=True):
        assert torch.equal(one[1:2], other)
    assert len(torch.cat(steps, -1).unique()) == 3 * 5 * 9
