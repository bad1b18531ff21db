"""`releo-da train` of the dynamics: what it leaves, how it ends, and that kills undo nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import xarray as xr
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from releo_da.config import training
from releo_da.config.checkpoint_file import CHECKPOINT, Checkpoint
from releo_da.config.document import load
from releo_da.config.fit_following import content_of, files_of
from releo_da.config.options import Options
from releo_da.learning.stretches import Part
from releo_da.types import Acquisition, Weather
from tests.config.conftest import configuration
from tests.config.learned import SMALL, records
from tests.config.test_hybrid_weights import _told

Run = Callable[..., tuple[int, str, str]]
EPOCHS = 4


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, series: xr.Dataset) -> Iterator[Path]:
    """A folder where a fit that nothing interrupted is in ``whole``."""
    folder = tmp_path_factory.mktemp("train")
    values = configuration()
    for key in ("smooth", "score", "analyse"):
        del values[key]
    values["source"][0]["path"] = str(folder / "series.nc")
    values["forecast"] = {**SMALL, "kernel": "ou"}
    values["train"] = {"epochs": EPOCHS, "members": 8, "held_out": 0.34, "patience": EPOCHS}
    series.to_netcdf(folder / "series.nc")
    (folder / "c.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    training.command(load(folder / "c.yaml"), Options(out=folder / "whole", quiet=True))
    yield folder


def same(place: Path, name: str) -> None:
    """Whether a fit left what the one did that nothing interrupted, to the last bit."""
    one, whole = place / name, place / "whole"
    for made in ("train.json", CHECKPOINT):
        assert (one / made).read_bytes() == (whole / made).read_bytes(), made
    path = "weights.safetensors"  # the order of its metadata is that of a table of hashes
    assert _told(one / path) == _told(whole / path)
    found, wanted = load_file(one / path), load_file(whole / path)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in found.items())


def test_it_leaves_curves_and_says_how_it_ended(place: Path) -> None:
    told = json.loads((place / "whole" / "train.json").read_text())
    assert [epoch["number"] for epoch in told["epochs"]] == [*range(EPOCHS)]
    kept = told["kept"]
    assert told["ended"].startswith(f"The fit did all of its {EPOCHS} epochs")
    assert kept == 0 and told["ended"].endswith("are the parameters before any training.")
    page = (place / "whole" / "report.html").read_text().replace("\xa0", " ")
    assert told["ended"] in page and "Log-likelihood per value of what is learned from" in page
    assert page.count("<figure") == 1 and "held out" in page
    judged = re.search(rf"<td>{EPOCHS}</td>(.*?)</tr>", page, re.DOTALL)  # worse than the best
    assert judged and len(re.findall(r"-?[0-9]+[.][0-9]{3}", judged[1])) == 1
    log = records(place / "whole", "epoch", "ended")
    assert [record["kind"] for record in log] == ["epoch"] * EPOCHS + ["ended"]
    (without,) = records(place / "whole", "no_weather")
    assert without["message"] in page and records(place / "whole", "read")
    assert log[-1]["kept"] == kept and log[-1]["last"] == told["last"] is not None
    assert told["learned_from"] in page and "; held out: " in told["learned_from"]


@pytest.mark.parametrize(("epochs", "after"), [(1, True), (1, False), (EPOCHS, True)])
def test_a_fit_that_was_interrupted_goes_on_to_the_same_bits(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch, epochs: int, after: bool
) -> None:
    """After the first epoch, before the next is kept, and when all but the files of the end is
    done; the log has each epoch once."""
    write, out = Checkpoint.write, f"cut{epochs}{after}"
    done: list[Any] = []

    def interrupted(*given: Any) -> None:
        if len(done) == epochs:
            raise KeyboardInterrupt
        write(*given)
        done.append(given)
        if after and len(done) == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.command(load(place / "c.yaml"), Options(out=place / out, quiet=True))
    assert not (place / out / "weights.safetensors").exists()
    monkeypatch.undo()
    status, _, err = releo("train", place / "c.yaml", "--out", place / out, "--quiet")
    assert status == 0, err
    same(place, out)
    assert [r["epoch"] for r in records(place / out, "resumed")] == [epochs]
    assert [r["number"] for r in records(place / out, "epoch")] == [*range(EPOCHS)]
    status, _, err = releo("train", place / "c.yaml", "--out", place / out, "--quiet")
    assert status == 0, err  # there is nothing left to do
    same(place, out)


def test_a_fit_that_was_killed_goes_on_to_the_same_bits(place: Path, project_root: Path) -> None:
    """By SIGKILL, at whatever it was at."""
    out = place / "killed"
    line = [sys.executable, "-m", "releo_da.cli", "train", str(place / "c.yaml"), "--quiet"]
    line += ["--out", str(out), "--set", f"train.epochs={EPOCHS}"]
    environment = {**os.environ, "PYTHONPATH": str(project_root)}
    process = subprocess.Popen(line, env=environment, cwd=place)
    deadline = time.monotonic() + 120.0
    while not (out / CHECKPOINT).is_file() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / CHECKPOINT).is_file()
    training.command(load(place / "c.yaml"), Options(out=out, quiet=True))
    same(place, "killed")


def test_another_fit_in_the_same_place_is_refused(place: Path, releo: Run) -> None:
    """Of another configuration, of other values, or with a checkpoint that is damaged."""
    before = (place / "whole" / "config.yaml").read_bytes()
    fit = ("train", place / "c.yaml", "--quiet", "--out")
    status, _, err = releo(*fit, place / "whole", "--set", "train.epochs=9")
    said = " ".join(err.split())
    assert status == 2 and "is the checkpoint of another configuration" in said
    assert "delete it to begin anew, or train into another directory" in said
    assert (place / "whole" / "config.yaml").read_bytes() == before

    (place / "other").mkdir()
    held = (place / "whole" / CHECKPOINT).read_bytes()
    (place / "other" / CHECKPOINT).write_bytes(held[:-9])
    status, _, err = releo(*fit, place / "other")
    assert status == 2 and "other/checkpoint.safetensors" in err

    series = xr.load_dataset(place / "series.nc")
    try:
        (series * 1.0).assign(reflectance=series.reflectance * 1.01).to_netcdf(place / "series.nc")
        (place / "other" / CHECKPOINT).write_bytes(held)
        status, _, err = releo(*fit, place / "other")
        said = " ".join(err.split())
        assert (
            status == 2
            and "a fit on other values, pixels or weather" in said
            and "than the files have now" in said
        )
    finally:
        series.to_netcdf(place / "series.nc")


def test_a_fit_from_other_weights_or_through_another_operator_is_refused(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose file has the same name: the anchors of the priors would be those of the new one."""
    write = Checkpoint.write

    def interrupted(*given: Any) -> None:
        write(*given)
        raise KeyboardInterrupt

    begin = place / "start.safetensors"
    begin.write_bytes((place / "whole" / "weights.safetensors").read_bytes())
    named = ("forecast.weights=start.safetensors", "train.epochs=2")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "write", interrupted)
        training.command(load(place / "c.yaml", named), Options(out=place / "from", quiet=True))
    held = load_file(begin)
    with safe_open(begin, "pt") as file:
        said = file.metadata()
    key = next(iter(sorted(held)))
    save_file({**held, key: held[key] + 1e-3}, begin, said)
    changed = [part for setting in named for part in ("--set", setting)]
    status, _, err = releo("train", place / "c.yaml", "--out", place / "from", "--quiet", *changed)
    assert status == 2 and "with other weights or sensors" in " ".join(err.split())

    one = content_of([], files=[begin])
    begin.write_bytes(b"another")
    assert content_of([], files=[begin]) != one
    told = {"observe": {"name": "emulator", "weights": "start.safetensors"}}
    document = load(place / "c.yaml")
    assert files_of(replace(document, values={**document.values, **told})) == [begin]


def test_what_a_checkpoint_says_of_a_series_tells_any_number_of_it_apart() -> None:
    values = torch.tensor([[0.1, 0.2]])
    look = Acquisition(1.0, "s", values, values, torch.zeros(1, 3))
    part, ids = Part([look], torch.tensor([3])), torch.tensor([3])
    site = torch.zeros(1, 1, dtype=torch.int64)
    record = Weather(0, ("temperature",), torch.ones(2, 1, 1), ids, site, torch.ones(1, 1))
    others = [
        content_of([part._replace(acquisitions=[look._replace(**changed)])], record)
        for changed in (
            {"time": 2.0}, {"sensor": "t"}, {"values": 2 * values}, {"error": 2 * values},
            {"angles": torch.ones(1, 3)},
        )
    ]  # fmt: skip
    others += [
        content_of([part._replace(pixels=torch.tensor([4]))], record),
        content_of([part, part], record),
        content_of([part], record._replace(first=1)),
        content_of([part], record._replace(values=torch.zeros(2, 1, 1))),
        content_of([part]),
    ]
    assert len({content_of([part], record), *others}) == 1 + len(others)
    assert content_of([Part([look], ids)], record) == content_of([part], record)


def test_a_fit_that_gets_no_better_ends_early_and_says_so(place: Path, releo: Run) -> None:
    """With steps so long that the first makes it worse."""
    settings = ("train.learning_rate=3", "train.patience=1", "train.epochs=7")
    changed = [part for setting in settings for part in ("--set", setting)]
    status, out, err = releo("train", place / "c.yaml", "--out", place / "early", *changed)
    assert status == 0, err
    told = json.loads((place / "early" / "train.json").read_text())
    done = len(told["epochs"])
    assert told["ended"].startswith(f"The fit ended early, after {done} of 7 epochs")
    assert done < 7 and "as none was better for 1;" in told["ended"]
    assert told["kept"] == done - 1
    (record,) = records(place / "early", "ended")
    said = " ".join(out.split())
    assert record["message"] == told["ended"] and told["ended"] in said and "report.html" in said
    assert "ended early" in (place / "early" / "report.html").read_text().replace("\xa0", " ")
