"""`releo-da train` and `releo-da experiment`: fits, folds, the table and where it is put."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import yaml
from safetensors.torch import load_file

from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.experiment import units
from releo_da.config.options import Options
from releo_da.config.sources import read_sources
from releo_da.config.study_parts import thinned
from releo_da.config.weights import write_weights

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]


def quick(values: dict[str, Any]) -> None:
    """Every offset in turn, a fit of two epochs."""
    values["members"] = 8
    values["score"]["withhold"] = {"every": 3, "offset": "all"}
    values["score"]["horizons"] = [6]
    values["train"] = {"epochs": 2, "members": 8, "period": ["2020-04-01", "2020-06-30"]}


def apart(data: xr.Dataset) -> xr.Dataset:
    """The same points, far enough from each other to be four clusters."""
    return data.assign_coords(x=("point", 1.0 + 0.1 * np.arange(data.sizes["point"])))


def test_offsets_are_averaged_and_weights_of_a_fit_are_read(
    workplace: Workplace, releo: Run
) -> None:
    """A hindcast of all offsets, a fit, and a hindcast with the weights of the fit."""
    config = workplace(configure=quick)
    status, _, err = releo("hindcast", config, "--out", "plain", "--quiet")
    assert status == 0, err
    scores = json.loads(Path("plain/scores.json").read_text())
    with xr.open_dataset("plain/verification.nc") as held:
        counted = [held["mean"].sel(case=f"smoothed_{k}").notnull() for k in range(3)]
        assert int((sum(c.astype(int) for c in counted) > 1).sum()) == 0
        error = held["mean"] - held["observed"]
        squared = error.sel(channel="B08") ** 2
        each = [float(squared.sel(case=f"smoothed_{k}").mean() ** 0.5) for k in range(3)]
        total = sum(int(c.sel(channel="B08").sum()) for c in counted)
    assert scores["smoothed"]["B08"]["n"] == total
    assert np.isclose(scores["smoothed"]["B08"]["rmse"], np.mean(each), rtol=1e-5)
    assert scores["baselines"]["linear"]["smoothed"]["B08"]["n"] == scores["smoothed"]["B08"]["n"]

    status, out, err = releo("train", config, "--out", "fit", "--quiet")
    assert status == 0, err
    epochs = json.loads(Path("fit/train.json").read_text())["epochs"]
    assert len(epochs) == 2
    assert all(np.isfinite(e["log_likelihood"]) for e in epochs)
    weights = ("--set", "forecast.weights=fit/weights.safetensors")
    alone = ("--set", "score={}", "--set", "smooth=null")
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet", *weights, *alone)
    assert status == 0, err
    fitted = json.loads(Path("run/scores.json").read_text())
    assert fitted["background"]["B08"]["rmse"] != scores["background"]["B08"]["rmse"]


def test_no_epochs_leave_parameters_as_they_start(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=quick)
    status, _, err = releo("train", config, "--out", "fit", "--set", "train.epochs=0")
    assert status == 0, err
    assert json.loads(Path("fit/train.json").read_text())["epochs"] == []
    document = load(config)
    series = read_sources(document)
    started = assemble(document, series.channels)
    write_weights(Path("start"), started.layout, started.forecaster, started.error)
    start, kept = load_file("start"), load_file("fit/weights.safetensors")
    assert start.keys() == kept.keys()
    assert all(torch.equal(start[name], kept[name]) for name in start)


@pytest.mark.usefixtures("at_once")
def test_a_study_pools_its_folds_and_writes_its_table(workplace: Workplace, releo: Run) -> None:
    workplace(apart, quick)
    folder = Path("study")
    folder.mkdir()
    Path("c.yaml").rename(folder / "c.yaml")
    for name in ("series.nc", "field.csv"):
        Path(name).rename(folder / name)
    runs = {
        "points": {"config": "c.yaml", "folds": {"count": 2, "within_metres": 1000}},
        "other": {"config": "c.yaml", "fitted_on": "c.yaml"},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump({"seeds": [0], "runs": runs}))
    (folder / "README.md").write_text("before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n")
    status, out, err = releo("experiment", "study", "--out", "found", "--quiet")
    assert status == 0, err
    table = Path("found/table.md").read_text()
    assert "withheld NDVI" in table
    assert "NDVI forecast, days ahead" in table
    readme = (folder / "README.md").read_text()
    assert readme.startswith("before\n")
    assert readme.endswith("after\n")
    assert table in readme
    assert "old" not in readme
    scores = json.loads(Path("found/scores.json").read_text())["points"][0]
    assert scores["in_situ"]["lai"]["smoothed"]["n"] == 16  # four points, four dates, both folds
    assert len(list(Path("found").glob("points-*.safetensors"))) == 2
    assert "### All runs" in table
    assert "95 % interval, 4 points redrawn" in table
    assert Path("found/other/report.html").is_file()  # one series of one seed: a run of its own
    assert not Path("found/points").exists()


def test_a_thinned_map_keeps_what_was_measured(workplace: Workplace) -> None:
    document = load(workplace(configure=quick))
    series = read_sources(document)
    assert series.pixels.sizes["pixel"] == 4
    assert thinned(document, series, 3).tolist() == [0, 1, 2, 3]  # all were measured
    table = pd.read_csv("field.csv")
    table[table["point"] == table["point"].unique()[1]].to_csv("field.csv", index=False)
    assert thinned(document, series, 3).tolist() == [0, 1, 3]
    Path("experiment.yaml").write_text("seeds: [0]\nruns: {a: {config: c.yaml, every: 3}}")
    [unit] = units(Path(), Options(), Path("out"))
    assert unit.every == 3 and not unit.reported


def test_wrong_studies_are_refused_with_their_place(workplace: Workplace, releo: Run) -> None:
    workplace(configure=quick)
    status, _, err = releo("experiment", "nowhere")
    assert status == 2
    assert "nowhere" in err
    folder = Path("study")
    folder.mkdir()
    for text, said in {
        "runs: {}": "runs is empty",
        "sedes: [0]\nruns: {a: {config: c.yaml}}": "seeds",
        "runs: {a: {confg: c.yaml}}": "config",
        "runs: {a: {config: missing.yaml}}": "missing.yaml",
        "runs: {a: {config: c.yaml, every: 0}}": "every is 0",
    }.items():
        (folder / "experiment.yaml").write_text(text)
        status, _, err = releo("experiment", "study", "--out", "found")
        assert status == 2, text
        assert said in err
