"""`releo-da experiment` of twins: seeds pooled, runs compared in pairs on the passes they share."""

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
from scipy.stats import t as student

from releo_da.config.document import load
from releo_da.config.twin_setting import one_run, prepared
from releo_da.config.twin_study_table import Found, pair, pooled, table, verdict
from releo_da.runs.sums import Sums

Run = Callable[..., tuple[int, str, str]]

CONFIG: dict[str, Any] = {
    "members": 8,
    "period": ["2023-05-01", "2023-06-10"],
    "source": {
        "twin": {
            "nature": {"name": "wofost", "years": "tuning"},
            "pixels": 8,
            "cloud": {"cover": 0.3},
            "satellites": [{"sensor": "landsat8"}],
        }
    },
    "state": {"name": "prosail", "add": ["soil_moisture"]},
    "analyse": "etkf",
    "score": {"horizons": [10]},
    "products": {"variables": ["lai", "fapar"], "every_days": 20},
}
BOTH = "source.twin.satellites=[{sensor: landsat8}, {sensor: landsat9}]"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of one and of two satellites over the same land."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "study"
    made.mkdir()
    (made / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    runs = {
        "one": {"config": "config.yaml"},
        "two": {"config": "config.yaml", "settings": [BOTH], "against": "one"},
    }
    (made / "experiment.yaml").write_text(yaml.safe_dump({"seeds": [3, 4], "runs": runs}))
    marks = "<!-- table -->\n<!-- end of table -->\n"
    (made / "README.md").write_text(f"before\n![errors](study.png)\n{marks}after\n")
    return made


def verified(folder: Path, seed: int, *settings: str) -> xr.Dataset:
    """Every comparison of one run of LAI, as records."""
    cpu = torch.device("cpu")
    ready = prepared(load(folder / "config.yaml", (*settings, f"seed={seed}")), cpu)
    return one_run(ready, sinks=None).verification.sel(channel="lai")


def squared(held: xr.Dataset) -> np.ndarray:
    """Squared errors of the analysis, ``[time, pixel]``."""
    return ((held["mean"].sel(case="analysis") - held["observed"]) ** 2).values


@pytest.mark.usefixtures("at_once")
def test_a_study_of_twins_pools_seeds_and_compares_pairs(folder: Path, releo: Run) -> None:
    """Every number of LAI from the records of single runs."""
    status, _, err = releo("experiment", "study", "--out", "found", "--quiet")
    assert status == 0, err
    scores = json.loads(Path("found/scores.json").read_text())
    one = [verified(folder, seed) for seed in (3, 4)]
    two = [verified(folder, seed, BOTH) for seed in (3, 4)]

    everything = np.stack([squared(held) for held in one])
    row = scores["runs"]["one"]["analysis"]["lai"]
    assert np.isclose(row["rmse"], np.sqrt(everything.mean()), rtol=1e-4)
    assert row["n"] == everything.size

    shared = [held.sel(time=one[0].time) for held in two]
    assert shared[0].time.size < two[0].time.size
    pairs = zip(shared, one, strict=True)
    ratios = [float(np.log(squared(a).mean() / squared(b).mean())) / 2 for a, b in pairs]
    half = student.ppf(0.975, 1) * np.std(ratios, ddof=1) / np.sqrt(2)
    expected = np.expm1([np.mean(ratios), np.mean(ratios) - half, np.mean(ratios) + half])
    assert np.allclose(scores["pairs"]["two"]["analysis"]["lai"], expected, rtol=1e-3)

    readme = (folder / "README.md").read_text()
    text = Path("found/table.md").read_text()
    assert readme.startswith("before")
    assert readme.endswith("after\n")
    assert text in readme
    assert "RMSE (coverage) of LAI" in text
    assert "| two | one | LAI |" in text
    assert (folder / "study.png").read_bytes() == Path("found/study.png").read_bytes()
    for run in ("one", "two"):  # the first seed leaves its run
        assert Path(f"found/{run}/report.html").is_file()
        assert json.loads(Path(f"found/{run}/scores.json").read_text())["seeds"] == [3]


def test_the_same_sky_stands_over_common_passes(folder: Path) -> None:
    """Another satellite changes neither the truth nor the clouds of the passes of the first."""
    one, two = verified(folder, 3), verified(folder, 3, BOTH)
    both = one, two.sel(time=one.time)
    assert np.array_equal(both[0]["observed"], both[1]["observed"])
    seen = [np.isfinite(held["mean"].sel(case="retrieval")).values for held in both]
    assert np.array_equal(seen[0], seen[1])
    assert 0 < seen[0].sum() < seen[0].size


def found(run: str, seed: int, squares: dict[float, float]) -> Found:
    """A run whose LAI has the given squared error, times its pixels (4), on each day."""
    sums = Sums()
    for date, (_, square) in enumerate(squares.items()):
        for case in ("analysis", "free_run", "smoothed", "retrieval"):
            terms = np.array([4.0, 0.0, 4.0 * square, 0.0, 0.0, 0.0, 4.0, 0.0])
            sums.terms[case, date] = {"lai": terms}
    return Found(run, seed, 0.0, tuple((day, "s") for day in squares), sums, sums, 60.0)


def test_pairs_are_scored_where_both_runs_have_a_pass() -> None:
    ours = [found("a", s, {1.0: 1.0, 2.0: 99.0, 3.0: 1.0}) for s in (0, 1)]
    theirs = [found("b", s, {1.0: 4.0, 3.0: 4.0, 4.0: 99.0}) for s in (0, 1)]
    assert np.allclose(pair(ours, theirs, "analysis")["lai"], [-0.5, -0.5, -0.5])
    text, scores = table([*ours, *theirs], {"a": "b"})
    assert scores["runs"]["b"]["analysis"]["lai"]["rmse"] == np.sqrt(107.0 / 3.0)
    assert "-50.0 % [-50.0, -50.0] | no harm" in text
    assert "4 minutes of one core" in text
    assert "Intervals take seeds as independent" in text


def test_runs_of_other_horizons_stand_in_one_table() -> None:
    """A forecast that only the second run made has a column, empty for the first."""
    days = {1.0: 1.0, 2.0: 4.0}
    runs = [replace(found(name, s, days), seen=Sums()) for name in "ab" for s in (0, 1)]
    for run in runs:
        for date in (0, 1):
            terms = run.sums.terms["analysis", date]
            for lead in ("10",) if run.run == "a" else ("5", "10"):
                run.sums.terms[f"forecast_{lead}", date] = terms
    text, _ = table(runs, {})
    lines = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    place = next(k for k, name in enumerate(lines[0]) if "forecast, 5 days" in name)
    assert "forecast, 10 days" in lines[0][place + 1]
    told = {
        line[1].strip(): [cell.strip() for cell in line[place : place + 2]] for line in lines[2:]
    }
    assert told["a"][0] == "" and told["a"][1] == told["b"][1] == told["b"][0] != ""


def test_pairs_are_made_by_seed_and_not_by_place() -> None:
    ours = [found("a", s, {1.0: (s + 1.0) ** 2}) for s in (0, 1)]
    theirs = [found("b", s, {1.0: (s + 1.0) ** 2}) for s in (1, 0)]
    assert np.allclose(pair(ours, theirs, "analysis")["lai"], 0.0)
    with pytest.raises(ValueError, match="the same seeds"):
        pair(ours, theirs[:1], "analysis")


def test_a_forecast_of_a_study_is_divided_by_the_free_run_on_its_own_dates() -> None:
    one = replace(found("a", 0, {1.0: 1.0, 2.0: 4.0}), seen=Sums())
    one.sums.terms["forecast_1", 1] = one.sums.terms["analysis", 1]
    one.sums.terms["free_run", 0] = {"lai": 100.0 * one.sums.terms["free_run", 0]["lai"]}
    told = pooled([one])["repeats"]["ratio"]["free_run"]
    assert told["forecast"]["1"]["lai"][0] == 1.0


def test_harm_is_told_by_where_the_interval_lies() -> None:
    assert verdict([0.0, -0.01, 0.009]) == "no harm"
    assert verdict([0.0, -0.01, 0.011]) == "not told apart"
    assert verdict([0.03, 0.02, 0.04]) == "harm"
    assert verdict([0.0, np.nan, np.nan]) == "one seed"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"against": "eins"}, "runs.two.against: unknown run 'eins'"),
        ({"config": "bare.yaml"}, "runs.two: bare.yaml has no source.twin"),
        ({"fitted_on": "config.yaml"}, "runs.two: folds and fitted_on belong to hindcasts"),
        ({"settings": ["score.repeats=2"]}, "runs.two: score.repeats"),
        ({"settings": ["source.twin.seed=7"]}, "runs.two: source.twin.seed"),
        ({"settings": ["source.twin.nature=wheat"]}, "source.twin.nature"),
    ],
)
def test_wrong_studies_of_twins_are_refused(
    folder: Path, releo: Run, change: dict[str, Any], said: str
) -> None:
    (folder / "bare.yaml").write_text("source: {tables: {}}\n")
    values = yaml.safe_load((folder / "experiment.yaml").read_text())
    values["runs"]["two"] = {"config": "config.yaml", **change}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(values))
    status, _, err = releo("experiment", "study", "--out", "found")
    assert status == 2
    assert said in err
    assert "Traceback" not in err
