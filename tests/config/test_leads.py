"""`score.horizons` with bins: scores of every pair beside rivals, files, folds of a study."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml

import releo_da.diagnostics.baselines.recurrent as recurrent_module
from releo_da.diagnostics.leads import bins_of

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]
BINS = ["0-10", "10-30"]


def binned(values: dict[str, Any]) -> None:
    """Bins beside a horizon, a season of the place, targets from May on."""
    values["members"] = 8
    values["forecast"] = {"name": "mean_reverting", "kernel": "ou", "own": ["lai"]}
    values["score"] = {
        "horizons": [[0, 10], 6, [10, 30]],
        "forecast_period": ["2020-05-01", "2020-06-30"],
    }
    values["train"] = {"epochs": 1, "members": 8, "period": ["2020-04-01", "2020-04-30"]}


def test_bins_are_scored_beside_rivals_on_the_same_pairs(
    workplace: Workplace, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_gru(values: dict[str, Any]) -> None:
        binned(values)
        values["score"]["baselines"] = ["gru"]

    monkeypatch.setattr(recurrent_module, "STEPS", 20)
    status, _, err = releo("hindcast", workplace(configure=with_gru), "--out", "run", "--quiet")
    assert status == 0, err
    scores = json.loads(Path("run/scores.json").read_text())
    assert set(scores["forecast"]) == {"6", *BINS}
    with xr.open_dataset("run/leads.nc") as told:
        assert bins_of(told) == BINS
        lead = told.target.values.astype("datetime64[D]") - told.origin.values.astype(
            "datetime64[D]"
        )
        days = lead.astype(int)
        assert np.array_equal(told["lead"].values == "0-10", (days > 0) & (days <= 10))
        assert days.max() <= 30
        assert (told.target.values >= np.datetime64("2020-05-01")).all()
        for name in BINS:
            here = told["lead"].values == name
            error = (told["mean"] - told["observed"]).values[here]
            assert np.isclose(scores["forecast"][name]["ndvi"]["rmse"], np.sqrt(np.mean(error**2)))
    places = "place_day_of_year", "place_harmonic"
    for rival in ("persistence", "harmonic", *places, "ou_kalman", "gru"):
        found = scores["baselines"][rival]["forecast"]
        for name in BINS:
            assert found[name]["ndvi"]["n"] == scores["forecast"][name]["ndvi"]["n"] > 0
    assert "6" not in scores["baselines"]["place_harmonic"]["forecast"]
    report = Path("run/report.html").read_text()
    assert "10-30 days" in report and "GRU" in report


def test_without_a_forecast_period_the_place_has_no_past(workplace: Workplace, releo: Run) -> None:
    def whole(values: dict[str, Any]) -> None:
        binned(values)
        del values["score"]["forecast_period"]

    status, _, err = releo("hindcast", workplace(configure=whole), "--out", "run", "--quiet")
    assert status == 0, err
    rivals = json.loads(Path("run/scores.json").read_text())["baselines"]
    assert "0-10" in rivals["harmonic"]["forecast"]
    assert not {"place_day_of_year", "place_harmonic", "gru"} & set(rivals)
    log = Path("run/log.jsonl").read_text().splitlines()
    (told,) = [record for record in map(json.loads, log) if record["kind"] == "left_out"]
    assert "give score.forecast_period" in told["message"]


def test_a_study_compares_bins_in_pairs_over_folds(
    workplace: Workplace, releo: Run, at_once: None
) -> None:
    def apart(data: xr.Dataset) -> xr.Dataset:
        return data.assign_coords(x=("point", 1.0 + 0.1 * np.arange(data.sizes["point"])))

    config = workplace(apart, binned)
    folder = Path("study")
    folder.mkdir()
    config.rename(folder / "c.yaml")
    Path("series.nc").rename(folder / "series.nc")
    runs = {"points": {"config": "c.yaml", "folds": {"count": 2, "within_metres": 1000}}}
    (folder / "README.md").write_text("![forecasts](forecast_points.png)\n")
    (folder / "experiment.yaml").write_text(yaml.safe_dump({"seeds": [0], "runs": runs}))
    status, _, err = releo("experiment", "study", "--out", "found", "--quiet")
    assert status == 0, err
    text = Path("found/table.md").read_text()
    head = next(line for line in text.splitlines() if "days ahead" in line)
    assert head == "| NDVI forecast, days ahead | 0-10 | 6 | 10-30 |"
    for words in ("rmse against place_day_of_year", "crps against persistence", "90 % coverage"):
        line = next(line for line in text.splitlines() if line.startswith(f"| {words}"))
        assert line.count("|") == 5
    figure = (folder / "forecast_points.png").read_bytes()
    assert figure == Path("found/forecast_points.png").read_bytes()
    assert figure.startswith(b"\x89PNG")
    scores = json.loads(Path("found/scores.json").read_text())["points"][0]
    assert scores["forecast"]["10-30"]["ndvi"]["n"] > 0
    assert (
        scores["baselines"]["persistence"]["forecast"]["10-30"]["ndvi"]["n"]
        == (scores["forecast"]["10-30"]["ndvi"]["n"])
    )
