"""A service over an inbox of two points, as a user runs it: configuration, deliveries, calls."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from releo_da.cli import main

DATES = ("2020-05-01T10:50", "2020-05-06T10:50", "2020-05-11T10:50")
CONFIG = {
    "seed": 3,
    "members": 6,
    "source": [
        {
            "reader": "points",
            "sensor": "sentinel2a",
            "values": "reflectance",
            "dims": {"pixel": "point", "time": "time", "channel": "band"},
            "channels": {"B04": "red", "B8A": "nir"},
        }
    ],
    "analyse": [{"name": "etkf"}, {"name": "relaxed", "factor": 0.3}],
    "products": {"variables": ["lai", "ndvi"], "every_days": 10},
    "cycle": {"inbox": "inbox", "poll_seconds": 1},
}

CYCLE = ("cycle", "c.yaml", "--once", "--out", "run", "--quiet")

Run = Callable[..., int]


def deliver(inbox: Path, *dates: int) -> None:
    values = np.random.default_rng(0).uniform(0.05, 0.1, (2, 3, 2)) + np.array([0.0, 0.25])
    data = xr.Dataset(
        {"reflectance": (("point", "time", "band"), values)},
        {
            "time": np.array(DATES, "datetime64[ns]"),
            "band": ["red", "nir"],
            "x": ("point", [1.0, 1.1]),
            "y": ("point", [43.0, 43.1]),
        },
        {"crs": "EPSG:4326"},
    )
    inbox.mkdir(exist_ok=True)
    data.isel(time=list(dates)).to_netcdf(inbox / f"{dates[0]}.nc")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command line in a folder with a configuration; gives the exit status."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")

    def command(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return int(ended.value.code or 0)

    return command
