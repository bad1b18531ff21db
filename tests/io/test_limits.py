"""Files that say more than they hold: refused at once, before memory is gone."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import resource
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import netCDF4
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr

from releo_da.io import limits, read_cube, read_points
from releo_da.io.limits import check_room
from releo_da.io.netcdf import opened
from releo_da.io.tables import read_rows
from releo_da.io.zarr_store import opened_zarr
from releo_da.types import InputError


@contextmanager
def expect_refusal(words: str, megabytes: float = 200.0) -> Iterator[None]:
    """One message, within seconds and without memory."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(InputError, match=words):
        yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1000 * megabytes
    assert time.perf_counter() - start < 20


def netcdf(path: Path, sizes: dict[str, int], chunks: list[int] | None = None) -> Path:
    """A file of some kilobytes that describes much."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in sizes.items():
            file.createDimension(name, size)
        if "time" in sizes:
            file.createVariable("time", "f8", ("time",), chunksizes=[min(sizes["time"], 1000)])
        chunks = chunks or [min(size, 100) for size in sizes.values()]
        file.createVariable("reflectance", "f4", tuple(sizes), zlib=True, chunksizes=chunks)
    assert path.stat().st_size < 100_000
    return path


def test_a_map_of_a_billion_by_a_billion(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "a.nc", {"y": 10**9, "x": 10**9})
    with (
        expect_refusal("the dimension 'y' has 1,000,000,000 entries, more than 67,108,864"),
        opened(path),
    ):
        pass


def test_a_time_axis_of_ten_billion(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "a.nc", {"time": 10**10, "band": 2})
    with expect_refusal("the dimension 'time' has 10,000,000,000 entries"), opened(path):
        pass


def test_a_variable_of_many_values(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "a.nc", {"band": 100, "y": 10**5, "x": 10**5})
    with expect_refusal("'reflectance' has 1,000,000,000,000 values, more than"), opened(path):
        pass


def test_a_chunk_of_gigabytes(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "a.nc", {"y": 30_000, "x": 30_000}, [30_000, 30_000])
    with expect_refusal("'reflectance' is stored in chunks of 3,600,000,000 bytes"), opened(path):
        pass


POINTS = {"pixel": "point", "time": "time", "channel": "band"}
CUBE = {"y": "y", "x": "x", "time": "time", "channel": "band"}


@pytest.mark.parametrize("reader", ["points", "cube"])
def test_what_is_read_at_once_must_fit_the_machine(reader: str, tmp_path: Path) -> None:
    path, wide = tmp_path / "a.nc", 10**6 if reader == "points" else 1000
    space = {"point": wide} if reader == "points" else {"y": wide, "x": wide}
    with netCDF4.Dataset(path, "w") as file:
        for name, size in {"time": 30_000, "band": 1, **space}.items():
            file.createDimension(name, size)
        days = file.createVariable("time", "f8", ("time",))
        days.units, days[:] = "days since 1970-01-01", np.arange(30_000)
        file.createVariable("band", str, ("band",))[0] = "red"
        axes = ("time", "band", *space)
        file.createVariable("r", "f4", axes, zlib=True, chunksizes=[1] * 2 + [100] * len(space))
    with expect_refusal(
        r"reading 30,000,000,000 values at once takes about 1,440 GB, and the machine"
    ):
        if reader == "points":
            read_points(str(path), "sentinel2a", "r", POINTS, {"B04": "red"})
        else:
            read_cube(str(path), "sentinel2a", "r", CUBE, {"B04": "red"})


def test_room_is_that_of_the_machine() -> None:
    check_room("a.nc", 1000)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with pytest.raises(InputError, match=r"a\.nc: reading .* give a period, a window, a stride"):
        check_room("a.nc", there // 8)


@pytest.mark.parametrize(
    ("shape", "chunks", "words"),
    [
        ((10**9, 10**9), (100, 100), "dimension 'v, axis 1' has 1,000,000,000 entries"),
        ((30_000, 30_000), (30_000, 30_000), "stored in chunks of 3,600,000,000 bytes"),
        ((100, 10**5, 10**5), (1, 100, 100), "'v' has 1,000,000,000,000 values"),
    ],
)
def test_stores_that_say_too_much(
    shape: tuple[int, ...], chunks: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    names = [f"d{k}" for k in range(len(shape))]
    group.create_array("v", shape=shape, chunks=chunks, dtype="f4", dimension_names=names)
    with expect_refusal(words), opened_zarr(tmp_path / "a.zarr"):
        pass


def test_a_link_out_of_a_store_is_refused(tmp_path: Path) -> None:
    xr.Dataset({"v": ("t", np.arange(3.0))}).to_zarr(tmp_path / "a.zarr")
    chunk = next((tmp_path / "a.zarr" / "v").rglob("0"))
    secret = tmp_path / "secret"
    chunk.rename(secret)
    chunk.symlink_to(secret)
    with (
        pytest.raises(InputError, match="is a link out of the store"),
        opened_zarr(tmp_path / "a.zarr"),
    ):
        pass


def test_a_packed_store_whose_member_unpacks_to_gigabytes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("zarr.json", "{}")
        with packed.open("v/c/0", "w", force_zip64=True) as member:
            for _ in range(1100):
                member.write(bytes(1 << 20))
    with (
        expect_refusal("'v/c/0' unpacks to 1,153,433,600 bytes, more than"),
        opened_zarr(tmp_path / "a.zip"),
    ):
        pass


PACKS: dict[str, Callable[[bytes], bytes]] = {
    "a.csv": bytes,
    "a.csv.gz": lambda text: gzip.compress(text, 1),
    "a.csv.bz2": lambda text: bz2.compress(text, 1),
    "a.csv.xz": lambda text: lzma.compress(text, preset=0),
}


@pytest.mark.parametrize("name", PACKS)
def test_a_line_of_a_hundred_megabytes(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(PACKS[name](b"a,b\n1,2\n" + b"1" * (100 << 20)))
    with expect_refusal("a line has more than 1,048,576 bytes", 60):
        read_rows(tmp_path / name)


def test_a_packed_table_is_bounded_by_what_it_unpacks_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TEXT", 10_000_000)
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", "a,b\n" + "1,2\n" * 3_000_000)
    with expect_refusal("has more than 10,000,000 bytes of text"):
        read_rows(tmp_path / "a.csv.zip")
    (tmp_path / "a.csv.zst").write_bytes(b"")
    with expect_refusal("packed by zstd; unpack it"):
        read_rows(tmp_path / "a.csv.zst")


def test_lines_up_to_the_bound_are_read(tmp_path: Path) -> None:
    names = [chr(ord("a") + k) * (limits.LINE // 16 - 1) for k in range(16)]
    names[0] += "a"
    header, row = ",".join(names), ",".join("1" * 16)
    assert len(header) == limits.LINE
    (tmp_path / "a.csv").write_text(f"{header}\n{row}\n")
    assert read_rows(tmp_path / "a.csv").columns.tolist() == names
    (tmp_path / "a.csv").write_text(f"a{header}\n{row}\n")
    with expect_refusal("a line has more than 1,048,576 bytes"):
        read_rows(tmp_path / "a.csv")


def test_parquet_of_a_repeated_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pa.array(np.zeros(200_000, np.int32))
    texts = pa.DictionaryArray.from_arrays(rows, pa.array(["x" * 1000])).cast(pa.string())
    pq.write_table(pa.table({"a": texts}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 50_000
    from releo_da.io import parquet

    monkeypatch.setattr(parquet, "BYTES", 50_000_000)
    with expect_refusal("the table takes more than 50,000,000 bytes"):
        read_rows(tmp_path / "a.parquet")


def test_parquet_of_many_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from releo_da.io import parquet

    pq.write_table(pa.table({"a": np.zeros(10**6, np.int8)}), tmp_path / "a.parquet")
    monkeypatch.setattr(parquet, "CELLS", 10**5)
    with expect_refusal("the table has 1,000,000 cells, more than 100,000"):
        read_rows(tmp_path / "a.parquet")


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF3_64BIT_DATA"])
def test_the_header_of_a_classic_file_is_walked(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    data = xr.Dataset({"v": ("t", np.arange(3.0), {"units": "m", "n": 1})}, attrs={"x": "y"})
    if kind == "NETCDF3_64BIT_DATA":
        with netCDF4.Dataset(path, "w", format=kind) as file:
            file.createDimension("t", 3)
            file.createVariable("v", "f8", ("t",))[:] = np.arange(3.0)
            file.note = "abc"
    else:
        data.to_netcdf(path, format=kind)
    with opened(path) as found:
        assert found["v"].values.tolist() == [0.0, 1.0, 2.0]
    sound = path.read_bytes()
    for length in range(4, 60, 7):
        path.write_bytes(sound[:length])
        with expect_refusal("not readable as netCDF"), opened(path):
            pass
    path.write_bytes(sound[:12] + b"\x7f\xff\xff\xff" + sound[16:])
    with expect_refusal("its header is damaged"), opened(path):
        pass
