"""Biases of sensors as latents: the augmented Kalman filter, a twin of two satellites, errors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from releo_da.config import toy, twin_passes, twin_setting, twin_source
from releo_da.config import twin as twins
from releo_da.config.compared import comparing
from releo_da.config.document import Document, load
from releo_da.config.options import Options
from releo_da.config.simulation import simulation
from releo_da.config.toy_source import source_of
from releo_da.cycling.cycle import cycle
from releo_da.cycling.draws import block_draws
from releo_da.dynamics.drifting import Drifting
from releo_da.dynamics.linear import linear
from releo_da.runs.twin import score, twin
from releo_da.state.bias import Biases
from releo_da.types import InputError, State, Step

DOUBLE = torch.float64

LINEAR = """
seed: 1
members: 40
source:
  twin:
    truth: {name: linear, matrix: [[0.9, 0.3, 0.0], [-0.3, 0.9, 0.1], [0.0, 0.0, 0.95]]}
    initial: {mean: [1.0, 0.0, -1.0], variance: [1.0, 2.0, 0.5]}
    observe_every: [1, 3]
    steps: 30
    network: [2, 0, 1]
    error_variance: [0.5, 0.2, 0.1]
    missing: 0.3
    replicates: 4
    bias: {x0: 0.8}
observe: {name: identity, bias: {x0: 0.5, x2: 0.3}, bias_days: .inf}
"""

RING = """
seed: 1
members: 24
source:
  twin:
    truth: {name: lorenz96, size: 40, forcing: 8.0, dt: 0.05}
    initial: {mean: first_one, variance: 0.001}
    observe_every: 1
    steps: 150
    network: {start: 0, step: 1}
    error_variance: 1.0
    replicates: 2
    bias: {x0: 1.0}
observe: {name: identity, bias: {x0: 1.0, x20: 1.0}, bias_days: .inf}
analyse: [{name: letkf, radius: 4.0}, {name: inflated, factor: 1.02}]
"""

LAND = """
seed: 0
members: 48
period: [2023-03-01, 2023-07-31]
source:
  twin:
    pixels: 30
    cloud: 0.2
    satellites:
      - {sensor: sentinel2a, channels: [B02, B03, B04, B08, B11], every_days: 10}
      - {sensor: landsat8, channels: [B2, B3, B4, B5, B6], every_days: 8, hour: 10.2,
         bias: {B2: 0.02, B3: 0.02, B4: 0.02}}
forecast: {name: mean_reverting, residual_sd: 0.005}
observe: {name: emulator, representativeness: 0.004}
analyse: [{name: etkf}, {name: multiple, times: 2}]
products: {variables: [lai], every_days: 30}
"""
KNOWN = "observe.bias={landsat8: {B2: 0.02, B3: 0.02, B4: 0.02}}"
UNBIASED = "source.twin.satellites.1.bias={}"


def written(folder: Path, text: str, *settings: str) -> Document:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, settings)


def kalman(
    state: State, acquisitions: Any, biased: list[int], pixel: int, matrix: Tensor
) -> tuple[Tensor, Tensor]:
    """The textbook filter of state and constant bias, from the moments of an ensemble."""
    mean, cov = state.mean[pixel], state.ensemble[pixel].T.cov()
    time, h = 0, torch.zeros(3, 5, dtype=DOUBLE)
    for row, component in enumerate((2, 0, 1)):
        h[row, component] = 1.0
    for latent, row in enumerate(biased):
        h[row, 3 + latent] = 1.0
    f = torch.block_diag(matrix, torch.eye(2, dtype=DOUBLE))
    for a in acquisitions:
        for _ in range(round(a.time) - time):
            mean, cov = f @ mean, f @ cov @ f.T
        time, seen = round(a.time), a.seen[pixel]
        part, r = h[seen], torch.diag(a.error[pixel][seen] ** 2)
        gain = cov @ part.T @ torch.linalg.inv(part @ cov @ part.T + r)
        mean = mean + gain @ (a.values[pixel][seen] - part @ mean)
        cov = cov - gain @ part @ cov
    return mean, cov


def test_linear_and_gaussian_it_is_the_filter_of_the_augmented_state(tmp_path: Path) -> None:
    document = written(tmp_path, LINEAR)
    made, device = source_of(document), torch.device("cpu")
    model = toy.model_of(document, made, toy.forecaster_of(document, made, device))
    truth = toy.simulated(made, 1, device)
    pixels = torch.arange(4)
    draws = block_draws(1, pixels, truth.acquisitions[0].values)
    state = model.initial(0.0, pixels, 40, draws(0.0, "initial"))
    assert state.mean[:, 3:].abs().max() < 1e-12  # the prior of a bias has mean 0
    *_, step = cycle(state, truth.acquisitions, model.system, draws)
    matrix = made.truth.step.matrix.detach()  # type: ignore[union-attr]
    for pixel in range(4):
        mean, cov = kalman(state, truth.acquisitions, [1, 0], pixel, matrix)
        found = step.analysis
        assert torch.allclose(found.mean[pixel], mean, rtol=0.0, atol=1e-10)
        assert torch.allclose(found.ensemble[pixel].T.cov(), cov, rtol=0.0, atol=1e-10)


def test_a_toy_run_tells_the_bias_and_its_truth(tmp_path: Path) -> None:
    out = tmp_path / "run"
    twins.command(written(tmp_path, LINEAR, "members=200"), Options(out=out, quiet=True))
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    rows = scores["biases"]["components"]
    assert [rows["x0"]["truth"], rows["x2"]["truth"]] == [0.8, 0.0]
    for row in rows.values():
        assert row["spread"] < 0.7 * row["prior"]
        assert abs(row["mean"] - row["truth"]) < 3.0 * row["spread"]
    assert scores["analysis"]["state"]["n"] == 4 * 30 * 3  # the state is scored without them
    assert "Bias of components" in (out / "report.html").read_text(encoding="utf-8")


def test_a_toy_run_counts_what_it_refuses_by_channel(tmp_path: Path) -> None:
    """Told that errors are far smaller than they are, of one channel, the screening refuses it."""
    out = tmp_path / "run"
    text = LINEAR.replace("x0: 0.8", "x0: 30.0").replace("x0: 0.5, x2: 0.3", "x2: 0.3")
    screened = "analyse=[{name: etkf}, {name: screened, threshold: 4.0, share: 1.0}]"
    twins.command(written(tmp_path, text, screened), Options(out=out, quiet=True))
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    rejected = scores["rejected"]
    assert sum(rejected.values()) == sum(scores["rejected_by_reason"].values())
    assert rejected["x0"] > 60 > 10 * sum(n for name, n in rejected.items() if name != "x0")


@pytest.mark.parametrize("days", [50.0, math.inf])
def test_biases_are_carried_exactly_over_any_interval(days: float) -> None:
    biases = Biases(("a", "b"), ("x", "x"), (0.1, 0.3), days)
    inside = linear([[0.9, 0.2], [0.0, 0.8]], noise_variance=0.1)
    drifting = Drifting(inside, lambda *_: State(0.0, torch.zeros(0), torch.zeros(0)), biases)
    (fa, qa), (fb, qb), (f, q) = (drifting.transition(t) for t in (3.0, 4.0, 7.0))
    assert torch.allclose(fb @ fa, f, rtol=0.0, atol=1e-12)
    assert torch.allclose(fb @ qa @ fb.T + qb, q, rtol=0.0, atol=1e-12)
    stationary = torch.tensor([0.01, 0.09], dtype=DOUBLE)
    kept = math.exp(-7.0 / days)
    assert torch.allclose(kept**2 * stationary + q.diagonal()[2:], stationary)
    rng = torch.Generator().manual_seed(0)

    def noise(shape: Any) -> Tensor:
        return torch.randn(tuple(shape), generator=rng, dtype=DOUBLE)

    start = State(0.0, noise((1, 40_000, 4)), torch.arange(1))
    moved = drifting(start, 7.0, noise)
    assert torch.allclose(moved.mean[0], f @ start.mean[0], rtol=0.0, atol=1e-12)
    expected = f @ start.ensemble[0].T.cov() @ f.T + q
    assert torch.allclose(moved.ensemble[0].T.cov(), expected, rtol=0.0, atol=0.02)
    assert drifting(start, 0.0, noise) is start


def estimated(folder: Path, *settings: str) -> tuple[dict[str, Any], Any]:
    """Scores of a land twin without its figures, and the final state of its biases."""
    document = written(folder, LAND, *settings)
    device, made = torch.device("cpu"), twin_source.source_of(document)
    ours, theirs = twin_setting.assemblies(document, made, device)
    task = twin_setting.task_of(document, made)
    looks, pixels = twin_passes.passes(document, made, device), torch.arange(30)
    known = twin_setting.known_biases(ours, made)
    simulate = simulation(made, theirs, looks, (task.start, *task.asked), 1, known)
    outcome = twin(ours.model, simulate, comparing(ours), task, pixels, device)
    return score(outcome, task, 60.0), (outcome, ours)


def test_a_bias_between_two_satellites_is_found_and_leaf_area_gains(tmp_path: Path) -> None:
    without, _ = estimated(tmp_path)
    found, (outcome, ours) = estimated(tmp_path, KNOWN)
    assert found["analysis"]["lai"]["rmse"] < 0.97 * without["analysis"]["lai"]["rmse"]
    held = ours.model.biases.of(outcome.state.ensemble)
    for k, channel in enumerate(("B2", "B3", "B4")):
        mean, spread = held[..., k].mean(1), held[..., k].std(1)
        assert spread.max() < 0.6 * 0.02
        inside = ((mean - 0.02).abs() < 1.96 * spread).float().mean()
        assert inside > 0.8, channel
        assert abs(float(mean.mean()) - 0.02) < 0.003, channel
        row = found["analysis"][f"bias_landsat8_{channel}"]
        assert row["rmse"] < 0.5 * found["free_run"][f"bias_landsat8_{channel}"]["rmse"]
        assert row["coverage_90"] > 0.8
        shown = outcome.truth[f"bias_landsat8_{channel}"].mean
        assert np.allclose(shown, 0.02)
    assert set(outcome.products) == {"lai", *ours.model.biases.names}


def test_where_there_is_no_bias_little_is_lost(tmp_path: Path) -> None:
    without, _ = estimated(tmp_path, UNBIASED)
    found, (outcome, ours) = estimated(tmp_path, UNBIASED, KNOWN)
    assert found["analysis"]["lai"]["rmse"] < 1.02 * without["analysis"]["lai"]["rmse"]
    held = ours.model.biases.of(outcome.state.ensemble)
    assert (held.mean((0, 1)).abs() < 0.003).all()


def test_biases_that_cannot_be_are_refused(tmp_path: Path) -> None:
    def built(*settings: str) -> None:
        document = written(tmp_path, LAND, *settings)
        twin_setting.assemblies(document, twin_source.source_of(document), torch.device("cpu"))

    built("observe.bias={modis_terra: 0.02}")  # known, but not of this run
    built("observe.bias={landsat8: 0.02, sentinel2a: 0.005}")
    everything = "observe.bias={landsat8: 0.02, sentinel2a: 0.02}"
    for setting, message in (
        ("observe.bias={landsat9x: 0.02}", "landsat9x"),
        ("observe.bias={landsat8: {B44: 0.02}}", "no channel 'B44'.*did you mean 'B4'"),
        ("observe.bias={landsat8: -0.02}", "positive standard deviation"),
        (everything, "leave one sensor out as the reference"),
        ("observe.bias_days=0", "bias_days is 0"),
        ("source.twin.satellites.1.bias={B44: 0.02}", "no channel 'B44'"),
    ):
        with pytest.raises(InputError, match=message):
            built(setting)
    text = LINEAR.replace("x2: 0.3", "x2: 0.3, x1: 0.3").replace("x0: 0.5", "x0: 0.3")
    document = written(tmp_path, text)
    with pytest.raises(InputError, match="reference"):
        toy.model_of(document, source_of(document), source_of(document).truth)


def cycled(document: Document) -> tuple[Biases, Step]:
    """The biases of a toy run, and its last step."""
    device, made = torch.device("cpu"), source_of(document)
    model = toy.model_of(document, made, toy.forecaster_of(document, made, device))
    truth, pixels = toy.simulated(made, 1, device), torch.arange(made.replicates)
    draws = block_draws(1, pixels, truth.acquisitions[0].values)
    state = model.initial(0.0, pixels, 24, draws(0.0, "initial"))
    *_, step = cycle(state, truth.acquisitions, model.system, draws)
    assert model.biases is not None
    return model.biases, step


def test_what_is_localized_learns_the_bias_of_a_component_from_what_is_near(tmp_path: Path) -> None:
    """On the ring of Lorenz (1996), with two biases that lie on opposite sides of it."""
    spread = {}
    for batch in (1, 2):
        biases, step = cycled(written(tmp_path, RING, f"analyse.0.batch={batch}"))
        spread[batch] = biases.of(step.analysis.ensemble).std(1).mean(0)
    assert (spread[1] < 0.35).all() and (spread[2] < 1.2 * spread[1]).all()


def test_localization_and_static_backgrounds_know_where_a_bias_lies(tmp_path: Path) -> None:
    for scheme in ("{name: letkf, radius: 1.0}", "{name: variational, background: static}"):
        biases, step = cycled(written(tmp_path, LINEAR, "source.twin.steps=3", f"analyse={scheme}"))
        assert torch.isfinite(step.analysis.ensemble).all()
        before, after = (biases.of(s.ensemble).std(1) for s in (step.background, step.analysis))
        assert not torch.equal(before, after)
