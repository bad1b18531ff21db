"""What is damaged is refused or made again: it never leads to other results without a word."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releo_da.cycling.ledger import Ledger
from releo_da.io import read_state
from releo_da.runs.verify import verify
from releo_da.types import InputError

from .failing import base, copied, data, left, opened, sweep
from .linear import ALL, deliver, season

Damage = Callable[[bytes, int], bytes]


def flipped(content: bytes, seed: int) -> bytes:
    changed = bytearray(content)
    rng = np.random.default_rng(seed)
    changed[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


DAMAGES: dict[str, Damage] = {
    "truncated": lambda content, seed: content[: len(content) * (seed + 1) // 8],
    "empty": lambda content, seed: b"",
    "zeros": lambda content, seed: bytes(len(content)),
    "flipped": flipped,
}
REFUSED = (InputError, sqlite3.DatabaseError)


@pytest.fixture
def expected(tmp_path: Path) -> tuple:
    base(tmp_path)
    copied(tmp_path, "whole")
    sweep(tmp_path, "whole")
    return left(tmp_path / "whole")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name",
    ["states/000001.safetensors", "states/000003.safetensors", "acquisitions", "pixels.nc"]
    + ["ledger.sqlite"],
)  # fmt: skip
def test_damage_is_refused_or_does_not_matter(tmp_path, expected, name, damage):
    """Of the state to go back to, the last state, a copy that waits, the pixel axis, the ledger."""
    for seed in range(6 if damage == "flipped" else 1):
        root = copied(tmp_path, "damaged")
        path = root / name
        if name == "acquisitions":
            with Ledger(root / "ledger.sqlite") as ledger:
                identity = list(ledger.cycles())[-1].arrival.identity
            path = path / f"{identity}.safetensors"
        whole = path.read_bytes()
        path.write_bytes(DAMAGES[damage](whole, seed))
        try:
            sweep(tmp_path, "damaged")
        except REFUSED as error:
            assert (
                "restore" in str(error) or isinstance(error, sqlite3.Error) or "state" in str(error)
            )
            if name != "ledger.sqlite":
                path.write_bytes(whole)
                sweep(tmp_path, "damaged")
                assert left(root) == expected, seed
        else:
            assert left(root)[:4] == expected[:4] or verify(root).damage, seed


def test_a_ledger_that_is_gone_is_not_begun_anew(tmp_path, expected):
    """States without a ledger: the run must not start from the prior as if it were new."""
    for damage in ("missing", "empty"):
        root = copied(tmp_path, "damaged")
        (root / "ledger.sqlite").unlink()
        if damage == "empty":
            (root / "ledger.sqlite").write_bytes(b"")
        before = (root / "states" / "000001.safetensors").read_bytes()
        with pytest.raises(InputError, match="ledger is missing or empty; restore it"):
            sweep(tmp_path, "damaged")
        assert (root / "states" / "000001.safetensors").read_bytes() == before


@pytest.mark.parametrize("given_up", [False, True], ids=["all kept", "given up"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_of_the_ledger(tmp_path, expected, damage, given_up):
    """SQLite keeps the rows up to the first frame that is damaged; the rest is made again.

    Where states and copies were given up by rows that are lost, that is refused.
    """
    parts = {} if given_up else {"replay_days": 100.0}
    if not given_up:  # nothing comes late, so nothing is undone
        for name in ("d2.nc", "again.nc"):
            (tmp_path / "inbox" / name).unlink()
    for date in (0, 1, 4, 6):
        deliver(tmp_path / "inbox", data(), [date])
    for seed in range(4 if damage == "flipped" else 1):
        root = copied(tmp_path, "crashed")
        ledger = Ledger(root / "ledger.sqlite")
        log, kept = root / "ledger.sqlite-wal", root / "ledger.sqlite"
        with closing(ledger.db):
            opened(tmp_path, "crashed", ledger, **parts).sweep()
            crashed = log.read_bytes(), kept.read_bytes()
        done = left(root)
        kept.write_bytes(crashed[1])
        log.write_bytes(DAMAGES[damage](crashed[0], seed))
        try:
            sweep(tmp_path, "crashed", **parts)
        except InputError as error:
            assert given_up and "o such file" in str(error), seed
            assert any("is missing" in one.problem for one in verify(root).damage)
        else:
            assert left(root)[2:] == done[2:], seed
            assert verify(root).damage == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_inputs_are_refused_and_read_when_they_are_whole(tmp_path, expected, damage):
    """A flipped bit that no checksum of the file covers is another content, and is corrected."""
    inbox = tmp_path / "inbox"
    whole = {path: path.read_bytes() for path in inbox.iterdir()}
    for seed in range(4):
        root = copied(tmp_path, "damaged")
        path = sorted(whole)[(1, 3, 4, 5)[seed] if len(whole) > 5 else seed % len(whole)]
        path.write_bytes(DAMAGES[damage](whole[path], seed))
        sweep(tmp_path, "damaged", replay_days=100.0)
        path.write_bytes(whole[path])
        os.utime(path, ns=(1, seed))  # the clock of who copies may go backwards
        sweep(tmp_path, "damaged", replay_days=100.0)
        chain = [one.arrival.identity for one in left(root)[2]]
        assert chain == [one.arrival.identity for one in expected[2]], seed


def test_a_file_that_cannot_be_read_just_now_is_tried_again(tmp_path, expected):
    """An error of the system says nothing about the file."""
    root = copied(tmp_path, "later")

    def failing(path: Path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    assert sweep(tmp_path, "later", read=failing) == 0
    sweep(tmp_path, "later")
    assert left(root) == expected


def test_the_clock_of_the_machine_may_go_backwards(tmp_path, expected, monkeypatch):
    from releo_da.cycling import ledger, queue, read_files

    years = iter(range(2030, 1000, -1))
    for module in (ledger, queue, read_files):
        monkeypatch.setattr(module, "now", lambda: f"{next(years)}-01-01T00:00:00+00:00")
    root = copied(tmp_path, "clock")
    for path in sorted((tmp_path / "inbox").iterdir()):
        os.utime(path, ns=(0, 10**18 - path.stat().st_mtime_ns % 10**9))
    sweep(tmp_path, "clock")
    assert left(root) == expected


def test_weeks_without_observations_change_nothing_until_one_arrives(tmp_path):
    inbox = tmp_path / "inbox"
    deliver(inbox, data(), [0])
    sweep(tmp_path, "gap")
    before = left(tmp_path / "gap")
    for _ in range(7):
        assert sweep(tmp_path, "gap") == 0
    assert left(tmp_path / "gap") == before
    later = data().isel(time=[1])
    deliver(inbox, later.assign_coords(time=later.time + np.timedelta64(200, "D")), [0], "l.nc")
    assert sweep(tmp_path, "gap") == 1
    state = read_state(tmp_path / "gap" / "states" / "000002.safetensors")
    assert np.isfinite(state.ensemble.numpy()).all() and state.ensemble.std() > 0.01


def test_one_sensor_stops_and_the_other_goes_on(tmp_path):
    season_of_both = season(points=2, clear=True)
    for date in ALL:
        if date < 3 or str(season_of_both.platform.values[date]) == "S2B":
            deliver(tmp_path / "inbox", season_of_both, [date])
    assert sweep(tmp_path, "run") == 6
    last = sorted((tmp_path / "run" / "products").iterdir())[-1]
    with xr.open_dataset(last) as product:
        assert np.isfinite(product.lai.values).all()


def backed_up(root: Path, target: Path) -> None:
    """As the runbook says: the ledger first, then the files."""
    target.mkdir()
    with (
        closing(sqlite3.connect(root / "ledger.sqlite")) as source,
        closing(sqlite3.connect(target / "ledger.sqlite")) as copy,
    ):
        source.backup(copy)
    for name in ("states", "acquisitions", "products"):
        shutil.copytree(root / name, target / name)
    shutil.copy(root / "pixels.nc", target)


def test_a_backup_elsewhere_goes_on_to_the_same_bits(tmp_path, expected):
    backed_up(tmp_path / "base", tmp_path / "restored")
    shutil.rmtree(tmp_path / "base")
    assert verify(tmp_path / "restored").damage == []
    sweep(tmp_path, "restored")
    assert left(tmp_path / "restored") == expected


def test_a_backup_that_is_made_while_the_service_commits_goes_on_too(tmp_path, expected):
    """The ledger as it was before, the files as they are after three more cycles."""
    root = copied(tmp_path, "busy")
    ledger = sqlite3.connect(tmp_path / "then.sqlite")
    with closing(ledger), closing(sqlite3.connect(root / "ledger.sqlite")) as source:
        source.backup(ledger)
    sweep(tmp_path, "busy", replay_days=100.0)  # nothing is given up, nothing is removed but
    target = copied(tmp_path, "restored")
    shutil.rmtree(target)
    shutil.copytree(root, target)
    for rest in target.glob("ledger.sqlite*"):
        rest.unlink()
    shutil.copy(tmp_path / "then.sqlite", target / "ledger.sqlite")
    damaged = {one.file for one in verify(target).damage}
    gone = {f"states/{number:06d}.safetensors" for number in (2, 3)}  # undone meanwhile
    assert damaged >= gone
    for (
        name
    ) in damaged:  # so verify says, and the files are fetched from the run or a backup before
        if (tmp_path / "base" / name).exists():
            shutil.copy(tmp_path / "base" / name, target / name)
    assert verify(target).damage == []
    sweep(tmp_path, "restored")
    assert left(target) == expected
