"""The latest products are read thinned to one budget, however many there are and how large."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr

from releo_da.io import latest
from releo_da.io.latest import read_latest
from releo_da.io.products import store


def written(folder, count, kind, size=4096):
    paths = []
    for day in range(count):
        values = np.arange(size, dtype=np.float32)[None] + 10_000 * day
        time = ("time", np.array(["2020-05-01"], "datetime64[ns]") + np.timedelta64(day, "D"))
        side = int(size**0.5)
        if kind == "grid":
            axes = {"y": np.arange(side, dtype=float), "x": np.arange(side, dtype=float)}
            data = xr.Dataset(
                {"lai": (("time", "y", "x"), values.reshape(1, side, side))}, {"time": time, **axes}
            )
        else:
            data = xr.Dataset(
                {"lai": (("time", "point"), values)}, {"time": time, "point": np.arange(size)}
            )
            if day == 0:
                data = data.isel(point=slice(1, None))  # the first point joins later
        paths.append(folder / f"{day:03d}.nc")
        store(paths[-1], data)
    return paths


@pytest.mark.parametrize("kind", ["grid", "point"])
def test_values_stay_at_their_pixels_and_dates(tmp_path, monkeypatch, kind):
    paths = written(tmp_path, 8, kind)
    monkeypatch.setattr(latest, "SHARED", 8 * 256)
    found, wrong = read_latest(paths)
    assert wrong == [] and found.sizes["time"] == 8
    assert found["lai"].size <= 8 * 256
    ids = found["id"].values.ravel() if kind == "grid" else found["point"].values
    assert len(ids) == 256
    expected = ids[None] + 10_000.0 * np.arange(8)[:, None]
    if kind == "point":
        expected[0, 0] = np.nan
    np.testing.assert_array_equal(found["lai"].values.reshape(8, -1), expected)


@pytest.mark.parametrize("kind", ["grid", "point"])
def test_memory_is_less_than_that_of_the_products(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(latest, "SHARED", 4 * 4096)
    size = 256 * 256
    paths = written(tmp_path, 30, kind, size)
    read_latest(paths[:2])  # what the libraries keep
    tracemalloc.start()
    read_latest(paths)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * size * 4 / 3


def test_a_damaged_product_is_named_and_left_out(tmp_path):
    paths = written(tmp_path, 3, "grid")
    paths[1].write_bytes(b"x")
    found, wrong = read_latest(paths)
    assert found.sizes["time"] == 2
    assert len(wrong) == 1 and "001.nc" in wrong[0]
    assert read_latest(paths[1:2])[0] is None
    assert read_latest([]) == (None, [])
