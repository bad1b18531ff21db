"""What is learned of one sensor's channels is not mixed with another's, through window and file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import etkf, tuned
from releo_da.assimilation.tuned import ERROR
from releo_da.cycling.cycle import cycle
from releo_da.cycling.draws import block_draws
from releo_da.cycling.memory import lent, returned
from releo_da.cycling.windows import windowed
from releo_da.io.state_file import read_state, write_state
from releo_da.types import Acquisition, Noise, Scheme, State, System

DOUBLE = torch.float64
PIXELS = torch.arange(60)
NOISE = {"sentinel2a": (2.0, 0.8), "sentinel2b": (0.8, 1.5)}
"""True deviations of two sensors with as many channels; both are said to be 1."""


def forecast(state: State, time: float, noise: Noise) -> State:
    """Each time is a new draw of N(0, 1): background and truth are of one distribution."""
    if time == state.time:
        return state
    return state._replace(time=time, ensemble=noise(state.ensemble.shape))


def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
    return ensemble[..., : acquisition.values.shape[-1]]


def series(dates: int) -> list[Acquisition]:
    rng = torch.Generator().manual_seed(1)

    def draw() -> Tensor:
        return torch.randn(len(PIXELS), 2, generator=rng, dtype=DOUBLE)

    made, one = [], torch.ones(len(PIXELS), 2, dtype=DOUBLE)
    for k in range(dates):
        sensor = list(NOISE)[(k // 2 + k) % 2]  # also twice in a row
        y = draw() + torch.tensor(NOISE[sensor], dtype=DOUBLE) * draw()
        made.append(Acquisition(float(k + 1), sensor, y, one, torch.zeros(len(PIXELS), 3)))
    request = Acquisition(1.5, "", one[:, :0], one[:, :0], torch.zeros(len(PIXELS), 3))
    return [made[0], request, *made[1:]]


def last(acquisitions: Sequence[Acquisition], scheme: Scheme, state: State | None = None) -> State:
    draws = block_draws(3, PIXELS, torch.zeros((), dtype=DOUBLE))
    if state is None:
        state = State(0.0, draws(0.0, "initial")((len(PIXELS), 200, 2)), PIXELS)
    *_, step = cycle(state, acquisitions, System(forecast, observe, scheme), draws)
    return step.analysis


@pytest.mark.parametrize("lag", [None, 3])
def test_two_sensors_with_as_many_channels_find_an_error_each(lag: int | None) -> None:
    scheme: Scheme = tuned(etkf, damping=0.97)
    if lag is not None:
        scheme = windowed(scheme, lag, model_error="control")
    state = last(series(600), scheme)
    assert set(state.memory) == {f"{ERROR}{sensor}" for sensor in NOISE}
    for sensor, true in NOISE.items():
        found = state.memory[ERROR + sensor].mean(0).exp().sqrt()
        assert found == pytest.approx(torch.tensor(true, dtype=DOUBLE), rel=0.1), sensor


def test_a_run_that_is_cut_in_two_by_a_file_remembers_the_same(tmp_path: Path) -> None:
    whole, scheme = series(12), tuned(etkf, damping=0.8)
    write_state(tmp_path / "s", last(whole[:6], scheme))
    cut = last(whole[6:], scheme, read_state(tmp_path / "s"))
    straight = last(whole, scheme)
    assert cut.memory.keys() == straight.memory.keys()
    for name, held in straight.memory.items():
        assert torch.equal(cut.memory[name], held), name


def passes(*sensors: str) -> list[Acquisition]:
    values = {"a": torch.zeros(3, 2), "b": torch.zeros(3, 1), "": torch.zeros(3, 0)}
    return [
        Acquisition(0.0, f"folder/{s}" if s else "", values[s], values[s] + 1, torch.zeros(3, 3))
        for s in sensors
    ]


def test_a_window_meets_the_parts_of_its_sensors_side_by_side() -> None:
    held = {"of all": torch.ones(3), "x@a": torch.full((3, 2), 4.0), "x@c": torch.ones(3, 5)}
    window = passes("a", "", "b", "a")
    met = lent(held, window)
    assert set(met) == {"of all", "x@"}
    assert met["x@"][0].tolist() == [4.0, 4.0, 0.0, 4.0, 4.0]
    assert set(lent(held, passes("b"))) == set(lent(held, passes(""))) == {"of all"}
    moved = torch.tensor([5.0, 6.0, 7.0, 1.0, 2.0]).expand(3, 5)
    after = returned(held, {"x@": moved, "new": torch.zeros(3)}, window)
    assert set(after) == {"x@a", "x@b", "x@c", "new"}  # what a scheme drops is gone
    assert after["x@a"][0].tolist() == [3.0, 4.0]
    assert after["x@b"][0].tolist() == [7.0]
    assert after["x@c"] is held["x@c"]
    other = {"x@a": torch.ones(3, 7)}  # it had other channels once
    assert not lent(other, passes("a"))
