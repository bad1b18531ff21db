"""A file of many dates is accepted date by date: each counts, and is judged, by itself."""

import os
import shutil
import time
from collections.abc import Callable

import numpy as np
import pytest

from releo_da.io.by_date import ByDate
from releo_da.io.points import open_points
from releo_da.types import InputError

from .linear import ALL, OPTIONS, deliver, read, rows, season, states


def opened(path) -> ByDate:
    return open_points(path, **OPTIONS)


def after(count: int) -> Callable[[], bool]:
    """Asked for the so many-th time, and from then on, it says yes."""
    asked = iter(range(1000))
    return lambda: next(asked) >= count


@pytest.fixture
def many(tmp_path):
    return deliver(tmp_path / "inbox", season(), ALL, "all.nc")


def test_dates_leave_what_a_reading_at_once_leaves(tmp_path, service, many):
    assert service("by date", read=opened, replay_days=30.0).sweep() == (7, [], [], 0)
    assert service("at once", replay_days=30.0).sweep() == (7, [], [], 0)
    assert states(tmp_path / "by date") == states(tmp_path / "at once")
    copies = [
        {path.name: path.read_bytes() for path in (tmp_path / name / "acquisitions").iterdir()}
        for name in ("by date", "at once")
    ]
    assert copies[0] == copies[1] and len(copies[0]) == 7


@pytest.mark.parametrize("count", [3, 7, 10])
def test_a_call_may_end_between_two_dates(tmp_path, service, many, count):
    """Asked before the file, before each further date, and before each that is accepted but one."""
    whole = service("whole", read=opened)
    whole.sweep()
    one = service(read=opened)
    assert one.sweep(after(count)).assimilated == 0
    assert one.ledger.counts()["waiting"] == max(count - 6, 0)
    assert one.ledger.counts()["files"] == 0
    assert service(read=opened).sweep().assimilated == 7
    assert states(tmp_path / "run") == states(tmp_path / "whole")


def test_a_date_is_refused_by_itself_and_the_others_count(tmp_path, service):
    """In one file, or each in its own: the same dates are refused."""

    def judge(series, where):
        (one,) = series.acquisitions
        if one.sensor == "sentinel2b":
            raise InputError(f"{where}: all channels +0.100")
        return [{"kind": "suspicious", "what": "unlike", "message": where}]

    data = season(clear=True)
    deliver(tmp_path / "inbox", data, ALL, "all.nc")
    together = service("together", read=opened, judge=judge)
    swept = together.sweep()
    assert swept.assimilated == 3 and len(swept.refused) == 1
    assert "all.nc, 2020-05-04T10:50:07: all channels" in swept.refused[0]
    assert "4 of its 7 dates" in swept.refused[0]
    assert together.sweep() == (0, [], [], 0)
    for path in (tmp_path / "inbox").iterdir():
        path.unlink()
    for date in ALL:
        deliver(tmp_path / "inbox", data, [date])
    alone = service("alone", read=opened, judge=judge)
    assert alone.sweep().assimilated == 3 and alone.ledger.counts()["refused"] == 4
    assert states(tmp_path / "alone") == states(tmp_path / "together")
    log = (tmp_path / "alone" / "log.jsonl").read_text("utf-8")
    assert log.count('"suspicious"') == 3


def test_a_date_that_cannot_be_read_again_is_tried_by_the_next_sweep(
    tmp_path, service, many, monkeypatch
):
    """The third date fails, or is another one, when it is to be accepted."""
    from releo_da.io import by_date

    loaded = by_date._Pass.load
    for fault, told in (("fails", "no more"), ("changes", "changed while it was read")):

        def load(self, k, fault=fault):
            if k == 2 and fault == "fails":
                raise RuntimeError("no more")
            found = loaded(self, k)
            return found if k != 2 else found._replace(values=found.values + 0.1)

        one = service(fault, read=opened)
        with monkeypatch.context() as patch:
            patch.setattr(by_date._Pass, "load", load)
            swept = one.sweep()
        assert swept.assimilated == 2
        assert told in swept.refused[0] and "read again" in swept.refused[0]
        again = service(fault, read=opened)
        assert again.sweep() == (5, [], [], 0) and not again.ledger.files.refused()


def test_what_was_late_is_accepted_under_a_longer_window(tmp_path, service):
    """Days 3 and 10 are there; day 5 comes before a window of 4 days, and in one of 30."""
    inbox, data = tmp_path / "inbox", season(clear=True)
    for date in (1, 4):
        deliver(inbox, data, [date])
    service(replay_days=4.0).sweep()
    late = deliver(inbox, data, [2], "late.nc")
    assert service(replay_days=4.0).sweep().assimilated == 0
    shutil.copy(late, inbox / "again.nc")
    short = service(replay_days=4.0)
    assert short.sweep() == (0, [], [], 0) and short.ledger.counts()["late"] == 1
    os.utime(late)  # delivered again
    longer = service(replay_days=30.0)
    assert longer.sweep() == (2, [], [], 1)
    assert longer.ledger.counts()["late"] == 0
    service("in order", replay_days=30.0).sweep()
    products = [
        {name: data for name, data in states(tmp_path / run).items() if "products" in name}
        for run in ("run", "in order")
    ]
    assert products[0] == products[1] and len(products[0]) == 3


def test_a_correction_of_the_same_size_and_time_is_noticed(tmp_path, service):
    path = deliver(tmp_path / "inbox", season(), [2], "a.nc")
    facts = path.stat()
    one = service()
    one.sweep()
    time.sleep(0.02)  # the clock of a file system may tick every 10 ms
    data = season()
    data["reflectance"] = data.reflectance + np.float64(0.01)
    deliver(tmp_path / "inbox", data, [2], "a.nc")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_size == facts.st_size
    assert one.sweep() == (1, [], [], 1)
    assert one.ledger.counts()["replaced"] == 1


def test_files_of_a_ledger_that_knew_times_of_modification_are_found_known(tmp_path, service, many):
    one = service(read=read)
    one.sweep()
    before, chain = states(tmp_path / "run"), rows(one)
    with one.ledger.db as db:
        db.execute("UPDATE file SET modified=?", (many.stat().st_mtime_ns - 1,))
    again = service(read=opened)
    assert again.sweep() == (0, [], [], 0)
    assert (states(tmp_path / "run"), rows(again)) == (before, chain)


def test_what_is_no_file_is_told_once(tmp_path, service):
    inbox = tmp_path / "inbox"
    deliver(inbox, season(), [0])
    (inbox / "deep.nc").mkdir()
    os.mkfifo(inbox / "pipe.nc")
    one = service(read=opened)
    swept = one.sweep()
    assert swept.assimilated == 1
    assert ["folder" in swept.refused[0], "pipe" in swept.refused[1]] == [True, True]
    deliver(inbox / "deep.nc", season(), [1])
    assert service(read=opened).sweep() == (0, [], [], 0)
    assert set(service().ledger.files.refused()) == {
        "deep.nc", "pipe.nc",
    }  # fmt: skip
    shutil.rmtree(inbox / "deep.nc")
    deliver(inbox, season(), [1], "deep.nc")
    assert service(read=opened).sweep().assimilated == 1
