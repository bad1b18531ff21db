"""Dates of seasons of a run: the file, its figures, the scores of a twin, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml

from releo_da.config.phenology import phenology
from releo_da.config.sections import products
from releo_da.types import InputError

from .conftest import DAYS, POINTS

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def with_seasons(config: dict[str, Any]) -> None:
    config["period"] = ["2020-03-10", "2020-07-10"]  # no month less, or its rise and fall are cut
    config["products"] = {"variables": ["lai", "ndvi"], "every_days": 5, "phenology": {}}
    config["score"] = {}


def test_a_hindcast_tells_when_its_seasons_were(workplace: Workplace, releo: Run) -> None:
    path = workplace(configure=with_seasons)
    status, _, err = releo("hindcast", path, "--out", "out")
    assert status == 0, err
    with xr.open_dataset("out/phenology.nc") as found:
        assert "seasons" in found.attrs["title"]
        held = found.load()
    assert dict(held.sizes) == {"number": 2, "time": 1, "point": POINTS}
    assert str(held.time.values[0])[:10] == "2020-01-01"
    assert held.lai_season_probability[0, 0].values.min() > 0.9  # of 16 members one may wander
    assert np.isnat(held.lai_peak[1].values).all()
    true = DAYS[0] + np.timedelta64(40, "D")
    off = (held.lai_peak[0, 0].values - true) / np.timedelta64(1, "D")
    assert np.abs(off).max() < 12.0
    rise = np.sqrt(2.0 * np.log(4.0)) * 18.0  # days from a quarter to the peak
    early = (held.lai_start[0, 0].values - true) / np.timedelta64(1, "D") + rise
    assert np.abs(early).max() < 8.0
    for one, other in zip(
        ("start_lower", "start", "start_upper", "peak"), ("start", "start_upper", "peak", "end"),
        strict=True,
    ):  # fmt: skip
        assert (held[f"lai_{one}"][0] < held[f"lai_{other}"][0]).all(), (one, other)
    assert held.lai_start.encoding["units"] == "days since 1970-01-01 00:00:00"
    assert held.lai_maximum.attrs["units"] == "m2 m-2"
    assert (held.lai_maximum_lower < held.lai_maximum_upper)[0].all()
    assert "0.25 of the rise" in held.attrs["comment"]
    assert Path("out/figures/phenology_lai.png").is_file()
    assert "Seasons of LAI" in Path("out/report.html").read_text("utf-8")
    assert releo("hindcast", path, "--out", "out", "--set", "products.phenology=null")[0] == 0
    assert not Path("out/phenology.nc").exists()


def test_a_season_that_the_period_cuts_has_bounds(workplace: Workplace, releo: Run) -> None:
    def cut(config: dict[str, Any]) -> None:
        with_seasons(config)
        config["period"] = ["2020-04-01", "2020-06-30"]

    path = workplace(configure=cut)
    status, _, err = releo("hindcast", path, "--out", "out", "--quiet")
    assert status == 0, err
    with xr.open_dataset("out/phenology.nc") as found:
        first = found.isel(number=0, time=0).load()
    share = first.lai_start_cut.values
    assert (share > 0.2).all() and (share > 0.5).any() and (share < 0.5).any()
    assert (np.isnat(first.lai_start.values) == (share > 0.5)).all()
    with xr.open_dataset("out/analysis.nc") as products:
        day = products.time.values[0]
    assert (np.abs(first.lai_start_lower.values - day) < np.timedelta64(1, "h")).all()
    assert "then or earlier" in first.lai_start_cut.attrs["comment"]
    assert "then or later" in first.lai_end_cut.attrs["comment"]


TWIN = """
seed: 3
members: 16
period: [2023-03-15, 2023-10-15]
source:
  twin:
    nature: {name: wofost, years: tuning}
    pixels: 6
    place: [6.8, 51.97]
    satellites: [{sensor: sentinel2a, channels: [B03, B04, B08, B11], every_days: 10}]
state: {name: prosail, add: [soil_moisture]}
forecast: {name: mean_reverting, kernel: matern32}
analyse: [{name: etkf}]
smooth: {name: rts}
score: {repeats: 2}
products: {variables: [lai, ndvi], every_days: 6, phenology: {variable: lai, per_year: 1}}
"""


def test_a_twin_scores_them_against_the_truth(tmp_path: Path, releo: Run) -> None:
    (tmp_path / "c.yaml").write_text(TWIN, encoding="utf-8")
    status, _, err = releo("twin", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert status == 0, err
    told = json.loads((tmp_path / "out" / "scores.json").read_text("utf-8"))["phenology"]
    assert told["variable"] == "lai"
    true = told["seasons"]["true"]
    assert 9 <= true <= 12  # of six fields and two seeds, some without a crop
    assert told["seasons"]["found"] + told["seasons"]["missed"] == true
    assert told["peak"]["n"] == told["seasons"]["found"] > 8
    assert told["peak"]["rmse"] < 40.0 and 0.0 <= told["peak"]["coverage_90"] <= 1.0
    assert set(told["baselines"]) == {"whittaker", "double_logistic"}
    assert set(told["baselines"]["double_logistic"]["peak"]) == {"rmse", "bias", "mae", "n"}
    with xr.open_dataset(tmp_path / "out" / "phenology.nc") as found:
        held = found.load()
    peak = held.lai_peak_truth.values[0, 0]
    with xr.open_dataset(tmp_path / "out" / "truth.nc") as truth:
        lai = truth.lai.load()
    highest = lai.time.values[lai.values.argmax(0)]
    off = np.abs((peak - highest) / np.timedelta64(1, "D"))
    assert np.nanmax(off) <= 6.0 and np.isfinite(off).sum() >= 4  # within a date of the highest
    assert (tmp_path / "out" / "figures" / "phenology_lai_truth.png").is_file()
    text = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Dates of seasons" in text and "peak, double logistic of NDVI" in text
    assert f"Of {true} seasons of LAI" in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variable": "ccc", "amplitude": 10.0}, "ccc is no output variable of this run"),
        ({"start": 1.0}, "start is 1.0; give a share"),
        ({"amplitude": 0.0}, "amplitude is 0.0; give a positive"),
        ({"per_year": 0}, "per_year is 0; give 1"),
        ({"threshold": 0.2}, "threshold"),
    ],
)
def test_wrong_seasons_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        products(variables=["lai", "ndvi"], phenology=given)


def test_an_amplitude_must_be_given_where_none_is_known() -> None:
    assert phenology("fapar").amplitude == 0.1 and phenology().amplitude == 0.5
    assert phenology("lai_green").amplitude == 0.5
    with pytest.raises(InputError, match="no amplitude is known of cab"):
        phenology("cab")


@pytest.mark.parametrize("command", ["cycle", "embed"])
def test_commands_without_trajectories_refuse_them(
    workplace: Workplace, releo: Run, command: str
) -> None:
    path = workplace(configure=with_seasons)
    config = yaml.safe_load(path.read_text("utf-8"))
    if command == "cycle":
        config["cycle"] = {"inbox": "inbox"}
        config = {k: v for k, v in config.items() if k not in ("period", "smooth", "score")}
        Path("inbox").mkdir()
    else:
        config["state"] = {"name": "prosail", "encoder": "default"}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    status, _, err = releo(command, path, "--out", "out", *(["--once"] * (command == "cycle")))
    assert status == 2 and "products.phenology" in err, err
