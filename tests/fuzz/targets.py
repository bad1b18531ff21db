"""One target per parser: bytes as a file, read as the package reads them, and seeds to start from.

A target takes a folder and bytes. It may end, or raise InputError; anything else is a finding.
Both the quick test (`test_parsers.py`) and the long run (`run.py`) use these.
"""

from __future__ import annotations

import io
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from safetensors.torch import save

from releo_da import strict_json, strict_yaml
from releo_da.config.document import load, override_one
from releo_da.config.emulator_weights import read_emulator
from releo_da.config.finished import finished
from releo_da.cycling.ledger import Arrival, Cycle, Ledger
from releo_da.cycling.records import WAITING, Accepted
from releo_da.io import read_cube, read_points, read_state, read_table, trial
from releo_da.io.acquisition_file import read_acquisition, write_acquisition
from releo_da.io.state_file import write_state
from releo_da.io.stores import _date_in
from releo_da.io.tables import read_rows
from releo_da.io.tensors import read_tensors
from releo_da.io.weather import read_weather
from releo_da.io.wkb import places
from releo_da.io.zarr_store import opened_zarr
from releo_da.sensors.files import read_sensor
from releo_da.types import Acquisition, State

Read = Callable[[Path, bytes], object]

trial.SECONDS = 2.0  # of a file that hangs; ten of them on a busy machine look like a finding


class Target(NamedTuple):
    """A parser under test.

    Attributes:
        read: ``read(folder, data)``.
        seeds: makes sound contents in a folder.
    """

    read: Read
    seeds: Callable[[Path], list[bytes]]


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def written(name: str, read: Callable[[Path], object]) -> Read:
    """A parser of files: the bytes are written under a name first."""

    def target(folder: Path, data: bytes) -> object:
        path = folder / name
        path.write_bytes(data)
        return read(path)

    return target


def points(path: Path) -> object:
    dims = {"pixel": "point", "time": "time", "channel": "band"}
    return read_points(str(path), "sentinel2a", "reflectance", dims, {"B04": "red", "B8A": "nir"})


def cube(path: Path) -> object:
    dims = {"y": "y", "x": "x", "time": "time", "channel": "band"}
    return read_cube(str(path), "sentinel2a", "reflectance", dims, {"B04": "red", "B8A": "nir"})


def table(path: Path) -> object:
    channels: dict = {"B04": "red", "B8A": "nir"}
    return read_table(
        str(path), "date", "sentinel2a", channels, "plot", {"lon": "lon", "lat": "lat"}
    )


def geometries(path: Path) -> object:
    channels: dict = {"B04": "red", "B8A": "nir"}
    return read_table(str(path), "date", "sentinel2a", channels, "plot")


PIXELS = xr.Dataset(
    coords={"id": ("pixel", np.arange(1)), "lon": ("pixel", [1.0]), "lat": ("pixel", [43.0])},
    attrs={"kind": "point"},
)


def weather(path: Path) -> object:
    elements: dict = {"temperature": "t", "precipitation": "p"}
    return read_weather(str(path), elements, PIXELS, time="date")


def ledger(path: Path) -> object:
    with Ledger(path, reads=True) as read:
        read.last()
    with Ledger(path) as opened:
        queue = opened.queue
        facts = [opened.counts(), opened.settings(), opened.last(), list(opened.cycles())]
        facts += [list(opened.undone()), opened.clock(), opened.recorded(), opened.retained()]
        return [*facts, opened.needed(), queue.next(), queue.listed("waiting", "assimilated")]


def run_files(folder: Path, data: bytes) -> object:
    (folder / "config.yaml").write_text("seed: 1\n")
    (folder / "log.jsonl").write_bytes(data)
    (folder / "scores.json").write_bytes(data.split(b"\n")[0])
    return finished(folder)


def geometry(folder: Path, data: bytes) -> object:
    return places([data, None, data], "t.parquet: geometry")


def file_time(folder: Path, data: bytes) -> object:
    pattern, _, name = text(data).replace("\0", "").partition("|")
    return _date_in(Path(name or "x"), pattern)


def document(path: Path) -> object:
    return load(path).values


def override(folder: Path, data: bytes) -> object:
    return override_one({"seed": 1, "source": [{"path": "x"}]}, text(data))


# Sound contents ------------------------------------------------------------------------------


def bytes_of(folder: Path, name: str, write: Callable[[Path], object]) -> bytes:
    write(folder / name)
    return (folder / name).read_bytes()


def data_set(space: dict[str, int]) -> xr.Dataset:
    shape = (2, *space.values(), 2)
    return xr.Dataset(
        {"reflectance": (("time", *space, "band"), np.full(shape, 0.1, np.float32) + [0.0, 0.25])},
        {
            "time": np.array(["2020-05-01T10:50", "2020-05-06T10:50"], "datetime64[ns]"),
            "band": ["red", "nir"],
            "x": ("point" if "point" in space else "x", [1.0, 1.1]),
            "y": ("point" if "point" in space else "y", [43.0, 43.1]),
        },
        {"crs": "EPSG:4326"},
    )


def store(folder: Path) -> list[bytes]:
    data_set({"point": 2}).drop_vars("band").to_zarr(folder / "a.zarr", consolidated=False)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((folder / "a.zarr").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder / "a.zarr"))
    return [packed.getvalue()]


def states(folder: Path) -> list[bytes]:
    state = State(18000.5, torch.ones(2, 3, 2), torch.tensor([1, 2]), {"m": torch.ones(2)})
    return [bytes_of(folder, "s", lambda p: write_state(p, state))]


def acquisitions(folder: Path) -> list[bytes]:
    one = Acquisition(
        18000.5, "sentinel2a", torch.ones(1, 2), torch.ones(1, 2), torch.ones(1, 3), "p"
    )
    return [bytes_of(folder, "a", lambda p: write_acquisition(p, one, PIXELS))]


def ledgers(folder: Path) -> list[bytes]:
    path = folder / "seed.sqlite"
    one = Arrival("a1", 18000.5, "sentinel2a", "p", "p.nc")
    with Ledger(path) as opened:
        opened.accept({"seed": 1})
        for k, name in enumerate(("a1", "a2")):
            opened.queue.take(Accepted(one._replace(identity=name, time=one.time + k), 5, WAITING))
        opened.commit(Cycle(1, one, "states/000001.safetensors", "f00d", {"sums": {"B4": [2.0]}}))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return [path.read_bytes()]


ROWS = b"plot,date,red,nir,lon,lat\n1,2020-05-01T10:50,0.05,0.3,1.0,43.0\n2,2020-05-06,.1,.4,1,43\n"


def parquets(folder: Path) -> list[bytes]:
    rows = pd.read_csv(io.BytesIO(ROWS)).drop(columns=["lon", "lat"])
    rows["geometry"] = [struct.pack("<BIdd", 1, 1, 1.0, 43.0)] * 2
    found = []
    for geo in (None, b'{"primary_column": "geometry", "columns": {"geometry": '
                      b'{"encoding": "WKB", "geometry_types": []}}}'):  # fmt: skip
        import pyarrow as pa
        import pyarrow.parquet as pq

        whole = pa.Table.from_pandas(rows)
        whole = whole.replace_schema_metadata({b"geo": geo} if geo else {})
        pq.write_table(whole, folder / "seed.parquet", compression="none")
        found.append((folder / "seed.parquet").read_bytes())
    return found


WEATHER = b"date,t,p\n2020-05-01,12.5,0\n2020-05-02,13,1.5\n2020-05-03,11,0\n"
SENSOR = b"""# source: me
channel,additive,multiplicative,centre_nm,width_nm
B1,0.01,0.05,490,65
B2,0.01,0.05,665,30
"""
DESCRIPTION = b"""source: me
noise: {additive: 0.01, multiplicative: 0.05}
channels:
  B1: {centre: 490, width: 65}
  B4: {wavelength: [640, 660, 680], response: [0, 1, 0]}
"""
TABLE = (
    b"# source: me\n# additive: 0.01\n# multiplicative: 0.05\nwavelength,B1\n480,0\n490,1\n500,0\n"
)
YAML = (
    b"seed: 1\nsource: [{reader: points, path: x.nc}]\nperiod: [2020-01-01, 2020-02-01]\n",
    b"state: &a {name: b}\nforecast: *a\ntrain: {<<: *a, x: 1e-3}\n",
)
LOG = b'{"kind": "started", "command": "hindcast", "seed": 1}\n{"kind": "channels"}\n'
WKB = (
    struct.pack("<BIdd", 1, 1, 1.0, 43.0),
    struct.pack("<BIIIdddd", 1, 3, 1, 2, 1.0, 2.0, 3.0, 4.0),
    struct.pack("<BII", 1, 7, 1) + struct.pack(">BIdd", 0, 1, 1.0, 2.0),
)

TARGETS: dict[str, Target] = {
    "yaml": Target(lambda f, d: strict_yaml.parse(text(d), "c.yaml"), lambda f: list(YAML)),
    "document": Target(written("c.yaml", document), lambda f: list(YAML)),
    "override": Target(override, lambda f: [b"source.0.path=y.nc", b"train={a: [1, 2]}"]),
    "json": Target(lambda f, d: strict_json.parse(text(d), "s.json"), lambda f: LOG.splitlines()),
    "run_files": Target(run_files, lambda f: [LOG]),
    "sensor_rows": Target(written("s.csv", read_sensor), lambda f: [SENSOR]),
    "sensor_table": Target(written("s.csv", read_sensor), lambda f: [TABLE]),
    "sensor_yaml": Target(written("s.yaml", read_sensor), lambda f: [DESCRIPTION]),
    "tensors": Target(
        written("w.safetensors", lambda p: read_tensors(p, "a file", "remedy")),
        lambda f: [save({"a": torch.ones(2, 3), "b": torch.zeros(2)}, {"x": "y"})],
    ),
    "emulator": Target(
        written("e.safetensors", read_emulator),
        lambda f: [save({"basis": torch.ones(2, 3)}, {"emulator": '{"form": 1, "ranges": {}}'})],
    ),
    "state": Target(written("s.safetensors", read_state), states),
    "acquisition": Target(written("a.safetensors", read_acquisition), acquisitions),
    "csv": Target(written("t.csv", read_rows), lambda f: [ROWS, WEATHER]),
    "table": Target(written("t.csv", table), lambda f: [ROWS]),
    "parquet": Target(written("t.parquet", read_rows), parquets),
    "geoparquet": Target(written("t.parquet", geometries), lambda f: parquets(f)[1:]),
    "weather": Target(written("w.csv", weather), lambda f: [WEATHER]),
    "netcdf_points": Target(
        written("p.nc", points),
        lambda f: [bytes_of(f, "seed.nc", data_set({"point": 2}).to_netcdf)],
    ),
    "netcdf_cube": Target(
        written("c.nc", cube),
        lambda f: [bytes_of(f, "seed.nc", data_set({"y": 2, "x": 2}).to_netcdf)],
    ),
    "netcdf_classic": Target(
        written("p.nc", points),
        lambda f: [
            bytes_of(
                f, "seed.nc",
                lambda p: data_set({"point": 2}).to_netcdf(p, format="NETCDF3_CLASSIC"),
            )
        ],
    ),
    "zarr_zip": Target(written("p.zip", lambda p: loaded(p)), store),
    "geometry": Target(geometry, lambda f: list(WKB)),
    "file_time": Target(file_time, lambda f: [b"%Y%m%d|S2_20200501.nc", b"%Y%j%H|a202012311.nc"]),
    "ledger": Target(written("l.sqlite", ledger), ledgers),
}  # fmt: skip


def loaded(path: Path) -> object:
    with opened_zarr(path) as dataset:
        return dataset.load()
