"""Twin experiments of toy models: the Kalman filter as oracle, networks, divergence, the files."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.assimilation.compiled import library
from releo_da.config import toy
from releo_da.config import twin as twins
from releo_da.config.document import Document, load
from releo_da.config.options import Options
from releo_da.config.toy_climate import climatology_of, places_of, supplied
from releo_da.config.toy_source import is_toy, source_of
from releo_da.runs.toy import means, toy_twin
from releo_da.runs.toy_scores import diverged, interpolated, references
from releo_da.types import InputError

LORENZ63 = """
seed: 3
members: 10
source:
  twin:
    truth: {name: lorenz63}
    initial: {mean: [1.509, -1.531, 25.46], variance: 2.0}
    observe_every: 25
    steps: 80
    error_variance: 2.0
    replicates: 3
analyse: [{name: etkf}, {name: inflated, factor: 1.02}, {name: rotated}]
score: {burn_in: 4.0, horizons: [0.5]}
"""

LINEAR = """
seed: 1
members: 1000
source:
  twin:
    truth: {name: linear, matrix: [[0.9, 0.3, 0.0], [-0.3, 0.9, 0.1], [0.0, 0.0, 0.95]],
            noise_variance: [0.05, 0.1, 0.2]}
    initial: {mean: [1.0, 0.0, -1.0], variance: [1.0, 2.0, 0.5]}
    observe_every: [1, 3]
    steps: 40
    network: [2, 0]
    error_variance: [0.5, 0.2]
    missing: 0.3
    replicates: 4
smooth: {name: rts}
"""


def written(folder: Path, text: str, *settings: str) -> Document:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, settings)


def ran(folder: Path, text: str, *settings: str) -> tuple[Path, dict[str, Any]]:
    out = folder / "run"
    twins.command(written(folder, text, *settings), Options(out=out, quiet=True))
    return out, json.loads((out / "scores.json").read_text(encoding="utf-8"))


def outcome_of(document: Document) -> tuple[Any, Any, Any]:
    """Outcome, truth and task of a configuration, without files."""
    made = source_of(document)
    device = torch.device("cpu")
    task = toy.task_of(document, made)
    model = toy.model_of(document, made, toy.forecaster_of(document, made, device))
    truth = toy.simulated(made, task.seed, device)
    pixels = torch.arange(made.replicates)
    return toy_twin(model, truth, task, pixels, detail=False, free_run=False), truth, task


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    return ran(tmp_path_factory.mktemp("toy"), LORENZ63)


def test_the_filter_follows_the_truth(done: tuple[Path, dict[str, Any]]) -> None:
    _, scores = done
    rmse = {case: scores[case]["state"]["rmse"] for case in ("analysis", "background", "free_run")}
    assert rmse["analysis"] < rmse["background"] < 0.5 * rmse["free_run"]
    assert rmse["analysis"] < scores["forecast"]["0.5"]["state"]["rmse"] < rmse["free_run"]
    assert scores["diverged"] == 0
    assert scores["seeds"] == [3]
    assert scores["analysis"]["state"]["n"] == 3 * 3 * 64  # the first 16 times are burn-in
    assert rmse["analysis"] == np.median(scores["replicates"]["analysis"]["rmse"])
    assert 5.0 < scores["baselines"]["climatology"]["analysis"]["state"]["rmse"] < 9.0


def test_innovations_are_judged_after_the_burn_in(tmp_path: Path) -> None:
    """On a linear model with known errors; the log has every analysis, the scores the later."""
    out, scores = ran(
        tmp_path, LINEAR, "score.burn_in=20", "members=200", "source.twin.replicates=20"
    )
    records = [json.loads(line) for line in (out / "log.jsonl").open(encoding="utf-8")]
    rows = [one for one in records if one["kind"] == "analysis"]
    with xr.open_dataset(out / "analysis.nc") as found:
        late = int((found.time.values > np.datetime64("1970-01-21")).sum())
    assert len(rows) == 40 and 0 < late < 40
    row = scores["innovations"]["components"]
    assert row["values"] == sum(one["values"] for one in rows[-late:])
    assert row["reduced_chi2"] == pytest.approx(1.0, abs=0.15)
    deviations = {name: one["assumed"] for name, one in row["errors"].items()}
    assert deviations == pytest.approx({"x2": 0.5**0.5, "x0": 0.2**0.5})
    for one in row["errors"].values():
        assert one["estimated"] == pytest.approx(one["assumed"], rel=0.1)
        assert one["variance_ratio"] == pytest.approx(1.0, abs=0.2)
        assert abs(one["autocorrelation"]) < 0.2  # 0 but for some 400 pairs


def test_the_kernel_of_a_run_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "analyse=[{name: etkf, kernel: compiled}, {name: inflated, factor: 1.02}]"
    told, rmse = [], []
    for name, compiler in (("with", "cc"), ("without", "no-such-compiler")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("CC", compiler)
        library.cache_clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root, scores = ran(tmp_path / name, LORENZ63, asked)
        lines = (root / "log.jsonl").read_text(encoding="utf-8").splitlines()
        told += [r for r in map(json.loads, lines) if r["kind"] == "kernel"]
        rmse.append(scores["analysis"]["state"]["rmse"])
    library.cache_clear()
    assert [one["used"] for one in told] == ["compiled" if shutil.which("cc") else "plain", "plain"]
    assert "no C compiler" in told[1]["because"]
    assert rmse[0] == pytest.approx(rmse[1], rel=1e-3)


def test_the_compiled_kernel_has_one_root(tmp_path: Path) -> None:
    asked = "analyse=[{name: etkf, kernel: compiled, root: symmetric}]"
    with pytest.raises(InputError, match="triangular root only"):
        ran(tmp_path, LORENZ63, asked)


def test_scores_follow_the_published_definition(done: tuple[Path, dict[str, Any]]) -> None:
    """Time mean of the root of the mean square over components, from the files alone."""
    out, scores = done
    with xr.open_dataset(out / "analysis.nc") as found, xr.open_dataset(out / "truth.nc") as true:
        late = slice(16, None)
        error = (found.state - true.state).isel(time=late).values.reshape(64, 3, 3)
        spread = found.state_spread.isel(time=late).values.reshape(64, 3, 3)
        assert found.component.values.tolist() == [0, 1, 2] * 3
        assert found.replicate.values.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    said = scores["replicates"]["analysis"]
    assert said["rmse"] == pytest.approx(np.sqrt((error**2).mean(-1)).mean(0), rel=1e-4)
    assert said["spread"] == pytest.approx(np.sqrt((spread**2).mean(-1)).mean(0), rel=1e-4)


def test_the_run_directory_is_whole(done: tuple[Path, dict[str, Any]]) -> None:
    out, _ = done
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "Error and spread through time" in html
    assert "Diverged: 0" in html
    for name in ("tracking", "ranks", "twin_skill", "series_state"):
        assert (out / "figures" / f"{name}.png").is_file()
    assert (out / "state.safetensors").is_file()


def kalman(document: Document, replicate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, covariance and smoothed mean of the exact filter, along observation times."""
    made = source_of(document)
    truth = toy.simulated(made, document.values["seed"], torch.device("cpu"))
    f = made.truth.step.matrix.detach().numpy()
    q = np.diag(made.truth.noise_sd.detach().numpy() ** 2)
    mean, covariance = np.array(made.initial.mean), np.diag(made.initial.variance)
    before, filtered, time = [], [], 0.0
    for a in truth.acquisitions:
        for _ in range(round(a.time - time)):
            mean, covariance = f @ mean, f @ covariance @ f.T + q
        before.append((mean, covariance, round(a.time - time)))
        time = a.time
        h = np.eye(3)[list(made.network)][a.seen[replicate].numpy()]
        r = np.diag(a.error[replicate][a.seen[replicate]].numpy() ** 2)
        y = a.values[replicate][a.seen[replicate]].numpy()
        gain = covariance @ h.T @ np.linalg.inv(h @ covariance @ h.T + r)
        mean, covariance = mean + gain @ (y - h @ mean), covariance - gain @ h @ covariance
        filtered.append((mean, covariance))
    late = [filtered[-1][0]]
    for k in range(len(filtered) - 2, -1, -1):
        ahead, carried, steps = before[k + 1]
        gain = filtered[k][1] @ np.linalg.matrix_power(f, steps).T @ np.linalg.inv(carried)
        late.insert(0, filtered[k][0] + gain @ (late[0] - ahead))
    return (*map(np.array, zip(*filtered, strict=True)), np.array(late))


def test_a_linear_twin_has_the_scores_of_the_kalman_filter(tmp_path: Path) -> None:
    document = written(tmp_path, LINEAR)
    found, truth, task = outcome_of(document)
    rmse, spread = means(found, 0.0, task.start)["analysis"]
    smoothed, _ = means(found, 0.0, task.start)["smoothed"]
    for replicate in range(4):
        mean, covariance, late = kalman(document, replicate)
        true = np.stack([truth.states[a.time][replicate, 0] for a in truth.acquisitions])
        exact = np.sqrt(((mean - true) ** 2).mean(-1)).mean()
        assert rmse[replicate] == pytest.approx(exact, rel=0.02)
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        assert spread[replicate] == pytest.approx(np.sqrt(variance.mean(-1)).mean(), rel=0.02)
        exact = np.sqrt(((late - true) ** 2).mean(-1)).mean()
        assert smoothed[replicate] == pytest.approx(exact, rel=0.03)


def test_networks_intervals_and_gaps_are_those_asked_for(tmp_path: Path) -> None:
    document = written(tmp_path, LINEAR, "source.twin.steps=400")
    made = source_of(document)
    assert made.times[:5] == (1.0, 4.0, 5.0, 8.0, 9.0)
    truth = toy.simulated(made, 1, torch.device("cpu"))
    seen = torch.stack([a.seen for a in truth.acquisitions])
    assert float(seen.double().mean()) == pytest.approx(0.7, abs=0.03)
    error = torch.stack([a.values for a in truth.acquisitions]) - torch.stack(truth.exact)
    for channel, variance in enumerate((0.5, 0.2)):
        drawn = error[..., channel][seen[..., channel]]
        assert float(drawn.var()) == pytest.approx(variance, rel=0.15)
    state = truth.states[made.times[0]][:, 0]
    assert torch.equal(truth.exact[0], state[:, [2, 0]])


def test_a_replicate_does_not_depend_on_the_others(tmp_path: Path) -> None:
    few, _, task = outcome_of(written(tmp_path, LORENZ63, "source.twin.steps=20"))
    settings = ("source.twin.steps=20", "source.twin.replicates=1")
    one, _, _ = outcome_of(written(tmp_path, LORENZ63, *settings))
    (several, _), (alone, _) = (means(f, 0.0, task.start)["analysis"] for f in (few, one))
    assert several[0] == pytest.approx(alone[0], rel=1e-6)
    assert len(set(several.tolist())) == 3


def test_the_truth_may_be_another_model(tmp_path: Path) -> None:
    settings = ("forecast={name: lorenz63, rho: 20}", "source.twin.steps=60")
    wrong, _, task = outcome_of(written(tmp_path, LORENZ63, *settings))
    right, _, _ = outcome_of(written(tmp_path, LORENZ63, settings[1]))
    rmse = [np.median(means(f, 4.0, task.start)["analysis"][0]) for f in (right, wrong)]
    assert rmse[0] < rmse[1]


def test_divergence_is_counted(tmp_path: Path) -> None:
    """Two members without inflation lose Lorenz's model; ten follow it."""
    text = LORENZ63.replace(", {name: inflated, factor: 1.02}, {name: rotated}", "")
    lost = {}
    for settings in (("members=2",), ("members=10", "analyse=etkf")):
        document = written(tmp_path, text, "source.twin.steps=200", *settings)
        found, truth, _ = outcome_of(document)
        scored = found.times > 4.0
        lost[settings] = int(diverged(found, scored, references(truth, scored)).sum())
    assert lost["members=2",] == 3
    assert lost["members=10", "analyse=etkf"] < 3


def test_optimal_interpolation_is_the_textbook_gain() -> None:
    generator = torch.Generator().manual_seed(1)
    root = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    b, h = root @ root.T, torch.eye(4, dtype=torch.float64)[[0, 2]]
    r = torch.diag(torch.tensor([0.5, 2.0], dtype=torch.float64))
    d = torch.randn(2, generator=generator, dtype=torch.float64)
    textbook = b @ h.T @ torch.linalg.inv(h @ b @ h.T + r) @ d
    weight, departure = (h.T @ v for v in (1.0 / r.diagonal(), d))
    found = interpolated(b[None], weight[None, None], departure[None, None])[0, 0]
    torch.testing.assert_close(found, textbook)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("source.twin.steps=0", "steps is 0; give 1 or more"),
        ("source.twin.observe_every=0", "observe_every is 0"),
        ("source.twin.observe_every=[]", "observe_every is"),
        ("source.twin.replicates=0", "replicates is 0"),
        ("source.twin.missing=1.0", "missing is 1.0; give a probability"),
        ("source.twin.network=[0, 3]", "network holds 3; give different positions from 0 to 2"),
        ("source.twin.network=[1, 1]", "network repeats a component"),
        ("source.twin.network=[]", "network is empty"),
        ("source.twin.network={start: 5}", "start 5, step 1, stop 3 see nothing or more"),
        ("source.twin.network={step: 0}", "step of 1 or more"),
        ("source.twin.network={strat: 1}", "source.twin.network.strat: unknown option.*start"),
        ("source.twin.error_variance=0.0", "error_variance is 0.0; give a positive number"),
        ("source.twin.error_variance=[1.0, 1.0]", "error_variance has 2 values.*3 components"),
        ("source.twin.initial.mean=[1.0]", "initial.mean has 1 values, the model 3 components"),
        ("source.twin.initial.mean=frist_one", "unknown 'frist_one'.*first_one"),
        ("source.twin.initial.variance=-1.0", "initial.variance is -1.0"),
        ("source.twin.truth.rho=wet", "source.twin.truth.rho: wants a number"),
        ("source.twin.truth.dt=0.0", "source.twin.truth: dt is 0.0"),
        ("source.twin.satellites=[]", "source.twin.satellites: unknown option"),
        ("forecast=lorenz96", "forecast has 40 components, source.twin.truth 3"),
        ("forecast=lorenz36", "forecast.name: unknown toy model 'lorenz36'.*lorenz96"),
        ("forecast={name: lorenz63, dt: 0.06}", "forecast.dt: .* is no whole number of steps"),
        ("observe=prosail", "observe.name: unknown observation operator.*identity"),
        ("analyse=etfk", "unknown scheme 'etfk'"),
        ("score.burn_in=1000.0", "score.burn_in is 1000.0, the last observation comes at 20"),
        ("score.burn_in=-1.0", "burn_in is -1.0"),
        ("score.horizons=[0.123]", "score.horizons: 0.123 is no whole number of steps"),
        ("score.withhold={every: 3}", "score.withhold: a toy model is scored on its truth"),
        ("period=[2020-01-01, 2020-02-01]", "period: a toy model has none"),
        ("products={variables: [lai]}", "products: a toy model has none"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(tmp_path: Path, setting: str, message: str) -> None:
    document = written(tmp_path, LORENZ63, setting)
    with pytest.raises(InputError, match=message):
        twins.command(document, Options(out=tmp_path / "run", quiet=True))
    assert not (tmp_path / "run").exists()


def test_only_a_toy_model_s_truth_makes_a_toy_twin(tmp_path: Path) -> None:
    assert is_toy(written(tmp_path, LORENZ63))
    assert is_toy(written(tmp_path, LORENZ63, "source.twin.truth=linear"))
    for other in ("source.twin.truth=mean_reverting", "source.twin=null", "source=[]"):
        assert not is_toy(written(tmp_path, LORENZ63, other))


def rmse_of(document: Document, burn_in: float = 4.0) -> dict[str, float]:
    """Median over replicates of every estimate's error."""
    found, _, task = outcome_of(document)
    each = means(found, burn_in, task.start)
    return {case: float(np.median(rmse)) for case, (rmse, _) in each.items()}


SMOOTHERS = "analyse=[{name: %s}, {name: inflated, factor: 1.02}, {name: rotated}, {name: %s}]"


def test_windows_smooth_their_starts_and_filter_their_ends(tmp_path: Path) -> None:
    """Lorenz-63 with the iterative smoother: better than the filter, better still at the start."""
    plain = rmse_of(written(tmp_path, LORENZ63))
    by = SMOOTHERS % ("ienks", "window, lag: 2, shift: 1")
    rmse = rmse_of(written(tmp_path, LORENZ63, by))
    assert rmse["smoothed"] < rmse["analysis"] < rmse["background"]
    assert rmse["analysis"] < plain["analysis"]
    out, _ = ran(tmp_path, LORENZ63, by, "source.twin.steps=20", "score={burn_in: 1.0}")
    with xr.open_dataset(out / "analysis.nc") as held:
        assert held.sizes["time"] == 20 and held.attrs["role"] == "filter"
    with pytest.raises(InputError, match="windows smooth already"):
        rmse_of(written(tmp_path, LORENZ63, by, "smooth=rts"))


def test_the_lagged_smoother_is_chosen_by_name(tmp_path: Path) -> None:
    by = SMOOTHERS % ("etkf", "enks, lag: 3")
    rmse = rmse_of(written(tmp_path, LORENZ63, by, "smooth=enks"))
    assert rmse["smoothed"] < 0.8 * rmse["analysis"]
    with pytest.raises(InputError, match="add {name: enks, lag: 4} to analyse"):
        rmse_of(written(tmp_path, LORENZ63, "smooth=enks"))


def test_components_of_lorenz96_lie_on_a_ring(tmp_path: Path) -> None:
    text = """
seed: 2
members: 7
source: {twin: {truth: {name: lorenz96, size: 20}, initial: {mean: first_one, variance: 0.001},
         steps: 150, network: {start: 0, step: 2}}}
analyse: [{name: letkf, radius: 4.0}, {name: inflated, factor: 1.04}, {name: rotated}]
"""
    document = written(tmp_path, text)
    places = places_of(source_of(document))
    assert places.period is not None and places.period.tolist() == [20.0]
    assert places.channels[:, 0].tolist() == [float(k) for k in range(0, 20, 2)]
    assert rmse_of(document)["analysis"] < 0.6
    assert places_of(source_of(written(tmp_path, LORENZ63))).period is None


def test_a_static_background_is_the_climatology_of_the_model(tmp_path: Path) -> None:
    """Deviations of Lorenz-63's attractor are 7.9, 9.0 and 8.6; x and y correlate, z with none."""
    by = "analyse={name: variational, background: static, scale: 0.1, iterations: 2, inner: 3}"
    document = written(tmp_path, LORENZ63, by)
    climate = climatology_of(source_of(document))
    assert climate.diagonal().sqrt().tolist() == pytest.approx([7.92, 9.01, 8.62], rel=0.03)
    assert abs(float(climate[0, 2])) < 5.0 < float(climate[0, 1])
    assert "climatology" in supplied(document, source_of(document))
    assert "climatology" not in supplied(written(tmp_path, LORENZ63), source_of(document))
    assert rmse_of(document)["analysis"] < 1.5  # published for this 3D-Var: 1.04
