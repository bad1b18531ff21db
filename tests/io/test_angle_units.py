"""Angles in radians are found out in spite of fill values, and degrees are never taken for them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.io import read_cube, read_points
from releo_da.io.cube import open_cube
from releo_da.types import InputError

Write = Callable[..., dict[str, Any]]
RNG = np.random.default_rng(0)
SUN = RNG.uniform(30.0, 60.0, (3, 5))
AZIMUTH = RNG.uniform(90.0, 300.0, (3, 5))


def with_angles(radians: bool, fill: float | None = None) -> Callable[[xr.Dataset], xr.Dataset]:
    def change(data: xr.Dataset) -> xr.Dataset:
        turned = np.radians if radians else np.asarray
        given = {"sza": SUN, "saa": AZIMUTH, "vaa": 360 - AZIMUTH, "vza": SUN / 8, "raa": SUN * 3}
        for name, degrees in given.items():
            numbers = np.array(turned(degrees))
            if fill is not None:
                numbers[0, 0] = fill
            data[name] = (("point", "time"), numbers)
        return data

    return change


OPTIONS: list[dict[str, Any]] = [
    {"sun_zenith": "sza"},
    {"sun_azimuth": "saa", "sun_zenith": 30.0, "view_azimuth": 0.0},
    {"view_zenith": "vza", "view_azimuth": "vaa"},
    {"view_zenith": "vza", "relative_azimuth": "raa"},
]


@pytest.mark.parametrize("angles", OPTIONS)
@pytest.mark.parametrize("fill", [None, -9999.0, 65535.0])
def test_radians_are_refused_and_degrees_are_not(
    points: Write, angles: dict[str, Any], fill: float | None
) -> None:
    with pytest.raises(InputError, match="look like radians") as caught:
        read_points(**points(with_angles(True, fill), angles=angles))
    assert ("and view_zenith within" in str(caught.value)) == ("view_zenith" in angles)
    series = read_points(**points(with_angles(False, fill), angles=angles))
    assert len(series.acquisitions) == 4


def test_fill_values_of_angles_are_not_used(points: Write) -> None:
    """-99 is an azimuth: without the option it would be taken for one."""
    angles = {"sun_zenith": 30.0, "relative_azimuth": "raa"}
    series = read_points(**points(with_angles(False, -99.0), angles=angles, fill=-99))
    first, later = series.acquisitions[:2]
    assert not first.seen[0].any() and later.seen[0].all() and first.seen[1].all()


def test_a_strip_of_fill_values_does_not_end_a_run(tmp_path: Any) -> None:
    height = 12
    numbers = np.array([0.06, 0.31]) * RNG.uniform(0.9, 1.1, (3, height, 4, 2))
    numbers[:, :4] = np.nan
    sun = RNG.uniform(39.0, 41.0, (3, height, 4))
    sun[:, :4] = 65535
    times = np.datetime64("2024-05-01T10:30") + np.arange(3) * np.timedelta64(10, "D")
    xr.Dataset(
        {"r": (("time", "y", "x", "band"), numbers), "sza": (("time", "y", "x"), sun)},
        {"time": times, "y": -10.0 * np.arange(height), "x": 10.0 * np.arange(4)}
        | {"band": ["red", "nir"]},
        {"crs": "EPSG:32632"},
    ).to_netcdf(tmp_path / "c.nc")
    options: dict[str, Any] = {
        "path": tmp_path / "c.nc",
        "sensor": "sentinel2a",
        "values": "r",
        "dims": {"time": "time", "y": "y", "x": "x", "channel": "band"},
        "channels": {"B04": "red", "B08": "nir"},
        "angles": {"sun_zenith": "sza"},
    }
    assert read_cube(**options).pixels.sizes["pixel"] == 32
    strip = open_cube(**options).read(np.arange(4))
    assert not any(a.seen.any() for a in strip.acquisitions)
