"""The service as a user meets it: resuming, scores, forecast, the signal that ends it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.serving import published
from releo_da.config.sources import read_sources
from releo_da.cycling.ledger import Ledger
from releo_da.io import read_products
from releo_da.io.lock import locked
from releo_da.runs.block import Task
from releo_da.runs.hindcast import hindcast
from releo_da.runs.joined import joined_state
from releo_da.runs.turn import prior, turn
from releo_da.types import State

from .served import CONFIG, CYCLE, Run, deliver, run

__all__ = ["run"]


@pytest.mark.usefixtures("painted")
def test_cycle_resume_status_forecast(tmp_path: Path, run: Run, capsys) -> None:
    (tmp_path / "inbox").mkdir()
    root = tmp_path / "run"
    assert run(*CYCLE) == 0  # nothing has arrived
    assert not (root / "report.html").exists()
    deliver(tmp_path / "inbox", 0, 1)
    assert run(*CYCLE) == 0
    deliver(tmp_path / "inbox", 2)
    (root / "report.html").unlink()  # as if the call before had ended after its last commit
    assert run(*CYCLE) == 0
    drawn = (root / "report.html").stat().st_mtime_ns
    assert run(*CYCLE) == 0  # nothing new: nothing is drawn again
    assert (root / "report.html").stat().st_mtime_ns == drawn
    scores = json.loads((root / "scores.json").read_text("utf-8"))
    assert scores["cycles"] == 3
    assert scores["background"]["B04"]["n"] == 6
    assert (root / "report.html").is_file()
    assert len(list((root / "products").iterdir())) == 3

    capsys.readouterr()
    assert run("status", "run") == 0
    told = capsys.readouterr().out
    assert "cycles: 3" in told
    assert "last acquisition: 2020-05-11T10:50:00 sentinel2a" in told
    assert "duplicates: 0" in told
    assert run("status", "run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["cycles"] == 3
    assert told["last"]["time"] == "2020-05-11T10:50:00"
    assert told["duplicate"] == told["late"] == told["unclear"] == told["refused"] == []
    assert told["waiting"] == told["replaced"] == [] and told["counts"]["undone"] == 0

    assert run("forecast", "run", "--until", "2020-06-02", "--quiet") == 0
    ahead = read_products(root / "forecast.nc")
    days = ["2020-05-11", "2020-05-21", "2020-05-31", "2020-06-02"]
    assert [str(t)[:10] for t in ahead.time.values] == days
    last = read_products(sorted((root / "products").iterdir())[-1])
    assert ahead.time.values[0] == last.time.values[0]  # it starts where the run stands
    np.testing.assert_allclose(ahead.lai.values[0], last.lai.values[0], rtol=1e-6)
    usual = read_products(root / "climatology.nc")
    assert usual.time.equals(ahead.time)
    assert "harvest" in ahead.attrs["comment"] and "default season" in ahead.attrs["comment"]
    assert "greens up again" in (root / "report.html").read_text("utf-8")
    assert np.isfinite(ahead.lai.values).all()
    assert np.all(np.diff(ahead.lai_quantile.values, axis=0) >= 0)
    log = [json.loads(line) for line in (root / "log.jsonl").read_text("utf-8").splitlines()]
    times = [record["time"] for record in log if "time" in record]
    assert len(times) >= 3 and all(str(np.datetime64(time)) == time for time in times)
    assert ahead.attrs["Conventions"].startswith("CF-")
    assert (root / "figures" / "ahead_lai.png").is_file()
    assert run("forecast", "run", "--until", "2020-05-11") == 2
    assert "stands at 2020-05-11T10:50:00" in capsys.readouterr().err


def test_static_fields_reach_the_products_of_every_cycle(tmp_path: Path, run: Run) -> None:
    axes = {"lon": [0.9, 1.0, 1.1, 1.2], "lat": [42.9, 43.1]}
    height = np.array([[1.0, 2.0, 3.0, 4.0]] * 2)
    xr.Dataset({"z": (("lat", "lon"), height)}, axes).to_netcdf(tmp_path / "dem.nc")
    auxiliary = {"elevation": {"path": "dem.nc", "variable": "z"}, "slope": 3, "aspect": 0}
    source = {
        **CONFIG["source"][0],
        "auxiliary": auxiliary,
        "angles": {"slope": "auxiliary", "aspect": "auxiliary"},
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({**CONFIG, "source": [source]}))
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    deliver(tmp_path / "inbox", 1, 2)
    assert run(*CYCLE) == 0
    products = sorted((tmp_path / "run" / "products").iterdir())
    assert len(products) == 3
    for path in (*products, tmp_path / "run" / "pixels.nc"):
        assert read_products(path)["elevation"].values.tolist() == [2.0, 3.0]
    assert run("forecast", "run", "--until", "2020-06-10", "--quiet") == 0
    assert read_products(tmp_path / "run" / "forecast.nc")["slope"].values.tolist() == [3.0, 3.0]


def test_a_cycle_stands_where_a_hindcast_stands_with_the_simulator(
    workplace: Callable[..., Path],
) -> None:
    """Under clouds, where the operator is given some pixels of a block and not the others."""
    document = load(workplace())
    series, number = read_sources(document), 10
    series = series._replace(acquisitions=series.acquisitions[:5])
    assert not all(bool(a.seen.any(-1).all()) for a in series.acquisitions)
    model, start = assemble(document, series.channels).model, series.acquisitions[0].time
    task = Task(seed=1, members=number, start=start, smooth=False)
    outcome = hindcast(model, series, task)
    ids = torch.as_tensor(series.pixels["id"].values)
    take = prior(model, start, ids, number, 1)
    for acquisition in series.acquisitions:
        parts: list[State] = []
        turn(model, take, ids, acquisition, 1, parts.append, lambda ids, values: None)
        state = joined_state(parts, ids.argsort().argsort().numpy())
        take = partial(_rows, state)
    assert torch.equal(state.ensemble, outcome.state.ensemble)


def _rows(state: State, rows: torch.Tensor) -> State:
    return state._replace(ensemble=state.ensemble[rows], pixels=state.pixels[rows])


def test_scores_do_not_depend_on_how_a_run_was_cut(tmp_path: Path, run: Run) -> None:
    scores = {}
    for name, calls in (("whole", [(0, 1, 2)]), ("parts", [(0,), (1, 2)])):
        for path in (tmp_path / "inbox").glob("*.nc"):
            path.unlink()
        for dates in calls:
            deliver(tmp_path / "inbox", *dates)
            assert run("cycle", "c.yaml", "--once", "--out", name, "--quiet") == 0
        scores[name] = json.loads((tmp_path / name / "scores.json").read_text("utf-8"))
        lines = (tmp_path / name / "log.jsonl").read_text("utf-8").splitlines()
        rows = [one for one in map(json.loads, lines) if one["kind"] == "analysis"]
        assert [one["cycle"] for one in rows] == [1, 2, 3]
        assert [one["values"] for one in rows] == [4, 4, 4]
    assert scores["whole"] == scores["parts"]
    row = scores["whole"]["innovations"]["sentinel2a"]
    assert row["values"] == 12 and set(row["errors"]) == {"B04", "B8A"}
    assert row["reduced_chi2"] > 0.0 and 0.0 < row["dfs"] < 2.0
    assert row["errors"]["B04"]["residual_sd"] >= 0.0
    assert (tmp_path / "whole" / "figures" / "departures.png").is_file()


def test_scores_do_not_depend_on_the_order_of_arrival(tmp_path: Path, run: Run, capsys) -> None:
    scores = {}
    for name, calls in (("whole", [(0, 1, 2)]), ("late", [(1,), (2,), (0,)])):
        for path in (tmp_path / "inbox").glob("*.nc"):
            path.unlink()
        for dates in calls:
            deliver(tmp_path / "inbox", *dates)
            assert run("cycle", "c.yaml", "--once", "--out", name) == 0
        scores[name] = json.loads((tmp_path / name / "scores.json").read_text("utf-8"))
    assert scores["whole"] == scores["late"]
    assert "3 acquisitions assimilated, 2 cycles undone before" in capsys.readouterr().out
    assert run("status", "late") == 0
    told = capsys.readouterr().out
    assert "cycles: 3" in told and "waiting: 0" in told
    assert "cycles undone for what came late or corrected: 2" in told
    assert "states/000005.safetensors" in told
    assert run("forecast", "late", "--until", "2020-06-02", "--quiet") == 0
    ahead = read_products(tmp_path / "late" / "forecast.nc")
    assert str(ahead.time.values[0])[:10] == "2020-05-11"


def test_a_run_directory_in_use_is_not_touched(tmp_path: Path, run: Run, capsys) -> None:
    deliver(tmp_path / "inbox", 0)
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        assert run(*CYCLE) == 75
    assert "another process holds it" in capsys.readouterr().err
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_forecast_goes_on_from_a_hindcast_and_needs_its_directory_only(
    tmp_path: Path, run: Run, capsys
) -> None:
    deliver(tmp_path / "inbox", 0, 1, 2)
    path = ("--set", "source.0.path=inbox/0.nc")
    assert run("train", "c.yaml", *path, "--set", "train.epochs=1", "--out", "fit", "--quiet") == 0
    fitted = ("--set", "forecast={name: mean_reverting, weights: fit/weights.safetensors}")
    assert run("hindcast", "c.yaml", "--out", "past", "--quiet", *path, *fitted) == 0
    for folder in ("inbox", "fit"):
        shutil.rmtree(tmp_path / folder)
    assert run("forecast", "past", "--until", "2020-06-01", "--quiet") == 0
    ahead = read_products(tmp_path / "past" / "forecast.nc")
    assert str(ahead.time.values[-1])[:10] == "2020-06-01"
    assert np.isfinite(ahead.lai.values).all()
    assert (ahead.lai_spread.values > 0).all()
    assert run("forecast", "past", "--until", "2020-06-01", "--out", "elsewhere") == 2
    assert run("forecast", "fit", "--until", "2020-06-01") == 2
    assert "holds no state" in capsys.readouterr().err


def wait_for(path: Path, service: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not path.exists() and service.poll() is None and time.monotonic() < end:
        time.sleep(0.1)


def test_a_service_ends_on_a_signal(tmp_path: Path, run: Run, project_root: Path) -> None:
    deliver(tmp_path / "inbox", 0)
    line = [sys.executable, "-m", "releo_da.cli", "cycle", "c.yaml", "--out", "run"]
    environment = {**os.environ, "PYTHONPATH": str(project_root)}
    service = subprocess.Popen(line, cwd=tmp_path, env=environment)
    try:
        wait_for(tmp_path / "run" / "report.html", service)
        deliver(tmp_path / "inbox", 1)
        second = tmp_path / "run" / "states" / "000002.safetensors"
        wait_for(second, service)
        service.send_signal(signal.SIGTERM)
        assert service.wait(30) == 0
    finally:
        service.kill()
    with Ledger(tmp_path / "run" / "ledger.sqlite") as ledger:
        assert ledger.last().number == 2  # the cycle that was under way was finished
    assert json.loads((tmp_path / "run" / "call.json").read_text())["outcome"] == "stopped"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": NaN}', "[" * 100_000, "\udcff"])
def test_damaged_scores_are_made_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text('{"state_sha256": "f00d"}')
    (tmp_path / "report.html").touch()
    assert published(tmp_path) == "f00d"
    (tmp_path / "scores.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert published(tmp_path) is None
