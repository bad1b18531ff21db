"""Maps keep their place: what a cube says of its grid is what GIS reads in the products."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from pyproj import CRS
from rasterio.transform import Affine

from releo_da.io import Product, products_dataset, read_cube, write_products
from releo_da.types import InputError

DIMS = {"y": "y", "x": "x", "time": "time", "channel": "band"}
SINUSOIDAL = CRS.from_proj4("+proj=sinu +lon_0=0 +R=6371007.181 +units=m +no_defs").to_wkt()
X, Y = 400005.0 + 10 * np.arange(5), 5200995.0 - 10 * np.arange(4)


def cube(x: np.ndarray, y: np.ndarray, attrs: dict[str, object]) -> xr.Dataset:
    values = np.full((1, len(y), len(x), 1), 0.2)
    return xr.Dataset(
        {"r": (("time", "y", "x", "band"), values), "mapping": ((), 0, attrs)},
        {
            "time": np.array(["2022-06-01T10:20"], dtype="datetime64[ns]"),
            "band": ["B04"],
            "y": y,
            "x": x,
        },
    )


def carried(folder: Path, data: xr.Dataset) -> tuple[xr.Dataset, Path]:
    """The product of a cube as rioxarray opens it; its numbers are the pixel ids."""
    data.to_netcdf(folder / "cube.nc")
    angles: dict[str, str | float] = {"sun_zenith": 30.0}
    series = read_cube(
        folder / "cube.nc", "sentinel2a", "r", DIMS, {"B04": "B04"}, angles=dict(angles)
    )
    ids = series.pixels["id"].values[None].astype(float)
    path = folder / "analysis.nc"
    write_products(path, products_dataset([19000.0], series.pixels, {"lai": Product(ids, "1", "")}))
    return xr.open_dataset(path, decode_coords="all"), path


@pytest.mark.parametrize("crs", [32632, 2154, 3035, 32733])
@pytest.mark.parametrize("turned", [False, True])
def test_projected_grids(tmp_path: Path, crs: int, turned: bool) -> None:
    """Also with rows from south to north."""
    y = Y[::-1] if turned else Y
    attrs = {"crs_wkt": CRS.from_epsg(crs).to_wkt()}
    found, path = carried(tmp_path, cube(X, y, dict(attrs)))
    assert found.rio.crs.to_epsg() == crs
    corner, step = (5200960.0, 10.0) if turned else (5201000.0, -10.0)
    assert found.rio.transform() == Affine(10, 0, 400000, 0, step, corner)
    assert found.rio.transform(recalc=True) == found.rio.transform()
    assert found.rio.bounds() == (400000, 5200960, 400050, 5201000)
    np.testing.assert_array_equal(found["lai"][0], np.arange(20).reshape(4, 5))


def test_a_system_without_a_code(tmp_path: Path) -> None:
    found, _ = carried(tmp_path, cube(X, Y, {"spatial_ref": SINUSOIDAL}))
    assert CRS.from_user_input(found.rio.crs) == CRS.from_wkt(SINUSOIDAL)


def test_cf_parameters_alone_say_the_system(tmp_path: Path) -> None:
    attrs = CRS.from_epsg(32632).to_cf()
    del attrs["crs_wkt"]
    found, _ = carried(tmp_path, cube(X, Y, attrs))
    assert found["mapping" if "mapping" in found else "crs"].attrs["grid_mapping_name"] == (
        "transverse_mercator"
    )
    assert found.rio.transform() == Affine(10, 0, 400000, 0, -10, 5201000)


def test_geographic_grids(tmp_path: Path) -> None:
    x, y = 3 + np.arange(5) * 0.25, (45 + np.arange(4) * 0.25).astype(np.float32)
    data = cube(x, y, {})
    data["x"].attrs["units"] = "degrees_east"
    found, _ = carried(tmp_path, data)
    assert found.rio.crs.to_epsg() == 4326
    assert found.rio.bounds() == (2.875, 44.875, 4.125, 45.875)
    assert found["x"].attrs["standard_name"] == "longitude"
    assert found["y"].attrs["units"] == "degrees_north"


def test_gdal_reads_the_product(tmp_path: Path) -> None:
    """As QGIS does; GDAL turns rows from north to south itself."""
    with rasterio.Env() as environment:
        if "netCDF" not in environment.drivers():
            pytest.skip("this GDAL has no netCDF driver")
    _, path = carried(tmp_path, cube(X, Y, {"crs_wkt": CRS.from_epsg(32632).to_wkt()}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(f"netcdf:{path}:lai") as raster:
            assert raster.crs.to_epsg() == 32632
            assert raster.transform == Affine(10, 0, 400000, 0, -10, 5201000)
            np.testing.assert_array_equal(raster.read(1), np.arange(20).reshape(4, 5))


def rotated(data: xr.Dataset) -> xr.Dataset:
    data["mapping"].attrs["GeoTransform"] = "400000 9.9 1.4 5201000 1.4 -9.9"
    return data


def swath(data: xr.Dataset) -> xr.Dataset:
    lon, lat = np.meshgrid(np.linspace(3, 4, 5), np.linspace(45, 46, 4))
    return data.drop_vars(["x", "y"]).assign(lon=(("y", "x"), lon), lat=(("y", "x"), lat))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rotated, "'mapping' says that the grid is rotated; resample it"),
        (swath, "the grid is rotated or a swath; resample it"),
        (lambda d: d.assign_coords(x=X + [0, 0, 5, 0, 0]), "'x' has steps from 5 to 15"),
        (lambda d: d.assign_coords(y=Y * 0), "'y' has steps from 0 to 0"),
    ],
)
def test_grids_that_are_no_maps_are_refused(tmp_path: Path, change, words: str) -> None:
    data = change(cube(X, Y, {"crs_wkt": CRS.from_epsg(32632).to_wkt()}))
    with pytest.raises(InputError, match=words):
        carried(tmp_path, data)


def test_rounded_coordinates_are_regular(tmp_path: Path) -> None:
    """Northings in float32 are rounded to half a metre."""
    found, _ = carried(tmp_path, cube(X, (Y + 0.25).astype(np.float32), {"epsg_code": "32632"}))
    assert found["y"].size == 4
