"""The sun against published places and an independent theory; azimuths folded."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from releo_da.io.geometry import (
    fold,
    relative_azimuth,
    sun_equatorial,
    sun_position,
    viewing,
    viewing_on_slope,
)
from releo_da.io.times import parse_moment, to_days


def days(text: str) -> float:
    return parse_moment(text, "test")


def test_right_ascension_and_declination_of_meeus_example_25a() -> None:
    """Meeus (1998), example 25.a: 198.38083 and -7.78507 degrees at 1992 October 13.0."""
    ascension, declination = sun_equatorial(days("1992-10-13"))
    assert ascension == pytest.approx(198.38083, abs=2e-4)
    assert declination == pytest.approx(-7.78507, abs=2e-4)


def test_zenith_and_azimuth_of_the_published_example_of_reda_and_andreas() -> None:
    """NREL/TP-560-34302, table A5.1: elevation 39.872046 without refraction, azimuth 194.34024."""
    zenith, azimuth = sun_position(days("2003-10-17T19:30:30"), -105.1786, 39.742476)
    assert zenith == pytest.approx(90 - 39.872046, abs=0.005)
    assert azimuth == pytest.approx(194.34024, abs=0.005)


def almanac(time: float, lon: float, lat: float) -> np.ndarray:
    """Unit vector (east, north, up) by the Astronomical Almanac's low-precision formulae."""
    n = time - 10957.5
    g = np.radians(357.528 + 0.9856003 * n)
    ecliptic = np.radians(280.460 + 0.9856474 * n + 1.915 * np.sin(g) + 0.020 * np.sin(2 * g))
    tilt = np.radians(23.439 - 4e-7 * n)
    sun = np.array(
        [np.cos(ecliptic), np.cos(tilt) * np.sin(ecliptic), np.sin(tilt) * np.sin(ecliptic)]
    )
    local = np.radians(15 * (18.697374558 + 24.06570982441908 * n) + lon)
    phi = np.radians(lat)
    east = np.array([-np.sin(local), np.cos(local), 0])
    up = np.array([np.cos(phi) * np.cos(local), np.cos(phi) * np.sin(local), np.sin(phi)])
    return np.array([east @ sun, np.cross(up, east) @ sun, up @ sun])


@given(
    st.floats(3653.0, 29219.0),  # 1980 to 2049
    st.floats(-180, 180),
    st.floats(-89, 89),
)
def test_the_sun_is_where_the_almanac_has_it(time: float, lon: float, lat: float) -> None:
    zenith, azimuth = np.radians(sun_position(time, lon, lat))
    ours = np.array(
        [np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth), np.cos(zenith)]
    )
    apart = 2 * np.arcsin(np.linalg.norm(ours - almanac(time, lon, lat)) / 2)
    assert np.degrees(apart) < 0.03


def test_positions_broadcast_times_against_places() -> None:
    zenith, azimuth = sun_position(np.array([[18000.4], [18100.5]]), np.array([0.0, 5, 9]), 45.0)
    assert zenith.shape == azimuth.shape == (2, 3)
    assert zenith[1, 2] == sun_position(18100.5, 9.0, 45.0)[0]


def test_the_sun_of_product_metadata(data_root: Path) -> None:
    """The French file holds the agency's sun angles, cut to whole degrees, for times that are up
    to a quarter of an hour early: enough to see a wrong sign, hour or hemisphere.
    """
    path = data_root / "cesbio_insitu_france_2017_2018" / "s2_l2a_points_france_t31tcj.nc"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    with xr.open_dataset(path) as data:
        time = to_days(data["time"].values)
        zenith, azimuth = sun_position(time, data["x"].values[:, None], data["y"].values[:, None])
        late = zenith - data["sun_zen"].values
        assert late.min() > 0 and late.max() < 2.0
        assert abs(late.mean() - 0.9) < 0.1
        early = data["sun_az"].values - azimuth
        assert early.min() > -1 and early.max() < 6.5


@given(st.floats(-1000, 1000), st.floats(-1000, 1000), st.integers(-3, 3))
def test_relative_azimuth_is_folded_even_and_periodic(sun: float, view: float, turn: int) -> None:
    psi = relative_azimuth(sun, view)
    assert 0 <= psi <= 180
    assert psi == pytest.approx(relative_azimuth(view, sun), abs=1e-9)
    assert psi == pytest.approx(relative_azimuth(sun + 360 * turn, view), abs=1e-9)
    assert np.cos(np.radians(psi)) == pytest.approx(np.cos(np.radians(sun - view)), abs=1e-9)


@pytest.mark.parametrize(("angle", "folded"), [(0, 0), (181, 179), (-90, 90), (360, 0), (540, 180)])
def test_fold(angle: float, folded: float) -> None:
    assert fold(angle) == folded


DIRECTION = st.tuples(st.floats(0, 89), st.floats(-360, 360))
SLOPE = st.tuples(st.floats(0, 80), st.floats(-360, 360))


def by_cosines(sun: tuple, view: tuple, ground: tuple) -> np.ndarray:
    """Local angles by the cosine formulae of topographic correction, no vectors."""

    def zenith(direction: tuple) -> float:
        t, b, away = (np.radians(x) for x in (direction[0], ground[0], direction[1] - ground[1]))
        return np.arccos(
            np.clip(np.cos(t) * np.cos(b) + np.sin(t) * np.sin(b) * np.cos(away), -1, 1)
        )

    s, v = zenith(sun), zenith(view)
    t, u, between = np.radians(sun[0]), np.radians(view[0]), np.radians(sun[1] - view[1])
    phase = np.cos(t) * np.cos(u) + np.sin(t) * np.sin(u) * np.cos(between)
    psi = np.arccos(np.clip((phase - np.cos(s) * np.cos(v)) / (np.sin(s) * np.sin(v)), -1, 1))
    return np.degrees([s, v, psi])


@given(DIRECTION, DIRECTION, SLOPE)
def test_local_angles_are_those_of_the_cosine_formulae(
    sun: tuple, view: tuple, ground: tuple
) -> None:
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = by_cosines(sun, view, ground)
    found = viewing_on_slope(*sun, *view, *ground)
    assert found[:2] == pytest.approx(expected[:2], abs=1e-5)
    if min(np.sin(np.radians(expected[:2]))) > 0.05:  # the arc cosine loses digits near the normal
        assert found[2] == pytest.approx(expected[2], abs=1e-3)


@given(DIRECTION, DIRECTION, st.floats(-360, 360))
def test_flat_ground_changes_nothing(sun: tuple, view: tuple, aspect: float) -> None:
    found = viewing_on_slope(*sun, *view, 0.0, aspect)
    plain = viewing(sun[0], view[0], sun[1] - view[1])
    assert found[:2] == pytest.approx(plain[:2], abs=1e-9)
    if min(sun[0], view[0]) > 1e-3:
        assert found[2] == pytest.approx(plain[2], abs=1e-6)


@given(DIRECTION, DIRECTION, SLOPE, st.floats(-360, 360))
def test_turning_everything_about_the_vertical_changes_nothing(
    sun: tuple, view: tuple, ground: tuple, turn: float
) -> None:
    one = viewing_on_slope(*sun, *view, *ground)
    other = viewing_on_slope(
        sun[0], sun[1] + turn, view[0], view[1] + turn, ground[0], ground[1] + turn
    )
    assert other[:2] == pytest.approx(one[:2], abs=1e-9)
    if min(one[:2]) > 1e-3:
        assert other[2] == pytest.approx(one[2], abs=1e-6)


@given(DIRECTION, DIRECTION, SLOPE)
def test_the_angle_between_sun_and_sensor_is_kept(sun: tuple, view: tuple, ground: tuple) -> None:
    """A rotation of the frame: the phase angle is the same in either."""

    def phase(s: float, v: float, psi: float) -> float:
        s, v, psi = np.radians([s, v, psi])
        return np.cos(s) * np.cos(v) + np.sin(s) * np.sin(v) * np.cos(psi)

    local = phase(*viewing_on_slope(*sun, *view, *ground))
    assert local == pytest.approx(phase(sun[0], view[0], sun[1] - view[1]), abs=1e-9)


@pytest.mark.parametrize(
    ("slope", "aspect", "local"),
    [
        (30, 180, [20, 30, 180]),  # the normal stands between the sun and the vertical
        (30, 0, [80, 30, 0]),  # turned away: both on one side of the normal
        (50, 180, [0, 50, 0]),  # the sun on the normal
        (45, 0, [95, 45, 0]),  # the sun behind the slope
    ],
)
def test_slopes_in_the_plane_of_the_sun(slope: float, aspect: float, local: list[float]) -> None:
    found = viewing_on_slope(50.0, 180.0, 0.0, 0.0, slope, aspect)
    assert found == pytest.approx(np.array(local, float), abs=1e-6)


def test_no_digits_are_lost_at_0_and_180() -> None:
    """Angles of a millionth of a degree come back, where an arc cosine gives 0 or noise."""
    small = 1e-6
    found = viewing_on_slope(30 + small, 90.0, 30.0, 90.0, 30.0, 90.0)
    assert found[0] == pytest.approx(small, rel=1e-6)
    between = viewing_on_slope(40.0, 90 + small, 40.0, 90.0, 0.0, 0.0)[2]
    assert between == pytest.approx(small, rel=1e-5)
    opposite = viewing_on_slope(40.0, 270 + small, 40.0, 90.0, 0.0, 0.0)[2]
    assert 180 - opposite == pytest.approx(small, rel=1e-5)


def test_a_slope_does_not_raise_the_sun_above_the_horizon() -> None:
    """The sun at 95 degrees lies 75 off the normal of a slope of 20 that faces it: still night."""
    assert viewing_on_slope(95.0, 90.0, 0.0, 0.0, 20.0, 90.0)[0] == 95


def test_slopes_broadcast_times_against_places() -> None:
    times, places = np.array([[30.0], [60.0]]), np.array([0.0, 10.0, 20.0])
    found = viewing_on_slope(times, times, 0.0, 0.0, places, 2 * places)
    assert found.shape == (2, 3, 3)
    assert found[1, 2] == pytest.approx(viewing_on_slope(60, 60, 0, 0, 20, 40), abs=1e-12)
