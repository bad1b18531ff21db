"""A map read in parts gives what the same map gives in memory, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

from releo_da.config import copies, maps
from releo_da.config.encoder_weights import write_encoder
from releo_da.config.run_files import time_left
from releo_da.cycling import draws
from releo_da.io import cube as cubes
from releo_da.io import map_file, strips
from releo_da.representation.domain import Domain
from releo_da.representation.encoder import Encoder
from releo_da.runs import hindcast
from releo_da.state.variables import variables

HEIGHT, WIDTH, DATES = 20, 33, 5
BANDS = ["B04", "B08"]
Run = Callable[..., tuple[int, str, str]]


def write_cube(path: Path, seed: int, chunk: int = 7, start: str = "2020-05-01T10:50") -> None:
    """Noise about the spectrum of a canopy; clouds, a dark corner, one date dark altogether."""
    rng = np.random.default_rng(seed)
    shape = (DATES, HEIGHT, WIDTH, 2)
    values = np.array([0.05, 0.35]) + rng.normal(0, 0.02, shape)
    cloud = (rng.uniform(size=shape[:3]) < 0.3).astype(np.uint8)
    cloud[2] = 1
    cloud[:, :3, :5] = 1
    days = np.arange(DATES) * np.timedelta64(6, "D")
    data = xr.Dataset(
        {
            "r": (("time", "y", "x", "band"), np.round(values * 1e4).astype(np.int16)),
            "cloud": (("time", "y", "x"), cloud),
            "other": (("y", "x"), np.zeros(shape[1:3])),
        },
        {
            "time": np.datetime64(start) + days,
            "band": BANDS,
            "y": 5200995.0 - 10 * np.arange(HEIGHT),
            "x": 400005.0 + 10 * np.arange(WIDTH),
        },
        {"crs": "EPSG:32632"},
    )
    packed = {"scale_factor": 1e-4, "_FillValue": -9999, "chunksizes": (DATES, chunk, WIDTH, 2)}
    data["r"] = data["r"] * 1e-4
    data.to_netcdf(path, encoding={"r": {**packed, "dtype": "int16"}})


def source(path: str, **more: Any) -> dict[str, Any]:
    return {
        "reader": "cube",
        "path": path,
        "sensor": "sentinel2a",
        "values": "r",
        "dims": {"y": "y", "x": "x", "time": "time", "channel": "band"},
        "channels": {name: name for name in BANDS},
        "clear": {"cloud": [0]},
        **more,
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_cube(tmp_path / "a.nc", 0)
    write_cube(tmp_path / "b.nc", 1, 20, "2020-05-04T10:20")
    (tmp_path / "lai.csv").write_text(
        "plot,date,lai\n45,2020-05-08,2.0\n659,2020-05-20,3.0\n300,2020-05-20,1.5\n"
    )
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hindcasts without figures, where two are compared by their numbers."""
    for name in ("hindcast", "maps"):
        monkeypatch.setattr(f"releo_da.config.{name}.report", lambda root: root / "report.html")


def configuration(sources: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "seed": 1,
        "members": 5,
        "period": ["2020-05-01", "2020-05-31"],
        "source": sources,
        "observe": {"name": "prosail", "quadrature_error": 1e-2},
        "analyse": [{"name": "etkf"}, {"name": "screened"}],
        "score": {
            "withhold": {"every": 3},
            "horizons": [6],
            "periods": {"early": ["2020-05-01", "2020-05-12"]},
            "in_situ": {"path": "lai.csv", "variable": "lai", "column": "lai", "pixel": "plot",
                        "time": "date"},
        },
        "products": {"variables": ["lai", "ndvi"], "every_days": 15},
        **more,
    }  # fmt: skip


def run(releo: Run, config: dict[str, Any], out: str) -> dict[str, Any]:
    Path("run.yaml").write_text(yaml.safe_dump(config))
    status, _, err = releo("hindcast", "run.yaml", "--out", out)
    assert status == 0, err
    return json.loads(Path(out, "scores.json").read_text())


def same_files(names: list[str], one: str, other: str) -> None:
    for name in names:
        with xr.open_dataset(Path(one, name)) as mine, xr.open_dataset(Path(other, name)) as theirs:
            for found in (mine, theirs):
                found.attrs.pop("history", None)
            xr.testing.assert_identical(mine.load(), theirs.load())


def same_rows(found: Any, expected: Any, where: str = "") -> None:
    """Numbers agree to rounding, and nothing but medians is missing."""
    if isinstance(expected, dict):
        assert set(expected) - set(found) <= {"median_abs"}, where
        for key in set(expected) & set(found):
            same_rows(found[key], expected[key], f"{where}.{key}")
    else:
        alike = found == expected if expected is None else found == pytest.approx(expected, 1e-6)
        assert alike, where


@pytest.mark.parametrize("several", [False, True])
def test_in_parts_and_at_once(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch, undrawn: None, several: bool
) -> None:
    """Strips of 7 rows, parts of 5, blocks of 256 ids across both, strips of the output of 2."""
    angles = {"angles": {"sun_zenith": 30.0}} if several else {}
    sources = [source("a.nc", **angles), source("b.nc", **angles)][: 1 + several]
    config = configuration(sources)
    config["products"]["phenology"] = {"amplitude": 0.01}
    whole = run(releo, config, "whole")
    monkeypatch.setattr(maps, "LARGE", 0)
    monkeypatch.setattr(cubes, "STRIP", 2 * DATES * 7 * WIDTH * 2 * 4)
    monkeypatch.setattr(strips, "PART", 5 * WIDTH)
    monkeypatch.setattr(map_file, "CHUNK", 2 * WIDTH * 4)
    parts = run(releo, config, "parts")
    files = ["analysis.nc", "unsmoothed.nc", "verification.nc", "phenology.nc", "pixels.nc"]
    same_files(files, "parts", "whole")
    states = [Path(out, "state.safetensors").read_bytes() for out in ("parts", "whole")]
    assert states[0] == states[1]
    tables = [Path(out, "field_lai.csv").read_text() for out in ("parts", "whole")]
    assert tables[0] == tables[1]
    sampled = parts.pop("sampled")
    with xr.open_dataset("whole/pixels.nc") as pixels:
        assert sampled.pop("pixels") == pixels.sizes["pixel"] < HEIGHT * WIDTH - 14
    same_rows(parts, whole)
    same_rows(sampled, {key: whole[key] for key in sampled})
    logs = [Path(out, "log.jsonl").read_text().splitlines() for out in ("parts", "whole")]
    for mine, theirs in zip(*([json.loads(x) for x in log] for log in logs), strict=True):
        for record in (mine, theirs):
            for key in ("written", "strip"):
                record.pop(key, None)
        assert mine == theirs


def test_few_pixels_of_many_blocks_are_worked_on_together(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 16 ids, about two pixels of each: in memory, in parts, one by one, the same."""
    monkeypatch.setattr(draws, "BLOCK", 16)
    land = np.random.default_rng(5).uniform(size=(HEIGHT, WIDTH)) < 0.12
    land[10:] = False
    land[4, 12] = True  # pixel 144 of the table
    ground = {"y": 5200995.0 - 10 * np.arange(HEIGHT), "x": 400005.0 + 10 * np.arange(WIDTH)}
    xr.Dataset({"land": (("y", "x"), land.astype(np.uint8))}, ground).to_netcdf("land.nc")
    Path("lai.csv").write_text("plot,date,lai\n144,2020-05-08,2.0\n")
    mask = {"path": "land.nc", "variable": "land", "values": [1]}
    config = configuration([source("a.nc", mask=mask)], members=32)
    whole = run(releo, config, "whole")
    monkeypatch.setattr(maps, "LARGE", 0)
    monkeypatch.setattr(cubes, "STRIP", 2 * DATES * 7 * WIDTH * 2 * 4)
    monkeypatch.setattr(strips, "PART", 3 * WIDTH)
    parts = run(releo, config, "parts")

    def single(ids: torch.Tensor) -> torch.Tensor:
        return (torch.unique(ids // 16) + 1) * 16

    for module in (maps, hindcast):
        monkeypatch.setattr(module, "pieces", single)
    single_scores = run(releo, config, "single")
    files = ["analysis.nc", "unsmoothed.nc", "verification.nc"]
    for other in ("parts", "single"):
        same_files(files, other, "whole")
        state = Path(other, "state.safetensors").read_bytes()
        assert state == Path("whole/state.safetensors").read_bytes()
        assert Path(other, "field_lai.csv").read_text() == Path("whole/field_lai.csv").read_text()
    parts.pop("sampled")
    single_scores.pop("sampled")
    same_rows(parts, whole)
    same_rows(single_scores, whole)


def test_a_forecast_goes_on_from_a_map_in_parts(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    config = configuration([source("a.nc")])
    del config["score"]
    config |= {"smooth": None}
    config["products"]["format"] = ["zarr", "csv"]
    for out, large in (("whole", maps.LARGE), ("parts", 0)):
        monkeypatch.setattr(maps, "LARGE", large)
        run(releo, config, out)
        status, _, err = releo("forecast", out, "--until", "2020-07-01")
        assert status == 0, err
    same_files(["forecast.nc", "climatology.nc"], "parts", "whole")
    for name in ("analysis", "forecast"):
        tables = [Path(out, f"{name}.csv").read_text() for out in ("parts", "whole")]
        assert tables[0] == tables[1]
        with xr.open_dataset(f"parts/{name}.nc") as expected:
            found = xr.load_dataset(f"parts/{name}.zarr", engine="zarr")
            xr.testing.assert_identical(found, expected.load())
    few = [source("a.nc", window={"rows": [5, 6], "columns": [5, 6]})]
    run(releo, {**config, "source": few, "products": {"variables": ["lai"]}}, "parts")
    assert not [*Path("parts").glob("analysis.csv*"), *Path("parts").glob("analysis.zarr")]


def test_a_table_of_a_large_map_is_refused_before_the_run(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "ROWS", 100)
    config = configuration([source("a.nc")])
    config["products"]["format"] = "csv"
    Path("run.yaml").write_text(yaml.safe_dump(config))
    for large in (maps.LARGE, 0):
        monkeypatch.setattr(maps, "LARGE", large)
        status, _, err = releo("hindcast", "run.yaml", "--out", "run")
        assert status == 2
        assert "642 pixels, 3 dates and 2 variables would have 3852 rows" in " ".join(err.split())
        assert not Path("run").exists()


def test_a_sample_of_a_larger_map(place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of every third row and column of the window; sums of all; the report is drawn."""
    monkeypatch.setattr(maps, "LARGE", 0)
    monkeypatch.setattr(strips, "SAMPLE", 50)
    config = configuration([source("a.nc", window={"rows": [3, 19], "columns": [2, 21]})])
    del config["score"]["in_situ"]
    scores = run(releo, config, "parts")
    with xr.open_dataset("parts/verification.nc") as found:
        ids = found.pixel.values
        assert set(np.unique(ids // WIDTH)) == set(range(3, 20, 3))
        assert set(np.unique(ids % WIDTH)) == set(range(2, 22, 3))
        n = int(found["mean"].sel(case="background", channel="B08").notnull().sum())
    assert scores["sampled"]["background"]["B08"]["n"] == n
    assert 7 < scores["background"]["B08"]["n"] / n < 9
    with xr.open_dataset("parts/analysis.nc") as found:
        assert found.sizes == {"time": 3, "quantile": 5, "y": HEIGHT, "x": WIDTH}
        estimated = found["lai"].notnull().all("time").values
    assert estimated[3:20, 2:22].sum() == estimated.sum() > 300
    assert Path("parts/report.html").is_file()


def test_time_left_is_that_of_all_turns_so_far() -> None:
    assert time_left(30.0, 1, 121) == ", 1:00:00 left"
    assert time_left(30.0, 4, 4) == ""


def test_maps_of_other_windows_are_refused(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "LARGE", 0)
    config = configuration([source("a.nc", stride=2), source("b.nc")])
    Path("run.yaml").write_text(yaml.safe_dump(config))
    status, _, err = releo("hindcast", "run.yaml", "--out", "run")
    assert status == 2
    assert "the same rows and columns as" in " ".join(err.split())


def test_inspection_of_a_large_map(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a map that is its own sample the tables are those of a reading at once."""
    Path("run.yaml").write_text(yaml.safe_dump(configuration([source("a.nc")])))
    for out, limit in (("whole", maps.LARGE), ("parts", 0)):
        monkeypatch.setattr(maps, "LARGE", limit)
        status, _, err = releo("inspect", "run.yaml", "--out", out)
        assert status == 0, err
    parts, whole = (
        json.loads(Path(out, "inspection.json").read_text()) for out in ("parts", "whole")
    )
    assert parts == whole
    monkeypatch.setattr(strips, "SAMPLE", 50)
    assert releo("inspect", "run.yaml", "--out", "thin")[0] == 0
    thin = json.loads(Path("thin/inspection.json").read_text())
    assert thin["sources"] == whole["sources"]
    assert thin["channels"][0]["n"] < whole["channels"][0]["n"] / 9


def test_an_embedding_is_read_in_parts(
    place: Path, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strip by strip into the file, embeddings too, with the bits of the map in memory."""
    monkeypatch.setattr("releo_da.config.embed.report", lambda root: root / "report.html")
    names = tuple(name for name in variables() if name != "ant")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = Encoder(names, 16, 2, 1, 8)
        torch.nn.init.normal_(encoder.head.weight, std=0.2)
    write_encoder(place / "e.safetensors", encoder, Domain((0.9,), (2.0,)), {})
    angles = {"angles": {"sun_zenith": 30.0}}  # as in memory where a source never saw a pixel
    values = configuration([source("a.nc", **angles), source("b.nc", **angles)])
    state = {"name": "prosail", "encoder": "e.safetensors"}
    values = {key: values[key] for key in ("seed", "members", "source", "products")}
    (place / "c.yaml").write_text(yaml.safe_dump({**values, "state": state}))
    found = []
    for name, part in (("whole", None), ("parts", 2 * WIDTH)):
        if part is not None:
            monkeypatch.setattr(maps, "LARGE", 0)
            monkeypatch.setattr(strips, "PART", part)
            monkeypatch.setattr(map_file, "CHUNK", 4 * 3 * WIDTH)
        status, _, err = releo("embed", "c.yaml", "--out", name, "--quiet")
        assert status == 0, err
        found.append(xr.open_dataset(place / name / "analysis.nc"))
    whole, parts = found
    assert whole["embedding"].dims == ("dimension", "time", "y", "x")
    for name in whole.data_vars:
        assert whole[name].attrs.keys() == parts[name].attrs.keys(), name
        np.testing.assert_array_equal(whole[name].values, parts[name].values, str(name))
    assert bool(whole.embedding.isel(y=10).notnull().all())
    assert bool(whole.embedding.isel(y=0, x=0).isnull().all())  # never seen
