"""Forecast figures: at the places of the series, with what the forecast assumes and returns to."""

import numpy as np
import pytest
import xarray as xr

from releo_da.diagnostics.ahead import forecast_pictures, moved
from releo_da.diagnostics.gallery import gallery
from releo_da.diagnostics.picture import FieldPairs


def titles(picture) -> list[str]:
    return [axes.get_title("left") for axes in picture.figure.axes if axes.get_visible()]


@pytest.fixture
def field() -> FieldPairs:
    measured = np.ones(5)
    return FieldPairs(
        "lai", "m2 m-2", measured, None, {"smoothed": measured}, None,
        times=17000 + 10.0 * np.arange(5), pixel=np.array([4, 4, 4, 2, 2]),
    )  # fmt: skip


@pytest.fixture
def ahead(point_analysis: xr.Dataset) -> xr.Dataset:
    """From the last date of the analysis on; points in another order."""
    shift = point_analysis.time.values[-1] - point_analysis.time.values[0]
    later = point_analysis.assign_coords(time=point_analysis.time + shift)
    return later.isel(point=slice(None, None, -1)).assign_attrs(comment="Nobody mows.")


def test_places_are_those_of_the_series(
    point_analysis: xr.Dataset, run_verification: xr.Dataset, field: FieldPairs, ahead: xr.Dataset
) -> None:
    series = gallery({}, run_verification, point_analysis, [field])
    found = forecast_pictures(ahead, point_analysis, None, run_verification, [field])
    assert [picture.name for picture in found] == ["ahead_lai", "ahead_ndvi"]
    of_series = {picture.name: titles(picture) for picture in series}
    assert titles(found[0]) == of_series["series_lai"]
    assert titles(found[0])[:2] == ["point 20", "point 40"]


def test_it_says_what_it_assumes_and_starts_where_the_past_ends(
    point_analysis: xr.Dataset, ahead: xr.Dataset
) -> None:
    (picture, _) = forecast_pictures(ahead, point_analysis, ahead + 1.0)
    assert "Nobody mows." in picture.caption and "climatology" in picture.caption
    axes = picture.figure.axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    past, to_come = (lines[f"{name} (median, 50 % and 90 %)"] for name in ("smoothed", "forecast"))
    assert past.get_xdata()[-1] == to_come.get_xdata()[0]
    usual = lines["climatology (median and 90 %)"]
    np.testing.assert_allclose(usual.get_ydata(), to_come.get_ydata() + 1.0)
    assert axes.get_ylabel() == "lai" or "LAI" in axes.get_ylabel()


def test_a_place_is_found_by_its_coordinates(point_analysis: xr.Dataset, ahead: xr.Dataset) -> None:
    assert moved({"point": 1}, point_analysis, ahead) == {"point": 4}
    assert moved({"point": 1}, point_analysis, ahead.isel(point=[0, 1])) is None
