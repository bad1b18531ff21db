"""Tables of published benchmarks: cases as data, the bands they are held to, the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from releo_da.config import published
from releo_da.config.options import Options
from releo_da.config.published import Figures, Row
from releo_da.config.published_table import FIVE, verdict
from releo_da.types import InputError

Run = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).resolve().parents[2] / "experiments"

SETTING = """
seed: 5
members: 10
source:
  twin:
    truth: {name: lorenz63}
    initial: {mean: [1.509, -1.531, 25.46], variance: 2.0}
    observe_every: 25
    steps: 40
    error_variance: 2.0
score: {burn_in: 4.0}
"""

EXPERIMENT: dict[str, Any] = {
    "replicates": 2,
    "settings": {"short": {"config": "short.yaml", "source": "Nobody (1999)"}},
    "cases": [
        {
            "setting": "short",
            "name": "square root",
            "set": {
                "analyse": [{"name": "etkf"}, {"name": "inflated", "factor": 1.05}],
                "smooth": {"name": "rts", "damping": 0.99},
            },
            "figures": {"published": 0.7, "median": 0.6, "min": 0.0, "max": 7.0, "seeds": 4},
            "smoothed": {"median": 0.0001, "min": 0.0001, "max": 0.0001, "seeds": 1},
        },
        {
            "setting": "short",
            "name": "climatology",
            "reference": "climatology",
            "figures": {"median": 30.0, "min": 20.0, "max": 40.0, "seeds": 4},
        },
    ],
}


def written(folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    (folder / "short.yaml").write_text(SETTING, encoding="utf-8")
    text = yaml.safe_dump({**EXPERIMENT, **changes})
    (folder / "experiment.yaml").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text("a\n<!-- table -->\n<!-- end of table -->\nb\n")
    return folder


@pytest.mark.usefixtures("at_once")
def test_one_command_makes_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, releo: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = written(tmp_path / "bench")
    status, _, err = releo("experiment", "bench", "--out", "found", "--quiet")
    assert status == 0, err
    lines = (tmp_path / "found" / "table.md").read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith(("| square", "| climatology"))]
    assert [row.split("|")[1].strip() for row in rows] == [
        "square root", "square root, smoothed", "climatology",
    ]  # fmt: skip
    assert [row.split("|")[-2].strip() for row in rows] == ["inside", "above", "below"]
    assert "N = 10, etkf, inflated (factor 1.05), rts (damping 0.99)" in rows[0]
    assert "Nobody (1999). RMSE of 2 replicates." in lines
    assert lines[-1].startswith("2 of 3 cases met")
    scores = json.loads((tmp_path / "found" / "scores.json").read_text("utf-8"))
    assert scores["met"] == 2
    analysis, smoothed, _ = scores["cases"]
    assert len(analysis["rmse"]) == 2
    assert analysis["median"] == np.median(analysis["rmse"])
    assert smoothed["median"] < analysis["median"] < 3.0
    assert rows[0] in (folder / "README.md").read_text("utf-8")


def row(rmse: list[float], figures: Figures) -> Row:
    nothing: Any = None
    return Row(nothing, nothing, "analysis", figures, np.array(rmse), np.array(rmse), 0, 0.0)


def band(median: float, low: float, high: float, seeds: int, diverged: int = 0) -> Figures:
    return Figures(median, seeds, low, high, diverged=diverged)


@pytest.mark.parametrize(
    ("rmse", "figures", "said"),
    [
        ([0.16, 0.18, 9.0], band(0.18, 0.17, 0.21, 5), "inside"),
        ([0.16, 0.16, 9.0], band(0.18, 0.17, 0.21, 5), "below"),
        ([0.1, 0.22, 0.3], band(0.18, 0.17, 0.21, 5), "above"),
        ([0.33], band(0.29, 0.29, 0.29, 1), "inside"),
        ([0.34], band(0.29, 0.29, 0.29, 1), "above"),
        ([3.0], band(0.18, 0.17, 3.4, 5, diverged=2), "above"),
        ([0.4], Figures(0.464, 4), "inside"),
        ([0.39], Figures(0.464, 4), "below"),
        ([float("nan")], band(0.18, 0.17, 0.21, 5), "above"),
    ],
)
def test_the_median_is_held_to_the_band(rmse: list[float], figures: Figures, said: str) -> None:
    assert verdict(row(rmse, figures)) == said


def test_medians_of_five_fall_where_the_table_says() -> None:
    draws = np.random.default_rng(7).standard_normal((100_000, 5))
    found = np.quantile(np.median(draws, axis=1), [0.05, 0.95])
    expected = np.quantile(draws, FIVE)
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("name", ["lorenz63", "lorenz96"])
def test_every_case_of_the_experiments_is_whole(name: str) -> None:
    values = yaml.safe_load((ROOT / name / "experiment.yaml").read_text("utf-8"))
    benchmark = published.benchmark_of(values, ROOT / name / "experiment.yaml")
    assert benchmark.replicates >= 5
    units = published.units(ROOT / name, benchmark, Options(quiet=True))
    assert len(units) == len(benchmark.cases)
    for unit in units:
        for figures in unit.case.published.values():
            low, high = figures.limits
            assert 0.0 < low <= figures.median <= high


def changed(number: int, **changes: Any) -> list[dict[str, Any]]:
    cases = [dict(case) for case in EXPERIMENT["cases"]]
    cases[number] |= changes
    return cases


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cases": {}}, "needs settings .* and cases"),
        ({"replicates": 0}, "replicates is 0"),
        ({"repilcates": 3}, "repilcates: unknown option; did you mean 'replicates'"),
        ({"cases": changed(0, setting="long")}, r"cases\[0\].setting: 'long' is none.*short"),
        ({"cases": changed(1, reference="oracle")}, r"cases\[1\].reference: unknown value"),
        ({"cases": changed(0, figures={"median": 1.0})}, r"cases\[0\].figures: needs 'seeds'"),
        ({"cases": changed(0, set={"analyze": "etkf"})}, "unknown key 'analyze'.*analyse"),
        ({"cases": changed(0, set={"analyse": "etfk"})}, "unknown scheme 'etfk'"),
        ({"cases": changed(0, smoothed={"median": "x"})}, "smoothed"),
        ({"settings": {"short": {"config": "none.yaml", "source": "x"}}}, "none.yaml"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = written(tmp_path / "bench", **changes)
    values = yaml.safe_load((folder / "experiment.yaml").read_text("utf-8"))
    with pytest.raises(InputError, match=message):
        published.run(folder, values, Options(quiet=True))
