"""Map projections against published coordinates, and there and back."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releo_da.io.projection import epsg_code, from_lonlat, metres_between, to_lonlat
from releo_da.types import InputError


def test_quarter_meridian_and_the_arc_to_45_degrees() -> None:
    """On the central meridian the northing is 0.9996 of the meridian arc of WGS84."""
    east, north = from_lonlat([9.0, 9.0], [45.0, 90.0], "EPSG:32632")
    np.testing.assert_allclose(east, 500_000, atol=1e-6)
    np.testing.assert_allclose(north, [0.9996 * 4984944.378, 0.9996 * 10001965.729], atol=2e-3)


def test_a_published_place() -> None:
    """The CN Tower, 43 38 33.24 N 79 23 13.7 W, is at 630084 E 4833438 N of zone 17."""
    east, north = from_lonlat(
        -(79 + 23 / 60 + 13.7 / 3600), 43 + 38 / 60 + 33.24 / 3600, "EPSG:32617"
    )
    assert east == pytest.approx(630084, abs=1.0)
    assert north == pytest.approx(4833438, abs=1.0)


def test_web_mercator_is_a_square() -> None:
    x, y = from_lonlat(180.0, 85.0511287798066, "EPSG:3857")
    assert x == pytest.approx(20037508.342789244)
    assert y == pytest.approx(x, abs=1e-4)


@given(st.integers(1, 60), st.floats(-4, 4), st.floats(-80, 84), st.booleans())
def test_utm_there_and_back(zone: int, offset: float, lat: float, south: bool) -> None:
    crs = f"EPSG:{327 if south else 326}{zone:02d}"
    lon = zone * 6 - 183 + offset
    back_lon, back_lat = to_lonlat(*from_lonlat(lon, lat, crs), crs)
    assert back_lon == pytest.approx(lon, abs=1e-9)
    assert back_lat == pytest.approx(lat, abs=1e-9)


@given(st.floats(-180, 180), st.floats(-85, 85))
def test_web_mercator_and_degrees_there_and_back(lon: float, lat: float) -> None:
    for crs in ("EPSG:3857", "EPSG:4326"):
        back = to_lonlat(*from_lonlat(lon, lat, crs), crs)
        np.testing.assert_allclose(back, (lon, lat), atol=1e-9)


def test_south_is_shifted_by_ten_thousand_kilometres() -> None:
    north, south = (from_lonlat(11.0, -33.0, f"EPSG:{code}")[1] for code in (32632, 32732))
    assert south - north == 10_000_000


def test_field_positions_given_in_two_systems(data_root: Path) -> None:
    path = data_root / "swiss_wheat_2022_strickhof_arenenberg" / "insitu_glai_2022.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    table = pd.read_csv(path)
    lonlat = to_lonlat(table["geom_x"], table["geom_y"], "EPSG:3857")
    x, y = from_lonlat(*lonlat, "EPSG:32632")
    np.testing.assert_allclose(x, table["x_utm32n"], atol=0.006)  # the file has centimetres
    np.testing.assert_allclose(y, table["y_utm32n"], atol=0.006)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32632"])
def test_distances_agree_between_systems(crs: str) -> None:
    lon, lat = np.array([8.69, 8.70]), np.array([47.45, 47.452])
    x, y = from_lonlat(lon, lat, crs)
    metres = metres_between(x, y, float(x[0]), float(y[0]), crs)
    chord = np.linalg.norm(earth_centred(lon[1], lat[1]) - earth_centred(lon[0], lat[0]))
    assert metres[0] == 0
    assert metres[1] == pytest.approx(chord, rel=5e-4)  # the map scale is 0.9996 in UTM


def earth_centred(lon: float, lat: float) -> np.ndarray:
    """Cartesian coordinates of a place on the ellipsoid, metres."""
    phi, turn, square = np.radians(lat), np.radians(lon), 0.00669437999014
    normal = 6378137.0 / np.sqrt(1 - square * np.sin(phi) ** 2)
    across = normal * np.cos(phi)
    return np.array(
        [across * np.cos(turn), across * np.sin(turn), normal * (1 - square) * np.sin(phi)]
    )


@pytest.mark.parametrize("crs", ["EPSG:2154", "UTM 32N", "EPSG:32661", "EPSG:32600", ""])
def test_unknown_system(crs: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"crs '{crs}' is not known; give EPSG:4326")):
        epsg_code(crs)


@pytest.mark.parametrize("crs", ["EPSG:32632", "epsg:32632", "urn:ogc:def:crs:EPSG::32632"])
def test_ways_to_write_a_code(crs: str) -> None:
    assert epsg_code(crs) == 32632
