"""A small map in an inbox, and the configuration of a cycle over it in tiles."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.tile_cycle import command
from releo_da.config.tile_sweep import Tiled, Told, tiled
from releo_da.config.tile_work import sweep_tile

HEIGHT, WIDTH, SIZE = 6, 10, 4
DATES = ("2020-05-01T10:50", "2020-05-06T10:50", "2020-05-11T10:50")
NAMES = ("r00000_c00000", "r00000_c00004", "r00000_c00008", "r00004_c00000", "r00004_c00008")
"""Tiles of 4 x 4, 4 x 2, 2 x 4 and 2 x 2 pixels; the sixth is under water."""

CONFIG: dict[str, Any] = {
    "seed": 3,
    "members": 32,
    "source": [
        {
            "reader": "cube",
            "sensor": "sentinel2a",
            "values": "reflectance",
            "dims": {"y": "y", "x": "x", "time": "time", "channel": "band"},
            "channels": {"B04": "red", "B8A": "nir"},
            "clear": {"cloud": [0]},
            "mask": {"path": "land.nc", "variable": "land", "values": [1]},
        }
    ],
    "analyse": [{"name": "etkf"}, {"name": "relaxed", "factor": 0.3}],
    "products": {"variables": ["lai", "ndvi"]},
    "cycle": {"inbox": "inbox", "poll_seconds": 1, "tiles": {"size": SIZE, "workers": 2}},
}


def workplace(folder: Path) -> Path:
    """A configuration, its mask and an empty inbox; returns the path of the configuration."""
    land = np.ones((HEIGHT, WIDTH), np.int8)
    land[1, 1] = 0
    land[4:, 4:8] = 0
    xr.Dataset({"land": (("y", "x"), land)}).to_netcdf(folder / "land.nc")
    (folder / "inbox").mkdir()
    (folder / "c.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    return folder / "c.yaml"


def deliver(folder: Path, *dates: int, shift: float = 0.0, name: str = "") -> Path:
    """Some dates as one file of the inbox, clouds in it; every tile sees something of each."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0.05, 0.1, (HEIGHT, WIDTH, 3, 2)) + np.array([0.0, 0.25])
    cloud = rng.uniform(size=(HEIGHT, WIDTH, 3)) < 0.2
    cloud[::4, ::4] = False
    data = xr.Dataset(
        {
            "reflectance": (("y", "x", "time", "band"), values),
            "cloud": (("y", "x", "time"), cloud.astype(np.int8)),
        },
        {
            "time": np.array(DATES, "datetime64[ns]"),
            "band": ["red", "nir"],
            "y": 4.8e6 - 10.0 * np.arange(HEIGHT) + shift,
            "x": 3.0e5 + 10.0 * np.arange(WIDTH),
        },
        {"crs": "EPSG:32631"},
    )
    path = folder / "inbox" / (name or f"{dates[0]}.nc")
    data.isel(time=list(dates)).to_netcdf(path)
    return path


def here(tasks: dict[str, Any]) -> Any:
    """Tasks worked on one after the other in this process."""
    return ((name, sweep_tile(*arguments)) for name, arguments in tasks.items())


def backwards(tasks: dict[str, Any]) -> Any:
    """The same, the last tile first."""
    return here(dict(reversed(tasks.items())))


def sweep(config: Path, share: Any = here, out: str = "tiled", *settings: str) -> Told:
    """One sweep over all tiles, by the tasks themselves."""
    document = load(config, settings)
    with tiled(document, Options(out=config.parent / out, overrides=settings)) as run:
        return run.sweep(share, lambda text: None)


def opened(config: Path, *settings: str) -> Any:
    """The run in tiles of a configuration, as a context manager."""
    options = Options(out=config.parent / "tiled", overrides=settings)
    return tiled(load(config, settings), options)


__all__ = ["CONFIG", "NAMES", "Tiled", "command", "deliver", "opened", "sweep", "workplace"]
