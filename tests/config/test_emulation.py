"""Making an emulator by `releo-da train`, its file, and its use in a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from releo_da.config import benchmark_emulator
from releo_da.config.emulation import emulation, trained
from releo_da.config.emulator_weights import packaged, read_emulator, write_emulator
from releo_da.types import InputError

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]

TINY: dict[str, Any] = {
    "spectra": 768, "held_out": 256, "passes": 40, "batch": 128, "average": 60, "width": 24,
    "depth": 2, "coefficients": 12,
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights of the right form, hardly fitted."""
    how = emulation("emulator", **{**TINY, "passes": 1})
    made, _ = trained(how, torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("weights") / "e.safetensors"
    write_emulator(path, made, {"seed": 0})
    return path


def test_a_small_training_learns_and_is_the_same_to_the_last_bit(
    tmp_path: Path, releo: Run
) -> None:
    config = tmp_path / "c.yaml"
    train = {"target": "emulator", **TINY}
    config.write_text(yaml.safe_dump({"seed": 3, "observe": "emulator", "train": train}))
    files = []
    for name in ("one", "two"):
        status, _, said = releo("train", config, "--out", tmp_path / name, "--quiet")
        assert status == 0, said
        files.append(tmp_path / name / "emulator.safetensors")
    first, second = (path.read_bytes() for path in files)
    assert first == second
    told = json.loads((tmp_path / "one" / "train.json").read_text())
    losses = [one["loss"] for one in told["passes"]]
    assert losses[-1] < 0.1 * losses[0]
    emulator = read_emulator(files[0])
    response = torch.eye(2101, dtype=torch.float64)[[150, 450, 1250]]
    assert (emulator.band_error(response) < 0.06).all()
    with safe_open(files[0], framework="pt") as file:
        said = file.metadata()
    assert json.loads(said["emulator"])["seed"] == 3
    assert json.loads(said["emulator"])["errors"] == told["errors"]
    report = (tmp_path / "one/report.html").read_text()
    assert told["ended"] in report and f"{told['errors']['dense']['max']['B04']:.5f}" in report
    assert {p.name for p in (tmp_path / "one/figures").iterdir()} == {"loss.png", "errors.png"}


def test_what_is_written_is_what_is_read(weights: Path, tmp_path: Path) -> None:
    emulator = read_emulator(weights)
    write_emulator(tmp_path / "again.safetensors", emulator, {"seed": 0})
    assert (tmp_path / "again.safetensors").read_bytes() == weights.read_bytes()


def damaged(weights: Path, path: Path, change: Callable[[dict, dict], None]) -> Path:
    with safe_open(weights, framework="pt") as file:
        told = json.loads(file.metadata()["emulator"])
    tensors = load_file(weights)
    change(tensors, told)
    save_file(tensors, path, metadata={"emulator": json.dumps(told)})
    return path


WRONG: dict[str, tuple[Callable[[dict, dict], None], str]] = {
    "a tensor is missing": (lambda t, m: t.pop("moment"), "moment"),
    "another shape": (lambda t, m: t.update({"deep.bias": torch.zeros(3)}), "deep.bias"),
    "not finite": (lambda t, m: t["left_out"].fill_(torch.nan), "left_out"),
    "another form": (lambda t, m: m.update(form=0), "other features"),
    "narrower ranges": (
        lambda t, m: m["ranges"].update(lai=[0.0, 9.0]), "lai",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_a_file_that_does_not_fit_is_refused(weights: Path, tmp_path: Path, fault: str) -> None:
    change, named = WRONG[fault]
    path = damaged(weights, tmp_path / "bad.safetensors", change)
    with pytest.raises(InputError, match=named) as refused:
        read_emulator(path)
    assert "bad.safetensors" in str(refused.value)
    assert "releo-da train" in str(refused.value)


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no weights")
    save_file({"basis": torch.zeros(3)}, tmp_path / "other", metadata={"format": "another"})
    save_file({"basis": torch.zeros(3)}, tmp_path / "bare")
    for name in ("text", "missing", "other", "bare"):
        with pytest.raises(InputError, match=name):
            read_emulator(tmp_path / name)


@pytest.mark.parametrize(
    ("option", "value"),
    [("spectra", 10), ("passes", 0), ("learning_rate", 0.0), ("coefficients", 400), ("period", 1)],
)
def test_an_impossible_training_is_refused(
    option: str, value: Any, tmp_path: Path, releo: Run
) -> None:
    config = tmp_path / "c.yaml"
    train = {"target": "emulator", **TINY, option: value}
    config.write_text(yaml.safe_dump({"train": train}))
    status, _, said = releo("train", config, "--out", tmp_path / "run", "--quiet")
    assert status == 2
    assert f"train.{option}" in said


def test_a_hindcast_observes_by_the_emulator(workplace: Workplace, releo: Run) -> None:
    """Close to the same run by the canopy model, from weights of its own kept in the run."""
    scores = {}
    for name in ("prosail", "emulator"):

        def configure(values: dict[str, Any], name: str = name) -> None:
            values["observe"] = {"name": name}
            values["score"] = {"horizons": [6]}

        status, _, said = releo(
            "hindcast", workplace(configure=configure), "--out", name, "--quiet"
        )
        assert status == 0, said
        scores[name] = json.loads((Path(name) / "scores.json").read_text())["background"]
    for channel, exact in scores["prosail"].items():
        assert scores["emulator"][channel]["rmse"] == pytest.approx(exact["rmse"], rel=0.1)


def test_weights_of_ones_own_are_kept_in_the_run(
    workplace: Workplace, releo: Run, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.safetensors").write_bytes(weights.read_bytes())

    def configure(values: dict[str, Any]) -> None:
        values["observe"] = {"name": "emulator", "weights": "own.safetensors"}
        values["score"] = {"horizons": [6]}

    status, _, said = releo("hindcast", workplace(configure=configure), "--out", "run", "--quiet")
    assert status == 0, said
    assert Path("run/emulator.safetensors").read_bytes() == weights.read_bytes()
    kept = yaml.safe_load(Path("run/config.yaml").read_text())["observe"]
    assert kept == {"name": "emulator", "weights": "emulator.safetensors"}


def test_the_benchmark_compares_at_equal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_emulator, "HYPERSPECTRAL", "modis_terra")
    monkeypatch.setattr(benchmark_emulator, "DRAWS", 512)
    with torch.no_grad():
        found = benchmark_emulator.emulator(4, 1, lambda: None, 10)
    assert found["ratio"] == found["land"]["channels_per_s"] / found["prosail_spectra_per_s"]
    for part in ("land", "hyperspectral"):
        assert 0.3 * found[part]["rms"] < found[part]["exact_rms"] <= found[part]["rms"] <= 0.003
        assert found[part]["p99_9"] <= 0.02
        assert min(v for k, v in found[part].items() if k.endswith("per_s")) > 0.0


def test_the_packaged_weights_are_small_and_say_where_they_come_from() -> None:
    from importlib.resources import files

    path = files("releo_da.observation") / "weights" / "prosail.safetensors"
    assert len(path.read_bytes()) < 400_000
    assert not any(p.requires_grad for p in packaged().parameters())
    with safe_open(str(path), framework="pt") as file:
        told = file.metadata()
    config = yaml.safe_load(Path("experiments/emulator/config.yaml").read_text())
    made = json.loads(told["emulator"])
    assert made["train"] == config["train"]
    assert made["seed"] == config["seed"]
