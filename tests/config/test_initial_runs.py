"""Runs whose first ensemble an encoder tells: what it looked at, and that it looked at no more."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

from releo_da.config import cycling
from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.encoded import bands_of
from releo_da.config.encoder_weights import write_encoder
from releo_da.config.initial import begun
from releo_da.config.initial_file import START, read_start
from releo_da.config.sources import READERS, read_sources
from releo_da.io import read_state
from releo_da.representation.encoder import Encoder
from releo_da.representation.initial import Encoded
from releo_da.representation.tokens import tokens_of
from releo_da.runs.covariates import covariates
from releo_da.state.variables import variables
from releo_da.types import InputError

from .served import CONFIG, CYCLE, Run, deliver, run

__all__ = ["run"]
Releo = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]

NAMES = tuple(name for name in variables() if name != "ant")
INITIAL = {"name": "encoder", "weights": "e.safetensors", "days": 30}
PERIOD = ["2020-05-01", "2020-06-30"]
FIRST = 18383.0  # 2020-05-01
NORTHERN = {"train": {"series": {"a": {"source": {"twin": {"place": [5.0, 70.0]}}}}}}


def drawn() -> Encoder:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(5)
        encoder = Encoder(NAMES, 16, 2, 1, 8)
        encoder.head.weight.copy_(torch.randn_like(encoder.head.weight))
    return encoder


def lasting(values: dict[str, Any]) -> None:
    """A short hindcast from May on of a series that begins in April."""
    write_encoder(Path("e.safetensors"), drawn(), None, {})
    values["period"] = PERIOD
    values["forecast"] = {"name": "mean_reverting", "initial": INITIAL}
    values["score"], values["smooth"] = {}, None


def log_of(root: Path, *kinds: str) -> list[dict[str, Any]]:
    lines = (root / "log.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] in kinds]


def test_the_first_ensemble_is_the_posterior_of_the_days_before(workplace: Workplace) -> None:
    """Of every variable, mean and deviation over many members beside those of the encoder."""
    document = load(workplace(configure=lasting))
    series = read_sources(document)
    plain = assemble(document, series.channels)
    assembly, said = begun(document, plain, torch.device("cpu"))
    assert isinstance(assembly.model.initial, Encoded)
    whole = read_sources(load("c.yaml", ["period=[2020-04-01, 2020-04-30]"]))
    assert said[0]["acquisitions"] == len(whole.acquisitions) > 2
    assert all(a.time < FIRST for a in whole.acquisitions)
    tokens = tokens_of([plain.error(a) for a in whole.acquisitions], bands_of(whole.channels))
    known = covariates(whole.pixels, torch.zeros(()))
    posterior = drawn().encode(tokens, torch.tensor([FIRST]), known).posterior
    members, ids = 6000, torch.arange(4)
    noise = assembly.model.draws(0, ids, torch.zeros(()))(FIRST, "initial")
    z = assembly.model.initial(FIRST, ids, members, noise).ensemble[..., : len(NAMES)]
    mean, spread = posterior.mean[:, 0].detach(), posterior.spread[:, 0].detach()
    torch.testing.assert_close(z.mean(1), mean, rtol=0, atol=1e-3)
    torch.testing.assert_close(z.std(1), spread, rtol=0.06, atol=0)
    assert float((mean.abs() / spread).max()) > 0.3  # not that of the prior


def test_what_is_assimilated_is_not_looked_at(workplace: Workplace) -> None:
    """Other values from the first day on, or none: the start is the same to the last bit."""
    starts = []
    for factor in (1.0, 0.5):

        def change(data: xr.Dataset, factor: float = factor) -> xr.Dataset:
            late = data.time >= np.datetime64("2020-05-01")
            return data.assign(reflectance=data.reflectance.where(~late, data.reflectance * factor))

        document = load(workplace(change, lasting))
        assembly = assemble(document, read_sources(document).channels)
        model = begun(document, assembly, torch.device("cpu"))[0].model
        assert isinstance(model.initial, Encoded)
        starts.append(model.initial.start)
    assert all(torch.equal(a, b) for a, b in zip(starts[0][1:], starts[1][1:], strict=True))
    early = replace(document, values={**document.values, "period": [date(2020, 4, 1)] * 2})
    model, said = begun(early, assembly, torch.device("cpu"))
    assert model is assembly
    assert said[0]["kind"] == "no_past"


def test_a_hindcast_begins_there(workplace: Workplace, releo: Releo) -> None:
    config = workplace(configure=lasting)
    status, _, err = releo("hindcast", config, "--out", "told", "--quiet")
    assert status == 0, err
    assert [r["kind"] for r in log_of(Path("told"), "past", "no_past")] == ["past"]
    resolved = yaml.safe_load(Path("told/config.yaml").read_text())
    assert resolved["forecast"]["initial"] == {**INITIAL, "weights": "initial.safetensors"}
    status, _, err = releo("forecast", "told", "--until", "2020-08-01", "--quiet")
    assert status == 0, err


def of_may(folder: Path, first: str = "2020-05-05") -> None:
    """A service from a day on, whose first ensemble looks at the ten days before."""
    forecast = {"name": "mean_reverting", "initial": {**INITIAL, "days": 10}}
    config = {**CONFIG, "period": [first, "2020-06-30"], "forecast": forecast}
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    write_encoder(folder / "e.safetensors", drawn(), None, NORTHERN)


@pytest.mark.parametrize("empty", [False, True], ids=["another period", "an empty inbox"])
def test_a_start_from_which_nothing_was_assimilated_is_made_again(
    tmp_path: Path, run: Run, empty: bool
) -> None:
    """A call over an empty inbox, or with a period in which nothing is, decides nothing."""
    (tmp_path / "inbox").mkdir()
    for turn in (0, 1):
        if turn == empty:
            deliver(tmp_path / "inbox", 0)
            deliver(tmp_path / "inbox", 1)
        of_may(tmp_path, "2020-05-05" if empty or turn else "2020-06-05")
        assert run(*CYCLE) == (0 if empty or turn else 2)
    start = read_start(tmp_path / "run" / START)
    assert (start.pixels.tolist(), start.time) == ([0, 1], 18387.0)
    assert [r["acquisitions"] for r in log_of(tmp_path / "run", "past", "no_past")] == [1]
    assert len(list((tmp_path / "run" / "products").iterdir())) == 1


def test_a_past_that_cannot_be_read_just_now_ends_the_call(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is assimilated without the days before; the next call reads them."""

    class Ill:
        def bind(self, entry: dict[str, Any], *others: Any) -> Callable[[], Any]:
            if entry["path"].endswith("0.nc"):
                cause = OSError(errno.EIO, "Input/output error")
                raise InputError(f"{entry['path']}: cannot be read") from cause
            return READERS.bind(entry, *others)

    of_may(tmp_path)
    deliver(tmp_path / "inbox", 0)
    deliver(tmp_path / "inbox", 1)
    with monkeypatch.context() as patch:
        patch.setattr(cycling, "READERS", Ill())
        assert run(*CYCLE) == 74
    assert not list((tmp_path / "run" / "products").iterdir())
    assert run(*CYCLE) == 0
    assert read_start(tmp_path / "run" / START).pixels.tolist() == [0, 1]


def test_a_cycle_keeps_its_start(tmp_path: Path, run: Run) -> None:
    """The inbox holds a day before the period; the start is written once and used again."""
    of_may(tmp_path)
    deliver(tmp_path / "inbox", 0)
    deliver(tmp_path / "inbox", 1)
    assert run(*CYCLE) == 0
    root = tmp_path / "run"
    start = read_start(root / START)
    assert start.pixels.tolist() == [0, 1]
    assert start.time == 18387.0
    assert [r["acquisitions"] for r in log_of(root, "past")] == [1]
    (met,) = log_of(root, "encoder_range")
    assert "2 of 2 pixels lie more than 10 degrees" in met["message"]
    written = (root / START).read_bytes()
    (tmp_path / "inbox" / "0.nc").unlink()
    deliver(tmp_path / "inbox", 2)
    assert run(*CYCLE) == 0
    assert (root / START).read_bytes() == written
    assert len(list((root / "products").iterdir())) == 2
    (tmp_path / "e.safetensors").write_bytes(b"")
    assert run(*CYCLE) == 2
    (root / START).write_bytes(written[:-1])
    write_encoder(tmp_path / "e.safetensors", drawn(), None, {})
    assert run(*CYCLE) == 2


def test_a_cycle_without_a_past_begins_as_ever(tmp_path: Path, run: Run) -> None:
    forecast = {"name": "mean_reverting", "initial": INITIAL}
    write_encoder(tmp_path / "e.safetensors", drawn(), None, {})
    deliver(tmp_path / "inbox", 0, 1)
    for name, entry in (("told", forecast), ("plain", {"name": "mean_reverting"})):
        config = {**CONFIG, "period": ["2020-05-01", "2020-06-30"], "forecast": entry}
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
        assert run(*CYCLE[:3], "--out", name, "--quiet") == 0
    states = [
        read_state(sorted((tmp_path / n / "states").iterdir())[-1]) for n in ("told", "plain")
    ]
    assert torch.equal(states[0].ensemble, states[1].ensemble)
    assert read_start(tmp_path / "told" / START).time == -math.inf


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"name": "encoder", "weights": "e.safetensors", "days": 0}, "days is 0"),
        ({"name": "encodr"}, "forecast.initial.name: unknown initial ensemble 'encodr'"),
        ({"name": "encoder", "weights": "none.safetensors"}, "no file 'none.safetensors'"),
    ],
)
def test_what_cannot_be_is_refused(
    workplace: Workplace, initial: dict[str, Any], message: str
) -> None:
    document = load(workplace(configure=lasting))
    assembly = assemble(document, read_sources(document).channels)
    spec = {**document.values, "forecast": {"name": "mean_reverting", "initial": initial}}
    with pytest.raises(InputError, match=message):
        begun(replace(document, values=spec), assembly, torch.device("cpu"))
