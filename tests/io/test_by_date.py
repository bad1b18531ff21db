"""A file that is read date by date gives what it gives at once, in the memory of one date."""

import tracemalloc

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.io import read_cube, read_points
from releo_da.io.by_date import ByDate, looked_at
from releo_da.io.cube import open_cube
from releo_da.io.points import open_points
from releo_da.io.reading_log import NothingClear
from releo_da.types import InputError

OPTIONS = {
    "sensor": {"from": "platform", "S2A": "sentinel2a", "S2B": "sentinel2b"},
    "values": "reflectance",
    "channels": {"B04": "red", "B08": "nir"},
    "clear": {"cloud": [0]},
}
CUBE = OPTIONS | {"dims": {"y": "y", "x": "x", "time": "time", "channel": "band"}}
POINTS = OPTIONS | {"dims": {"pixel": "y", "time": "time", "channel": "band"}}


def file(dates: int, size: int = 4, seed: int = 1) -> xr.Dataset:
    """A map with clouds, a date without a clear pixel, and angles that are missing in places."""
    rng = np.random.default_rng(seed)
    shape = (size, size, dates)
    cloud = rng.uniform(size=shape) < 0.4
    cloud[0, :2] = True  # pixels that are never seen
    cloud[..., 1 % dates] |= dates > 1
    sun = rng.uniform(30.0, 60.0, shape)
    sun[rng.uniform(size=shape) < 0.2] = np.nan
    times = np.datetime64("2020-05-01T10:50", "ns") + np.arange(dates) * np.timedelta64(3, "D")
    return xr.Dataset(
        {
            "reflectance": (("y", "x", "time", "band"), rng.uniform(0.02, 0.5, (*shape, 2))),
            "cloud": (("y", "x", "time"), cloud.astype(np.uint8)),
            "sun": (("y", "x", "time"), sun),
            "height": (("y", "x"), rng.uniform(100.0, 900.0, (size, size))),
        },
        {
            "time": times,
            "band": ["red", "nir"],
            "platform": ("time", [("S2A", "S2B")[k % 2] for k in range(dates)]),
            "name": ("time", [("a", "b")[k % 2] for k in range(dates)]),
            "x": 500000.0 + 10.0 * np.arange(size),
            "y": 5000000.0 - 10.0 * np.arange(size),
        },
        {"crs": "EPSG:32632"},
    )


CASES = {
    "map": ({}, {}),
    "angles": ({"angles": {"sun_zenith": "sun"}}, {}),
    "names": ({"product": "name"}, {}),
    "window": ({"window": {"rows": [0, 2], "columns": [1, 3]}, "stride": 2}, {}),
    "fields": ({"auxiliary": {"elevation": "height"}}, {}),
    "period": ({"period": ["2020-05-02", "2020-05-20"]}, {}),
    "chunks": ({}, {"reflectance": {"zlib": True, "chunksizes": (2, 4, 3, 2)}}),
}


@pytest.mark.parametrize("case", CASES)
def test_dates_are_those_of_the_whole_file(tmp_path, case):
    options, encoding = CASES[case]
    data = file(8)
    data.to_netcdf(tmp_path / "map.nc", encoding=encoding)
    assert_read_by_date(tmp_path / "map.nc", open_cube, read_cube, {**CUBE, **options})
    later = data.isel(time=[3, 0, 1, 7, 2, 6, 5, 4])
    later.to_netcdf(tmp_path / "unordered.nc", encoding=encoding)
    assert_read_by_date(tmp_path / "unordered.nc", open_cube, read_cube, {**CUBE, **options})


def test_points_are_those_of_the_whole_file(tmp_path):
    file(8).isel(x=2).to_netcdf(tmp_path / "points.nc")
    options = POINTS | {"angles": {"sun_zenith": "sun"}}
    assert_read_by_date(tmp_path / "points.nc", open_points, read_points, options)


def assert_read_by_date(path, opener, reader, options):
    whole = reader(path, **options)
    heads = []
    opened = opener(path, **options)
    by_date = opened if isinstance(opened, ByDate) else opened.by_date()
    with looked_at(by_date, lambda one: heads.append(one.acquisitions[0])) as dates:
        order = sorted(range(len(heads)), key=lambda k: heads[k].time)
        assert len(order) == len(whole.acquisitions)
        xr.testing.assert_identical(dates.pixels, whole.pixels)
        assert dates.log == whole.log
        for k, expected in zip(order, whole.acquisitions, strict=True):
            found = dates.load(k)
            assert (found.time, found.sensor, found.product) == (
                expected.time, expected.sensor, expected.product,
            )  # fmt: skip
            for name in ("values", "error", "angles"):
                assert torch.equal(getattr(found, name), getattr(expected, name)), name


@pytest.mark.parametrize("fault", ["percent", "radians", "cloud"])
def test_a_file_is_refused_for_what_the_whole_of_it_says(tmp_path, fault):
    data = file(6)
    if fault == "percent":
        data["reflectance"] *= 100.0
    if fault == "radians":
        data["sun"] = np.radians(data.sun)
    if fault == "cloud":
        data["cloud"][:] = 1
    data.to_netcdf(tmp_path / "map.nc")
    options = CUBE | {"angles": {"sun_zenith": "sun"}}
    with pytest.raises(InputError) as whole:
        read_cube(tmp_path / "map.nc", **options)
    opened = open_cube(tmp_path / "map.nc", **options).by_date()
    with pytest.raises(InputError) as found, looked_at(opened, lambda one: None):
        pass
    assert str(found.value) == str(whole.value)
    assert isinstance(found.value, NothingClear) == (fault == "cloud")


def test_a_field_with_times_needs_the_whole(tmp_path):
    data = file(3)
    data["height"] = data.height.expand_dims(time=3)
    data.to_netcdf(tmp_path / "map.nc")
    options = CUBE | {"auxiliary": {"elevation": "height"}}
    assert_read_by_date(tmp_path / "map.nc", open_cube, read_cube, options)


def test_memory_is_that_of_one_date(tmp_path):
    peaks = {}
    for dates in (2, 20):
        file(dates, size=64).to_netcdf(tmp_path / "map.nc")
        opened = open_cube(tmp_path / "map.nc", **CUBE).by_date()
        for traced in (False, True):  # what is kept for good is there after the first
            if traced:
                tracemalloc.start()
            with looked_at(opened, lambda one: None) as found:
                for k in range(dates - 1):
                    found.load(k)
            if traced:
                peaks[dates] = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
    assert peaks[20] < 1.3 * peaks[2]
