"""Every call to the disk and to SQLite fails once, and disks are full: the next sweep mends it."""

import errno
import os
import resource
from pathlib import Path

import pytest

from releo_da.runs.verify import verify

from .failing import (
    STORAGE,
    Failing,
    base,
    copied,
    fails_then_goes_on,
    left,
    sweep,
    unflushed,
)

__all__ = ["unflushed"]
pytestmark = pytest.mark.usefixtures("unflushed")


@pytest.fixture
def expected(tmp_path: Path) -> tuple:
    """What an uninterrupted sweep leaves: one late, one replaced, one new."""
    base(tmp_path)
    copied(tmp_path, "whole")
    assert sweep(tmp_path, "whole") == 4
    found = left(tmp_path / "whole")
    assert [one.status for one in found[3]].count("replaced") == 1
    assert verify(tmp_path / "whole").damage == []
    return found


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["files", "database"])
def test_every_call_fails_once(tmp_path, expected, monkeypatch, kind, after):
    """The n-th write, flush, rename, removal, statement or commit fails, for every n."""
    for at in range(1, 1000):
        failing = Failing(at, after, code=(errno.ENOSPC, errno.EIO)[at % 2])
        assert fails_then_goes_on(tmp_path, failing, kind, monkeypatch) == expected, at
        found = verify(tmp_path / "failed")
        assert (found.damage, found.rests, found.unknown) == ([], [], []), at
        if failing.count < at:
            break
    assert at > 8


@pytest.mark.parametrize("kind", ["files", "database"])
def test_a_disk_that_fails_from_some_call_on(tmp_path, expected, monkeypatch, kind):
    for at in range(1, 200, 19):
        failing = Failing(at, ever=True)
        assert fails_then_goes_on(tmp_path, failing, kind, monkeypatch) == expected, at


def test_a_directory_that_cannot_be_written_is_left_as_it_is(tmp_path, expected, monkeypatch):
    root = copied(tmp_path, "failed")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        Failing(1, ever=True, code=errno.EROFS).files(patch)
        with pytest.raises(STORAGE):
            sweep(tmp_path, "failed")
    assert {path: path.read_bytes() for path in before} == before
    sweep(tmp_path, "failed")
    assert left(root) == expected


@pytest.mark.parametrize("room", [0, 300, 1000, 4095, 4097, 9000, 12500, 20000, 30000, 70000])
def test_files_that_find_no_room(tmp_path, expected, room):
    """The system itself refuses writes beyond a size: of netCDF, SQLite and Python alike.

    A process of its own, whose limit ends with it.
    """
    root = copied(tmp_path, "full")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        try:
            sweep(tmp_path, "full")
        except STORAGE:
            os._exit(3)
        except BaseException:
            os._exit(4)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == (3 if room < 30000 else status) and status in (0, 3)
    found = verify(root)
    assert found.damage == []
    sweep(tmp_path, "full")
    assert left(root) == expected
