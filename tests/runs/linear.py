"""A small linear system over two reflectances, and an inbox of point files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from releo_da.assimilation.etkf import etkf
from releo_da.assimilation.inflation import relaxed
from releo_da.assimilation.screening import screened
from releo_da.assimilation.tally import tally
from releo_da.cycling.ledger import Ledger
from releo_da.io import JsonLines, Series, read_points, read_state
from releo_da.io.inbox import arrived
from releo_da.runs.cycle import Service
from releo_da.runs.model import Model
from releo_da.runs.store import Store
from releo_da.types import State

OPTIONS = {
    "sensor": {"from": "platform", "S2A": "sentinel2a", "S2B": "sentinel2b"},
    "values": "reflectance",
    "dims": {"pixel": "point", "time": "time", "channel": "band"},
    "channels": {"B04": "red", "B08": "nir"},
    "clear": {"cloud": [0]},
    "angles": {"sun_zenith": 40.0},
}
SEED, MEMBERS = 5, 6
ALL = list(range(7))
Open = Callable[..., Service]
CHANNELS = {name: ("B04", "B08") for name in ("sentinel2a", "sentinel2b")}
DESCRIBED = {"lai": ("m2 m-2", "leaf area index")}


def forecast(state, time, noise):
    """A random walk about 0.3 that forgets 5 % per day."""
    if time == state.time:
        return state
    kept = 0.95 ** (time - state.time)
    drawn = noise(state.ensemble.shape)
    ensemble = 0.3 + kept * (state.ensemble - 0.3) + 0.05 * (1.0 - kept) * drawn
    return state._replace(time=time, ensemble=ensemble)


def initial(time, pixels, members, noise):
    return State(time, 0.3 + 0.1 * noise((len(pixels), members, 2)), pixels, {})


def linear_model() -> Model:
    """Latents are the reflectances of red and near infrared."""
    return Model(
        forecast,
        lambda ensemble, acquisition: ensemble[..., : acquisition.values.shape[-1]],
        screened(relaxed(etkf, 0.3), 4.0),
        lambda acquisition: acquisition,
        initial,
        None,
        lambda ensemble, angles: {"lai": ensemble[..., 1] - ensemble[..., 0]},
        CHANNELS,
        DESCRIBED,
        tally=tally,
    )


def season(points: int = 3, clear: bool = False) -> xr.Dataset:
    """Seven passes of two satellites over a few points, some cloudy, the first point never."""
    rng = np.random.default_rng(1)
    size = (300, 7, 2)
    values = rng.uniform(0.1, 0.5, size)
    cloud = (rng.uniform(size=size[:2]) < 0.3) & (not clear)
    cloud[0] = False
    days = np.array([0, 3, 5, 5, 10, 18, 20])
    times = np.datetime64("2020-05-01T10:50:07.250", "ns") + days * np.timedelta64(1, "D")
    times[3] += np.timedelta64(11, "m")
    part = slice(points)
    return xr.Dataset(
        {
            "reflectance": (("point", "time", "band"), values[part]),
            "cloud": (("point", "time"), cloud[part].astype(np.uint8)),
        },
        {
            "time": times,
            "band": ["red", "nir"],
            "platform": ("time", ["S2A", "S2B", "S2A", "S2B", "S2B", "S2A", "S2B"]),
            "x": ("point", 1.0 + 0.01 * np.arange(points)),
            "y": ("point", 43.0 + 0.01 * np.arange(points)),
        },
        {"crs": "EPSG:4326"},
    )


def deliver(inbox: Path, data: xr.Dataset, dates: list[int], name: str = "") -> Path:
    """Write some dates as one file of the inbox."""
    inbox.mkdir(exist_ok=True)
    path = inbox / (name or f"d{dates[0]}.nc")
    data.isel(time=dates).to_netcdf(path)
    return path


def read(path: Path) -> Series:
    return read_points(path, **OPTIONS)


def ledger_of(root: Path) -> Ledger:
    """The ledger of a run directory, which is made where it is not there."""
    for part in ("states", "products", "acquisitions"):
        (root / part).mkdir(parents=True, exist_ok=True)
    return Ledger(root / "ledger.sqlite")


def service_over(folder: Path, name: str, ledger: Ledger, **changes: Any) -> Service:
    """The service of a folder with an inbox, as a new process would open it."""
    root = folder / name
    parts: dict[str, Any] = {
        "model": linear_model(),
        "seed": SEED,
        "members": MEMBERS,
        "start": None,
        "inbox": lambda: arrived(folder / "inbox", "*"),
        "read": read,
        "reader": "1",
        "store": Store(root, ledger, DESCRIBED, {"title": "test"}),
        "log": JsonLines(root / "log.jsonl"),
    }
    return Service(**(parts | changes))


def states(root: Path) -> dict[str, bytes]:
    """Everything that a cycle leaves, byte by byte."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for folder in ("states", "products")
        for path in sorted((root / folder).iterdir())
    }


def last(service: Service) -> State:
    """The state that a service stands at."""
    assert service.store.state is not None
    return read_state(service.store.state.path)


def rows(service: Service) -> list[tuple]:
    """Everything that the ledger says of the cycles of a service."""
    return list(service.ledger.cycles())
