"""Windows, strides and masks choose pixels; what they leave keeps its id and its numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.io import Series, read_cube
from releo_da.types import InputError

HEIGHT, WIDTH = 6, 8


@pytest.fixture
def cube(tmp_path: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    data = xr.Dataset(
        {"r": (("time", "y", "x", "band"), rng.uniform(0.1, 0.4, (3, HEIGHT, WIDTH, 2)))},
        {
            "time": np.datetime64("2022-06-01T10:20") + np.arange(3) * np.timedelta64(5, "D"),
            "band": ["B04", "B08"],
            "y": 200.0 - 10 * np.arange(HEIGHT),
            "x": 500.0 + 10 * np.arange(WIDTH),
        },
        {"crs": "EPSG:32632"},
    )
    data.to_netcdf(tmp_path / "cube.nc")
    classes = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 3
    land = xr.Dataset({"class": (("y", "x"), classes)}, {"y": data["y"], "x": data["x"]})
    land.to_netcdf(tmp_path / "land.nc")
    return {
        "path": tmp_path / "cube.nc",
        "sensor": "sentinel2a",
        "values": "r",
        "dims": {"y": "y", "x": "x", "time": "time", "channel": "band"},
        "channels": {"B04": "B04", "B08": "B08"},
        "angles": {"sun_zenith": 30.0},
    }


def ids(rows: range, columns: range) -> list[int]:
    return [row * WIDTH + column for row in rows for column in columns]


def same_as_whole(found: Series, whole: Series) -> None:
    place = np.searchsorted(whole.pixels["id"], found.pixels["id"])
    for one, other in zip(found.acquisitions, whole.acquisitions, strict=True):
        assert torch.equal(one.values, other.values[place])
    assert found.pixels.attrs == whole.pixels.attrs


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"window": {"x": [510, 530], "y": [160, 185]}}, ids(range(2, 5), range(1, 4))),
        ({"window": {"rows": [2, 4], "columns": [1, 3]}}, ids(range(2, 5), range(1, 4))),
        ({"window": {"rows": [2, 4], "x": [510, 530]}}, ids(range(2, 5), range(1, 4))),
        ({"stride": 3}, ids(range(0, 6, 3), range(0, 8, 3))),
        ({"stride": 3, "window": {"rows": [1, 5]}}, ids(range(3, 6, 3), range(0, 8, 3))),
    ],
)
def test_windows_and_strides(
    cube: dict[str, Any], options: dict[str, Any], expected: list[int]
) -> None:
    found = read_cube(**cube, **options)
    assert found.pixels["id"].values.tolist() == expected
    same_as_whole(found, read_cube(**cube))


@pytest.mark.parametrize("values", [[1, 2], {"min": 1}])
def test_a_mask_keeps_its_values(cube: dict[str, Any], values: Any) -> None:
    mask = {"path": "land.nc", "variable": "class", "values": values}
    found = read_cube(**cube, mask=mask)
    assert found.pixels["id"].values.tolist() == [k for k in range(48) if k % 3]
    same_as_whole(found, read_cube(**cube))
    (counts,) = [record for record in found.log if record["kind"] == "values"]
    assert counts["read"] == 32 * 3 * 2  # what is masked is not read


def test_a_larger_mask_in_another_order_is_laid_over_the_grid(cube: dict[str, Any]) -> None:
    path = cube["path"].parent / "land.nc"
    land = xr.load_dataset(path)
    x = np.arange(480.0, 620.0, 10)
    wide = land.reindex(x=x, y=np.arange(130.0, 240, 10), fill_value=9).transpose("x", "y")
    wide.to_netcdf(path.parent / "wide.nc")
    options = {"variable": "class", "values": [1]}
    small = read_cube(**cube, mask={"path": "land.nc", **options})
    large = read_cube(**cube, mask={"path": "wide.nc", **options})
    assert large.pixels["id"].values.tolist() == small.pixels["id"].values.tolist()


@pytest.mark.parametrize("kept", [0, 1])
def test_one_row_in_degrees_finds_its_row_of_the_mask(cube: dict[str, Any], kept: int) -> None:
    folder = cube["path"].parent
    data = xr.load_dataset(cube["path"]).isel(y=[0])
    x = 8 + np.arange(WIDTH) * 0.001
    data = data.assign_coords(y=[47.005], x=x).assign_attrs(crs="EPSG:4326")
    data.to_netcdf(folder / "row.nc")
    classes = np.zeros((11, WIDTH), int)
    classes[0] = 1  # not the row of the grid
    land = xr.Dataset({"class": (("y", "x"), classes)}, {"y": 47 + np.arange(11) * 0.001, "x": x})
    land.to_netcdf(folder / "tall.nc")
    options = cube | {"path": folder / "row.nc"}
    mask = {"path": "tall.nc", "variable": "class", "values": [kept]}
    if kept:
        with pytest.raises(InputError, match="no pixel of"):
            read_cube(**options, mask=mask)
    else:
        assert read_cube(**options, mask=mask).pixels.sizes["pixel"] == WIDTH


@pytest.mark.parametrize("names", [("lon", "lat"), ("col", "row"), ("Longitude", "down")])
def test_axes_of_other_names_are_not_mistaken(cube: dict[str, Any], names: tuple) -> None:
    folder = cube["path"].parent
    xr.load_dataset(cube["path"]).isel(x=slice(6)).to_netcdf(folder / "square.nc")
    classes = np.zeros((6, 6), int)
    classes[2] = 1  # the third column of the grid
    xr.Dataset({"class": (names, classes)}).to_netcdf(folder / "turned.nc")
    mask = {"path": "turned.nc", "variable": "class", "values": [1]}
    found = read_cube(**cube | {"path": folder / "square.nc"}, mask=mask)
    assert found.pixels["col"].values.tolist() == [2] * 6


def test_a_square_mask_must_say_which_are_its_rows(cube: dict[str, Any]) -> None:
    folder = cube["path"].parent
    xr.load_dataset(cube["path"]).isel(x=slice(6)).to_netcdf(folder / "square.nc")
    xr.Dataset({"class": (("a", "b"), np.ones((6, 6), int))}).to_netcdf(folder / "ab.nc")
    mask = {"path": "ab.nc", "variable": "class", "values": [1]}
    with pytest.raises(InputError, match="do not say which are the rows"):
        read_cube(**cube | {"path": folder / "square.nc"}, mask=mask)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": {"x": [0, 10]}}, r"'window.x': no pixel lies in \[0, 10\]; the file has 500"),
        ({"window": {"x": [30, 10]}}, "are no limits; write"),
        ({"window": {"z": [30, 10]}}, "no axis 'z'"),
        ({"stride": 0}, "give 1 or more"),
        ({"mask": {"path": "land.nc", "variable": "class", "values": [7]}}, "no pixel of"),
        ({"mask": {"path": "land.nc", "variable": "class"}}, "'values' is missing"),
        ({"mask": {"path": "land.nc", "variable": "clas", "values": [1]}}, "did you mean 'class'"),
        ({"mask": {"path": "no.nc", "variable": "class", "values": [1]}}, "does not exist"),
        ({"mask": {"path": "moved.nc", "variable": "class", "values": [1]}}, "are not those of"),
        ({"mask": {"path": "cube.nc", "variable": "r", "values": [1]}}, "a mask has rows and"),
    ],
)
def test_what_cannot_be_is_refused(
    cube: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    path = cube["path"].parent
    land = xr.load_dataset(path / "land.nc")
    land.assign_coords(x=land["x"] + 3).to_netcdf(path / "moved.nc")
    with pytest.raises(InputError, match=words):
        read_cube(**cube, **options)
