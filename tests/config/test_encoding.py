"""Training an encoder by `releo-da train`: what it leaves, resumption, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
import xarray as xr
import yaml

from releo_da.config import encoding
from releo_da.config.checkpoint_file import Checkpoint
from releo_da.config.document import load
from releo_da.config.encoder_section import SIZES
from releo_da.config.encoder_section import encoding as encoding_options
from releo_da.config.encoder_setting import setting_of
from releo_da.config.encoder_weights import encoder_of, read_encoder
from releo_da.config.options import Options
from releo_da.config.sections import section
from releo_da.representation.tokens import no_tokens
from releo_da.types import InputError

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]

SATELLITE = {"sensor": "sentinel2a", "channels": ["B03", "B04", "B08", "B11"], "every_days": 6}
DRAWS = {
    "period": ["2021-04-01", "2021-05-31"],
    "source": {"twin": {"truth": "mean_reverting", "pixels": 8, "satellites": [SATELLITE]}},
}
COVERS = {
    "period": ["2021-04-01", "2021-05-31"],
    "vary": {"latitude": [44, 52], "haze": [0.0, 0.02], "variety": [0, 1]},
    "source": {"twin": {"nature": {"name": "phenology"}, "pixels": 8, "satellites": [SATELLITE]}},
}
SMALL = {
    "target": "encoder", "steps": 6, "every": 2, "warm_up": 2, "validation": 1, "pixels": 8,
    "dates": 4, "days": [30, 60], "reuse": 2, "width": 16, "heads": 2, "layers": 1, "waves": 8,
    "modes": 3, "truth": ["lai"],
}  # fmt: skip


def configured(folder: Path, **train: Any) -> Path:
    path = folder / "c.yaml"
    told = {**SMALL, "series": {"draws": DRAWS, "covers": COVERS}, **train}
    path.write_text(yaml.safe_dump({"seed": 2, "observe": "emulator", "train": told}))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a training has been done, in ``whole``."""
    made = tmp_path_factory.mktemp("encoder")
    config = configured(made, test={"covers": COVERS})
    encoding.command(load(config), Options(out=made / "whole", quiet=True))
    return made


def test_a_training_leaves_weights_scores_and_a_report_and_resumes_to_the_same_bits(
    folder: Path, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads((folder / "whole" / "train.json").read_text())
    assert [look["step"] for look in told["looks"]] == [2, 4, 6]
    assert set(told["scores"]) == {"validation draws", "validation covers", "test covers"}
    assert {"ndvi", "channels", "lai", "B08"} <= set(told["scores"]["test covers"])
    for row in told["scores"]["test covers"]["lai"].values():
        assert row["n"] > 0 and row["rmse"] > 0
    page = (folder / "whole" / "report.html").read_text()
    assert "straight lines" in page and "each date alone" in page and "data:image/png" in page
    kept = read_encoder(folder / "whole" / "encoder.safetensors")
    assert kept.made["seed"] == 2 and kept.domain is not None
    like = torch.zeros(1)
    nothing = kept.encoder(no_tokens(1, like), torch.tensor([0.0]).double())
    assert torch.equal(nothing.mean, torch.zeros_like(nothing.mean))

    config = folder / "c.yaml"
    write, looks = Checkpoint.write, []

    def interrupted(*given: Any) -> None:
        write(*given)
        looks.append(given)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encoding.command(load(config), Options(out=folder / "cut", quiet=True))
    assert not (folder / "cut" / "encoder.safetensors").exists()
    monkeypatch.undo()
    status, _, said = releo("train", config, "--out", folder / "cut", "--quiet")
    assert status == 0, said
    log = [json.loads(line) for line in (folder / "cut" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if row["kind"] == "resumed"] == [4]
    for name in ("encoder.safetensors", "checkpoint.safetensors", "train.json"):
        assert (folder / "cut" / name).read_bytes() == (folder / "whole" / name).read_bytes(), name


def test_what_is_known_of_a_series_and_its_place(folder: Path) -> None:
    """Draws know state and discrepancy, lands what is asked for; the discrepancy is seen."""
    document = load(folder / "c.yaml")
    how = section(document, "train", encoding_options)
    setting = setting_of(document, how, torch.device("cpu"))
    names = setting.layout.names
    blocks = {s.name: s.training(0) for s in setting.streams}
    draws, covers = (blocks[name].seen for name in ("draws", "covers"))
    assert draws.latents is not None and covers.latents is not None
    whole = torch.stack(list(draws.latents), 1)
    assert whole.shape == (8, len(draws.acquisitions), len(names) + 3)
    assert bool(whole.isfinite().all())
    explained = {True: 0.0, False: 0.0}
    for with_modes in explained:
        for k, a in enumerate(draws.acquisitions):
            z = draws.latents[k][:, None, : None if with_modes else len(names)]
            error = (setting.operator(z, a)[:, 0] - a.values)[a.seen]
            explained[with_modes] += float(error.square().sum())
    assert explained[True] < 0.7 * explained[False]

    area = torch.stack(list(covers.latents), 1)
    assert area.isfinite().any(0).any(0).nonzero().flatten().tolist() == [names.index("lai")]
    decoded = setting.layout.anamorphosis.decode(area[..., : len(names)])[..., names.index("lai")]
    torch.testing.assert_close(
        decoded, blocks["covers"].truth["lai"].T.float(), rtol=1e-3, atol=1e-3
    )
    assert set(covers.place) == {"latitude"} and not draws.place
    other = next(s for s in setting.streams if s.name == "covers").training(1).seen
    assert other.place["latitude"][0] != covers.place["latitude"][0]
    assert not torch.equal(other.acquisitions[0].angles, covers.acquisitions[0].angles)


def test_a_training_goes_on_from_weights_of_their_own_sizes(folder: Path, tmp_path: Path) -> None:
    """One step at no rate changes nothing of what it began with."""
    given = folder / "whole" / "encoder.safetensors"
    (tmp_path / "given.safetensors").write_bytes(given.read_bytes())
    told = {**SIZES, "start": "given.safetensors", "learning_rate": 1e-12, "steps": 1}
    with pytest.raises(InputError, match="has the sizes of its weights"):
        encoding_options("encoder", start="default", width=32)
    config = configured(tmp_path, **told)
    encoding.command(load(config), Options(out=tmp_path / "run", quiet=True))
    before, after = (read_encoder(p) for p in (given, tmp_path / "run" / "encoder.safetensors"))
    assert after.encoder.sizes == before.encoder.sizes
    for name, tensor in before.encoder.state_dict().items():
        torch.testing.assert_close(after.encoder.state_dict()[name], tensor, rtol=0.0, atol=1e-9)


def test_a_checkpoint_of_another_configuration_is_refused(
    folder: Path, tmp_path: Path, releo: Run
) -> None:
    config = configured(tmp_path, learning_rate=1e-3)
    before = (folder / "whole" / "config.yaml").read_bytes()
    status, _, said = releo("train", config, "--out", folder / "whole", "--quiet")
    assert status == 2
    assert (folder / "whole" / "config.yaml").read_bytes() == before
    assert "checkpoint.safetensors" in said and "another directory" in said


def test_series_of_files_are_trained_on(workplace: Workplace, releo: Run, tmp_path: Path) -> None:
    def configure(values: dict[str, Any]) -> None:
        for key in ("score", "smooth", "members"):
            values.pop(key, None)
        values["observe"] = "emulator"
        entry = {key: values[key] for key in ("source", "period") if key in values}
        values["train"] = {**SMALL, "steps": 2, "every": 1, "test": {"source": entry}}

    eight = workplace(lambda d: xr.concat([d] * 2, "point"), configure)
    status, _, said = releo("train", eight, "--out", "run", "--quiet")
    assert status == 0, said
    told = json.loads((tmp_path / "run" / "train.json").read_text())
    assert set(told["scores"]) == {"validation source", "test source"}
    assert "lai" not in told["scores"]["validation source"]  # nobody knows the truth
    seen = {k: v["channels"]["encoder"]["n"] for k, v in told["scores"].items()}
    assert seen["test source"] > 4 * seen["validation source"]  # all pixels, not every eighth
    other = workplace(
        lambda d: xr.concat([d] * 2, "point").assign_coords(sun_zenith=d.sun_zenith + 1), configure
    )
    status, _, said = releo("train", other, "--out", "run", "--quiet")
    assert status == 2 and "is the checkpoint of a fit on other values" in " ".join(said.split())
    status, _, said = releo("train", workplace(configure=configure), "--out", "few", "--quiet")
    assert status == 2 and "too few" in said


def with_nature(**nature: Any) -> dict[str, Any]:
    return {"series": {"land": {**COVERS, "source": {"twin": {"nature": nature, "pixels": 4}}}}}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "test years": (with_nature(name="wofost", years="test"), "land.source.twin.nature.years"),
    "no source": ({"series": {"land": {"path": "x.nc"}}}, "train.series.land"),
    "width": ({"width": 10, "heads": 4}, "train.width"),
    "share": ({"hiding": {"dates": 1.5}}, "train.hiding.dates"),
    "unknown": ({"hiding": {"clouds": 0.5}}, "train.hiding.clouds"),
    "window": ({"days": [90, 30]}, "train.days"),
    "steps": ({"steps": 0}, "train.steps"),
    "modes": ({"modes": -1}, "train.modes"),
    "truth": ({"truth": ["tea"]}, "train.truth: 'tea'"),
    "truth that is not estimated": ({"truth": ["ant"]}, "train.truth: 'ant' is not estimated"),
    "told": ({"told": [2.0, 0.5]}, "train.told"),
    "margin": ({"margins": {"ndvi": -1}}, "train.margins.ndvi"),
    "index": ({"margins": {"nbr": 1}, "series": {"draws": DRAWS}}, "channels of nbr"),
    "variety": ({"series": {"a": {**COVERS, "vary": {"haze": 1}}}}, "a.vary.haze"),
    "a land that cannot be": (
        {"series": {"a": {**COVERS, "vary": {"discrepancy": [2, 3]}}}}, "discrepancy"
    ),
    "channels": (
        {"series": {"a": DRAWS, "b": {**DRAWS, "source": {"twin": {"truth": "mean_reverting",
         "pixels": 4, "satellites": [{"sensor": "sentinel2a", "every_days": 6}]}}}}},
        "other channels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_an_impossible_training_is_refused(fault: str, tmp_path: Path, releo: Run) -> None:
    train, named = BAD[fault]
    status, _, said = releo("train", configured(tmp_path, **train), "--out", tmp_path / "r")
    assert status == 2
    assert named in said


def test_other_priors_are_refused(tmp_path: Path, releo: Run) -> None:
    path = configured(tmp_path)
    values = yaml.safe_load(path.read_text())
    values["state"] = {"name": "prosail", "priors": {"lai": [1.0, 4.0]}}
    path.write_text(yaml.safe_dump(values))
    status, _, said = releo("train", path, "--out", tmp_path / "r")
    assert status == 2 and "state.priors" in said


def test_the_packaged_weights_are_small_and_come_from_the_documented_command() -> None:
    path = files("releo_da.representation") / "weights" / "encoder.safetensors"
    assert len(path.read_bytes()) < 2_000_000
    made = encoder_of("test", "default").made
    config = yaml.safe_load(Path("experiments/encoder/config.yaml").read_text())
    assert made["train"] == json.loads(json.dumps(config["train"], default=str))
    assert made["seed"] == config["seed"]
    assert 0 < made["best_step"] <= made["steps"] <= config["train"]["steps"]


def test_the_packaged_weights_know_leaf_area_of_a_land_they_never_saw(tmp_path: Path) -> None:
    """A test year seen by one satellite: far nearer to the truth in leaf area than the prior."""
    seen = {"pixels": 32, "satellites": [{"sensor": "sentinel2a", "every_days": 8}]}
    period = ["2023-01-01", "2023-12-31"]
    land = {"nature": {"name": "aquacrop", "years": "test"}, "place": [4.5, 50.9], **seen}
    other = {"truth": "mean_reverting", **seen}
    told = {
        "series": {"draws": {"period": period, "source": {"twin": other}}},
        "test": {"land": {"period": period, "source": {"twin": land}}},
    }
    document = load(configured(tmp_path, **told))
    how = section(document, "train", encoding_options)
    setting = setting_of(document, how, torch.device("cpu"))
    encoder = encoder_of("test", "default").encoder
    rows = encoding.scores_of(setting, encoder, setting.tests[0].validation(), 0)
    for method in ("series", "withheld"):
        assert rows["lai"][method]["rmse"] < 0.6 * rows["lai"]["prior"]["rmse"]
    assert rows["channels"]["encoder"]["coverage_90"] > 0.8
