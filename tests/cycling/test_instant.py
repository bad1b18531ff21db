"""A ledger is read as it is at one instant, and neither it nor its folder is written to."""

import multiprocessing
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from releo_da.cycling import instant, tables
from releo_da.cycling.ledger import Ledger
from releo_da.types import InputError

PROCESSES = multiprocessing.get_context("fork")


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Times and bytes of a folder and its files: a file made and removed changes those of it."""
    times = {".": (folder.stat().st_mtime_ns, b"")}
    return times | {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()}


def seeds(path: Path) -> list[int]:
    """What the rows of the settings say."""
    with Ledger(path, reads=True) as ledger:
        return [int(said[9:-1]) for (said,) in ledger.db.execute("SELECT said FROM settings")]


def commits(path: Path, pipe: Connection, count: int) -> None:
    """Commit rows in a process of its own, tell, and wait to be told."""
    with Ledger(path) as ledger:
        for seed in range(count):
            ledger.accept({"seed": seed})
        pipe.send(None)
        pipe.recv()


@pytest.fixture
def process() -> Iterator[Callable[..., Connection]]:
    """Begins a function in another process; gives the end of a pipe to it."""
    begun = []

    def begin(work: Callable[..., None], path: Path, *arguments: Any) -> Connection:
        here, there = PROCESSES.Pipe()
        one = PROCESSES.Process(target=work, args=(path, there, *arguments))
        one.start()
        begun.append(one)
        return here

    yield begin
    for one in begun:
        one.kill()
        one.join()


def test_beside_a_process_at_work_and_after_it(tmp_path, process):
    path = tmp_path / "ledger.sqlite"
    pipe = process(commits, path, 3)
    pipe.recv()
    before = everything(tmp_path)
    assert {"ledger.sqlite-wal", "ledger.sqlite-shm"} <= before.keys()
    assert seeds(path) == [0, 1, 2] and everything(tmp_path) == before
    pipe.send(None)
    with pytest.raises(EOFError):
        pipe.recv()
    before = everything(tmp_path)
    assert set(before) == {".", "ledger.sqlite"}
    assert seeds(path) == [0, 1, 2] and everything(tmp_path) == before


@pytest.mark.parametrize("lost", [(), ("-shm",), ("-shm", "-wal")])
def test_of_a_process_that_was_killed(tmp_path, process, lost):
    path = tmp_path / "ledger.sqlite"
    process(commits, path, 3).recv()
    left = tmp_path / "left"
    left.mkdir()
    for one in sorted(tmp_path.glob("ledger.sqlite*")):
        shutil.copy(one, left)
    for end in lost:
        (left / f"ledger.sqlite{end}").unlink()
    before = everything(left)
    assert seeds(left / "ledger.sqlite") == ([] if "-wal" in lost else [0, 1, 2])
    assert everything(left) == before


def test_every_reading_is_of_one_instant(tmp_path, process):
    path = tmp_path / "ledger.sqlite"
    Ledger(path).db.close()
    pipe, last = process(commits, path, 300), 0
    while not pipe.poll():
        found = seeds(path)
        assert found == list(range(len(found))) and len(found) >= last
        last = len(found)
    assert seeds(path) == list(range(300))


def test_an_empty_file_stays_empty_and_nothing_can_be_written(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.touch()
    with Ledger(path, reads=True) as ledger:
        assert ledger.last() is None and ledger.counts()["cycles"] == 0
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            ledger.accept({"seed": 1})
    assert path.stat().st_size == 0 and os.listdir(tmp_path) == ["ledger.sqlite"]


def test_one_that_changes_whenever_it_is_read_is_told(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite"
    Ledger(path).db.close()
    read = instant._read

    def changed(path, how):
        os.utime(path)
        return read(path, how)

    monkeypatch.setattr(instant, "_read", changed)
    monkeypatch.setattr(instant, "PAUSE", 0.0)
    with pytest.raises(InputError, match="changes whenever it is read"):
        seeds(path)


def without_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open ledgers as on a file system that has no memory for the index of a log."""
    connect = sqlite3.connect

    def opened(path: Any, **options: Any) -> sqlite3.Connection:
        if isinstance(path, Path):
            return connect(f"{path.as_uri()}?vfs=unix-dotfile", uri=True)
        return connect(path, **options)

    monkeypatch.setattr(tables.sqlite3, "connect", opened)


def test_where_there_is_no_log_a_journal_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite"
    with monkeypatch.context() as patch:
        without_shared_memory(patch)
        with Ledger(path) as ledger:
            assert ledger.db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
            assert ledger.db.execute("PRAGMA synchronous").fetchone() == (3,)
            ledger.accept({"seed": 0})
    before = everything(tmp_path)
    assert seeds(path) == [0] and everything(tmp_path) == before


def test_a_journal_that_a_crash_left_is_rolled_back_elsewhere(tmp_path, monkeypatch):
    path, left = tmp_path / "ledger.sqlite", tmp_path / "left"
    left.mkdir()
    with monkeypatch.context() as patch:
        without_shared_memory(patch)
        with Ledger(path) as ledger:
            ledger.accept({"seed": 0})
            ledger.db.execute("PRAGMA cache_size=1")
            ledger.db.execute("BEGIN")
            for seed in range(1, 3000):
                said = "x" * 100 if seed % 2 else '{"seed": 1}'
                ledger.db.execute("INSERT INTO settings VALUES (?,?,?)", (seed, said, ""))
            for end in ("", "-journal"):  # pages of the transaction are in the file by now
                shutil.copy(f"{path}{end}", left)
    before = everything(left)
    assert len(before["ledger.sqlite-journal"][1]) and len(before["ledger.sqlite"][1]) > 100_000
    assert seeds(left / "ledger.sqlite") == [0] and everything(left) == before


def test_what_may_lose_a_commit_is_refused():
    with pytest.raises(InputError, match="put the run directory on a local disk"):
        Ledger(Path(":memory:"))


def both(folder: Path, pipe: Connection, barrier: Any, rounds: int) -> None:
    """Open one new ledger after the other at the same time as another process; tell the errors."""
    errors = []
    for k in range(rounds):
        barrier.wait(30)
        try:
            with closing(tables.opened(folder / f"{k}.sqlite")):
                pass
        except Exception as error:
            errors.append(repr(error))
    pipe.send(errors)


def test_two_processes_open_a_new_ledger_at_once(tmp_path, process):
    barrier = PROCESSES.Barrier(2)
    pipes = [process(both, tmp_path, barrier, 30) for _ in range(2)]
    assert [pipe.recv() for pipe in pipes] == [[], []]
    for path in sorted(tmp_path.glob("*.sqlite")):
        assert seeds(path) == []
