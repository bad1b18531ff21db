"""Twin experiments: the truth is a fair draw, and the estimate of it is better than none."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats

from releo_da.config import twin as twins
from releo_da.config import twin_passes, twin_pixels, twin_setting, twin_source
from releo_da.config.compared import comparing
from releo_da.config.document import Document, load
from releo_da.config.options import Options
from releo_da.config.simulation import simulation
from releo_da.cycling.draws import block_draws
from releo_da.runs.hindcast import blocks
from releo_da.runs.twin_truth import known
from releo_da.state.variables import deviations
from releo_da.types import InputError

CONFIG = """
seed: 1
members: 48
period: [2023-05-01, 2023-06-20]
source:
  twin:
    pixels: 40
    cloud: 0.4
    satellites:
      - {sensor: sentinel2a, channels: [B02, B04, B05, B08, B11, B12],
         first: 2023-05-02, every_days: 6}
      - {sensor: landsat8, channels: [B2, B4, B5, B6],
         first: 2023-05-05, every_days: 16, hour: 10.2}
state: {name: prosail, fixed: {n: 1.5, car: 8.0, cbrown: 0.0, cm: 0.005, hspot: 0.2}}
forecast: {name: mean_reverting}
analyse: [{name: etkf}, {name: multiple, times: 2}, {name: relaxed, factor: 0.3}]
smooth: {name: rts}
score: {horizons: [10]}
products: {variables: [lai, ndvi], every_days: 10}
"""


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def run(folder: Path, *settings: str) -> tuple[Path, dict[str, Any]]:
    out = folder / "run"
    twins.command(load(written(folder), settings), Options(out=out, quiet=True))
    return out, json.loads((out / "scores.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    return run(tmp_path_factory.mktemp("twin"))


def simulated(folder: Path, seed: int, cloud: float, pixels: int) -> Any:
    document: Document = load(written(folder), ("source.twin.pixels=400",))
    made = twin_source.source_of(document)
    ours, _ = twin_setting.assemblies(document, made, torch.device("cpu"))
    passes = twin_passes.passes(document, made, torch.device("cpu"))
    task = replace(twin_setting.task_of(document, made), asked=())
    made = replace(made, independent=cloud)
    simulate = simulation(made, ours, passes, (task.start,), seed, {})
    return simulate(torch.arange(pixels)), ours


def test_observations_help_and_more_of_them_help_more(done: tuple[Path, dict[str, Any]]) -> None:
    _, scores = done
    for name in ("lai", "cab", "ndvi", "B08"):
        rmse = [scores[c][name]["rmse"] for c in ("smoothed", "analysis", "background", "free_run")]
        assert rmse == sorted(rmse), name
    assert scores["analysis"]["lai"]["rmse"] < 0.7 * scores["free_run"]["lai"]["rmse"]
    ahead = scores["forecast"]["10"]["lai"]["rmse"]
    assert scores["background"]["lai"]["rmse"] < ahead < scores["free_run"]["lai"]["rmse"]


def test_intervals_hold_what_they_promise(done: tuple[Path, dict[str, Any]]) -> None:
    _, scores = done
    for case in ("free_run", "background", "analysis"):
        for name in ("lai", "cab", "ndvi"):
            row = scores[case][name]
            assert 0.82 < row["coverage_90"] < 0.99, (case, name)
            if name != "ndvi":  # relaxation keeps what is well observed too wide
                assert row["spread"] == pytest.approx(row["rmse"], rel=0.3), (case, name)


def test_innovations_of_a_twin_are_consistent(done: tuple[Path, dict[str, Any]]) -> None:
    """Model and errors of an identical twin are right, so chi2 per value is about 1."""
    out, scores = done
    records = [json.loads(line) for line in (out / "log.jsonl").open(encoding="utf-8")]
    rows = [one for one in records if one["kind"] == "analysis"]
    with xr.open_dataset(out / "verification.nc") as found:
        assert len(rows) == found.sizes["time"]
    assert set(scores["innovations"]) == {"sentinel2a", "landsat8"}
    for sensor, channels in (("sentinel2a", 6), ("landsat8", 4)):
        mine = [one for one in rows if one["sensor"] == sensor]
        row = scores["innovations"][sensor]
        assert row["values"] == sum(one["values"] for one in mine) == row["pixels"] * channels
        assert sum(one["seen"] for one in mine) == row["values"]  # no screening: all are used
        assert row["reduced_chi2"] == pytest.approx(1.0, abs=0.25)
        assert 0.0 < row["dfs"] < channels
        assert len(row["errors"]) == channels
    assert scores["rejected_by_reason"] == {}
    assert "Innovations of landsat8" in (out / "report.html").read_text(encoding="utf-8")


def test_the_truth_is_scored_everywhere_and_only_what_is_estimated(
    done: tuple[Path, dict[str, Any]],
) -> None:
    out, scores = done
    with xr.open_dataset(out / "verification.nc") as found:
        passes = found.sizes["time"]
    assert scores["analysis"]["lai"]["n"] == 40 * passes
    assert "cm" not in scores["analysis"]  # held at a value
    assert set(scores["free_run"]) == set(scores["analysis"]) >= {"ala", "psoil", "B11", "B6"}
    assert scores["diverged"] == 0
    assert scores["seeds"] == [1]


def test_an_acquisition_by_itself_is_scored_where_it_saw_something(
    done: tuple[Path, dict[str, Any]],
) -> None:
    out, scores = done
    with xr.open_dataset(out / "verification.nc") as found:
        mean = found["mean"].sel(channel="lai")
        held = np.isfinite(mean.sel(case="retrieval"))
        times = found.time.values
    assert 0.5 < float(held.mean()) < 0.7  # 40 % cloud
    for case in ("free_run", "retrieval", "background", "analysis", "smoothed"):
        assert scores["seen"][case]["lai"]["n"] == int(held.sum())
        assert scores["seen"][case]["lai"]["rmse"] < 1.1 * scores["free_run"]["lai"]["rmse"]
    for name in ("ndvi", "cab", "B08"):  # leaf area is seen well enough to need no memory
        rmse = {case: rows[name]["rmse"] for case, rows in scores["seen"].items()}
        assert rmse["analysis"] < 0.9 * rmse["retrieval"] < 0.7 * rmse["free_run"], name
        assert scores["retrieval"][name]["rmse"] == pytest.approx(rmse["retrieval"], rel=1e-5)
    # At the first date nothing came before it: filter and retrieval differ by chance alone.
    with xr.open_dataset(out / "verification.nc") as found:
        first = found.isel(time=0).sel(channel="lai")
        one, other = (first["mean"].sel(case=c).values for c in ("retrieval", "analysis"))
        spread = first["sd"].sel(case="analysis").values
    seen = np.isfinite(one)
    assert times.size > 5
    assert np.abs((one - other) / spread)[seen].mean() < 0.5


def test_variables_that_follow_from_the_state_are_scored(tmp_path: Path) -> None:
    settings = ("products.variables=[lai, fapar, ccc, ndvi]", "members=16", "smooth=null")
    out, scores = run(tmp_path, *settings)
    for case in ("free_run", "background", "analysis", "retrieval"):
        assert {"fapar", "ccc", "ndvi"} <= set(scores[case])
    assert "smoothed" not in scores
    assert "fcover" not in scores["analysis"]
    with xr.open_dataset(out / "verification.nc") as found:
        true = found.observed.sel(channel=["lai", "cab", "ccc"])
    assert float(abs(true[..., 0] * true[..., 1] * 0.01 - true[..., 2]).max()) < 1e-5


def test_of_a_large_grid_a_sample_is_kept_and_all_of_it_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums over blocks give the rows of the records; files written in strips the same numbers."""
    settings = ("source.twin.pixels=[20, 18]", "members=8", "score={burn_in: 10}")
    settings += ("period=[2023-05-01, 2023-05-25]",)
    whole, rows = run(tmp_path, *settings)
    (tmp_path / "again").mkdir()
    monkeypatch.setattr(twin_pixels, "KEPT", 40_000)
    small, sums = run(tmp_path / "again", *settings)
    assert "sampled" not in rows
    assert 1 < sums["sampled"]["pixels"] < 360
    for case in ("free_run", "background", "analysis", "smoothed", "retrieval"):
        for name, row in rows[case].items():
            expected = {k: v for k, v in row.items() if k != "median_abs"}
            assert sums[case][name] == pytest.approx(expected, rel=1e-6, abs=1e-9), (case, name)
    for key in ("seen", "rejected", "diverged", "innovations"):
        assert sums[key] == rows[key]
    for name in ("analysis.nc", "truth.nc"):
        with xr.open_dataset(whole / name) as one, xr.open_dataset(small / name) as other:
            assert set(one.variables) == set(other.variables)
            for variable in one.data_vars:
                assert np.array_equal(one[variable], other[variable], equal_nan=True), variable
    assert (whole / "state.safetensors").read_bytes() == (small / "state.safetensors").read_bytes()
    kept, everything = (xr.load_dataset(d / "verification.nc") for d in (small, whole))
    assert kept["mean"].equals(everything["mean"].sel(pixel=kept.pixel))


def test_several_seeds_are_pooled_with_intervals(tmp_path: Path) -> None:
    settings = ("members=8", "period=[2023-05-01, 2023-05-20]", "score={repeats: 3}", "smooth=null")
    out, scores = run(tmp_path, *settings)
    assert scores["seeds"] == [1, 2, 3]
    parts = scores["repeats"]["per_seed"]
    assert [part["seed"] for part in parts] == [1, 2, 3]
    rmse = [part["analysis"]["lai"]["rmse"] for part in parts]
    assert len(set(rmse)) == 3
    assert scores["analysis"]["lai"]["rmse"] ** 2 == pytest.approx(np.mean(np.square(rmse)))
    mean, low, high = scores["repeats"]["intervals"]["analysis"]["lai"]["rmse"]
    bounds = stats.t.interval(0.95, 2, np.mean(rmse), stats.sem(rmse))
    assert [mean, low, high] == pytest.approx([np.mean(rmse), *bounds])
    against = scores["repeats"]["ratio"]
    ratios = [p["seen"]["analysis"]["cab"]["rmse"] / p["seen"]["retrieval"]["cab"]["rmse"]
              for p in parts]  # fmt: skip
    assert against["retrieval"]["analysis"]["cab"][0] == pytest.approx(stats.gmean(ratios))
    assert against["free_run"]["analysis"]["lai"][0] < 1.0
    (tmp_path / "second").mkdir()
    _, second = run(tmp_path / "second", *settings[:2], "score={}", "smooth=null", "seed=2")
    assert second["analysis"]["lai"]["rmse"] == pytest.approx(rmse[1], rel=1e-6)


def test_the_run_directory_is_whole(done: tuple[Path, dict[str, Any]]) -> None:
    out, _ = done
    with xr.open_dataset(out / "truth.nc") as true, xr.open_dataset(out / "analysis.nc") as found:
        assert true["lai"].shape == found["lai"].shape == (6, 40)
        error = found["lai"] - true["lai"]
        assert float(error.std()) < 0.8 * float(true["lai"].std())
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "What observations add" in html
    assert "Estimates against the truth" in html
    assert (out / "figures" / "twin_skill.png").is_file()


def test_the_truth_is_a_draw_of_the_forecaster(tmp_path: Path) -> None:
    """Its variance over pixels is that of an ensemble, and the noise is that of R."""
    truth, ours = simulated(tmp_path, 7, 0.0, 1500)
    names = ours.layout.names
    first = truth.states[truth.acquisitions[0].time]
    noise = torch.randn((1500, 8, ours.layout.size), generator=torch.Generator().manual_seed(0))
    prior = ours.model.initial(truth.acquisitions[0].time, torch.arange(1500), 8, lambda s: noise)
    mine = first[:, 0, : len(names)]
    theirs = prior.ensemble[..., : len(names)].reshape(-1, len(names))
    standard = 4.0 / math.sqrt(1500)
    assert ((mine.mean(0) - theirs.mean(0)) / theirs.std(0)).abs().max() < standard
    assert (mine.std(0) / theirs.std(0) - 1.0).abs().max() < standard
    for a, exact in zip(truth.acquisitions, truth.exact, strict=True):
        full = ours.model.error(a).error
        white = ((a.values - exact) / full).flatten()
        assert white.mean().abs() < 4.0 / math.sqrt(len(white))
        assert (white.std() - 1.0).abs() < 4.0 / math.sqrt(len(white))


def test_cloud_hides_the_stated_share_and_whole_pixels(tmp_path: Path) -> None:
    truth, _ = simulated(tmp_path, 7, 0.4, 1500)
    for a in truth.acquisitions:
        assert torch.equal(a.seen.any(1), a.seen.all(1))
        hidden = 1.0 - a.seen[:, 0].float().mean()
        assert abs(hidden - 0.4) < 4.0 * math.sqrt(0.24 / 1500)
        assert (a.values[~a.seen] == 0.0).all()


def test_pixels_do_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    few, _ = simulated(tmp_path, 7, 0.4, 10)
    many, _ = simulated(tmp_path, 7, 0.4, 300)
    assert len(list(blocks(torch.arange(300)))) == 2
    for one, two in zip(few.acquisitions, many.acquisitions, strict=True):
        torch.testing.assert_close(one.values, two.values[:10], rtol=0.0, atol=1e-6)
        assert torch.equal(one.seen, two.seen[:10])


def test_the_truth_is_none_of_the_members(tmp_path: Path) -> None:
    """Even with the run's seed, it is no member of the free run: its draws have their own label."""
    document = load(written(tmp_path))
    made = twin_source.source_of(document)
    task, pixels = twin_setting.task_of(document, made), torch.arange(40)
    truth, ours = simulated(tmp_path, task.seed, 0.4, 40)
    draws = block_draws(task.seed, pixels, torch.zeros(0))
    mine = truth.states[task.start].flatten().numpy()

    def closest(members: int, label: str) -> float:
        noise = draws(task.start, label)
        prior = ours.model.initial(task.start, pixels, members, noise).ensemble
        return max(abs(np.corrcoef(mine, m.flatten().numpy())[0, 1]) for m in prior.unbind(1))

    assert closest(2, "truth") > 0.999  # as the truth was drawn, it would be found
    assert max(closest(members, "initial") for members in (2, 48)) < 0.5


def test_another_forecaster_may_make_the_truth(tmp_path: Path) -> None:
    """A first-order truth with other latents is estimated by a second-order system."""
    settings = ("source.twin.truth={name: mean_reverting, kernel: ou, days: 60}", "members=24")
    _, scores = run(tmp_path, *settings)
    assert scores["analysis"]["lai"]["rmse"] < scores["free_run"]["lai"]["rmse"]


def test_a_grid_gives_maps(tmp_path: Path) -> None:
    settings = ("source.twin.pixels=[4, 6]", "members=8", "score={}", "products.every_days=25")
    out, _ = run(tmp_path, *settings)
    with xr.open_dataset(out / "analysis.nc") as found:
        assert found["lai"].dims == ("time", "y", "x")
        assert found["lai"].shape[1:] == (4, 6)
    assert (out / "figures" / "map_lai.png").is_file()


LORENZ = (
    "source={twin: {truth: {name: lorenz96, size: 40, forcing: 8.0}, initial: zeros, steps: 10}}"
)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (LORENZ, "period: a toy model has none"),
        ("source.twin.truth=lorenz36", "source.twin.truth.name: unknown forecaster 'lorenz36'"),
        ("source={twin: {satellites: []}}", "satellites: the list is empty"),
        ("source.twin.cloud=1.0", "cloud is 1.0; give a probability"),
        ("source.twin.pixels=[1, 2, 3]", "pixels is .*give a number of points"),
        ("source.twin.pixels=0", "pixels is 0"),
        ("score={burn_in: 60}", "score.burn_in: 60 days leave no pass to score"),
        ("source.twin.place=[1.0]", "place is"),
        ("source.twin.place=[1.0, 100.0]", "place is"),
        ("source.twin.colud=0.3", "source.twin.colud: unknown option; did you mean 'cloud'"),
        ("source.twin.satellites.0.sensor=sentinel2x", "unknown sensor 'sentinel2x'"),
        ("source.twin.satellites.0.channels=[B99]", "has no channel 'B99'"),
        ("source.twin.satellites.0.every_days=0", "every_days is 0"),
        ("source=[{reader: cube, path: x.nc}]", "a twin experiment needs {twin"),
        (
            "score={withhold: {every: 3}}",
            "score.withhold: a twin experiment is scored on its truth",
        ),
    ],
)
def test_bad_input_is_refused_with_a_remedy(tmp_path: Path, setting: str, message: str) -> None:
    document = load(written(tmp_path), (setting,))
    with pytest.raises(InputError, match=message):
        twins.command(document, Options(out=tmp_path / "run", quiet=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["first=2024-01-01", "hour=23.0"])
def test_passes_at_night_or_after_the_period_are_left_out(tmp_path: Path, setting: str) -> None:
    document = load(written(tmp_path), (f"source.twin.satellites.0.{setting}",))
    found = twin_passes.passes(document, twin_source.source_of(document), torch.device("cpu"))
    assert [a.sensor for a in found] == ["landsat8"] * 3
    assert [round(a.time % 1 * 24, 1) for a in found] == [10.2] * 3
    assert np.diff([a.time for a in found]).tolist() == [16.0, 16.0]


def test_no_pass_by_day_is_refused(tmp_path: Path) -> None:
    document = load(
        written(tmp_path),
        ("source.twin.satellites.0.hour=23.0", "source.twin.satellites.1.hour=1.0"),
    )
    with pytest.raises(InputError, match="no satellite passes by day"):
        twin_passes.passes(document, twin_source.source_of(document), torch.device("cpu"))


def test_a_sensor_has_one_list_of_channels(tmp_path: Path) -> None:
    document = load(written(tmp_path, ("sensor: landsat8, channels: [B2, B4, B5, B6]",
                                       "sensor: sentinel2a, channels: [B02]")))  # fmt: skip
    with pytest.raises(InputError, match="sentinel2a comes with other channels"):
        twin_source.channels_of(twin_source.source_of(document))


def test_what_a_twin_says_of_itself_follows_from_what_it_keeps(
    done: tuple[Path, dict[str, Any]],
) -> None:
    """Sums over blocks, beside the same from the records of all pixels."""
    out, scores = done
    with xr.open_dataset(out / "verification.nc") as found:
        rank = found["rank"].sel(case="analysis", channel="lai")
        every = rank.values
        sensor = found["sensor"].values.astype(str)
        dates = [np.flatnonzero(sensor == one)[::4] for one in np.unique(sensor)]
        thin = rank.isel(time=np.concatenate(dates)).values  # points: every fourth date of each
        square = {
            case: (found["mean"].sel(case=case) - found.observed).sel(channel="lai") ** 2
            for case in ("forecast_10", "free_run")
        }
        both = np.isfinite(square["forecast_10"])
        share = float(square["forecast_10"].mean() / square["free_run"].where(both).mean())
        members = found.attrs["members"]
    row = scores["calibration"]["analysis"]["lai"]
    middle = (every + 0.5) / (members + 1)
    inside = float((np.abs(middle - 0.5) < 0.25).mean())
    assert row["intervals"]["50"] == pytest.approx(inside, abs=0.03)
    assert row["n"] == every.size and sum(row["ranks"]) == row["flatness"]["n"] == thin.size
    gained = scores["skill"]["free_run"]
    assert gained["forecast"]["10"]["lai"]["rmse"] == pytest.approx(1 - share**0.5, abs=1e-5)
    ratio = scores["smoothed"]["cab"]["rmse"] / scores["free_run"]["cab"]["rmse"]
    assert gained["smoothed"]["cab"]["rmse"] == pytest.approx(1 - ratio)
    seen = scores["seen"]
    ratio = seen["analysis"]["cab"]["crps"] / seen["retrieval"]["cab"]["crps"]
    assert scores["skill"]["retrieval"]["analysis"]["cab"]["crps"] == pytest.approx(1 - ratio)
    assert scores["baselines"]["free_run"]["forecast"]["10"]["lai"]["n"] == int(both.sum())
    assert not any(one["diverged"] for one in scores["divergence"]["analysis"].values())


@pytest.mark.parametrize(("members", "pixels"), [(6, 5), (12, 20)])
def test_the_scale_of_vector_scores_is_that_of_the_table(
    tmp_path: Path, members: int, pixels: int
) -> None:
    document, ids = load(written(tmp_path)), torch.arange(pixels)
    task = twin_setting.task_of(document, twin_source.source_of(document))
    nature, ours = simulated(tmp_path, 7, 0.4, pixels)
    task = replace(task, members=members)
    truth = known(ours.model, nature, comparing(ours), task, ids, "cpu")
    scale = dict(zip(truth.names, truth.scale.tolist(), strict=True))
    table = deviations()
    for name in ("lai", "cab", "cw", "psoil"):
        assert scale[name] == pytest.approx(table[name], rel=1e-6)


def test_vectors_and_innovations_of_an_identical_twin(done: tuple[Path, dict[str, Any]]) -> None:
    _, scores = done
    for name in ("energy", "variogram"):
        said = {case: row[name] for case, row in scores["multivariate"].items() if name in row}
        assert max(said["analysis"], said["smoothed"]) < said["free_run"], name
    for row in scores["innovations"].values():
        for channel in row["errors"].values():
            assert abs(channel["autocorrelation"]) < 0.35  # right errors: white but for sampling


def test_the_channels_took_error_away_from_what_they_see(
    done: tuple[Path, dict[str, Any]],
) -> None:
    out, scores = done
    with xr.open_dataset(out / "verification.nc") as found:
        one = found.sel(channel="lai").isel(time=found.sensor.values == "sentinel2a")
        square = (one["mean"] - one.observed) ** 2
        used = np.isfinite(one["mean"].sel(case="retrieval"))  # no screening: seen is used
        change = (square.sel(case="analysis") - square.sel(case="background")).where(used).mean()
    for sensor, channels in (("sentinel2a", 6), ("landsat8", 4)):
        said = scores["impact"][sensor]
        assert len(said["lai"]["channels"]) == len(said["observations"]) == channels
        for name in ("lai", "cab", "ndvi"):
            if name in said:
                assert said[name]["change"] < 0.0, name
        assert sum(said["observations"].values()) < 0.0
        total = sum(c["impact"] for c in said["lai"]["channels"].values())
        assert total == pytest.approx(said["lai"]["explained"] * said["lai"]["change"])
    assert scores["impact"]["sentinel2a"]["lai"]["change"] == pytest.approx(float(change), rel=1e-4)
