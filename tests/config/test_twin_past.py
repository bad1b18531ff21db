"""Twins whose first ensemble an encoder tells: the same truth, seen a little earlier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from releo_da.config import twin
from releo_da.config.document import load
from releo_da.config.encoded import bands_of
from releo_da.config.encoder_weights import write_encoder
from releo_da.config.options import Options
from releo_da.config.simulated import training
from releo_da.config.twin_past import split
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.representation.encoder import Encoder
from releo_da.representation.tokens import tokens_of
from releo_da.state.variables import variables

CONFIG = yaml.safe_load((Path(__file__).parent / "land.yaml").read_text("utf-8"))
NAMES = tuple(n for n in variables((*variables(), "soil_moisture")) if n not in ("ant", "psoil"))
CPU = torch.device("cpu")


def written(folder: Path, days: float | None) -> Path:
    values = dict(CONFIG)
    if days is not None:
        initial = {"name": "encoder", "weights": "e.safetensors", "days": days}
        values["forecast"] = {"name": "mean_reverting", "initial": initial}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("past")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(5)
        encoder = Encoder(NAMES, 16, 2, 1, 8)
        encoder.head.weight.copy_(torch.randn_like(encoder.head.weight))
    write_encoder(folder / "e.safetensors", encoder, None, {"train": {"days": [1.0, 2.0]}})
    return folder


@pytest.fixture(scope="module")
def ready(folder: Path) -> Prepared:
    return prepared(load(written(folder, 45.0)), CPU)


def test_the_land_and_what_is_seen_of_it_are_the_same(folder: Path, ready: Prepared) -> None:
    plain = prepared(load(written(folder, None)), CPU)
    ids = ready.pixels
    seen, here = split(ready.simulate(ids), ready.task.start)
    alone = plain.simulate(ids)
    assert len(seen) >= 2
    assert [r["kind"] for r in ready.noted] == ["past", "encoder_range"]
    assert all(ready.task.start - 45.0 <= a.time < ready.task.start for a in seen)
    assert len(here.acquisitions) == len(alone.acquisitions)
    for one, other in zip(here.acquisitions, alone.acquisitions, strict=True):
        assert one.time == other.time
        assert torch.equal(one.values, other.values)
    assert all(torch.equal(a, b) for a, b in zip(here.exact, alone.exact, strict=True))


def test_a_fit_does_not_see_the_past(ready: Prepared) -> None:
    times = [a.time for a in training(ready).simulate(ready.pixels[:4]).acquisitions]
    assert min(times) >= ready.task.start


def test_the_first_ensemble_is_the_posterior(ready: Prepared) -> None:
    """Its mean at every pixel that was seen; a pixel that was not begins as ever."""
    assert ready.past is not None
    ids = ready.pixels
    seen, _ = split(ready.simulate(ids), ready.task.start)
    model = ready.past.begun(ready.ours, seen, ids)(ready.ours.model)
    noise = model.draws(0, ids, torch.zeros(()))(ready.task.start, "initial")
    z = model.initial(ready.task.start, ids, 6, noise).ensemble[..., : len(NAMES)]
    tokens = tokens_of([ready.ours.error(a) for a in seen], bands_of(ready.ours.model.channels))
    start = torch.tensor([ready.task.start], dtype=torch.float64)
    mean = ready.past.kept.encoder.encode(tokens, start).posterior.mean[:, 0]
    known = tokens.seen.flatten(1).any(1)
    assert known.any()
    torch.testing.assert_close(z.mean(1)[known], mean[known], rtol=0, atol=1e-3)


def test_a_run_says_what_it_looked_at(folder: Path) -> None:
    root = folder / "run"
    twin.command(load(written(folder, 45.0)), Options(out=root, quiet=True))
    lines = map(json.loads, (root / "log.jsonl").read_text().splitlines())
    assert [r["kind"] for r in lines if r["kind"] in ("past", "no_past")] == ["past"]
    assert (root / "initial.safetensors").is_file()


def test_without_a_pass_in_so_few_days_it_begins_as_ever(folder: Path) -> None:
    found = prepared(load(written(folder, 0.01)), CPU)
    assert found.past is None
    assert [r["kind"] for r in found.noted] == ["no_past"]
