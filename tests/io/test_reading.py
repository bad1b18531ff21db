"""What readers do beyond numbers: platforms, angles, selections, positions, odd values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from pyproj import CRS

from releo_da.io import read_cube, read_points
from releo_da.io.geometry import sun_position
from releo_da.types import InputError

Write = Callable[..., dict[str, Any]]


def test_platforms_name_the_sensors(points: Write) -> None:
    series = read_points(**points())
    names = [item.sensor for item in series.acquisitions]
    assert names == ["sentinel2a", "sentinel2b", "sentinel2a", "sentinel2a"]
    assert series.channels == {name: ("B04", "B08") for name in ("sentinel2a", "sentinel2b")}
    assert [item.product for item in series.acquisitions][0] == "2020-05-01T10:50:00"


def test_points_without_clear_value_stay_on_the_axis(points: Write) -> None:
    series = read_points(**points())
    assert series.pixels["id"].values.tolist() == [0, 1, 2]
    assert not any(item.seen[2].any() for item in series.acquisitions)
    dark = [entry for entry in series.log if entry["kind"] == "all_masked"]
    assert [(entry["count"], entry["products"]) for entry in dark] == [(1, ["2020-05-16T10:50:00"])]


def test_the_sun_is_computed_and_the_view_is_nadir(points: Write) -> None:
    series = read_points(**points())
    for item in series.acquisitions:
        zenith, _ = sun_position(item.time, [1.0, 1.1, 1.2], [43.0, 43.1, 43.2])
        np.testing.assert_allclose(item.angles[:, 0], zenith, rtol=1e-6)
        assert (item.angles[:, 1:] == 0).all()


def test_angles_from_a_table(points: Write, tmp_path: Path) -> None:
    """The view of each orbit comes from the table beside the file, its azimuth from the sun's."""
    (tmp_path / "angles.csv").write_text(
        "site,orbit,zenith,azimuth\nA,51,3.5,100\nA,8,9.5,290\nB,51,0,0\n"
    )
    table = {"table": "angles.csv", "by": ["orbit"], "where": {"site": "A"}}
    angles = {
        "view_zenith": table | {"column": "zenith"},
        "view_azimuth": table | {"column": "azimuth"},
        "sun_azimuth": 350.0,
    }
    series = read_points(**points(angles=angles))
    views = [tuple(item.angles[0, 1:].tolist()) for item in series.acquisitions]
    assert views == [(3.5, 110.0), (9.5, 60.0), (3.5, 110.0), (3.5, 110.0)]


def test_angles_from_variables_of_any_shape(points: Write) -> None:
    def change(data: xr.Dataset) -> xr.Dataset:
        return data.assign(
            sza=(("time", "point"), 30 + np.arange(15.0).reshape(5, 3)),
            saa=("time", [10.0, 20, 30, 40, 50]),
            vza=("point", [1.0, 2, 3]),
        )

    angles = {
        "sun_zenith": "sza", "sun_azimuth": "saa", "view_zenith": "vza", "view_azimuth": 300.0
    }  # fmt: skip
    last = read_points(**points(change, angles=angles)).acquisitions[-1].angles
    assert last.tolist() == [[42, 1, 110], [43, 2, 110], [44, 3, 110]]


def test_angles_about_the_normal_of_a_slope(points: Write) -> None:
    """Slope and aspect per pixel; what faces away from the sun is beyond the horizon."""

    def change(data: xr.Dataset) -> xr.Dataset:
        return data.assign(
            slope=("point", [0.0, 30.0, 60.0]),
            aspect=("point", [0.0, 180.0, 0.0]),
            cloud=data.cloud * 0,
        )

    angles = {"sun_zenith": 50.0, "sun_azimuth": 180.0, "slope": "slope", "aspect": "aspect"}
    series = read_points(**points(change, angles=angles))
    first = series.acquisitions[0]
    np.testing.assert_allclose(first.angles[:2], [[50, 0, 0], [20, 30, 180]], atol=1e-5)
    assert first.seen.any(1).tolist() == [True, True, False]
    counts = next(entry for entry in series.log if entry["kind"] == "values")
    assert counts["rejected"] == {"angles beyond the horizon": 10}


@pytest.mark.parametrize(
    ("angles", "said"),
    [
        ({"slope": 10.0}, "slope and aspect need each other"),
        ({"slope": 10.0, "aspect": 0.0, "relative_azimuth": 30.0}, "give view_azimuth"),
        ({"view_zenith": 10.0}, "view_zenith is given without its azimuth"),
    ],
)
def test_angles_that_need_others(points: Write, angles: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_points(**points(angles=angles))


def test_values_without_angles_are_rejected_and_counted(points: Write) -> None:
    def change(data: xr.Dataset) -> xr.Dataset:
        zenith = np.full((3, 5), 40.0)
        zenith[0, 0] = np.nan
        zenith[1, 1] = 91
        return data.assign(sza=(("point", "time"), zenith))

    series = read_points(**points(change, angles={"sun_zenith": "sza"}))
    first, second = series.acquisitions[:2]
    assert not first.seen[0].any() and first.seen[1].all()
    assert not second.seen[1].any() and second.seen[0].all()
    assert all(torch.isfinite(item.angles).all() for item in series.acquisitions)
    counts = next(entry for entry in series.log if entry["kind"] == "values")
    assert counts["rejected"] == {
        "masked": 12 + 4 - 2 + 0, "angles unknown": 2, "angles beyond the horizon": 2
    }  # fmt: skip
    assert counts["seen"] == 30 - sum(counts["rejected"].values())


def test_odd_values_never_pass(points: Write) -> None:
    """NaN, infinities, zeros and impossible brightness are replaced by 0 of infinite error."""

    def change(data: xr.Dataset) -> xr.Dataset:
        values = data["reflectance"].values.copy()
        values[0, 0] = [np.nan, np.inf]
        values[1, 0] = [-np.inf, 0.0]
        values[0, 1] = [1.7, -0.01]
        return data.assign(reflectance=(("point", "time", "band"), values))

    series = read_points(**points(change))
    for item in series.acquisitions:
        assert torch.isfinite(item.values).all()
        assert (item.values[~item.seen] == 0).all()
        assert torch.isfinite(item.precision).all()
    counts = next(entry for entry in series.log if entry["kind"] == "values")["rejected"]
    assert counts["not a number"] == 1
    assert counts["infinite"] == 2
    assert counts["not positive"] == 2
    assert counts["above range"] == 1
    # The first time has lost all its values, so it is no acquisition any more.
    assert len(series.acquisitions) == 3


def test_valid_range_may_let_negative_noise_pass(points: Write) -> None:
    def change(data: xr.Dataset) -> xr.Dataset:
        values = data["reflectance"].values.copy()
        values[0, 0] = [-0.02, -0.2]
        return data.assign(reflectance=(("point", "time", "band"), values))

    series = read_points(**points(change, valid=[-0.05, 1.6]))
    assert series.acquisitions[0].seen[0].tolist() == [True, False]
    counts = next(entry for entry in series.log if entry["kind"] == "values")
    assert counts["by_channel"]["below range"] == {"B04": 0, "B08": 1}


@pytest.mark.parametrize(
    ("select", "times"),
    [
        ({"platform": "S2A"}, [1, 11, 21]),
        ({"platform": ["S2B"]}, [6]),
        ({"platform": {"contains": "2B"}}, [6]),
        ({"platform": {"excludes": ["B", "C"]}}, [1, 11, 21]),
        ({"orbit": 8}, [6]),
        ({"orbit": {"min": 50}}, [1, 11, 21]),
        ({"time": {"max": "2020-05-07"}}, [1, 6]),
        ({"time": ["2020-05-06", "2020-05-21T10:50:00"]}, [6, 21]),
        ({"time": {"excludes": "2020-05-11"}}, [1, 6, 21]),
    ],
)
def test_select_times(points: Write, select: dict[str, Any], times: list[int]) -> None:
    series = read_points(**points(select=select))
    assert [int(item.product[8:10]) for item in series.acquisitions] == times


def test_select_points_keeps_their_ids(points: Write) -> None:
    series = read_points(**points(select={"point": [1]}))
    assert series.pixels["id"].values.tolist() == [1]
    assert series.pixels["lon"].values.tolist() == [1.1]
    whole = read_points(**points())
    for one, all_points in zip(series.acquisitions, whole.acquisitions, strict=True):
        assert torch.equal(one.values[0], all_points.values[1])


@pytest.mark.parametrize(
    ("period", "times"),
    [
        (["2020-05-06", "2020-05-11"], [6, 11]),
        (["2020-05-06T10:50:00", "2020-05-11T10:49:00"], [6]),
        (["2020-05-06T12:50:00+02:00", "2020-05-06T12:50:00+02:00"], [6]),
    ],
)
def test_period_includes_both_ends(points: Write, period: list[str], times: list[int]) -> None:
    series = read_points(**points(period=period))
    assert [int(item.product[8:10]) for item in series.acquisitions] == times


def test_products_of_one_time_get_distinct_names(points: Write) -> None:
    def change(data: xr.Dataset) -> xr.Dataset:
        return data.isel(time=[0, 0, 1, 0])

    series = read_points(**points(change))
    names = [item.product for item in series.acquisitions]
    first = "2020-05-01T10:50:00"
    assert names == [first, f"{first}#2", f"{first}#3", "2020-05-06T10:50:00"]


def test_channels_by_position_where_the_axis_has_no_names(points: Write) -> None:
    named = read_points(**points())
    plain = read_points(**points(lambda d: d.drop_vars("band"), channels={"B08": 1, "B04": 0}))
    for one, other in zip(named.acquisitions, plain.acquisitions, strict=True):
        assert torch.equal(one.values, other.values.flip(1))


def test_cube_positions_and_crop(tmp_path: Path) -> None:
    """Ids, rows and columns of a cropped cube refer to the whole grid of the file."""
    values = np.full((1, 4, 5, 1), 0.2)
    values[0, 1, 2] = np.nan
    data = xr.Dataset(
        {"r": (("time", "y", "x", "band"), values), "crs": ((), 0, {"epsg_code": "EPSG:32632"})},
        {
            "time": np.array(["2022-06-01T10:20"], dtype="datetime64[ns]"),
            "band": ["B04"],
            "y": [5255635.0, 5255625, 5255615, 5255605],
            "x": [475785.0, 475795, 475805, 475815, 475825],
        },
    )
    data.to_netcdf(tmp_path / "cube.nc")
    dims = {"y": "y", "x": "x", "time": "time", "channel": "band"}
    series = read_cube(
        tmp_path / "cube.nc", "sentinel2a", "r", dims, {"B04": "B04"},
        select={"x": {"min": 475800}, "y": {"max": 5255630}},
    )  # fmt: skip
    assert series.pixels["id"].values.tolist() == [8, 9, 12, 13, 14, 17, 18, 19]
    assert series.pixels["col"].values.tolist() == [3, 4, 2, 3, 4, 2, 3, 4]
    assert series.pixels["x"].values[0] == 475815 and series.pixels["y"].values[0] == 5255625
    assert series.pixels.attrs == {"kind": "grid", "height": 4, "width": 5, "crs": "EPSG:32632"}
    assert abs(float(series.pixels["lon"][0]) - 8.679) < 0.01
    assert abs(float(series.pixels["lat"][0]) - 47.453) < 0.01
    assert series.acquisitions[0].values.tolist() == [[pytest.approx(0.2)]] * 8


def test_well_known_text_names_the_system(points: Write) -> None:
    text = CRS.from_epsg(32631).to_wkt("WKT1_GDAL")

    def change(data: xr.Dataset) -> xr.Dataset:
        moved = data.assign_coords(x=data["x"] * 0 + 5e5, y=data["y"] * 0 + 48e5).drop_attrs()
        return moved.assign(spatial_ref=((), 0, {"crs_wkt": text}))

    series = read_points(**points(change))
    assert series.pixels.attrs["crs"] == "EPSG:32631"
    np.testing.assert_allclose(series.pixels["lon"], 3.0)
