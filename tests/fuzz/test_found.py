"""What following the branches has found, each built from sound contents: one error, and soon."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import netCDF4
import pytest

from releo_da.io import trial
from releo_da.io.netcdf import opened
from releo_da.types import InputError

from .targets import TARGETS, bytes_of, data_set

HANGS = {2454: 155, 2526: 0, 2528: 40, 2910: 4, 7390: 247, 7391: 255}
"""Bytes of a cube that keep HDF5 2.2 busy for ever when it is opened, by their place."""


def endless(folder: Path) -> bytes:
    data = bytearray(TARGETS["netcdf_cube"].seeds(folder)[0])
    for place, byte in HANGS.items():
        data[place] = byte
    return bytes(data)


def encoded_by_a_number(folder: Path) -> bytes:
    def write(path: Path) -> None:
        data_set({"point": 2}).to_netcdf(path, format="NETCDF3_CLASSIC")
        with netCDF4.Dataset(path, "a") as file:
            del file["band"]._Encoding
            file["band"].setncattr("_Encoding", 7)

    return bytes_of(folder, "made.nc", write)


def numbers_with_an_encoding(folder: Path) -> bytes:
    data = bytearray(TARGETS["netcdf_classic"].seeds(folder)[0])
    place = data.index(b"_Encoding") + len("_Encoding") + 3 + 4 + 4 + len("utf-8") + 3
    assert data[place : place + 4] == b"\0\0\0\2"  # characters
    data[place + 3] = 1  # bytes
    return bytes(data)


def along_time_twice(folder: Path) -> bytes:
    def write(path: Path) -> None:
        data_set({"point": 2}).to_netcdf(path, format="NETCDF3_CLASSIC")
        with netCDF4.Dataset(path, "a") as file:
            file.renameVariable("reflectance", "former")
            file.createVariable("reflectance", "f4", ("time", "point", "time"))

    return bytes_of(folder, "made.nc", write)


def changed(statement: str) -> Callable[[Path], bytes]:
    """A ledger in which a statement of SQL changed something."""

    def made(folder: Path) -> bytes:
        path = folder / "made.sqlite"
        path.write_bytes(TARGETS["ledger"].seeds(folder)[0])
        with sqlite3.connect(path) as database:
            database.executescript(statement)
            database.execute("PRAGMA journal_mode=DELETE")
        database.close()
        return path.read_bytes()

    return made


FOUND = {
    "encoding": ("netcdf_classic", encoded_by_a_number, "cannot be decoded"),
    "numbers as text": ("netcdf_classic", numbers_with_an_encoding, "cannot be decoded"),
    "an axis twice": ("netcdf_classic", along_time_twice, "each once"),
    "one name with another blank": (
        "weather", lambda folder: b"date,t,t\x1e,p\n2020-05-01,13,12,1.5\n", "named 't'"),
    "no UTF-8": (
        "ledger", changed("UPDATE settings SET said=CAST(x'7bff7d' AS TEXT)"), "decode"),
    "scores of bytes": ("ledger", changed("UPDATE cycle SET scores=x'7b7d'"), "another type"),
    "a number for a name": ("ledger", changed("UPDATE cycle SET time='soon'"), "another type"),
    "a state elsewhere": ("ledger", changed("UPDATE cycle SET state='../a'"), "names '../a'"),
    "a product elsewhere": ("ledger", changed("UPDATE cycle SET product='/a'"), "names '/a'"),
    "a copy elsewhere": (
        "ledger",
        changed("UPDATE acquisition SET identity='../../a' WHERE identity='a2'"),
        "is called '../../a'",
    ),
    "indices exchanged": (
        "ledger",
        changed(
            "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage="
            "(SELECT sum(rootpage) FROM sqlite_master WHERE name IN "
            "('cycle_time', 'acquisition_kept')) - rootpage "
            "WHERE name IN ('cycle_time', 'acquisition_kept')"
        ),
        "not a ledger",
    ),
    "no moment": ("ledger", changed("UPDATE cycle SET recorded='soon'"), "isoformat"),
}  # fmt: skip


def test_a_file_on_which_a_library_hangs_ends_soon(tmp_path: Path) -> None:
    content, start = endless(tmp_path), time.process_time()
    with suppress(InputError):  # another version of the library may read it
        TARGETS["netcdf_cube"].read(tmp_path, content)
    assert time.process_time() - start < 5


@pytest.mark.filterwarnings("ignore:Duplicate dimension")
@pytest.mark.parametrize("case", FOUND)
def test_what_was_found_is_refused(case: str, tmp_path: Path) -> None:
    name, made, said = FOUND[case]
    content = made(tmp_path)
    with pytest.raises(InputError, match=said):
        TARGETS[name].read(tmp_path, content)


@pytest.mark.parametrize("does", ["while True: pass", "import os; os.abort()", "raise SystemExit"])
def test_a_file_is_refused_where_the_library_hangs_or_dies(
    does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "child.py"
    script.write_text(
        "import signal, sys\nprint(flush=True)\nsys.stdin.readline()\n"
        f"signal.setitimer(signal.ITIMER_PROF, 0.2)\n{does}\n"
    )
    data_set({"point": 2}).to_netcdf(tmp_path / "a.nc")
    trial._end()
    with monkeypatch.context() as changing, pytest.raises(InputError, match="come to an end"):
        changing.setattr(trial, "CHILD", script)
        with opened(tmp_path / "a.nc"):
            pass
    with opened(tmp_path / "a.nc") as sound:  # by a new process
        assert sound.sizes["point"] == 2
