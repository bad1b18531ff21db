"""Links in an inbox: followed within the folders that a configuration may read, refused beyond."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releo_da.config.cycling import reader_of, source_of
from releo_da.config.document import load
from releo_da.config.inspection import entries_of
from releo_da.io.inbox import arrived
from releo_da.types import InputError

CONFIG = """
seed: 3
source:
  - reader: points
    sensor: sentinel2a
    values: reflectance
    dims: {pixel: point, time: time, channel: band}
    channels: {B04: red, B8A: nir}
    angles: {sun_zenith: {table: TABLE, column: angle, by: [time]}}
cycle: {inbox: inbox}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("work", "work/inbox", "archive"):
        (tmp_path / name).mkdir()
    data = xr.Dataset(
        {"reflectance": (("point", "time", "band"), np.full((1, 1, 2), 0.2))},
        {"time": np.array(["2020-05-01T10:50"], "datetime64[ns]"), "band": ["red", "nir"],
         "x": ("point", [1.0]), "y": ("point", [43.0])},
        {"crs": "EPSG:4326"},
    )  # fmt: skip
    data.to_netcdf(tmp_path / "archive" / "a.nc")
    (tmp_path / "work" / "inbox" / "a.nc").symlink_to(tmp_path / "archive" / "a.nc")
    (tmp_path / "archive" / "t.csv").write_text("time,angle\n2020-05-01,30\n")
    (tmp_path / "work" / "c.yaml").write_text(CONFIG.replace("TABLE", "../archive/t.csv"))
    (tmp_path / "work" / "d.yaml").write_text(CONFIG.replace(
        "    angles: {sun_zenith: {table: TABLE, column: angle, by: [time]}}\n", ""))  # fmt: skip
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("RELEO_DATA", str(tmp_path / "work"))
    return tmp_path


def test_a_link_out_of_the_inbox_is_refused_unless_its_end_is_declared(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = load("d.yaml")
    (file,) = arrived(document.resolve("inbox"), "*")
    read = reader_of(document, source_of(document))
    with pytest.raises(InputError, match=r"a\.nc -> .* leads outside the folders it may be in"):
        read(file.path)
    with pytest.raises(InputError, match="leads outside the folders it may be in"):
        entries_of(document)
    monkeypatch.setenv("RELEO_DATA", str(place / "archive"))
    assert len(read(file.path).series().acquisitions) == 1
    assert len(entries_of(document)) == 1


def test_inspecting_a_service_holds_its_tables_to_the_same_folders(place: Path) -> None:
    with pytest.raises(InputError, match="leads outside the folders it may be in"):
        entries_of(load("c.yaml"))
