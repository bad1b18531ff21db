"""Making a retrieval by `releo-da train`, its file, and its rows beside a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import xarray as xr
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from releo_da.config import experiment
from releo_da.config.assemble import assemble
from releo_da.config.commands import maker_of
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.retrieval_weights import read_retrieval
from releo_da.config.retrieving import drawn, retrieving
from releo_da.config.sections import horizons_of, score, section
from releo_da.types import Acquisition, InputError

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]

SMALL: dict[str, Any] = {
    "target": "retrieval", "sensors": ["sentinel2a", "sentinel2b"],
    "channels": ["B03", "B04", "B08"], "draws": 12_000, "held_out": 3000, "passes": 16,
    "batch": 256, "average": 100, "width": 24,
    "learning_rate": 5.0e-3,
}  # fmt: skip


def config(folder: Path, variables: Sequence[str] = ("lai", "fapar"), **changed: Any) -> Path:
    values = {
        "seed": 3,
        "observe": "emulator",
        "products": {"variables": list(variables)},
        "train": {**SMALL, **changed},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t.yaml").write_text(yaml.safe_dump(values))
    return folder / "t.yaml"


def tiny(folder: Path, releo: Run, variables: Sequence[str] = ("lai", "fapar")) -> Path:
    """Hardly trained weights of the right form."""
    path = config(folder, variables, draws=600, held_out=256, passes=1, width=8)
    status, _, said = releo("train", path, "--out", folder / "run", "--quiet")
    assert status == 0, said
    return folder / "run" / "retrieval.safetensors"


def test_its_intervals_hold_what_it_has_not_seen(tmp_path: Path, releo: Run) -> None:
    status, _, said = releo("train", config(tmp_path), "--out", tmp_path / "run", "--quiet")
    assert status == 0, said
    told = json.loads((tmp_path / "run/train.json").read_text())
    for name, spread in {"lai": 1.7, "fapar": 0.3}.items():
        row = told["scores"][name]
        assert 0.87 <= row["coverage_90"] <= 0.93
        assert row["rmse"] < 0.75 * spread  # of the prior, about
    kept = read_retrieval(tmp_path / "run/retrieval.safetensors")
    assert kept.network.names == ("lai", "fapar")
    assert kept.sensors == ("sentinel2a", "sentinel2b") and kept.channels == ("B03", "B04", "B08")
    fapar = kept.network.table[1]
    assert fapar[0] >= 0.0 and fapar[-1] <= 1.0
    report = (tmp_path / "run/report.html").read_text()
    assert told["ended"] in report and f"{told['scores']['lai']['crps']:.3f}" in report
    assert {p.name for p in (tmp_path / "run/figures").iterdir()} == {"loss.png", "read.png"}


def test_a_seed_gives_the_same_file(tmp_path: Path, releo: Run) -> None:
    one, two = (tiny(tmp_path / name, releo).read_bytes() for name in ("one", "two"))
    assert one == two


def test_it_stands_beside_field_measurements(
    workplace: Workplace, releo: Run, tmp_path: Path
) -> None:
    weights = tiny(tmp_path / "made", releo)

    def beside(values: dict[str, Any]) -> None:
        values["score"] = {"in_situ": values["score"]["in_situ"], "network": str(weights)}

    status, _, said = releo("hindcast", workplace(configure=beside), "--out", "run", "--quiet")
    assert status == 0, said
    rows = json.loads(Path("run/scores.json").read_text())["in_situ"]["lai"]
    assert rows["network"]["n"] == rows["smoothed"]["n"] > 0
    assert {"rmse", "unbiased_rmse", "r2", "coverage_90"} <= set(rows["network"])
    resolved = yaml.safe_load(Path("run/config.yaml").read_text())
    assert resolved["score"]["network"] == "retrieval.safetensors"
    assert Path("run/retrieval.safetensors").read_bytes() == weights.read_bytes()
    assert "network" in Path("run/report.html").read_text()


def test_a_network_of_other_sensors_is_refused(
    workplace: Workplace, releo: Run, tmp_path: Path
) -> None:
    path = config(tmp_path / "l", sensors=["landsat8"], channels=["B3", "B4"], draws=600,
                  held_out=256, passes=1, width=8)  # fmt: skip
    status, _, said = releo("train", path, "--out", tmp_path / "l/run", "--quiet")
    assert status == 0, said

    def other(values: dict[str, Any]) -> None:
        values["score"]["network"] = str(tmp_path / "l/run/retrieval.safetensors")

    status, _, said = releo("hindcast", workplace(configure=other), "--out", "run", "--quiet")
    assert status == 2
    assert "score.network" in said and "landsat8" in said and "remove the key" in said
    assert not Path("run").exists()  # nor does one that stands there change


def test_a_network_of_nothing_that_was_measured_is_refused(
    workplace: Workplace, releo: Run, tmp_path: Path
) -> None:
    weights = tiny(tmp_path / "made", releo, variables=["fcover"])

    def other(values: dict[str, Any]) -> None:
        values["score"]["network"] = str(weights)

    def unmeasured(values: dict[str, Any]) -> None:
        values["score"] = {"network": str(weights)}

    for change, has in ((other, "score.in_situ has lai;"), (unmeasured, "score.in_situ has none;")):
        status, _, said = releo("hindcast", workplace(configure=change), "--out", "run", "--quiet")
        assert status == 2
        assert "score.network: the network reads fcover" in said and has in said, said
        assert not Path("run").exists()


def test_what_a_network_does_not_read_is_told(
    workplace: Workplace, releo: Run, tmp_path: Path
) -> None:
    """Of two tables it reads one."""
    weights = tiny(tmp_path / "made", releo)

    def beside(values: dict[str, Any]) -> None:
        table = values["score"]["in_situ"]
        values["score"] = {"in_situ": [table, {**table, "variable": "ndvi"}]}
        values["score"]["network"] = str(weights)

    status, _, said = releo("hindcast", workplace(configure=beside), "--out", "run", "--quiet")
    assert status == 0, said
    scores = json.loads(Path("run/scores.json").read_text())["in_situ"]
    assert "network" in scores["lai"] and "network" not in scores["ndvi"]
    left = "left out beside field measurements of ndvi: it reads lai, fapar"
    assert left in Path("run/log.jsonl").read_text() and left in Path("run/report.html").read_text()


def test_a_study_refuses_a_damaged_network_before_it_fits(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.safetensors").write_text("no weights")

    def other(values: dict[str, Any]) -> None:
        values["score"]["network"] = str(tmp_path / "text.safetensors")

    def fit(*_: Any) -> None:
        raise AssertionError("it was fitted")

    monkeypatch.setattr(experiment, "fitted", fit)
    unit = experiment.Unit(
        "a", workplace(configure=other), None, None, 0, Options(quiet=True), tmp_path, False, None
    )
    with pytest.raises(InputError, match=r"text\.safetensors"):
        experiment.work(unit)


def test_it_stands_beside_the_truth_of_a_twin(tmp_path: Path, releo: Run) -> None:
    """Where an acquisition saw something, compared at the very values of the other estimates."""
    weights = tiny(tmp_path / "made", releo)
    values = yaml.safe_load((Path(__file__).parent / "land.yaml").read_text("utf-8"))
    values["score"]["network"] = str(weights)
    values["products"]["variables"] = ["lai", "ndvi"]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    run = tmp_path / "run"
    status, _, said = releo("twin", tmp_path / "c.yaml", "--out", run, "--quiet")
    assert status == 0, said
    scores = json.loads((run / "scores.json").read_text())
    seen = scores["seen"]
    assert set(seen["network"]) == {"lai"}  # fapar is no output of this run
    assert seen["network"]["lai"]["n"] == seen["retrieval"]["lai"]["n"] > 0
    with xr.open_dataset(run / "verification.nc") as held:
        one = held.sel(channel="lai")
        mine, other = one.sel(case="network"), one.sel(case="retrieval")
        assert bool((mine["mean"].notnull() == other["mean"].notnull()).all())
    report = (run / "report.html").read_text()
    assert "network" in report


def test_baselines_of_observations_are_none_of_a_twin(tmp_path: Path) -> None:
    path = tmp_path / "twin.yaml"
    path.write_text(yaml.safe_dump({"score": {"baselines": ["gru"]}}))
    document = load(path)
    with pytest.raises(InputError, match="score.baselines: a twin is scored on its truth"):
        horizons_of(document, section(document, "score", score))


def damaged(weights: Path, path: Path, change: Callable[[dict, dict], Any]) -> Path:
    with safe_open(weights, framework="pt") as file:
        told = json.loads(file.metadata()["retrieval"])
    tensors = load_file(weights)
    change(tensors, told)
    save_file(tensors, path, metadata={"retrieval": json.dumps(told)})
    return path


WRONG: dict[str, tuple[Callable[[dict, dict], Any], str]] = {
    "a tensor is missing": (lambda t, m: t.pop("deep.bias"), "missing"),
    "another shape": (lambda t, m: t.update(centre=torch.zeros(9)), "another shape"),
    "not finite": (lambda t, m: t["scale"].fill_(torch.nan), "scale"),
    "descending": (lambda t, m: t["table"].neg_(), "descend"),
    "another form": (lambda t, m: m.update(form=0), "form 1"),
    "no sensors": (lambda t, m: m.update(sensors=[]), "name its variables"),
    "no variable": (lambda t, m: m.update(variables=["lai", "yield"]), "'yield'"),
}


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, releo: Run) -> None:
    weights = tiny(tmp_path / "made", releo)
    for fault, (change, named) in WRONG.items():
        path = damaged(weights, tmp_path / "bad.safetensors", change)
        with pytest.raises(InputError, match=named) as refused:
            read_retrieval(path)
        assert fault and "bad.safetensors" in str(refused.value)
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("text.safetensors", "missing.safetensors"):
        with pytest.raises(InputError, match=name):
            read_retrieval(tmp_path / name)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"draws": 10}, "train.draws"),
        ({"learning_rate": 0.0}, "train.learning_rate"),
        ({"sun_zenith": [50.0, 95.0]}, "train.sun_zenith"),
        (
            {"sun_zenith": [20.0, 85.0]},
            "sun_zenith ends at 85, and the operator was made for 80",
        ),
        (
            {"view_zenith": [0.0, 71.0]},
            "view_zenith ends at 71, and the operator was made for 70",
        ),
        ({"channels": []}, "sensors and channels"),
        ({"channels": ["B99"]}, "B99"),
        ({"sensors": ["sentinel9"]}, "sentinel9"),
        ({"epochs": 3}, "epochs"),
    ],
)
def test_an_impossible_training_is_refused(
    changed: dict[str, Any], named: str, tmp_path: Path, releo: Run
) -> None:
    status, _, said = releo("train", config(tmp_path, **changed), "--out", tmp_path / "r")
    assert status == 2
    assert named in said
    assert not (tmp_path / "r/retrieval.safetensors").exists()


def test_a_misspelt_target_is_told_all_that_there_are(tmp_path: Path) -> None:
    document = load(config(tmp_path, target="retreival"))
    with pytest.raises(InputError, match="did you mean 'retrieval'") as refused:
        maker_of(document)
    assert "valid: dynamics, emulator, retrieval, encoder" in str(refused.value)


def test_few_draws_are_of_every_sensor_and_of_days_over_the_year(tmp_path: Path) -> None:
    document = load(config(tmp_path, draws=256))
    how = section(document, "train", retrieving)
    assembly = assemble(document, dict.fromkeys(how.sensors, how.channels))
    asked: list[tuple[str, float, int]] = []

    def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        asked.append((acquisition.sensor, acquisition.time, len(ensemble)))
        return assembly.model.observe(ensemble, acquisition)

    watched = replace(assembly, model=replace(assembly.model, observe=observe))
    table = drawn(watched, how, 256, torch.Generator().manual_seed(0))
    assert len(table.inputs) == 256
    for sensor in how.sensors:
        days = [time for name, time, _ in asked if name == sensor]
        assert len(days) >= 11 and max(days) - min(days) > 0.8 * 365.25
        assert sum(n for name, _, n in asked if name == sensor) >= 120


def test_a_network_of_nothing_that_a_twin_compares_is_refused(tmp_path: Path, releo: Run) -> None:
    weights = tiny(tmp_path / "made", releo, variables=["fcover"])
    values = yaml.safe_load((Path(__file__).parent / "land.yaml").read_text("utf-8"))
    values["score"]["network"] = str(weights)
    values["products"]["variables"] = ["lai", "ndvi"]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    status, _, said = releo("twin", tmp_path / "c.yaml", "--out", tmp_path / "run", "--quiet")
    assert status == 2
    assert "the network reads fcover" in said and "add one to products.variables" in said
