"""`train.start`: a fit that begins with the dynamics of another one, and what it does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from releo_da.config import training
from releo_da.config.assemble import Assembly, assemble
from releo_da.config.checkpoint_file import Checkpoint
from releo_da.config.document import load
from releo_da.config.experience import forget
from releo_da.config.fit_start import begin
from releo_da.config.options import Options
from releo_da.config.run_files import open_run
from releo_da.config.weights import load_start, write_weights
from releo_da.dynamics.neural import Neural
from releo_da.types import InputError
from tests.config.conftest import BANDS
from tests.config.learned import SMALL, met
from tests.config.test_hybrid_weights import _told

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]
START = "train.start=start.safetensors"


def learning(config: dict[str, Any]) -> None:
    config["forecast"] = {**SMALL, "kernel": "ou"}
    config["train"] = {"epochs": 2, "members": 8}


def test_the_physics_can_be_held_while_the_network_learns(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=learning)

    def run(out: str, *given: str) -> tuple[int, str]:
        settings = [word for text in given for word in ("--set", text)]
        status, _, err = releo("train", config, "--quiet", "--out", out, *settings)
        return status, err

    turns = ("train.epochs=2", "train.physics_first=1")
    assert run("turns", *turns) == (0, "")
    assert run("none", "train.epochs=0") == (0, "")
    begun, found = (load_file(f"{run}/weights.safetensors") for run in ("none", "turns"))
    for name in ("base.base.season", "network.last"):
        assert not torch.equal(begun[f"forecast.{name}"], found[f"forecast.{name}"]), name
    status, err = run("wrong", *turns, "forecast={name: mean_reverting}")
    assert status == 2 and "train.physics_first: this forecaster has no network" in err
    status, err = run("long", "train.epochs=2", "train.physics_first=2")
    assert status == 2 and "fewer than all" in err


def elsewhere(config: Path, path: Path, seed: int = 0, *changed: str) -> Assembly:
    """Weights of a fit of Landsat: every parameter moved."""
    made = assemble(load(config, changed), {"landsat8": ("B4", "B5", "B6")})
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in (made.forecaster, made.error):
            for parameter in part.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(0.05 * noise)
    write_weights(path, made.layout, made.forecaster, made.error)
    return made


def test_dynamics_begin_there_and_have_their_priors_about_it(
    workplace: Workplace, releo: Run
) -> None:
    """What belongs to bands, residuals and R, begins as it does without a start."""
    config = workplace(configure=learning)
    start = elsewhere(config, Path("start.safetensors"))
    asked = ("--quiet", "--set", START, "--set")
    status, _, err = releo("train", config, "--out", "none", *asked, "train.epochs=0")
    assert status == 0, err
    held = load_file("none/weights.safetensors")
    usual = assemble(load(config), {"sentinel2a": BANDS})
    begun = usual.forecaster.state_dict()
    of_variables, of_bands = 0, 0
    for name, tensor in start.forecaster.named_parameters():
        found = held[f"forecast.{name}"]
        if "residual" in name:
            assert torch.equal(found, begun[name]), name
            of_bands += 1
        else:
            assert torch.equal(found, tensor.detach()), name
            assert not len(found.ravel()) or not torch.equal(found, begun[name]), name
            of_variables += 1
    assert of_bands == 4 and of_variables > 8
    for name, tensor in usual.error.named_parameters():
        assert torch.equal(held[f"error.{name}"], tensor.detach()), name

    kept = ("train.epochs=1", "--set", "train.keep=[season, residual_mean]")
    status, _, err = releo("train", config, "--out", "fit", *asked, *kept)
    assert status == 0, err
    (first,) = json.loads(Path("fit/train.json").read_text())["epochs"]
    assert first["penalty"] == 0.0
    moved = load_file("fit/weights.safetensors")
    same = [name for name, tensor in moved.items() if torch.equal(tensor, held[name])]
    still = [name for name in same if len(held[name].ravel()) and "met" not in name]
    unfitted = {"season", "residual_mean", "log_response"}  # the last as there is no weather
    assert {name.rpartition(".")[2] for name in still} == unfitted


def test_a_run_directory_keeps_the_start_and_goes_on_from_no_other(
    workplace: Workplace, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, path = workplace(configure=learning), Path("start.safetensors")
    elsewhere(config, path)
    write = Checkpoint.write

    def interrupted(*given: Any) -> None:
        write(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "write", interrupted)
        training.command(load(config, (START,)), Options(out=Path("fit"), quiet=True))
    kept = load(Path("fit/config.yaml"))
    assert kept.values["train"]["start"] == "train_start.safetensors"
    assert Path("fit/train_start.safetensors").read_bytes() == path.read_bytes()
    elsewhere(config, path, seed=1)
    status, _, err = releo("train", config, "--out", "fit", "--quiet", "--set", START)
    assert status == 2 and "with other weights or sensors" in " ".join(err.split())


def test_a_start_that_cannot_be_is_refused(workplace: Workplace, releo: Run) -> None:
    config, path = workplace(configure=learning), Path("start.safetensors")
    made = elsewhere(config, path)
    held = load_file(path)

    def refused(*settings: str) -> str:
        changed = [part for setting in settings for part in ("--set", setting)]
        status, _, err = releo("train", config, "--out", "fit", "--quiet", *changed)
        assert status == 2
        return " ".join(err.split())

    missing = refused("train.start=other.safetensors")
    assert "other.safetensors" in missing and "train.start" in missing
    both = refused(START, "forecast.weights=start.safetensors")
    assert "forecast.weights and train.start both say where the fit begins" in both
    assert "memory is 1 there and 2 here" in refused(START, "forecast.memory=2")
    assert "kernel is ou there and matern32 here" in refused(START, "forecast.kernel=matern32")
    assert "parameters" in refused(START, "forecast={name: mean_reverting, kernel: ou}")
    assert "priors" in refused(START, "state.priors={lai: [2, 2]}")
    wrong = refused("train.keep=[season, seasons]")
    assert "there is no parameter 'seasons'; did you mean 'season'" in wrong
    names = {n for part in (made.forecaster, made.error) for n, _ in part.named_parameters()}
    everything = ", ".join(sorted({name.rpartition(".")[2] for name in names}))
    assert "train.keep leaves nothing to learn;" in refused(f"train.keep=[{everything}]")
    of_network = "first, first_bias, last, recall, memory_log_rate, slow_log_scale"
    turns = ("train.epochs=2", "train.physics_first=1")
    assert "in one part of train.physics_first" in refused(*turns, f"train.keep=[{of_network}]")
    silent = ("forecast.drift=false", "forecast.diffusion=false")
    assert "nothing to learn after the physics" in refused(*turns, *silent)
    assert "did you mean" not in refused("train.start=defalt")
    save_file({"layers.0.weight": torch.ones(2)}, path, metadata={"retrieval": "{}"})
    assert "is no file of a forecaster" in refused(START)
    write_weights(path, made.layout, made.forecaster, made.error)
    held["forecast.network.last"][0] = float("nan")
    save_file(held, path, metadata=_told(path))
    assert "start.safetensors" in refused(START)


def test_days_are_as_long_in_a_fit_as_after_it(workplace: Workplace) -> None:
    """Latitudes that the start has met bound no day of a fit that meets others."""
    config, path = workplace(configure=learning), Path("start.safetensors")
    bands = {"sentinel2a": BANDS}
    met(path, config, bands, days=30.0, north=(60.0, 62.0))
    for key in (START, "forecast.weights=start.safetensors"):
        document = load(config, (key,))
        made = assemble(document, bands)
        begin(document, document.values["train"].get("start"), made)
        assert isinstance(made.forecaster, Neural)
        around, day = made.forecaster.around, 20260.0
        seen = torch.zeros(1, 3, dtype=torch.float64)
        before = around(torch.zeros(1, dtype=torch.int64), day, seen)
        forget(made.forecaster)
        free = around(torch.zeros(1, dtype=torch.int64), day, seen)
        around.meet(30.0)
        assert torch.equal(around(torch.zeros(1, dtype=torch.int64), day, seen), free)
        assert not torch.equal(before, free)


def test_bands_must_be_the_same_where_residuals_have_a_season_of_the_place(
    workplace: Workplace,
) -> None:
    def placed(config: dict[str, Any]) -> None:
        learning(config)
        config["forecast"]["own"] = ["lai", "residual"]

    config, path = workplace(configure=placed), Path("start.safetensors")
    elsewhere(config, path)
    made = assemble(load(config), {"sentinel2a": BANDS})
    with pytest.raises(InputError, match="channels"):
        load_start(path, made.layout, made.forecaster)


def test_only_a_training_asks_for_its_start(workplace: Workplace, tmp_path: Path) -> None:
    document = load(workplace(configure=learning), ("train.start=gone.safetensors",))
    open_run(document, Options(out=tmp_path / "run", quiet=True), "hindcast", 0)
    with pytest.raises(InputError, match="train.start"):
        open_run(document, Options(out=tmp_path / "fit", quiet=True), "train", 0)
