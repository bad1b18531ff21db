"""The ledger keeps what was committed, whatever happens to the process."""

import sqlite3

import pytest

from releo_da.cycling.ledger import Arrival, Cycle, Ledger
from releo_da.types import InputError

ARRIVAL = Arrival("a1", 17000.454634930553, "sentinel2a", "product", "file.nc")
CYCLE = Cycle(1, ARRIVAL, "states/000001.safetensors", "f00d", {"sums": {"B04": [2.0, 0.1]}})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def test_a_committed_cycle_comes_back_as_it_was(path):
    with Ledger(path) as ledger:
        assert ledger.last() is None
        ledger.commit(CYCLE)
    with Ledger(path) as ledger:
        assert ledger.last() == CYCLE
        assert list(ledger.cycles()) == [CYCLE]
        assert ledger.file_of("a1") == "file.nc"
        assert ledger.file_of("a2") is None


def test_an_acquisition_counts_once(path):
    with Ledger(path) as ledger:
        ledger.commit(CYCLE)
        with pytest.raises(sqlite3.IntegrityError):
            ledger.commit(CYCLE._replace(number=2))
        assert ledger.counts()["cycles"] == 1


def test_every_commit_waits_for_the_disk(path):
    with Ledger(path) as ledger:
        assert ledger.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger.db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_was_passed_over_is_known_and_counted(path):
    with Ledger(path) as ledger:
        ledger.pass_over(ARRIVAL, "late")
        ledger.pass_over(ARRIVAL, "late")
        assert ledger.file_of("a1") == "file.nc"
        assert ledger.counts()["late"] == 1
        assert ledger.counts()["cycles"] == 0


def test_a_file_is_known_until_it_or_its_reader_changes(path):
    with Ledger(path) as ledger:
        ledger.record_file("a.nc", 10, 20, "reader", error="cut short")
        assert ledger.refused_files() == {"a.nc": "cut short"}
        assert ledger.has_read("a.nc", 10, 20, "reader")
        assert not ledger.has_read("a.nc", 11, 20, "reader")
        assert not ledger.has_read("a.nc", 10, 21, "reader")
        assert not ledger.has_read("a.nc", 10, 20, "another")
        ledger.record_file("a.nc", 11, 20, "reader", acquisitions=3)
        assert ledger.refused_files() == {}


def test_near_in_time_means_the_same_sensor(path):
    with Ledger(path) as ledger:
        ledger.commit(CYCLE)
        time = ARRIVAL.time
        assert ledger.assimilated_near("sentinel2a", time + 0.0009, 0.001)
        assert not ledger.assimilated_near("sentinel2a", time + 0.002, 0.001)
        assert not ledger.assimilated_near("sentinel2b", time, 0.001)


def test_the_last_settings_count(path):
    with Ledger(path) as ledger:
        assert ledger.settings() is None
        ledger.accept({"members": 8})
        ledger.accept({"members": 16})
        assert ledger.settings() == {"members": 16}


def test_another_file_is_refused(path):
    path.write_text("not a data base, but long enough to be looked at as one", encoding="utf-8")
    with pytest.raises(InputError, match="not a ledger"):
        Ledger(path)
