"""The learned forecaster in a configuration: fitted, saved, guarded, judged by held-out pixels."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import xarray as xr
import yaml
from safetensors.torch import load_file, save_file

from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.experience import apart, divided
from releo_da.learning.stretches import Part
from releo_da.types import Acquisition, InputError
from tests.config.test_hybrid_weights import _told, driven

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]
SMALL = {"name": "neural", "hidden": 4, "memory": 1, "slow": ["timing"], "step": 10}


def learned(config: dict[str, Any]) -> None:
    """The series with its weather, and a small network."""
    driven(config)
    config["forecast"] = dict(SMALL)
    config["train"] = {
        "epochs": 2,
        "members": 8,
        "held_out": 0.34,
        "patience": 2,
        "weather_hidden": 0.5,
        "batch": 2,
        "learning_rate": 0.01,
        "margins": {"ndvi": 2, "channels": 0.5},
    }


def kinds(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "log.jsonl").read_text().splitlines()]


def test_it_is_fitted_judged_saved_and_guarded(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=learned)
    all_learn = ("--set", "train.held_out=0", "--set", "train.patience=0")
    status, _, err = releo("train", config, "--out", "fit", "--quiet", *all_learn)
    assert status == 0, err
    status, _, err = releo("train", config, "--out", "judged", "--quiet")
    assert status == 0, err
    epochs = json.loads(Path("judged/train.json").read_text())["epochs"]
    assert all(e["held_out_observations"] > 0 and e["held_out"] != 0.0 for e in epochs)
    path = Path("fit/weights.safetensors")
    held = load_file(path)
    assert float(held["forecast.network.last"].abs().max()) > 0.0
    south, north, days = held["forecast.around.met"].tolist()
    assert south == north == pytest.approx(43.0) and days == pytest.approx(75.0)
    weights = ("--set", "forecast.weights=fit/weights.safetensors")
    leads = ("--set", "score.horizons=[6, 80]")
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet", *weights, *leads)
    assert status == 0, err
    (new,) = (record for record in kinds("run") if record["kind"] == "not_met")
    assert "up to 80 days" in new["message"] and "75 of the fit" in new["message"]

    for changed, words in {
        "memory=2": "memory",
        "hidden=5": "network.last",
        "slow=[]": "slow",
    }.items():
        asked = ("--set", f"forecast.{changed}")
        status, _, err = releo("hindcast", config, "--out", "other", "--quiet", *weights, *asked)
        assert status == 2 and "fitted for another configuration" in err and words in err
    for written, words in {
        "{calendar: true, memory: 2}": "write {memory: 1} into 'forecast', as in the fit",
        "{calendar: false}": "write {calendar: true} into 'forecast'",
        "{kernel: ou}": "write {kernel: matern32} into",
        "hybrid": "belong to the forecaster neural",
    }.items():
        changed = {"name": written} if written == "hybrid" else SMALL | yaml.safe_load(written)
        entry = yaml.safe_dump(changed | {"weights": str(path)}, default_flow_style=True, width=999)
        asked = ("--set", f"forecast={entry.strip()}")
        status, _, err = releo("hindcast", config, "--out", "other", "--quiet", *asked)
        assert status == 2 and words in " ".join(err.split())
    assert "write {name: neural, slow: [timing], memory: 1} into 'forecast'" in " ".join(
        err.split()
    )
    save_file(held, path, metadata=_told(path) | {"network": "neural 0"})
    status, _, err = releo("hindcast", config, "--out", "other", "--quiet", *weights)
    assert status == 2 and "network is neural 0 there and" in err


def test_the_smoother_asks_ensembles_where_a_network_moves_them(workplace: Workplace) -> None:
    config = workplace(configure=lambda c: c.update(forecast=dict(SMALL)))
    channels = {"sentinel2a": ("B04", "B08")}
    learned = assemble(load(config), channels).model.smooth
    exact = assemble(load(config, ("forecast=mean_reverting",)), channels).model.smooth
    assert isinstance(learned, partial) and learned.keywords["transition"] is None
    assert isinstance(exact, partial) and exact.keywords["transition"] is not None


def test_without_weather_the_log_says_so(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=lambda c: c.update(forecast=dict(SMALL)))
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    found = [record["kind"] for record in kinds("run")]
    assert "no_weather" in found and "unfitted" in found and "not_met" not in found


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("forecast.slow=[tining]", "slow: 'tining' is unknown; did you mean 'timing'?"),
        ("forecast.step=0", "step is 0"),
        ("forecast.memory=-1", "memory is -1; give 0 or more"),
        ("forecast.looseness=0", "looseness is 0"),
        ("train.held_out=0.9", "train.held_out is 0.9; give a share from 0 to 0.5"),
        ("train={patience: 3}", "train.patience is 3 and nothing is held out"),
        ("train.batch=-1", "train.batch is -1; give 0 or more"),
        ("train.weather_hidden=1.5", "train.weather_hidden is 1.5; give a probability"),
        ("forecast=mean_reverting", "train.weather_hidden: this forecaster has no weather"),
        ("train.held_out_years=[1984]", "nothing was seen in 1984; choose from 20"),
        ("train.margins={ndvy: 1}", "'ndvy' is no index; did you mean 'ndvi'"),
        ("train.margins={ndvi: 0}", "train.margins.ndvi is 0.0; give a positive"),
        ("train.margins={nbr: 1}", "no sensor has the channels of nbr"),
    ],
)
def test_what_cannot_be_is_refused(
    workplace: Workplace, releo: Run, option: str, words: str
) -> None:
    config = workplace(configure=learned)
    status, _, err = releo("train", config, "--out", "run", "--quiet", "--set", option)
    assert status == 2 and words in err


def test_neighbours_are_held_out_together() -> None:
    lon = [1.0, 1.0005, 1.1, 1.2, 1.2005, 1.3]
    axis = xr.Dataset(
        {"id": ("pixel", list(range(6))), "lon": ("pixel", lon), "lat": ("pixel", [43.0] * 6)},
        attrs={"kind": "points"},
    )
    found = apart(axis, 0.34)
    assert found is not None and 1 <= int(found.sum()) <= 3
    assert found[0] == found[1] and found[3] == found[4]
    assert apart(axis, 0.0) is None
    with pytest.raises(InputError, match="of 4 groups of neighbours"):
        apart(axis, 0.1)


def test_too_little_to_hold_out_is_said_before_the_system_is_made(
    workplace: Workplace, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: object, **__: object) -> None:
        raise AssertionError("the system was made first")

    monkeypatch.setattr("releo_da.config.training.assemble", made)
    config = workplace(configure=learned)
    asked = ("train", config, "--out", "run", "--quiet", "--set", "train={held_out: 0.01}")
    status, _, err = releo(*asked)
    assert status == 2 and "neighbours is none; give 0.25 or more" in " ".join(err.split())


def test_years_and_pixels_are_held_out_of_what_is_learned_from() -> None:
    """Three years of four pixels: the middle one judges at all, the others at the pixel apart."""

    def seen(day: float) -> Acquisition:
        values = torch.full((4, 1), day)
        return Acquisition(day, "s", values, 0.0 * values + 1.0, torch.zeros(4, 3), "")

    days = [17531.9, 17532.0, 17800.5, 17896.9, 17897.1]  # the last of 2017 to the first of 2019
    whole = Part([seen(day) for day in days], torch.tensor([7, 3, 9, 4]))
    out = torch.tensor([False, True, False, False])
    learned, judges = divided(whole, out, [2018])
    assert learned.pixels.tolist() == [7, 9, 4]
    assert [a.time for a in learned.acquisitions] == [days[0], days[4]]
    assert [part.pixels.tolist() for part in judges] == [[7, 3, 9, 4], [3]]
    assert [[a.time for a in part.acquisitions] for part in judges] == [days[1:4], days[::4]]
    assert learned.values + sum(part.values for part in judges) == whole.values
    assert divided(whole, None, []) == (whole, [])
    with pytest.raises(InputError, match="no year is left to learn from"):
        divided(whole, None, [2017, 2018, 2019])
    blind = torch.where(out[:, None], math.inf, 1.0)
    clouded = whole._replace(acquisitions=[a._replace(error=blind) for a in whole.acquisitions])
    with pytest.raises(InputError, match=r"seen of the pixels held out \(1\)"):
        divided(clouded, out, [])
    with pytest.raises(InputError, match=r"seen of the pixels left to learn from \(1\)"):
        divided(clouded, ~out, [])
