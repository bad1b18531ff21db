"""`verify` finds what is not as the ledger says and changes nothing; a service may be at work."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from releo_da.config.verify import found, lines
from releo_da.cycling.ledger import Ledger
from releo_da.io import read_products
from releo_da.io.tile_plan import Plan, write_plan
from releo_da.io.tiles import Tile
from releo_da.runs import verify as verifying
from releo_da.runs.axis import write_axis
from releo_da.runs.verify import verify
from releo_da.types import InputError

from .failing import base, copied, sweep
from .linear import deliver, season

move = os.replace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with a cycle that was undone, a product that was replaced, and states given up."""
    base(tmp_path)
    sweep(tmp_path, "base")
    return tmp_path / "base"


def content(root: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_sound_run_is_sound_and_stays_as_it_is(root):
    before = content(root)
    told = found(root)
    assert told["sound"] and told["damage"] == told["rests"] == told["unknown"] == []
    assert told["counts"]["accepted"] == 6 and told["counts"]["cycles"] == 5
    assert told["counts"]["assimilated"] == 5 and told["counts"]["replaced"] == 1
    after = content(root)
    assert {name: after[name] for name in before} == before
    assert lines(told)[-1] == "sound"


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[int(np.random.default_rng(len(data)).integers(len(data)))] ^= 1
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": truncated,
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "flipped": flipped,
}


@pytest.mark.parametrize("damage", [*DAMAGES, "missing"])
@pytest.mark.parametrize("folder", ["states", "products", "acquisitions"])
def test_every_damaged_file_is_named_with_the_remedy(root, folder, damage):
    paths = sorted((root / folder).iterdir())
    assert paths
    for path in paths:
        data = path.read_bytes()
        path.unlink()
        if damage != "missing":
            path.write_bytes(DAMAGES[damage](data))
        (one,) = verify(root).damage
        assert one.file == f"{folder}/{path.name}"
        assert one.problem and "restore it from a backup" in one.remedy
        path.write_bytes(data)
    assert verify(root).damage == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "zeros", "missing"])
@pytest.mark.parametrize("name", ["pixels.nc", "ledger.sqlite"])
def test_a_damaged_axis_or_ledger_is_named(root, name, damage):
    data = (root / name).read_bytes()
    (root / name).unlink()
    if damage != "missing":
        (root / name).write_bytes(DAMAGES[damage](data))
    told = found(root)
    assert not told["sound"]
    assert {one["file"] for one in told["damage"]} == {name}
    assert any(line.startswith(f"damaged: {name}: ") for line in lines(told))


def change(root: Path, statement: str) -> list[str]:
    """What verifying says after a statement to the ledger, which is taken back."""
    kept = root.with_name("kept.sqlite")
    shutil.copy(root / "ledger.sqlite", kept)
    with closing(sqlite3.connect(root / "ledger.sqlite")) as db, db:
        db.execute(statement)
    said = [one.problem for one in verify(root).damage]
    shutil.copy(kept, root / "ledger.sqlite")
    return said


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM cycle WHERE number=2", "have a row"),
        ("UPDATE cycle SET current=1 WHERE number=2", "and has 1 cycles"),
        ("UPDATE acquisition SET status='late' WHERE status='assimilated'", "is late and has 1"),
        ("UPDATE acquisition SET time=time-20 WHERE time>18399", "out of order"),
        ("UPDATE acquisition SET status='lost' WHERE status='replaced'", "unknown status 'lost'"),
        ("UPDATE acquisition SET status='waiting' WHERE status='replaced'", "before the last"),
        ("UPDATE acquisition SET kept=0, status='waiting' WHERE status='replaced'", "not kept"),
        ("UPDATE cycle SET retained=0 WHERE current", "is not kept"),
        ("DELETE FROM acquisition WHERE status='assimilated'", "of no known acquisition"),
        ("PRAGMA user_version=1", "format 1"),
    ],
)
def test_rows_that_contradict_each_other_are_told(root, statement, problem):
    assert any(problem in said for said in change(root, statement))


def test_rests_and_files_of_others_are_told_and_are_no_damage(root):
    rests = ("states/.000008.safetensors.tmp", "products/.p.nc.tmp", "states/000008.safetensors")
    (root / "states" / "mine.txt").write_text("mine")
    for name in rests:
        (root / name).write_bytes(b"half")
    said = verify(root)
    assert said.damage == [] and sorted(said.rests) == sorted(rests)
    assert said.unknown == ["states/mine.txt"]


def test_what_a_service_changes_meanwhile_is_looked_up_again(tmp_path, root, monkeypatch):
    """Between the rows and the files a sweep goes back, makes cycles again and gives up states."""
    plain, calls = verifying.snapshot, []

    def slow(path: Path):
        held = plain(path)
        if not calls:
            deliver(tmp_path / "inbox", season(points=2, clear=True), [6])
            late = season(points=2, clear=True).isel(time=[5])
            late["time"] = late.time - np.timedelta64(4, "D")
            deliver(tmp_path / "inbox", late, [0], "late.nc")
            assert sweep(tmp_path, "base") == 3
        calls.append(path)
        return held

    monkeypatch.setattr(verifying, "snapshot", slow)
    said = verify(root)
    assert (said.damage, said.unknown) == ([], []) and len(calls) == 2


def test_verifying_needs_no_lock_and_reads_what_only_the_log_holds(tmp_path, root):
    """A service holds the ledger open, so that its last rows are in the write-ahead log."""
    with Ledger(root / "ledger.sqlite") as ledger:
        ledger.accept({"seed": 1})
        assert (root / "ledger.sqlite-wal").stat().st_size > 0
        assert verify(root).damage == []


def test_rows_in_the_log_of_a_crash_count_and_nothing_is_written(tmp_path, root):
    """As on a medium that cannot be written; a backup may lack the index of the log."""
    left = tmp_path / "left"
    with Ledger(root / "ledger.sqlite") as ledger:
        with ledger.db:
            ledger.db.execute("UPDATE cycle SET retained=0 WHERE current")
        shutil.copytree(root, left)
    for name in ("ledger.sqlite-shm", "ledger.sqlite-wal"):
        before = content(left), left.stat().st_mtime_ns
        found = any("is not kept" in one.problem for one in verify(left).damage)
        assert found == (left / "ledger.sqlite-wal").is_file()
        assert (content(left), left.stat().st_mtime_ns) == before
        (left / name).unlink()


def test_tiles_are_verified_one_by_one(tmp_path, root):
    run = tmp_path / "tiled"
    tiles = [Tile((0, 511), (0, 511), 9), Tile((0, 511), (512, 900), 9)]
    for tile in tiles:
        shutil.copytree(root, run / "tiles" / tile.name)
    write_plan(run, Plan({}, {}, tiles))
    assert found(run)["sound"] and found(run)["counts"]["cycles"] == 10
    path = next((run / "tiles" / "r00000_c00512" / "products").iterdir())
    path.write_bytes(b"")
    told = found(run)
    (one,) = told["damage"]
    assert one["file"] == f"tiles/r00000_c00512/products/{path.name}"
    assert json.loads(json.dumps(told)) == told


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="so no cycling run"):
        found(tmp_path)


def test_a_copy_of_a_sound_run_is_sound(tmp_path, root):
    assert verify(copied(tmp_path, "elsewhere")).damage == []


def test_every_flipped_bit_of_the_pixel_axis_is_found(tmp_path, root):
    """Also those in bytes that no checksum of HDF5 covers, and by the service before it goes on."""
    path = root / "pixels.nc"
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [0, len(data) - 1, *rng.integers(len(data), size=40)]:
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        (one,) = verify(root).damage
        assert (one.file, one.problem) == ("pixels.nc", "is not what was committed"), place
    with pytest.raises(InputError, match="pixels.nc: is not what was committed; restore it"):
        sweep(tmp_path, "base")
    path.write_bytes(data)
    (root / "pixels.sha256").write_bytes(b"\xff" * 64)
    (one,) = verify(root).damage
    assert one.file == "pixels.nc" and "pixels.sha256 holds no checksum" in one.problem


def test_a_run_of_an_earlier_version_is_told_that_its_axis_has_no_checksum(tmp_path, root):
    (root / "pixels.sha256").unlink()
    told = found(root)
    assert told["sound"] and told["notes"][0].startswith("pixels.nc: no checksum of it is kept")
    assert any(line.startswith("not checked: pixels.nc") for line in lines(told))
    deliver(tmp_path / "inbox", season(points=2, clear=True), [6])
    assert sweep(tmp_path, "base") == 1
    assert verify(root).notes == []


def test_an_axis_whose_writing_was_cut_short_is_sound(root, monkeypatch):
    """Between the checksum of the next axis and its rename, and the next attempt after it."""
    table = read_products(root / "pixels.nc")

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *a: killed() if "pixels.nc" in str(a[1]) else move(*a))
        with pytest.raises(KeyboardInterrupt):
            write_axis(root, table.assign_attrs(title="another"))
    assert len((root / "pixels.sha256").read_text("ascii").split()) == 2
    assert verify(root).damage == []
    write_axis(root, table.assign_attrs(title="a third"))
    assert verify(root).damage == []
