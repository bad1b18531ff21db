"""Output files follow the CF conventions and come back as they were."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from releo_da.io import Product, products_dataset, read_products, write_products
from releo_da.types import InputError

TIMES = [19000.0, 19010.4375]


def points() -> xr.Dataset:
    coords = {"id": [0, 2, 5], "x": [5e5, 6e5, 7e5], "y": [52e5] * 3, "lon": [9.0, 10, 11],
              "lat": [47.0, 47, 47]}  # fmt: skip
    return xr.Dataset(
        coords={name: ("pixel", np.asarray(values)) for name, values in coords.items()},
        attrs={"kind": "point", "crs": "EPSG:32632"},
    )


def grid(crs: str | None = "EPSG:32632") -> xr.Dataset:
    attrs: dict[str, object] = {"kind": "grid", "height": 2, "width": 3}
    return xr.Dataset(
        coords={
            "id": ("pixel", np.array([5, 1, 3])),
            "grid_y": [20.0, 10.0],
            "grid_x": [0.0, 10.0, 20.0],
        },
        attrs=attrs | ({"crs": crs} if crs else {}),
    )


def product() -> Product:
    mean = np.arange(6.0).reshape(2, 3)
    mean[1, 1] = np.nan
    return Product(mean, "m2 m-2", "leaf area index", mean / 10, {0.05: mean - 1, 0.95: mean + 1})


def test_points(tmp_path: Path) -> None:
    data = products_dataset(TIMES, points(), {"lai": product()}, {"title": "a run"})
    write_products(tmp_path / "analysis.nc", data)
    back = read_products(tmp_path / "analysis.nc")
    assert back["lai"].dims == ("time", "point")
    np.testing.assert_array_equal(back["lai"], np.float32(product().mean))
    np.testing.assert_array_equal(back["lai_spread"], np.float32(product().spread))
    np.testing.assert_array_equal(back["lai_quantile"].sel(quantile=0.95), product().mean + 1)
    assert back["point"].values.tolist() == [0, 2, 5]
    assert {"lon", "lat"} <= set(back["lai"].coords)
    expected = np.array(["2022-01-08", "2022-01-18T10:30"], dtype="datetime64[ns]")
    np.testing.assert_array_equal(back["time"].values, expected)
    assert back["lai"].attrs["standard_name"] == "leaf_area_index"
    assert back["lai"].attrs["units"] == "m2 m-2"
    assert back.attrs == {"Conventions": "CF-1.10", "title": "a run"}


def test_a_grid_is_unfolded_by_the_ids(tmp_path: Path) -> None:
    write_products(tmp_path / "a.nc", products_dataset(TIMES, grid(), {"lai": product()}))
    back = read_products(tmp_path / "a.nc")
    nan = np.nan
    np.testing.assert_array_equal(back["lai"][0], [[nan, 1, nan], [2, nan, 0]])
    np.testing.assert_array_equal(back["lai"][1], [[nan, nan, nan], [5, nan, 3]])
    assert back["lai_quantile"].dims == ("quantile", "time", "y", "x")
    assert back["y"].values.tolist() == [20, 10] and back["x"].values.tolist() == [0, 10, 20]


def test_the_file_is_compressed_checksummed_and_self_describing(tmp_path: Path) -> None:
    write_products(tmp_path / "a.nc", products_dataset(TIMES, grid(), {"lai": product()}))
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert file.data_model == "NETCDF4"
        for name in ("lai", "lai_spread", "lai_quantile", "time", "y", "x"):
            filters = file[name].filters()
            assert filters["zlib"] and filters["fletcher32"], name
        assert file["lai"].dtype == np.float32
        assert file["time"].units.startswith("days since 1970-01-01")
        np.testing.assert_allclose(file["time"][:].data, TIMES, atol=1e-9)
        assert file["lai"].grid_mapping == "crs"
        mapping = file["crs"]
        assert mapping.grid_mapping_name == "transverse_mercator"
        assert mapping.longitude_of_central_meridian == 9.0
        assert file["x"].standard_name == "projection_x_coordinate"
        assert file["lai"].ancillary_variables == "lai_spread"


@pytest.mark.parametrize(
    ("crs", "name", "x_name"),
    [
        ("EPSG:4326", "latitude_longitude", "longitude"),
        ("EPSG:3035", "lambert_azimuthal_equal_area", "projection_x_coordinate"),
        ("EPSG:32733", "transverse_mercator", "projection_x_coordinate"),
    ],
)
def test_coordinate_systems(crs: str, name: str, x_name: str) -> None:
    data = products_dataset(TIMES, grid(crs), {"lai": product()})
    assert data["crs"].attrs["grid_mapping_name"] == name
    assert data["x"].attrs["standard_name"] == x_name
    assert data["crs"].attrs["epsg_code"] == crs


def test_without_a_system_there_is_no_mapping(tmp_path: Path) -> None:
    data = products_dataset(TIMES, grid(None), {"x1": Product(np.zeros((2, 3)), "1", "other")})
    assert "crs" not in data and "grid_mapping" not in data["x1"].attrs
    assert set(data.data_vars) == {"x1"}


def test_a_wrong_shape_is_refused() -> None:
    wrong = Product(np.zeros((3, 2)), "1", "turned")
    with pytest.raises(ValueError, match=r"shape \(3, 2\) do not fit"):
        products_dataset(TIMES, points(), {"lai": wrong})


def test_a_flipped_byte_is_detected(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = Product(rng.normal(size=(2, 3)), "1", "noise")
    path = tmp_path / "a.nc"
    write_products(path, products_dataset(TIMES, points(), {"noise": noisy}))
    whole = path.read_bytes()
    place = whole.index(b"\x78\x5e") + 8
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
    with pytest.raises(InputError, match="damaged"):
        read_products(path)


def test_the_old_file_survives_a_failed_write(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    good = products_dataset(TIMES, points(), {"lai": product()})
    write_products(path, good)
    before = path.read_bytes()
    bad = good.assign(broken=("point", np.array([{}, {}, {}], dtype=object)))
    with pytest.raises((TypeError, ValueError)):
        write_products(path, bad)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.nc"]


def test_names_of_pixels_are_kept(tmp_path: Path) -> None:
    coords = {"id": ("pixel", np.arange(2)), "label": ("pixel", ["wheat_a", "maize"])}
    pixels = xr.Dataset(coords=coords, attrs={"kind": "point"})
    made = products_dataset([1.0, 2.0], pixels, {"lai": Product(np.ones((2, 2)), "1", "leaf area")})
    write_products(tmp_path / "a.nc", made)
    assert read_products(tmp_path / "a.nc")["label"].values.tolist() == ["wheat_a", "maize"]


@pytest.mark.parametrize("texts", [["B04", "niébé", ""], ["", ""]])
def test_texts_come_back_and_lie_in_the_file_as_characters(tmp_path: Path, texts: list) -> None:
    """Strings of any length end a process that opens many files of them (HDF5 2.2.0)."""
    path = tmp_path / "texts.nc"
    write_products(path, xr.Dataset({"name": ("row", np.array(texts))}))
    assert read_products(path)["name"].values.tolist() == texts
    with netCDF4.Dataset(path) as file:
        assert file["name"].dtype == "S1"
