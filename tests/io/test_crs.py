"""Coordinate systems: published coordinates, ways to write one, and what goes into a file."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyproj import CRS, Geod

from releo_da.io.crs import (
    axis_attributes,
    crs_text,
    declared_crs,
    earth_centred,
    from_lonlat,
    grid_mapping,
    refuse_no_latitude,
    to_lonlat,
)
from releo_da.types import InputError

SINUSOIDAL = CRS.from_proj4("+proj=sinu +lon_0=0 +R=6371007.181 +units=m +no_defs").to_wkt()


def test_a_published_place() -> None:
    """The CN Tower, 43 38 33.24 N 79 23 13.7 W, is at 630084 E 4833438 N of zone 17."""
    east, north = from_lonlat(
        -(79 + 23 / 60 + 13.7 / 3600), 43 + 38 / 60 + 33.24 / 3600, "EPSG:32617"
    )
    assert east == pytest.approx(630084, abs=1.0)
    assert north == pytest.approx(4833438, abs=1.0)


def test_a_latitude_beyond_the_poles_is_refused_in_its_own_unit() -> None:
    """Grads of EPSG:4807 go to 100; northings have no such bound."""
    for crs, y in (("EPSG:4326", -90.0), ("EPSG:4807", 100.0), ("EPSG:32632", 5.2e6)):
        refuse_no_latitude([y, np.nan], crs, "file")
    for crs, y in (("EPSG:4326", 90.1), ("EPSG:4807", 100.1)):
        with pytest.raises(InputError, match=f"file: the latitude {y} of a place"):
            refuse_no_latitude([0.0, y], crs, "file")


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3035", "EPSG:2154", "EPSG:3857", SINUSOIDAL])
def test_easting_comes_first_and_there_and_back(crs: str) -> None:
    """Also where the authority puts northing or latitude first (4326, 3035)."""
    lon, lat = np.array([2.0, 3.0]), np.array([45.0, 45.0])
    x, y = from_lonlat(lon, lat, crs)
    assert x[1] - x[0] > 3 * abs(y[1] - y[0])
    np.testing.assert_allclose(to_lonlat(x, y, crs), (lon, lat), atol=1e-9)


def test_field_positions_given_in_two_systems(data_root: Path) -> None:
    path = data_root / "swiss_wheat_2022_strickhof_arenenberg" / "insitu_glai_2022.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    table = pd.read_csv(path)
    lonlat = to_lonlat(table["geom_x"], table["geom_y"], "EPSG:3857")
    x, y = from_lonlat(*lonlat, "EPSG:32632")
    np.testing.assert_allclose(x, table["x_utm32n"], atol=0.006)  # the file has centimetres
    np.testing.assert_allclose(y, table["y_utm32n"], atol=0.006)


def test_earth_centred_distances_are_those_along_the_ground() -> None:
    lon, lat = np.array([8.69, 8.70]), np.array([47.45, 47.452])
    chord = np.linalg.norm(np.diff(earth_centred(lon, lat), axis=0))
    along = Geod(ellps="WGS84").inv(lon[0], lat[0], lon[1], lat[1])[2]
    assert chord == pytest.approx(along, rel=1e-7)


@pytest.mark.parametrize(
    "given", ["UTM 32N", "EPSG:99999", "EPSG:4978", "", 'PROJCS["x",AUTHORITY["EPSG","32631"]]']
)
def test_unknown_system(given: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"crs '{given}' is not known; give an EPSG")):
        crs_text(given)


@pytest.mark.parametrize(
    "given",
    [
        "EPSG:32632",
        "epsg:32632",
        "urn:ogc:def:crs:EPSG::32632",
        "WGS 84 / UTM zone 32N (EPSG:32632)",
        CRS.from_epsg(32632).to_wkt(),
        CRS.from_epsg(32632).to_wkt("WKT1_GDAL"),
    ],
)
def test_ways_to_write_a_system(given: str) -> None:
    assert crs_text(given) == "EPSG:32632"


def test_a_system_without_a_code_is_its_text() -> None:
    assert CRS.from_wkt(crs_text(SINUSOIDAL)) == CRS.from_wkt(SINUSOIDAL)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3035", "EPSG:32733", "EPSG:3031", SINUSOIDAL])
def test_what_goes_into_a_file_is_read_back(crs: str) -> None:
    """By the WKT, and by the CF parameters alone."""
    mapping = grid_mapping(crs_text(crs))
    for kept in (mapping, {k: v for k, v in mapping.items() if "wkt" not in k and k[:4] != "spat"
                           and k != "epsg_code"}):  # fmt: skip
        found = declared_crs(xr.Dataset({"m": ((), 0, kept)}))
        assert found is not None
        same = to_lonlat(2e5, 1e5, found), to_lonlat(2e5, 1e5, crs_text(crs))
        np.testing.assert_allclose(*same, atol=1e-9)
    axes = axis_attributes(crs_text(crs))
    assert (axes["x"]["axis"], axes["y"]["axis"]) == ("X", "Y")
