"""Orbit calendars against archives: dates, tracks, angles and times of real acquisitions."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from releo_da.nature.orbits import (
    CALENDARS,
    SENTINEL2,
    WRS2,
    Array,
    ground,
    nodes,
    passes,
    position,
    semi_major_axis,
    sightings,
)
from releo_da.types import InputError


def day(time: object) -> Array:
    """Days since 1970-01-01."""
    since = np.asarray(time, dtype="datetime64[s]") - np.datetime64("1970-01-01")
    return np.asarray(since / np.timedelta64(1, "D"))


def share(
    times: object, names: list[str], place: tuple[float, float], numbers: object = None
) -> tuple[float, Array]:
    """Share of acquisitions that are predicted, and how much later the passes are (minutes)."""
    found, given = [], np.full(len(names), -1) if numbers is None else np.asarray(numbers)
    seen = day(times)
    for time, name, number in zip(seen, names, given, strict=True):
        near = passes(name, *place, time - 0.1, time + 0.1)
        found += [60 * 24 * (p.time - time) for p in near if number in (-1, p.number)]
    return len(found) / len(names), np.asarray(found)


REAL = [  # place, satellite, track, time in the name of the product or scene
    ((134.5, 7.6), "sentinel2a", 31, "2017-01-05T01:34:42"),  # T53NMJ, ESA's naming convention
    ((1.24, 43.48), "sentinel2a", 51, "2017-06-25T10:53:22"),  # T31TCJ
    ((1.24, 43.48), "sentinel2b", 51, "2018-09-03T10:56:54"),
    ((1.24, 43.48), "sentinel2b", 51, "2018-09-23T10:50:20"),
    ((1.95, 43.70), "sentinel2a", 8, "2017-06-22T10:40:21"),  # east of the same tile
    ((0.55, 44.20), "sentinel2b", 94, "2018-09-26T11:00:28"),  # its north-western corner
    ((8.68, 47.45), "sentinel2b", 65, "2022-03-07T10:17:59"),  # T32TMT
    ((8.68, 47.45), "sentinel2a", 108, "2022-03-05T10:29:21"),
    ((8.68, 47.45), "sentinel2a", 65, "2022-03-22T10:17:11"),
    ((14.55, 45.86), "sentinel2a", 122, "2015-07-11T10:00:08"),  # T33TVL
    ((14.55, 45.86), "sentinel2b", 122, "2017-07-05T10:00:26"),
]


@pytest.mark.parametrize(("place", "name", "number", "time"), REAL)
def test_real_acquisitions_are_in_the_calendar(
    place: tuple[float, float], name: str, number: int, time: str
) -> None:
    """A datatake, whose first moment names the product, begins up to 15 minutes before."""
    found, late = share([time], [name], place, [number])
    assert found == 1.0
    assert -1.0 < late[0] < 15.0


SCENES = [  # place at the centre of path and row, path, date in the scene identifier
    ((-122.2, 37.5), 44, "2014-03-18"),  # LC80440342014077LGN00
    ((87.0, 21.7), 139, "2014-10-22"),  # LC81390452014295LGN00
    ((139.7, 36.0), 107, "2015-08-06"),  # LC81070352015218LGN00
    ((14.4, 46.2), 191, "2020-03-08"),  # Landsat-8 over Kranj, alternately from both sides
    ((14.4, 46.2), 190, "2020-03-17"),
    ((14.4, 46.2), 190, "2020-04-02"),
    ((14.4, 46.2), 191, "2020-04-09"),
    ((146.1, -34.75), 92, "2016-02-05"),  # Yanco
]


@pytest.mark.parametrize(("place", "path", "date"), SCENES)
def test_real_landsat_scenes_are_in_the_calendar(
    place: tuple[float, float], path: int, date: str
) -> None:
    numbers = [p.number for p in passes("landsat8", *place, day(date), day(date) + 1)]
    assert numbers == [path]
    nine = passes("landsat9", *place, day("2022-01-01"), day("2023-01-01"))
    eight = [p.time for p in passes("landsat8", *place, day("2022-01-01"), day("2023-01-01"))]
    assert nine
    assert all(np.abs(np.abs(np.array(eight) - p.time) - 8).min() < 1e-9 for p in nine)


def test_landsat_paths_cross_the_equator_where_the_handbook_says() -> None:
    """Path p descends through 64.60 W - 360 / 233 (p - 1) (Landsat 7 handbook)."""
    path, longitude = nodes(WRS2)
    expected = -64.6 - 360.0 / 233.0 * (path - 1)
    assert np.abs((longitude - expected + 180) % 360 - 180).max() < 1e-9
    assert sorted(path) == list(range(1, 234))


def test_view_angles_are_those_of_the_metadata() -> None:
    """Mean view zenith and azimuth of fields in scene metadata, T31TCJ R051 and T32TMT R108."""
    (west,), (east,) = (
        {(p.view_zenith, p.view_azimuth) for p in passes("sentinel2a", *place, 17300, 17320)}
        for place in ((1.23, 43.47), (1.51, 43.53))
    )
    assert west[0] == pytest.approx(1.4, abs=0.4)
    assert east[0] == pytest.approx(3.0, abs=0.5)
    assert east[1] == pytest.approx(291.0, abs=15.0)
    found = {p.number: p for p in passes("sentinel2a", 8.68, 47.45, 19000, 19010)}
    assert set(found) == {65, 108}
    assert found[108].view_zenith == pytest.approx(5.9, abs=1.0)
    assert found[108].view_azimuth == pytest.approx(284.2, abs=2.0)
    assert found[65].view_zenith == pytest.approx(8.35, abs=1.0)


def test_orbits_are_as_high_as_published() -> None:
    """786 km of mean altitude (Drusch et al. 2012); 7077.7 km from the centre (Landsat 8)."""
    assert semi_major_axis(SENTINEL2) - 6378.137 == pytest.approx(786.0, abs=0.5)
    assert semi_major_axis(WRS2) == pytest.approx(7077.7, abs=0.5)


def test_the_velocity_is_the_derivative_of_the_position() -> None:
    elapsed, node, step = np.linspace(-0.02, 0.02, 9), np.linspace(-170.0, 170.0, 9), 1e-6
    _, speed = position(SENTINEL2, node, elapsed)
    ahead, behind = (position(SENTINEL2, node, elapsed + s)[0] for s in (step, -step))
    assert np.allclose(speed, (ahead - behind) / (2 * step), rtol=1e-6, atol=1.0)


@pytest.mark.parametrize("lat", [-60.0, -20.0, 0.0, 45.0, 70.0])
def test_a_pass_is_the_moment_of_least_distance(lat: float) -> None:
    """Against a search along the track, second by second."""
    elapsed, nadir, _, _ = sightings(SENTINEL2, 10.0, lat)
    seen = np.flatnonzero(nadir <= 10.3)
    assert len(seen) >= 1
    place, _ = ground(10.0, lat)
    for k in seen:
        moments = elapsed[k] + np.arange(-60, 61) / 86400.0
        where, _ = position(SENTINEL2, nodes(SENTINEL2)[1][k], moments)
        assert np.linalg.norm(where - place, axis=-1).argmin() == 60


def test_swaths_close_the_equator_and_are_as_wide_as_published() -> None:
    """290 km and 185 km across a track that crosses the equator 12.5 degrees from the meridian."""
    for orbit, width in ((SENTINEL2, 290.0), (WRS2, 185.0)):
        east = np.arange(-2.0, 2.0, 0.02)
        half = 0.5 * orbit.field_of_view
        seen = np.stack([sightings(orbit, orbit.longitude + x, 0.0)[1] <= half for x in east])
        assert seen.any(-1).all()
        across = seen[:, 0].sum() * 0.02 * 111.32 * np.cos(np.radians(12.5))
        assert across == pytest.approx(width, rel=0.02)  # published as round numbers


def test_neighbouring_tracks_overlap_away_from_the_equator() -> None:
    """Two tracks over central Europe: a pass every 2.5 days of two satellites, on average."""
    both = [
        p for name in ("sentinel2a", "sentinel2b") for p in passes(name, 8.68, 47.45, 19000, 19100)
    ]
    assert len(both) == 40
    local = np.array([p.time % 1 * 24 + 8.68 / 15 for p in both])
    assert np.all((local > 10.5) & (local < 11.5))  # later than at the node, north of the equator


def test_lifetimes_are_kept_unless_told() -> None:
    """Sentinel-2C flies in the place of 2A from the day on which 2A left it."""
    change, place = day("2025-01-21"), (8.68, 47.45)
    old = passes("sentinel2a", *place, change - 20, change + 20)
    new = passes("sentinel2c", *place, change - 20, change + 20)
    assert max(p.time for p in old) < change <= min(p.time for p in new)
    whole = passes("sentinel2a", *place, change - 20, change + 20, lifetime=False)
    assert [p.time for p in old] + [p.time for p in new] == [p.time for p in whole]
    assert passes("landsat9", *place, day("2020-01-01"), day("2021-01-01")) == []


def test_a_satellite_behind_another_sees_the_same_days_later() -> None:
    first = passes("sentinel2a", 8.68, 47.45, 19000, 19020)
    later = passes("sentinel2a", 8.68, 47.45, 19003, 19023, days_later=3)
    assert np.allclose([p.time + 3 for p in first], [p.time for p in later])
    assert [p[2:] for p in first] == [p[2:] for p in later]
    twin = passes("sentinel2b", 8.68, 47.45, 19005, 19025)
    assert np.allclose([p.time + 5 for p in first], [p.time for p in twin])


def test_poles_and_unknown_satellites() -> None:
    for name in CALENDARS:
        assert passes(name, 0.0, 88.0, 20000, 20030) == []
    with pytest.raises(InputError, match="'prisma' has no orbit calendar; known are sentinel2a"):
        passes("prisma", 0.0, 0.0, 20000, 20010)


def test_a_hindcast_of_two_years_was_foreseen(data_root: Path) -> None:
    """Every acquisition over the points of tile 31TCJ, whose swath held them."""
    path = data_root / "cesbio_insitu_france_2017_2018" / "s2_l2a_points_france_t31tcj.nc"
    with xr.open_dataset(path) as found:
        inside = (found["edge_mask"] == 0).mean("point").values > 0.5
        names = ["sentinel2" + p[-1].lower() for p in found["platform"].values[inside]]
        place = float(found["x"].mean()), float(found["y"].mean())
        hit, late = share(found["time"].values[inside], names, place)
    assert hit == 1.0
    assert len(names) == 63
    assert -1.0 < late.min() < late.max() < 15.0


@pytest.mark.parametrize(
    ("name", "place"), [("strickhof", (8.685, 47.448)), ("arenenberg", (9.0686, 47.667))]
)
def test_tracks_over_swiss_fields_are_named(
    data_root: Path, name: str, place: tuple[float, float]
) -> None:
    path = data_root / "swiss_wheat_2022_strickhof_arenenberg" / f"s2_l2a_{name}_2022.nc"
    with xr.open_dataset(path) as found:
        names = ["sentinel2" + p[-1].lower() for p in found["platform"].values]
        hit, _ = share(found["time"].values, names, place, found["relative_orbit"].values)
    assert hit == 1.0


def test_ten_years_of_harmonised_dates_were_foreseen(data_root: Path) -> None:
    """Landsat and Sentinel-2 over one pixel, which lies about 30.0 N 101.4 E."""
    table = pd.read_csv(data_root / "hls_pixel_sichuan_fire" / "1_hls_sc.csv")
    dates = day([datetime.date.fromordinal(d).isoformat() for d in table["dates"]])
    for code, names in ((8, ("landsat8", "landsat9")), (2, ("sentinel2a", "sentinel2b"))):
        real = set(dates[table["sensor"] == code])
        found = {
            np.floor(p.time)
            for name in names
            for p in passes(name, 101.4, 30.0, min(real), max(real) + 1)
        }
        assert real <= found
        assert len(real) > 0.55 * len(found)
