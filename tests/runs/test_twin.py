"""Twin experiments: the estimate of a truth is better than none, and says how good it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from releo_da.config import twin_pixels

from .twins import run


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    return run(tmp_path_factory.mktemp("twin"))


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
