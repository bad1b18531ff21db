"""`releo-da hindcast` and `plot`, whole: files, scores, repeatability, and counts of bad values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from safetensors.torch import load_file

from releo_da.config import hindcast
from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.report_notes import reading_notes
from releo_da.config.sources import read_sources
from releo_da.runs.hindcast import Outcome
from releo_da.runs.scoring import in_sample

FIELDS = ("mean", "sd", "crps", "rank", "q05", "q50", "q95")
FILES = {
    "config.yaml", "scores.json", "analysis.nc", "unsmoothed.nc", "verification.nc",
    "field_lai.csv", "state.safetensors", "log.jsonl", "report.html", "figures",
}  # fmt: skip
Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]


def scores_of(root: Path) -> dict[str, Any]:
    return json.loads((root / "scores.json").read_text())


def log_of(root: Path, kind: str) -> list[dict[str, Any]]:
    lines = (root / "log.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


@pytest.mark.usefixtures("painted")
def test_a_run_leaves_the_files_and_scores_of_the_contract(
    workplace: Workplace, releo: Run, device: torch.device
) -> None:
    """And `plot` redraws from the files alone."""
    status, out, err = releo("hindcast", workplace(), "--out", "run", "--device", device)
    assert status == 0, err
    root = Path("run")
    assert {path.name for path in root.iterdir()} >= FILES
    assert list((root / "figures").glob("*.png"))
    assert f"report: {(root / 'report.html').resolve()}" in out
    assert "100 %" in err  # plain lines of progress

    found = scores_of(root)
    assert set(found) >= {
        "background", "residual", "smoothed", "forecast", "baselines", "in_situ", "rejected",
        "diverged", "seeds",
    }  # fmt: skip
    assert set(found["forecast"]) == {"6", "20"}
    for part in (found["background"], found["smoothed"], found["forecast"]["6"]):
        assert set(part) == {"B03", "B04", "B08", "B11", "ndvi"}
        row = part["ndvi"]
        assert set(row) >= {"rmse", "bias", "crps", "spread", "coverage_90", "n"}
        assert 0 < row["crps"] < row["rmse"] * 2
    linear = found["baselines"]["linear"]["smoothed"]["ndvi"]
    assert linear["n"] == found["smoothed"]["ndvi"]["n"]  # the same values
    assert found["smoothed"]["ndvi"]["rmse"] < 0.12
    for name in ("persistence", "harmonic", "ou_kalman", "matern_kalman"):
        for days in ("6", "20"):
            rival = found["baselines"][name]["forecast"][days]["ndvi"]
            assert rival["n"] == found["forecast"][days]["ndvi"]["n"], (name, days)
    lai = found["in_situ"]["lai"]
    assert lai["smoothed"]["n"] == lai["analysis"]["n"] == 16
    assert lai["smoothed"]["rmse"] < 2.0
    assert found["in_sample"] is True  # every date is a target
    assert found["seeds"] == [1]
    assert found["diverged"] == 0

    rows = log_of(root, "analysis")
    refused = sum(found["rejected"].values())
    assert sum(sum(row["refused"].values()) for row in rows) == refused
    assert sum(row["seen"] - row["values"] for row in rows) == refused
    for sensor, ours in found["innovations"].items():
        values = [row["values"] for row in rows if row["sensor"] == sensor]
        assert sum(values) == ours["values"] > 0
        assert set(ours["errors"]) == {"B03", "B04", "B08", "B11"}
        assert 0.0 < ours["reduced_chi2"] < 10.0 and 0.0 < ours["dfs"] < 4.0
        for row in ours["errors"].values():
            assert row["assumed"] > 0.0 and 0 < row["n"] <= ours["pixels"]
    assert "Innovations of" in (root / "report.html").read_text(encoding="utf-8")

    config = yaml.safe_load((root / "config.yaml").read_text())
    assert config["seed"] == 1
    assert "# version:" in (root / "config.yaml").read_text()
    analysis = xr.open_dataset(root / "analysis.nc")
    assert analysis.sizes["time"] == 5
    assert {"lai", "ndvi"} <= {str(name).split("_")[0] for name in analysis.data_vars}
    assert "releo_da" in analysis.attrs["source"]
    assert log_of(root, "finished")
    (table,) = log_of(root, "in_situ")
    assert table["column"] == "LAI"

    figures = sorted(path.name for path in (root / "figures").iterdir())
    for path in (*(root / "figures").iterdir(), root / "report.html"):
        path.unlink()
    status, out, err = releo("plot", root, "--quiet")
    assert (status, out) == (0, ""), err
    assert sorted(path.name for path in (root / "figures").iterdir()) == figures
    text = (root / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64" in text
    assert "values that are scored (in sample)" in text
    assert "<script src" not in text


def outcome(config: Path, *overrides: str) -> Outcome:
    """What the command computes, without files and figures."""
    document = load(config, overrides)
    series = read_sources(document)
    assembly = assemble(document, series.channels)
    return hindcast.run(document, series, assembly, Options(quiet=True))


def numbers(found: Outcome, pixels: list[int] | None = None) -> dict[str, np.ndarray]:
    """Every number of an outcome that belongs to the given pixels."""
    chosen = slice(None) if pixels is None else pixels
    table = found.verification.isel(pixel=chosen)
    whole = {name: table[name].values for name in ("observed", "rejected", *FIELDS)}
    for case, products in {"smoothed": found.products, "analysis": found.analysed}.items():
        for name, product in products.items():
            whole[f"{case} {name}"] = product.mean[:, chosen]
            whole[f"{case} {name} spread"] = product.spread[:, chosen]
    whole["state"] = found.state.ensemble[chosen].numpy()
    return whole


def assert_same(one: Outcome, two: Outcome, pixels: list[int] | None = None) -> None:
    first, second = numbers(one, pixels), numbers(two)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_a_repeated_run_is_the_same_to_the_last_bit(workplace: Workplace) -> None:
    config = workplace()
    one, two, other = outcome(config), outcome(config), outcome(config, "seed=2")
    assert_same(one, two)
    assert not np.array_equal(one.state.ensemble, other.state.ensemble)
    for a, b in zip(one.field, two.field, strict=True):
        np.testing.assert_array_equal(a.estimates["smoothed"], b.estimates["smoothed"])


def test_a_pixel_does_not_depend_on_which_others_run_beside_it(workplace: Workplace) -> None:

    def seen_by_all(data: xr.Dataset) -> xr.Dataset:
        data.cloud[2] = data.cloud[2] * 0  # a date that no pixel of a run sees is left out of it
        data.cloud[:, 5] = 1
        return data

    config = workplace(seen_by_all)
    everyone = outcome(config, "members=32")
    for some in ([1, 3], [2]):
        part = f"source.0.select={{point: {some}}}"
        assert_same(everyone, outcome(config, "members=32", part), some)


def test_pixels_of_several_blocks_come_back_in_their_order(workplace: Workplace) -> None:
    """Ids of three blocks of 256, one of them under cloud on some dates that others see."""
    config = workplace()
    document = load(config, ["score={horizons: [6]}"])
    series = read_sources(document)
    ids = np.array([900, 3, 300, 1])
    series = series._replace(pixels=series.pixels.assign_coords(id=("pixel", ids)))
    for k in (2, 4):
        series.acquisitions[k].error[2] = np.inf
    assembly = assemble(document, series.channels)
    found = hindcast.run(document, series, assembly, Options(quiet=True))
    assert found.state.pixels.tolist() == ids.tolist()
    assert found.verification.pixel.values.tolist() == ids.tolist()
    observed = found.verification.observed.sel(channel="B08").values
    for k, a in enumerate(series.acquisitions):
        seen = a.seen[:, 2].numpy()
        np.testing.assert_array_equal(observed[k][seen], a.values[:, 2].numpy()[seen])
        assert np.isnan(observed[k][~seen]).all()


def test_bad_values_are_counted_and_change_nothing_else(workplace: Workplace, releo: Run) -> None:
    """A value that is NaN or infinite is as one under cloud, and the report says how many."""

    def cloudy(data: xr.Dataset) -> xr.Dataset:
        data.cloud[1, 3] = 1
        data.cloud[2, 4] = 1
        return data

    def broken(data: xr.Dataset) -> xr.Dataset:
        data.cloud[1, 3] = 0
        data.cloud[2, 4] = 0
        data.reflectance[1, 3] = np.nan
        data.reflectance[2, 4] = np.inf
        return data

    under_cloud = outcome(workplace(cloudy))
    config = workplace(broken)
    assert_same(under_cloud, outcome(config))
    assert releo("hindcast", config, "--out", "broken", "--quiet") == (0, "", "")
    (values,) = log_of(Path("broken"), "values")
    assert values["rejected"]["not a number"] == 4
    assert values["rejected"]["infinite"] == 4
    (dark,) = log_of(Path("broken"), "all_masked")
    assert dark["count"] == 1
    report = (Path("broken") / "report.html").read_text(encoding="utf-8")
    assert "4 values refused while reading: not a number" in report
    assert "4 values refused while reading: infinite" in report
    assert "1 dates without a clear pixel were left out" in report


def test_an_offset_is_mended_and_named(workplace: Workplace) -> None:
    def shifted(data: xr.Dataset) -> xr.Dataset:
        data.reflectance[:, 7] = data.reflectance[:, 7] + 0.1
        return data

    clean = read_sources(load(workplace()))
    mended = read_sources(load(workplace(shifted)))
    (offset,) = [record for record in mended.log if record["kind"] == "offset"]
    assert offset["offset"] == 0.1
    assert "-1000 digital counts" in offset["message"]
    assert "-1000 digital counts" in " ".join(reading_notes(mended.log))
    for a, b in zip(clean.acquisitions, mended.acquisitions, strict=True):
        torch.testing.assert_close(a.values, b.values, rtol=0, atol=1e-6)
        assert torch.equal(a.seen, b.seen)


@pytest.mark.parametrize(
    ("override", "train", "expected"),
    [
        ("score.horizons=[6]", (-np.inf, np.inf), True),
        ("score.forecast_period=[2020-05-10, 2020-06-30]", (-np.inf, np.inf), False),
        ("score.forecast_period=[2020-04-01, 2020-06-30]", (-np.inf, np.inf), True),
        ("score.forecast_period=[2020-05-10, 2020-06-30]", (18400.0, np.inf), True),
        ("score.horizons=[]", (-np.inf, np.inf), False),
    ],
)
def test_baselines_are_fitted_in_sample_where_nothing_is_older(
    workplace: Workplace, override: str, train: tuple[float, float], expected: bool
) -> None:
    document = load(workplace(), [override])
    series = read_sources(document)
    task = hindcast.task_of(document, series)
    assert in_sample(series.acquisitions, task, train) is expected


def test_the_first_date_of_the_forecast_period_is_none_of_its_past(workplace: Workplace) -> None:
    document = load(workplace(), ["score.horizons=[6]"])
    series = read_sources(document)
    whole = series.acquisitions[0].time, series.acquisitions[-1].time
    task = replace(hindcast.task_of(document, series), forecast_period=whole)
    assert in_sample(series.acquisitions, task, (-np.inf, np.inf))


def test_repeated_rows_of_a_field_table_are_told() -> None:
    read = {"kind": "in_situ", "path": "/a/lai.csv", "repeated": 4}
    assert reading_notes([read]) == [
        "4 rows of lai.csv equal another row in every column and were left out"
    ]
    assert reading_notes([{**read, "repeated": 0}]) == []


def test_a_run_with_one_channel_and_no_scores_still_reports(
    workplace: Workplace, releo: Run
) -> None:
    """No withholding, no horizons, no field table, no smoother."""

    def bare(values: dict[str, Any]) -> None:
        del values["score"], values["smooth"]
        values["products"]["variables"] = ["lai"]
        values["source"][0]["channels"] = {"B08": "B08"}

    status, _, err = releo("hindcast", workplace(configure=bare), "--out", "run", "--quiet")
    assert status == 0, err
    found = scores_of(Path("run"))
    assert set(found["background"]) == {"B08"}
    assert "smoothed" not in found
    assert (Path("run") / "report.html").is_file()


@pytest.mark.parametrize("forecaster", ["mean_reverting", "neural"])
def test_an_acquisition_counts_once_and_files_have_no_order(
    workplace: Workplace, releo: Run, forecaster: str
) -> None:
    """Dates in any order, some of them twice: the same bits, and the log says what was dropped."""

    def bare(values: dict[str, Any]) -> None:
        del values["score"], values["smooth"]
        values["products"]["variables"] = ["lai"]
        values["forecast"]["name"] = forecaster

    def shuffled(data: xr.Dataset) -> xr.Dataset:
        order = np.random.default_rng(0).permutation([*range(data.sizes["time"]), 0, 3, 3])
        return data.isel(time=order)

    for name, change in (("plain", lambda data: data), ("shuffled", shuffled)):
        config = workplace(change, configure=bare)
        status, _, err = releo("hindcast", config, "--out", name, "--quiet")
        assert status == 0, err
    one, other = (xr.open_dataset(f"{name}/analysis.nc").load() for name in ("plain", "shuffled"))
    assert one.equals(other)
    told = [json.loads(line) for line in Path("shuffled/log.jsonl").read_text().splitlines()]
    assert sum(record["kind"] == "duplicate" for record in told) == 3


def test_one_name_of_two_wavelengths_is_scored_as_two(workplace: Workplace, releo: Run) -> None:
    """B05 is red edge of S30 and near infrared of L30; B03 and B04 are alike and stay one."""

    def harmonised(values: dict[str, Any]) -> None:
        source = values["source"][0]
        source["sensor"] = {"from": "platform", "S2A": "hls_s30", "S2B": "hls_l30"}
        source["channels"] = {"B03": "B03", "B04": "B04", "B05": "B08"}
        del values["score"]["in_situ"], values["score"]["horizons"]

    status, _, err = releo("hindcast", workplace(configure=harmonised), "--out", "run", "--quiet")
    assert status == 0, err
    found = scores_of(Path("run"))
    names = {"B03", "B04", "B05_704nm", "B05_865nm", "ndvi"}
    linear = found["baselines"]["linear"]["smoothed"]
    assert set(found["background"]) == set(found["smoothed"]) == set(linear) == names
    red, edge, near = (found["background"][n]["n"] for n in ("B04", "B05_704nm", "B05_865nm"))
    assert edge + near == red and near == found["background"]["ndvi"]["n"]
    with xr.open_dataset("run/verification.nc") as held:
        for name, sensor in (("B05_704nm", "hls_s30"), ("B05_865nm", "hls_l30")):
            there = held.observed.sel(channel=name).notnull().any("pixel")
            assert set(held.sensor.values[there]) == {sensor}


def test_a_withheld_sensor_is_predicted_and_changes_nothing(
    workplace: Workplace, releo: Run
) -> None:
    """Brighter values of it leave the estimate as it is, to the bit, and are told of by the scores.

    Satellites pass in turn every six days, so each value of one has the other within six.
    """

    def brighter(data: xr.Dataset) -> xr.Dataset:
        later = (data.platform == "S2B") & (data.cloud == 0)
        return data.assign(reflectance=data.reflectance + 0.05 * later)

    def withheld(values: dict[str, Any]) -> None:
        values["analyse"][2]["patience"] = 2
        values["score"] = {"withhold": {"sensor": "sentinel2b", "within_days": 6}}

    found = {}
    for name, change in (("plain", lambda data: data), ("bright", brighter)):
        config = workplace(change, configure=withheld)
        status, _, err = releo("hindcast", config, "--out", name, "--quiet")
        assert status == 0, err
        with xr.open_dataset(f"{name}/verification.nc") as held:
            found[name] = held.load()
    one, other = (xr.open_dataset(f"{name}/analysis.nc").load() for name in found)
    assert one.equals(other)
    plain, bright = found.values()
    assert set(plain.case.values) == {"background", "analysis", "filtered", "smoothed"}
    for case in plain.case.values:
        sensors = {"sentinel2b"} if case in ("filtered", "smoothed") else {"sentinel2a"}
        compared = plain["mean"].sel(case=case).notnull().any(("pixel", "channel"))
        assert set(plain.sensor.values[compared]) == sensors
    for case in ("filtered", "smoothed"):
        moved = bright.observed - plain.observed
        error = bright.sel(case=case)["mean"] - plain.sel(case=case)["mean"]
        there = error.notnull() & (error.channel != "ndvi")
        assert float(abs(error.where(there)).max()) < 5e-3  # the noise of the sensor scales with it
        assert float(moved.where(there).min()) > 0.04
    scores = scores_of(Path("plain"))
    assert scores["smoothed"]["B08"]["n"] == scores["filtered"]["B08"]["n"] > 10
    assert scores["baselines"]["linear"]["smoothed"]["ndvi"]["n"] == scores["smoothed"]["ndvi"]["n"]


def test_a_withheld_channel_is_predicted_and_changes_nothing(
    workplace: Workplace, releo: Run
) -> None:
    """Brighter values of it leave fit and estimate as they are, to the bit, and are scored."""

    def brighter(data: xr.Dataset) -> xr.Dataset:
        later = (data.band == "B08") & (data.cloud == 0)
        return data.assign(reflectance=data.reflectance + 0.05 * later)

    def withheld(values: dict[str, Any]) -> None:
        values["score"] = {"withhold": {"channel": "B08"}}
        values["train"] = {"epochs": 1, "members": 4, "pixels": 2}

    found = {}
    for name, change in (("plain", lambda data: data), ("bright", brighter)):
        config = workplace(change, configure=withheld)
        assert releo("train", config, "--out", f"fit {name}", "--quiet")[0] == 0
        status, _, err = releo("hindcast", config, "--out", name, "--quiet")
        assert status == 0, err
        with xr.open_dataset(f"{name}/verification.nc") as held:
            found[name] = held.load()
    one, other = (xr.open_dataset(f"{name}/analysis.nc").load() for name in found)
    assert one.equals(other)
    fits = [load_file(f"fit {name}/weights.safetensors") for name in found]
    assert all(torch.equal(fits[0][name], fits[1][name]) for name in fits[0])
    plain, bright = found.values()
    assert set(plain.case.values) == {"background", "analysis", "filtered", "smoothed"}
    for case in plain.case.values:
        compared = plain["mean"].sel(case=case).notnull().any(("pixel", "time"))
        names = set(plain.channel.values[compared])
        assert names == {"B08"} if case in ("filtered", "smoothed") else "B08" not in names
        assert "B04" in names or case in ("filtered", "smoothed")
    error = (bright["mean"] - plain["mean"]).sel(case="filtered", channel="B08")
    assert float(abs(error).max()) < 5e-3  # the noise of the sensor scales with what it saw
    scores = scores_of(Path("plain"))
    assert scores["smoothed"]["B08"]["n"] == scores["filtered"]["B08"]["n"] > 10
    assert "ndvi" not in scores["background"]
    assert "smoothed" not in scores["baselines"].get("linear", {})
