"""Joining and thinning series: laws on pixels, times and duplicates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.io import Series, drop_duplicates, merge, read_cube, read_points
from releo_da.types import Acquisition, InputError


def acquisition(time: float, seen: int, product: str, sensor: str = "sentinel2a") -> Acquisition:
    """Five pixels of one channel, the first `seen` of them clear."""
    error = torch.full((5, 1), 0.01)
    error[seen:] = float("inf")
    return Acquisition(time, sensor, torch.zeros(5, 1), error, torch.zeros(5, 3), product)


def series(*acquisitions: Acquisition, rule: str = "best") -> Series:
    pixels = xr.Dataset(coords={"id": ("pixel", np.arange(5))}, attrs={"kind": "point"})
    return Series(list(acquisitions), pixels, [], {"sentinel2a": ("B04",)}, rule)


PASS = [
    acquisition(10.0, 2, "a"),
    acquisition(10.0003, 4, "b"),
    acquisition(10.0006, 4, "c"),
    acquisition(10.0006, 5, "other", "sentinel2b"),
    acquisition(10.0014, 5, "next"),  # 69 s after the last of them: another pass
]


@pytest.mark.parametrize(
    ("rule", "suspicious", "kept"),
    [
        ("best", set(), ["b", "other", "next"]),
        ("first", set(), ["a", "other", "next"]),
        ("last", set(), ["c", "other", "next"]),
        ("all", set(), ["a", "b", "c", "other", "next"]),
        ("best", {"b"}, ["c", "other", "next"]),
        ("best", {"b", "c"}, ["a", "other", "next"]),
        ("best", {"a", "b", "c"}, ["b", "other", "next"]),
        ("first", {"a"}, ["b", "other", "next"]),
    ],
)
def test_one_product_of_a_pass_stays(rule: str, suspicious: set[str], kept: list[str]) -> None:
    whole = series(*PASS, rule=rule)
    thinned = drop_duplicates(whole, suspicious)
    assert [item.product for item in thinned.acquisitions] == kept
    dropped = {entry["product"]: entry for entry in thinned.log}
    assert set(dropped) == {item.product for item in PASS} - set(kept)
    assert all(entry["kept"] in kept for entry in dropped.values())
    assert len(whole.acquisitions) == len(PASS) and whole.log == []


def test_dropping_duplicates_twice_changes_nothing() -> None:
    once = drop_duplicates(series(*PASS))
    assert drop_duplicates(once).acquisitions == once.acquisitions


def test_the_reason_is_logged() -> None:
    log = drop_duplicates(series(*PASS), {"b"}).log
    assert {entry["product"]: entry["reason"] for entry in log} == {"a": "best", "b": "suspicious"}


def test_points_are_united_and_padded_with_what_was_not_seen(
    points: Callable[..., dict[str, Any]],
) -> None:
    whole = read_points(**points())
    # The same file as two sources: different points and times, given in the wrong order.
    late = read_points(**points(select={"point": [2, 1]}, period=["2020-05-10", "2020-05-30"]))
    early = read_points(**points(select={"point": [0]}, period=["2020-05-01", "2020-05-09"]))
    merged = merge([late, early])
    assert merged.pixels["id"].values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(merged.pixels["lon"], whole.pixels["lon"])
    assert merged.pixels.attrs == whole.pixels.attrs
    assert [item.time for item in merged.acquisitions] == [a.time for a in whole.acquisitions]
    for part, full in zip(merged.acquisitions, whole.acquisitions, strict=True):
        mine = [0] if part.time < early.acquisitions[-1].time + 1 else [1, 2]
        other = sorted({0, 1, 2} - set(mine))
        assert torch.equal(part.values[mine], full.values[mine])
        assert torch.equal(part.error[mine], full.error[mine])
        assert torch.equal(part.angles[mine], full.angles[mine])
        assert not part.seen[other].any() and (part.values[other] == 0).all()
        assert torch.isfinite(part.angles).all()
    assert len(merged.log) == len(late.log) + len(early.log)


def test_merging_one_series_is_the_identity(points: Callable[..., dict[str, Any]]) -> None:
    whole = read_points(**points())
    merged = merge([whole])
    assert merged.acquisitions == whole.acquisitions and merged.pixels.identical(whole.pixels)


def test_sources_may_see_different_channels_of_different_sensors(
    points: Callable[..., dict[str, Any]],
) -> None:
    sentinel = read_points(**points())
    landsat = read_points(**points(sensor="landsat8", channels={"B4": "red"}))
    merged = merge([sentinel, landsat])
    assert merged.channels == sentinel.channels | {"landsat8": ("B4",)}
    assert len(merged.acquisitions) == 8
    for item in merged.acquisitions:
        assert item.values.shape == (3, len(merged.channels[item.sensor]))


def cube(folder: Path, name: str, clear: list[int], shift: float = 0.0) -> Series:
    """A 2 x 3 grid of which only the pixels `clear` are seen."""
    values = np.full(6, np.nan)
    values[clear] = 0.3
    data = xr.Dataset(
        {"r": (("time", "y", "x", "band"), values.reshape(1, 2, 3, 1))},
        {
            "time": np.array(["2022-06-01T10:20"], dtype="datetime64[ns]"),
            "band": ["B04"], "y": [20.0, 10.0], "x": np.array([5e5, 5e5 + 10, 5e5 + 20]) + shift,
        },
        {"crs": "EPSG:32632"},
    )  # fmt: skip
    data.to_netcdf(folder / name)
    dims = {"y": "y", "x": "x", "time": "time", "channel": "band"}
    return read_cube(folder / name, "sentinel2a", "r", dims, {"B04": "B04"})


def test_grids_are_united(tmp_path: Path) -> None:
    one, other = cube(tmp_path, "a.nc", [4, 0]), cube(tmp_path, "b.nc", [1, 4])
    merged = merge([one, other])
    assert merged.pixels["id"].values.tolist() == [0, 1, 4]
    assert merged.pixels["row"].values.tolist() == [0, 0, 1]
    assert merged.pixels["col"].values.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(merged.pixels["grid_x"], one.pixels["grid_x"])
    assert [a.seen[:, 0].tolist() for a in merged.acquisitions] == [
        [True, False, True], [False, True, True]
    ]  # fmt: skip


def test_refusals(tmp_path: Path, points: Callable[..., dict[str, Any]]) -> None:
    whole = read_points(**points())
    fewer = read_points(**points(channels={"B04": "red"}))
    moved = read_points(**points(lambda d: d.assign_coords(x=d["x"] + 0.1)))
    rule = read_points(**points(duplicates="first"))
    grid, shifted = cube(tmp_path, "a.nc", [1]), cube(tmp_path, "b.nc", [1], shift=5.0)
    for sources, message in [
        ([], "list is empty"),
        ([whole, fewer], "sentinel2a comes with the channels B04"),
        ([whole, moved], "points of the same id lie at different places"),
        ([whole, rule], "duplicates is 'best' in one source and 'first'"),
        ([whole, grid], "different pixels"),
        ([grid, shifted], "different grids"),
    ]:
        with pytest.raises(InputError, match=message):
            merge(sources)
