"""Small files with known content, and the options that read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr


def point_file() -> xr.Dataset:
    """Three points, five times, two channels; point 2 never clear, time 3 all cloud."""
    rng = np.random.default_rng(0)
    times = np.array(
        ["2020-05-01T10:50", "2020-05-06T10:50", "2020-05-11T10:50", "2020-05-16T10:50",
         "2020-05-21T10:50"], dtype="datetime64[ns]",
    )  # fmt: skip
    cloud = np.zeros((3, 5), dtype=np.uint8)
    cloud[2] = 1
    cloud[:, 3] = 1
    return xr.Dataset(
        {
            "reflectance": (("point", "time", "band"), rng.uniform(0.02, 0.5, (3, 5, 2))),
            "cloud": (("point", "time"), cloud),
        },
        {
            "time": times,
            "band": ["red", "nir"],
            "platform": ("time", ["S2A", "S2B", "S2A", "S2B", "S2A"]),
            "orbit": ("time", [51, 8, 51, 8, 51]),
            "x": ("point", [1.0, 1.1, 1.2]),
            "y": ("point", [43.0, 43.1, 43.2]),
        },
        {"crs": "EPSG:4326"},
    )


@pytest.fixture
def points(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Write the file of points, changed by a function, and give the options that read it."""

    def write(change: Callable[[xr.Dataset], xr.Dataset] = lambda d: d, **options: Any) -> dict:
        path = tmp_path / "points.nc"
        change(point_file()).to_netcdf(path)
        return {
            "path": path,
            "sensor": {"from": "platform", "S2A": "sentinel2a", "S2B": "sentinel2b"},
            "values": "reflectance",
            "dims": {"pixel": "point", "time": "time", "channel": "band"},
            "channels": {"B04": "red", "B08": "nir"},
            "clear": {"cloud": [0]},
        } | options

    return write
