"""Nature runs of a twin: pixels alone or together, truths without latents, hooks of delivery."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from releo_da.config import twin_passes, twin_setting, twin_source
from releo_da.config.assemble import Assembly
from releo_da.config.compared import comparing
from releo_da.config.document import load
from releo_da.config.simulation import simulation
from releo_da.cycling.draws import Draws
from releo_da.runs.acquire import Nature, Simulate, nature, noisy, prescribed
from releo_da.runs.block import Task
from releo_da.runs.model import Model
from releo_da.runs.twin import score, twin
from releo_da.types import Acquisition

CONFIG = """
seed: 1
members: 32
period: [2023-05-01, 2023-05-25]
source:
  twin:
    pixels: 600
    cloud: 0.3
    satellites: [{sensor: sentinel2a, channels: [B03, B04, B08, B11], every_days: 8}]
state: {name: prosail, fixed: {n: 1.5, car: 8.0, cbrown: 0.0, cm: 0.005, hspot: 0.2, ala: 55.0}}
forecast: {name: mean_reverting, residual_sd: 0.004}
analyse: [{name: etkf}, {name: multiple, times: 2}]
smooth: {name: rts}
score: {horizons: [8]}
products: {variables: [lai, fapar], every_days: 12}
"""
VARIABLES = ("lai", "cab", "cw", "ant", "psoil", "rsoil")


def joined(
    folder: Path,
) -> tuple[Simulate, Assembly, Task, list[Acquisition]]:
    path = folder / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    document, device = load(path), torch.device("cpu")
    made = twin_source.source_of(document)
    ours, theirs = twin_setting.assemblies(document, made, device)
    looks = twin_passes.passes(document, made, device)
    task = twin_setting.task_of(document, made)
    return simulation(made, theirs, looks, (task.start, *task.asked), 7, {}), ours, task, looks


def equal(one: Nature, other: Nature, rows: slice) -> bool:
    pairs = [(one.states[t], other.states[t]) for t in one.states]
    pairs += list(zip(one.exact, other.exact, strict=True))
    for a, b in zip(one.acquisitions, other.acquisitions, strict=True):
        pairs += [(a.values, b.values), (a.error, b.error), (a.angles, b.angles)]
    return all(torch.equal(a, b[rows]) for a, b in pairs)


def test_pixels_are_simulated_alone_as_they_are_together(tmp_path: Path) -> None:
    """To the last bit: a second block without the first, half of a block without the rest."""
    simulate, *_ = joined(tmp_path)
    together = simulate(torch.arange(600))
    assert equal(simulate(torch.arange(256, 512)), together, slice(256, 512))
    assert equal(simulate(torch.arange(256, 384)), together, slice(256, 384))
    assert equal(simulate(torch.arange(512, 600)), together, slice(512, 600))


def prescribed_season(model: Model, looks: list[Acquisition], every: list[float]) -> Simulate:
    """Leaf area that rises with time and differs between pixels; no latents."""

    def variables(time: float, pixels: Tensor) -> Tensor:
        lai = 1.0 + 0.05 * (time - looks[0].time) + 0.002 * pixels
        rest = torch.tensor([45.0, 0.012, 0.5, 0.4, 0.8]).expand(len(pixels), 5)
        return torch.cat([lai[:, None].float(), rest], -1)[:, None]

    def derive(states: Tensor, angles: Tensor) -> dict[str, Tensor]:
        return {"lai": states[..., 0], "fapar": 1.0 - torch.exp(-0.5 * states[..., 0])}

    def observe(states: Tensor, a: Acquisition) -> Tensor:
        red = 0.2 * torch.exp(-states[..., :1])
        return torch.cat([red, red, 0.5 - red, 0.3 - 0.5 * red], -1)

    truth = prescribed(variables, VARIABLES, derive, observe)
    return lambda pixels: nature(truth, looks, every, pixels, 3, noisy(model, 0.2))


def test_a_truth_may_be_a_function_of_time_and_pixel(tmp_path: Path) -> None:
    _, ours, task, looks = joined(tmp_path)
    simulate = prescribed_season(ours.model, looks, [task.start, *task.asked])
    pixels = torch.arange(300)
    outcome = twin(ours.model, simulate, comparing(ours), task, pixels)
    found = score(outcome, task)
    assert {"lai", "cab", "cw", "psoil", "rsoil"} <= set(found["analysis"])
    assert "ant" not in found["analysis"]  # the truth has it, the state does not estimate it
    told = outcome.verification.observed.sel(channel="lai").values
    expected = 1.0 + 0.05 * (looks[-1].time - looks[0].time) + 0.002 * pixels.numpy()
    assert told[-1] == pytest.approx(expected, rel=1e-6)
    truth = outcome.truth["fapar"].mean
    lai = 1.0 + 0.05 * (task.asked[0] - looks[0].time) + 0.002 * pixels.numpy()
    assert truth[0] == pytest.approx(1.0 - torch.exp(-0.5 * torch.tensor(lai)).numpy(), rel=1e-5)


def test_what_arrives_is_for_the_caller_to_say(tmp_path: Path) -> None:
    _, ours, _, looks = joined(tmp_path)
    asked: list[tuple[str, int]] = []

    def deliver(
        a: Acquisition, clean: Tensor, pixels: Tensor, draws: Draws, label: str
    ) -> Acquisition:
        asked.append((label, int(pixels[0])))
        assert a.angles.shape == (len(pixels), 3)
        error = torch.full_like(clean, 0.01)
        error[pixels % 2 == 0] = torch.inf
        return a._replace(values=1.1 * clean, error=error)

    simple = prescribed_season(ours.model, looks, [])(torch.arange(4)).truth
    found = nature(simple, looks, (), torch.arange(256, 260), 3, deliver)
    assert asked == [("sentinel2a", 256)] * len(looks)
    for a, exact in zip(found.acquisitions, found.exact, strict=True):
        assert torch.equal(a.values, 1.1 * exact)
        assert a.seen[:, 0].tolist() == [False, True, False, True]


def test_a_pass_is_the_same_whatever_else_flies(tmp_path: Path) -> None:
    """Clouds and noise go by time and sensor, of independent clouds and the noise of R as well."""
    simulate, *_ = joined(tmp_path)
    path = tmp_path / "config.yaml"
    both = (
        "source.twin.satellites=[{sensor: sentinel2a, channels: [B03, B04, B08, B11], "
        "every_days: 8}, {sensor: sentinel2b, channels: [B03, B04, B08, B11], every_days: 3}]"
    )
    document, device = load(path, (both,)), torch.device("cpu")
    made = twin_source.source_of(document)
    ours, theirs = twin_setting.assemblies(document, made, device)
    looks = twin_passes.passes(document, made, device)
    task = twin_setting.task_of(document, made)
    others = simulation(made, theirs, looks, (task.start, *task.asked), 7, {})
    one, more = (made(torch.arange(20)).acquisitions for made in (simulate, others))
    again = [a for a in more if a.sensor == "sentinel2a"]
    assert len(more) > len(again) == len(one)
    for a, b in zip(one, again, strict=True):
        assert torch.equal(a.seen, b.seen)


def test_two_passes_of_one_sensor_and_time_have_their_own_noise(tmp_path: Path) -> None:
    simulate, ours, _, looks = joined(tmp_path)
    labels: list[str] = []

    def deliver(
        a: Acquisition, clean: Tensor, pixels: Tensor, draws: Draws, label: str
    ) -> Acquisition:
        labels.append(label)
        return a

    truth = simulate(torch.arange(2)).truth
    nature(truth, [looks[0], looks[0], looks[1]], (0.0,), torch.arange(2), 7, deliver)
    assert labels == ["sentinel2a", "sentinel2a 1", "sentinel2a"]
