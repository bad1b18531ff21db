"""A large map is thinned for its report; the pixels of the sample stay among those drawn."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releo_da.io import Product, products_dataset, write_products
from releo_da.io.products import read_thinned

HEIGHT, WIDTH = 40, 60


@pytest.mark.parametrize(("first", "step"), [((2, 3), 6), ((0, 0), 4), ((0, 0), 1)])
def test_the_pixels_of_a_sample_are_kept(tmp_path: Path, first: tuple[int, int], step: int) -> None:
    ids = np.arange(HEIGHT * WIDTH)
    pixels = xr.Dataset(
        coords={"id": ("pixel", ids)}, attrs={"kind": "grid", "height": HEIGHT, "width": WIDTH}
    )
    numbers = np.stack([ids, -ids]).astype(float)
    product = Product(numbers, "1", "", numbers, {0.5: numbers + 1})
    path = tmp_path / "analysis.nc"
    write_products(path, products_dataset([1.0, 2.0], pixels, {"lai": product}))
    grid = ids.reshape(HEIGHT, WIDTH)
    sample = grid[first[0] :: step, first[1] :: step].ravel()
    found = read_thinned(path, sample, most=300)
    assert found["id"].size <= max(300, sample.size)
    assert set(sample) <= set(found["id"].values.ravel())
    np.testing.assert_array_equal(found["lai"][1], -found["id"])
    np.testing.assert_array_equal(found["lai_quantile"][0, 0], found["id"] + 1)
    left = found["y"].values * WIDTH + found["x"].values[0]
    np.testing.assert_array_equal(left, found["id"][:, 0])


def test_a_small_map_is_whole(tmp_path: Path) -> None:
    pixels = xr.Dataset(
        coords={"id": ("pixel", [0, 3])}, attrs={"kind": "grid", "height": 2, "width": 2}
    )
    data = products_dataset([1.0], pixels, {"lai": Product(np.ones((1, 2)), "1", "")})
    write_products(tmp_path / "a.nc", data)
    xr.testing.assert_identical(read_thinned(tmp_path / "a.nc"), xr.load_dataset(tmp_path / "a.nc"))


def test_a_window_of_a_large_map_is_thinned_by_its_own_size(tmp_path: Path) -> None:
    """A sample of every second row and column of 12 x 20 says where the window lies."""
    grid = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    ids = grid[8:20, 30:50].ravel()
    pixels = xr.Dataset(
        coords={"id": ("pixel", ids)}, attrs={"kind": "grid", "height": HEIGHT, "width": WIDTH}
    )
    product = Product(ids[None].astype(float), "1", "")
    write_products(tmp_path / "a.nc", products_dataset([1.0], pixels, {"lai": product}))
    found = read_thinned(tmp_path / "a.nc", grid[8:20:2, 30:50:2].ravel(), most=240)
    np.testing.assert_array_equal(found["id"], grid[8:20, 30:50])
    np.testing.assert_array_equal(found["lai"][0], found["id"])
