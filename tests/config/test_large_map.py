"""The files of `experiments/large_map`: a small cube of that making runs by the configuration."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import xarray as xr

PLACE = Path(__file__).resolve().parents[2] / "experiments" / "large_map"
SIDE = 20
Run = Callable[..., tuple[int, str, str]]


def test_a_small_cube_is_written_and_runs(tmp_path: Path, releo: Run) -> None:
    runpy.run_path(str(PLACE / "cube.py"))["main"](tmp_path, SIDE)
    config = tmp_path / "config.yaml"
    config.write_text((PLACE / "config.yaml").read_text())
    smaller = ["--set", "members=4", "--set", "period=[2020-01-01, 2020-01-31]"]
    land = "source.0.mask={path: land.nc, variable: land, values: [1]}"
    whole = ["--set", "source.0.window=null", "--set", land]
    out = tmp_path / "run"
    status, _, err = releo("hindcast", str(config), *smaller, *whole, "--out", str(out))
    assert status == 0, err
    with xr.open_dataset(out / "analysis.nc") as found, xr.open_dataset(tmp_path / "land.nc") as m:
        assert found["lai"].shape == (2, SIDE, SIDE)
        assert found["lai"].isel(time=1).count() == (m["land"] == 1).sum() > 0
