"""The bias of a sensor in every command on acquisitions: hindcast, train, cycle and forecast."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.config.assemble import assemble
from releo_da.config.document import Document
from releo_da.types import InputError

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]
CHANNELS = {"B03": "B03", "B04": "B04", "B08": "B08"}
NAMES = ("bias_sentinel2b_B03", "bias_sentinel2b_B04")


def biased(values: dict[str, Any]) -> None:
    """Sentinel-2B may read too much in two channels; bins of lead, a static background in a fit."""
    values["members"] = 8
    values["source"][0]["channels"] = CHANNELS
    values["forecast"] = {"name": "mean_reverting", "kernel": "ou"}
    values["observe"] |= {"bias": {"sentinel2b": {"B03": 0.02, "B04": 0.02}}}
    values["score"] = {
        "horizons": [[0, 10], [10, 30]],
        "forecast_period": ["2020-05-01", "2020-06-30"],
    }
    values["train"] = {"epochs": 1, "members": 8, "period": ["2020-04-01", "2020-04-30"]}
    values["cycle"] = {"inbox": "inbox"}
    values["products"] = {"variables": ["lai"], "every_days": 20}


def check(scores: dict[str, Any]) -> None:
    rows = scores["biases"]
    assert set(rows) == {"sentinel2b"} and set(rows["sentinel2b"]) == {"B03", "B04"}
    for row in rows["sentinel2b"].values():
        assert row["prior"] == 0.02 and 0.0 < row["spread"] < 0.02 and abs(row["mean"]) < 0.06
    assert scores["diverged"] == 0


def test_a_hindcast_tells_and_forecasts_with_biases(workplace: Workplace, releo: Run) -> None:
    status, _, said = releo("hindcast", workplace(configure=biased), "--out", "run", "--quiet")
    assert status == 0, said
    scores = json.loads(Path("run/scores.json").read_text())
    check(scores)
    assert all(scores["forecast"][name]["ndvi"]["n"] > 0 for name in ("0-10", "10-30"))
    assert "Bias of sentinel2b" in Path("run/report.html").read_text()
    with xr.open_dataset("run/analysis.nc") as found:
        assert all(bool(np.isfinite(found[name]).all()) for name in NAMES)


def test_a_fit_with_a_static_background_has_biases(workplace: Workplace, releo: Run) -> None:
    def static(values: dict[str, Any]) -> None:
        biased(values)
        scheme = {"name": "variational", "background": "static", "iterations": 1, "inner": 3}
        values["analyse"] = [scheme]

    status, _, said = releo("train", workplace(configure=static), "--out", "fit", "--quiet")
    assert status == 0, said
    (epoch,) = json.loads(Path("fit/train.json").read_text())["epochs"]
    assert np.isfinite(epoch["log_likelihood"])


def test_a_cycle_tells_biases_and_a_forecast_goes_on(workplace: Workplace, releo: Run) -> None:
    def short(values: dict[str, Any]) -> None:
        biased(values)
        for key in ("score", "train", "smooth"):
            del values[key]

    path = workplace(configure=short)
    Path("inbox").mkdir()
    with xr.open_dataset("series.nc") as data:
        data.isel(time=slice(4)).to_netcdf("inbox/first.nc")
    status, _, said = releo("cycle", path, "--once", "--out", "run", "--quiet")
    assert status == 0, said
    check(json.loads(Path("run/scores.json").read_text()))
    assert "Bias of sentinel2b" in Path("run/report.html").read_text()
    status, _, said = releo("forecast", "run", "--until", "2020-06-20", "--quiet")
    assert status == 0, said
    with xr.open_dataset("run/forecast.nc") as found:
        assert all(bool(np.isfinite(found[name]).all()) for name in NAMES)


def test_two_sensors_of_one_name_are_refused() -> None:
    document = Document(Path("c.yaml"), {})
    with pytest.raises(InputError, match="two sensors of the run are called landsat8.*rename"):
        assemble(document, {"landsat8": ("B4",), "/somewhere/landsat8.yaml": ("red",)})
