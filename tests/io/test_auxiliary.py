"""Static fields of pixels: from maps, variables, columns and numbers, to angles and products."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.io import (
    Product,
    merge,
    products_dataset,
    read_cube,
    read_points,
    read_products,
    read_table,
    write_products,
)
from releo_da.io.cube import open_cube
from releo_da.io.geometry import sun_position, viewing_on_slope
from releo_da.io.map_file import writing_map
from releo_da.types import InputError

Options = Callable[..., dict[str, Any]]


@pytest.fixture
def dem(tmp_path: Path) -> dict[str, Any]:
    """A map in degrees, a plane in longitude and latitude, rows from the north."""
    lon, lat = np.arange(0.9, 1.31, 0.02), np.arange(43.3, 42.89, -0.02)
    plane = 100 + 1000 * (lon[None] - 1.0) + 500 * (lat[:, None] - 43.0)
    classes = np.where(lon[None] < 1.05, 10, 40) * np.ones_like(plane)
    aspect = np.where(lon[None] < 1.05, 350.0, 10.0) * np.ones_like(plane)
    path = tmp_path / "dem.nc"
    xr.Dataset(
        {
            "height": (("lat", "lon"), plane),
            "class": (("lat", "lon"), classes.astype(np.int16)),
            "aspect": (("lat", "lon"), aspect),
            "percent": (("lat", "lon"), plane),
        },
        {"lon": lon, "lat": lat},
    ).to_netcdf(path)
    return {"path": str(path), "variable": "height", "interpolate": "linear"}


def test_a_map_a_variable_and_a_number_become_coordinates(points: Options, dem: dict) -> None:
    def with_slope(data: xr.Dataset) -> xr.Dataset:
        return data.assign(slope=("point", [1.0, 2.0, 3.0]))

    auxiliary = {
        "elevation": dem,
        "slope": "slope",
        "aspect": -90,
        "land_cover": {"path": dem["path"], "variable": "class"},
    }
    series = read_points(**points(with_slope, auxiliary=auxiliary))
    pixels = series.pixels
    np.testing.assert_allclose(pixels["elevation"], [100.0, 250.0, 400.0], atol=1e-3)
    assert pixels["slope"].values.tolist() == [1.0, 2.0, 3.0]
    assert pixels["aspect"].values.tolist() == [270.0] * 3
    assert pixels["land_cover"].values.tolist() == [10.0, 40.0, 40.0]
    found = products_dataset([18000.0], pixels, {"lai": Product(np.ones((1, 3)), "1", "leaf area")})
    assert found["elevation"].dims == ("point",)
    assert found["elevation"].attrs["standard_name"] == "surface_altitude"
    assert found["elevation"].attrs["units"] == "m"
    assert set(found["lai"].coords) >= {"elevation", "slope", "aspect", "land_cover"}


def test_between_directions_the_mean_is_a_direction(points: Options, dem: dict) -> None:
    option = {**dem, "variable": "aspect"}
    series = read_points(
        **points(lambda d: d.assign(x=("point", [1.03, 1.05, 1.1])), auxiliary={"aspect": option})
    )
    folded = (series.pixels["aspect"].values + 180) % 360 - 180
    np.testing.assert_allclose(folded, [-10.0, 0.0, 10.0], atol=1e-6)


def test_slope_and_aspect_feed_the_angles(points: Options) -> None:
    fields = {"slope": 12.0, "aspect": 200.0}
    plain = read_points(**points())
    series = read_points(
        **points(auxiliary=fields, angles={"slope": "auxiliary", "aspect": "auxiliary"})
    )
    for flat, tilted in zip(plain.acquisitions, series.acquisitions, strict=True):
        pixels = series.pixels
        sun = sun_position(flat.time, pixels["lon"].values, pixels["lat"].values)
        np.testing.assert_allclose(
            tilted.angles.numpy(), viewing_on_slope(*sun, 0.0, 0.0, 12.0, 200.0), rtol=1e-5
        )


def test_level_ground_needs_no_aspect(points: Options) -> None:
    def with_ground(data: xr.Dataset) -> xr.Dataset:
        aspect = ("point", [np.nan, 90.0, np.nan])
        return data.assign(slope=("point", [0.0, 5.0, 0.0]), aspect=aspect)

    series = read_points(
        **points(
            with_ground,
            auxiliary={"slope": "slope", "aspect": "aspect"},
            angles={"slope": "auxiliary", "aspect": "auxiliary"},
        )
    )
    assert all(bool(a.seen[:2].all()) for a in series.acquisitions)


def grid(tmp_path: Path) -> dict[str, Any]:
    """A cube of 4 x 5 pixels of 1 km in UTM, and the options that read it."""
    rng = np.random.default_rng(3)
    times = np.array(["2020-05-01T10:50", "2020-05-06T10:50"], dtype="datetime64[ns]")
    x, y = 337000 + 1000.0 * np.arange(5), 4764000 - 1000.0 * np.arange(4)
    xr.Dataset(
        {
            "r": (("time", "y", "x", "band"), rng.uniform(0.02, 0.5, (2, 4, 5, 2))),
            "height": (("y", "x"), np.arange(20.0).reshape(4, 5)),
        },
        {"time": times, "band": ["red", "nir"], "x": x, "y": y},
        {"crs": "EPSG:32631"},
    ).to_netcdf(tmp_path / "cube.nc")
    return {
        "path": tmp_path / "cube.nc",
        "sensor": "sentinel2a",
        "values": "r",
        "dims": {"y": "y", "x": "x", "time": "time", "channel": "band"},
        "channels": {"B04": "red", "B08": "nir"},
    }


def test_a_cube_has_its_fields_whole_and_by_rows(tmp_path: Path, dem: dict) -> None:
    options = {**grid(tmp_path), "auxiliary": {"elevation": dem, "slope": 1.0}}
    whole = read_cube(**options)
    lon, lat = whole.pixels["lon"].values, whole.pixels["lat"].values
    plane = 100 + 1000 * (lon - 1.0) + 500 * (lat - 43.0)
    np.testing.assert_allclose(whole.pixels["elevation"], plane, atol=1e-6)
    rows = open_cube(**options).read(np.array([1, 2]))
    np.testing.assert_array_equal(rows.pixels["elevation"], whole.pixels["elevation"].values[5:15])
    own = open_cube(**{**options, "auxiliary": {"elevation": "height"}}).read(np.array([1, 2]))
    assert own.pixels["elevation"].values.tolist() == list(range(5, 15))
    some = whole.pixels.isel(pixel=[3, 7])
    found = products_dataset([0.0], some, {"lai": Product(np.ones((1, 2)), "1", "leaf area")})
    assert found["elevation"].dims == ("y", "x")
    assert int(np.isfinite(found["elevation"]).sum()) == 2
    np.testing.assert_allclose(found["elevation"].values[0, 3], plane[3], rtol=1e-6)


def test_a_map_written_in_strips_has_the_same_fields(tmp_path: Path) -> None:
    options = {**grid(tmp_path), "auxiliary": {"elevation": "height", "slope": 1.0}}
    pixels = read_cube(**options).pixels.isel(pixel=[3, 7, 8])
    ids, values = pixels["id"].values, np.array([[[1.0, 2.0, 3.0]], [[0.1, 0.2, 0.3]]], np.float32)
    with writing_map(
        tmp_path / "strips.nc", [0.0], pixels, {"lai": ("1", "leaf")}, (), {}
    ) as write:
        write(ids[:1], {"lai": values[..., :1]})
        write(ids[1:], {"lai": values[..., 1:]})
    product = {"lai": Product(values[0], "1", "leaf", values[1])}
    write_products(tmp_path / "whole.nc", products_dataset([0.0], pixels, product))
    whole, strips = (read_products(tmp_path / name) for name in ("whole.nc", "strips.nc"))
    xr.testing.assert_identical(whole["lai"], strips["lai"])
    assert {"elevation", "slope"} <= set(strips["lai"].coords)


def table(tmp_path: Path, height: str = "5") -> dict[str, Any]:
    rows = ["date,pixel,red,nir,height"]
    rows += [f"2020-05-0{d},{p},0.05,0.4,{height if d == 3 else 5}" for d in (1, 3) for p in (1, 2)]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    return {
        "path": tmp_path / "t.csv",
        "time": "date",
        "overpass": "10:50",
        "pixel": "pixel",
        "sensor": "sentinel2a",
        "channels": {"B04": "red", "B08": "nir"},
        "position": {"lon": 1.0, "lat": 43.0},
        "auxiliary": {"elevation": "height"},
    }


def test_a_column_of_a_table_is_a_field(tmp_path: Path) -> None:
    assert read_table(**table(tmp_path)).pixels["elevation"].values.tolist() == [5.0, 5.0]
    with pytest.raises(InputError, match=r"auxiliary.elevation'.*changes with time, from 5 to 6"):
        read_table(**table(tmp_path, "6"))


def test_sources_share_their_fields(points: Options, dem: dict) -> None:
    plain, high = read_points(**points()), read_points(**points(auxiliary={"elevation": dem}))
    for order in ([plain, high], [high, plain]):
        joined = merge(order).pixels["elevation"]
        np.testing.assert_array_equal(joined, high.pixels["elevation"])
    some = high._replace(
        acquisitions=[a._replace(values=a.values[1:], error=a.error[1:], angles=a.angles[1:])
                      for a in high.acquisitions],
        pixels=high.pixels.isel(pixel=[1, 2]),
    )  # fmt: skip
    assert np.isnan(merge([plain, some]).pixels["elevation"].values).tolist() == [
        True,
        False,
        False,
    ]
    other = read_points(**points(auxiliary={"elevation": 7.0}))
    with pytest.raises(InputError, match="pixel 0 the elevation 100 in one source and 7"):
        merge([high, other])


@pytest.mark.parametrize(
    ("auxiliary", "message"),
    [
        ({"height": 3}, "no field 'height'"),
        ({"elevation": True}, "'True' is no field"),
        ({"elevation": "hight"}, "no variable 'hight'"),
        ({"elevation": {"path": "DEM"}}, "'variable' is missing"),
        ({"elevation": {"path": "DEM", "variable": "heigth"}}, "did you mean 'height'"),
        ({"elevation": {"path": "DEM", "variable": "height", "how": 1}}, "no option 'how'"),
        ({"elevation": {"path": "no.nc", "variable": "height"}}, "does not exist"),
        ({"elevation": {"path": "DEM", "variable": "height", "interpolate": "cubic"}}, "none of"),
        ({"land_cover": {"path": "DEM", "variable": "class", "interpolate": "linear"}},
         "classes have no values in between"),
        ({"slope": {"path": "DEM", "variable": "percent"}}, "they look like percent"),
        ({"elevation": {"path": "DEM", "variable": "height", "crs": "EPSG:32631"}},
         "3 of 3 pixels lie outside the map"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    points: Options, dem: dict, auxiliary: dict[str, Any], message: str
) -> None:
    for option in auxiliary.values():
        if isinstance(option, dict) and option["path"] == "DEM":
            option["path"] = dem["path"]
    with pytest.raises(InputError, match=message):
        read_points(**points(auxiliary=auxiliary))


def test_angles_of_a_field_that_is_not_given(points: Options) -> None:
    angles = {"slope": "auxiliary", "aspect": "auxiliary"}
    with pytest.raises(InputError, match="'auxiliary' has no slope"):
        read_points(**points(angles=angles, auxiliary={"aspect": 3.0}))


def test_pixels_without_a_place_have_no_map(points: Options, dem: dict) -> None:
    with pytest.raises(InputError, match="nothing says where the pixels lie"):
        read_points(
            **points(
                lambda d: d.drop_vars(["x", "y"]),
                auxiliary={"elevation": dem},
                angles={"sun_zenith": 30.0},
            )
        )
