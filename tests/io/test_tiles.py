"""A map cut into tiles: nothing lost, nothing twice, and products of the tile's size."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releo_da.io import read_products
from releo_da.io.cube import open_cube
from releo_da.io.tiles import cut, grid_facts, of_tile, tiles_of
from releo_da.runs.outputs import writing_outputs
from releo_da.types import InputError

CUBE = {
    "sensor": "sentinel2a",
    "values": "reflectance",
    "dims": {"y": "y", "x": "x", "time": "time", "channel": "band"},
    "channels": {"B04": "red", "B8A": "nir"},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).uniform(0.05, 0.3, (7, 9, 1, 2))
    axes = {
        "y": 5000.0 - 10.0 * np.arange(7),
        "x": 300.0 + 10.0 * np.arange(9),
        "time": np.array(["2020-05-01T10:50"], "datetime64[ns]"),
        "band": ["red", "nir"],
    }
    data = xr.Dataset({"reflectance": (("y", "x", "time", "band"), values)}, axes)
    data.assign_attrs(crs="EPSG:32631").to_netcdf(tmp_path / "cube.nc")
    land = np.ones((7, 9), np.int8)
    land[4:, 4:8] = 0
    xr.Dataset({"land": (("y", "x"), land)}).to_netcdf(tmp_path / "land.nc")
    return tmp_path / "cube.nc"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": {"rows": [1, 5], "columns": [3, 8]}},
        {"stride": 3},
        {"mask": {"path": "land.nc", "variable": "land", "values": [1]}},
    ],
)
def test_tiles_hold_every_wanted_pixel_once(path: Path, options: dict) -> None:
    cube = open_cube(path, **CUBE, **options)
    tiles = tiles_of(cube, 4)
    whole = open_cube(path, **CUBE, **options).series().pixels["id"].values
    parts = [
        open_cube(path, **CUBE, **{**options, "window": tile.window}).series().pixels["id"].values
        for tile in tiles
    ]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.sort(whole))
    assert [tile.pixels for tile in tiles] == [len(part) for part in parts]
    assert len({tile.name for tile in tiles}) == len(tiles)
    names = [tile.name for tile in tiles]
    assert ("r00004_c00004" in names) == ("mask" not in options and "stride" not in options)


def test_products_of_a_tile_lie_where_those_of_the_map_do(path: Path, tmp_path: Path) -> None:
    cube = open_cube(path, **CUBE)
    tile = next(one for one in tiles_of(cube, 4) if one.name == "r00004_c00008")
    series = open_cube(path, **CUBE, window=tile.window).series()
    pixels = of_tile(series.pixels, tile, grid_facts(cube.grid), "cube.nc")
    small, mine = cut(pixels)
    assert (small.attrs["height"], small.attrs["width"]) == (3, 1)
    np.testing.assert_array_equal(mine, [0, 1, 2])
    ids = pixels["id"].values
    layers = np.repeat(ids.astype(np.float32)[None, None], 7, axis=0)
    described = {"lai": ("1", "leaf area")}
    with writing_outputs(tmp_path / "p.nc", [18000.0], pixels, described, {}) as write:
        write(ids[:2], {"lai": layers[..., :2]})
        write(ids[2:], {"lai": layers[..., 2:]})
    found = read_products(tmp_path / "p.nc")
    assert found["lai"].shape == (1, 3, 1)
    np.testing.assert_array_equal(found["lai"].values.ravel(), ids)
    np.testing.assert_array_equal(found["y"], 5000.0 - 10.0 * np.arange(4, 7))
    np.testing.assert_array_equal(found["x"], [380.0])


def test_a_file_on_another_grid_is_refused_by_name(path: Path) -> None:
    cube = open_cube(path, **CUBE)
    tile = tiles_of(cube, 4)[0]
    series = open_cube(path, **CUBE, window=tile.window).series()
    facts = grid_facts(cube.grid)
    for other in ({"height": 8}, {"x": [310.0, 390.0]}, {"y": None}):
        with pytest.raises(InputError, match="late.nc: lies on another grid"):
            of_tile(series.pixels, tile, {**facts, **other}, "late.nc")
