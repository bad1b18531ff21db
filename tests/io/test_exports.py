"""Copies of a product hold its numbers to 32 bits, its units, coordinates and provenance."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyproj import CRS

from releo_da.io import Product, exports, products_dataset, write_products
from releo_da.io.exports import remove, write_csv, write_zarr

TIMES = [19000.0, 19010.4375, 19020.1]
ABOUT = {"title": "a run", "source": "releo_da 1.0 abc", "seed": "7", "history": "then"}


def product(rng: np.random.Generator, count: int, unit: str) -> Product:
    mean, spread, low, high = rng.normal(size=(4, len(TIMES), count))
    return Product(mean, unit, "a variable", abs(spread), {0.05: low, 0.975: high})


def write(path: Path, pixels: xr.Dataset) -> xr.Dataset:
    rng, count = np.random.default_rng(0), pixels.sizes["pixel"]
    held = {"lai": product(rng, count, "m2 m-2"), "ndvi": product(rng, count, "1")}
    write_products(path, products_dataset(TIMES, pixels, held, ABOUT))
    return xr.load_dataset(path, decode_coords="all")


def points() -> xr.Dataset:
    places = {"lon": [9.0, 10.25, 11.1], "lat": [47.0, 47.5, 1 / 3]}
    return xr.Dataset(
        coords={"id": ("pixel", [0, 2, 5]), **{k: ("pixel", v) for k, v in places.items()}},
        attrs={"kind": "point", "crs": "EPSG:4326"},
    )


def grid(height: int = 5, width: int = 300) -> xr.Dataset:
    ids = np.delete(np.arange(height * width), [3, 4, width + 1])
    return xr.Dataset(
        coords={
            "id": ("pixel", ids),
            "grid_y": 5.3e6 - 10.0 * np.arange(height),
            "grid_x": 4e5 + 10.0 * np.arange(width),
        },
        attrs={"kind": "grid", "height": height, "width": width, "crs": "EPSG:32632"},
    )


@pytest.mark.parametrize("held", [1, exports.HELD])
@pytest.mark.parametrize("pixels", [points(), grid()], ids=["points", "grid"])
def test_a_store_is_the_file_again(
    tmp_path: Path, pixels: xr.Dataset, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "HELD", held)
    expected = write(tmp_path / "a.nc", pixels)
    for _ in range(2):  # the second takes the place of the first
        write_zarr(tmp_path / "a.nc", tmp_path / "a.zarr")
    found = xr.open_zarr(tmp_path / "a.zarr", consolidated=True, decode_coords="all", chunks=None)
    xr.testing.assert_identical(found.load(), expected)
    assert found["lai"].dtype == np.float32
    assert found["lai"].attrs["units"] == "m2 m-2"
    assert found["lai"].attrs["cell_methods"] == "time: point realization: mean"
    assert CRS.from_cf(found["crs"].attrs) == CRS.from_user_input(pixels.attrs["crs"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nc", "a.zarr"]
    if pixels.attrs["kind"] == "grid":
        rows = 1 if held == 1 else 5
        assert found["lai_quantile"].encoding["chunks"] == (2, 3, rows, 256)


def test_a_copy_that_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.nc", points())
    write_zarr(tmp_path / "a.nc", tmp_path / "a.zarr")
    before = xr.load_dataset(tmp_path / "a.zarr", engine="zarr")

    def fails(self: xr.Dataset, path: Path, **_: object) -> None:
        path.mkdir()
        raise OSError("no room")

    monkeypatch.setattr(xr.Dataset, "to_zarr", fails)
    with pytest.raises(OSError, match="no room"):
        write_zarr(tmp_path / "a.nc", tmp_path / "a.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nc", "a.zarr"]
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.zarr", engine="zarr"), before)


@pytest.mark.parametrize("pixels", [points(), grid(4, 3)], ids=["points", "grid"])
def test_a_table_has_every_number(tmp_path: Path, pixels: xr.Dataset) -> None:
    expected = write(tmp_path / "a.nc", pixels)
    write_csv(tmp_path / "a.nc", tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", parse_dates=["time"])
    of_points = pixels.attrs["kind"] == "point"
    place = ["point", "lon", "lat"] if of_points else ["id", "y", "x"]
    numbers = ["mean", "spread", "q05", "q97.5"]
    assert list(table) == ["time", *place, "variable", "unit", *numbers]
    assert len(table) == len(TIMES) * 2 * pixels.sizes["pixel"]
    assert dict(zip(table["variable"], table["unit"], strict=True)) == {
        "lai": "m2 m-2",
        "ndvi": "1",
    }
    back = table.set_index(["variable", "time", place[0]])
    for name in ("lai", "ndvi"):
        layers = [expected[name], expected[f"{name}_spread"], *expected[f"{name}_quantile"]]
        for column, layer in zip(numbers, layers, strict=True):
            wide = back.loc[name][column].unstack()
            flat = layer.values.reshape(len(TIMES), -1)
            flat = flat if of_points else flat[:, pixels["id"].values]
            np.testing.assert_array_equal(wide.values.astype(np.float32), flat)
            assert wide.columns.tolist() == pixels["id"].values.tolist()
            apart = abs(wide.index.values - expected["time"].values)
            assert apart.max() < np.timedelta64(1, "s")
    first = table.drop_duplicates(place[0]).set_index(place[0])
    if of_points:
        np.testing.assert_allclose(first["lat"], pixels["lat"], rtol=1e-8)
    else:
        np.testing.assert_array_equal(first["y"], pixels["grid_y"].values[first.index // 3])
        np.testing.assert_array_equal(first["x"], pixels["grid_x"].values[first.index % 3])
    told = json.loads((tmp_path / "a.csv-metadata.json").read_text())
    assert told["url"] == "a.csv"
    assert [c["name"] for c in told["tableSchema"]["columns"]] == list(table)
    notes = told["notes"][0]
    assert ABOUT.items() <= notes["attributes"].items()
    assert notes["variables"]["lai"]["standard_name"] == "leaf_area_index"
    assert CRS.from_cf(notes["crs"]) == CRS.from_user_input(pixels.attrs["crs"])
    remove(tmp_path / "a.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]
