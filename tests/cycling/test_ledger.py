"""The ledger keeps what was committed, whatever happens to the process."""

import sqlite3

import pytest

from releo_da.cycling.ledger import Arrival, Cycle, Ledger
from releo_da.cycling.records import WAITING, Accepted
from releo_da.types import InputError

ARRIVAL = Arrival("a1", 17000.454634930553, "sentinel2a", "product", "file.nc")
CYCLE = Cycle(1, ARRIVAL, "states/000001.safetensors", "f00d", {"sums": {"B04": [2.0, 0.1]}})


def taken(ledger, *identities, **changes):
    """Accept acquisitions of one day after the other, all of which wait."""
    for k, identity in enumerate(identities):
        arrival = ARRIVAL._replace(identity=identity, time=ARRIVAL.time + k)
        ledger.queue.take(Accepted(arrival, 5, WAITING)._replace(**changes))


def chain(ledger):
    """Assimilate what waits."""
    while (arrival := ledger.queue.next()) is not None:
        number = ledger.next_number()
        ledger.commit(CYCLE._replace(number=number, arrival=arrival))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def test_a_committed_cycle_comes_back_as_it_was(path):
    with Ledger(path) as ledger:
        assert ledger.last() is None and ledger.clock() is None
        taken(ledger, "a1")
        assert ledger.queue.next() == ARRIVAL
        ledger.commit(CYCLE)
    with Ledger(path) as ledger:
        assert ledger.last() == CYCLE
        assert list(ledger.cycles()) == [CYCLE]
        assert ledger.clock() == ARRIVAL.time
        assert ledger.queue.next() is None
        assert ledger.queue.find("a1") == Accepted(ARRIVAL, 5, "assimilated")
        assert ledger.queue.find("a2") is None


def test_an_acquisition_counts_once(path):
    with Ledger(path) as ledger:
        taken(ledger, "a1")
        ledger.commit(CYCLE)
        with pytest.raises(sqlite3.IntegrityError):
            ledger.commit(CYCLE._replace(number=2))
        assert ledger.counts()["cycles"] == 1


def test_a_chain_is_undone_with_the_acquisition_that_asks_for_it(path):
    with Ledger(path) as ledger:
        taken(ledger, "a1", "a2", "a3")
        chain(ledger)
        early = Accepted(ARRIVAL._replace(identity="b", time=ARRIVAL.time + 0.5), 5, WAITING)
        assert ledger.before(early.arrival.key).number == 1
        ledger.queue.take(early, after=1)
        assert [one.number for one in ledger.cycles()] == [1]
        assert [one.number for one in ledger.undone()] == [2, 3]
        waiting = ledger.queue.listed(WAITING)
        assert [one.arrival.identity for one in waiting] == ["b", "a2", "a3"]
        assert ledger.clock() == ARRIVAL.time + 2  # what was assimilated once
        chain(ledger)
        assert [one.number for one in ledger.cycles()] == [1, 4, 5, 6]
        assert ledger.counts()["undone"] == 2


def test_a_loser_is_a_duplicate_or_was_replaced(path):
    with Ledger(path) as ledger:
        taken(ledger, "a1", "a2")
        ledger.commit(CYCLE)
        new = Accepted(ARRIVAL._replace(identity="b"), 5, "")
        ledger.queue.take(new, ["b"], {"a1": "why", "a2": "so"}, ["a2"], after=0)
        assert ledger.queue.find("a1") == Accepted(ARRIVAL, 5, "replaced", "why")
        found = ledger.queue.find("a2")
        assert (found.status, found.reason, found.withdrawn) == ("duplicate", "so", True)
        assert ledger.queue.find("b").status == WAITING


def test_acquisitions_have_one_order(path):
    with Ledger(path) as ledger:
        keys = [
            (2.0, "a", "p", "x"),
            (1.0, "b", "p", "y"),
            (1.0, "a", "q", "z"),
            (1.0, "a", "p", "w"),
        ]
        for time, sensor, product, identity in keys:
            taken(ledger, identity)
            arrival = Arrival(identity, time, sensor, product, "file")
            ledger.queue.take(Accepted(arrival, 5, WAITING))
        found = [one.arrival.key for one in ledger.queue.listed(WAITING)]
        assert found == sorted(keys)


def test_every_commit_waits_for_the_disk(path):
    with Ledger(path) as ledger:
        assert ledger.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger.db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_file_is_known_until_it_or_its_reader_changes(path):
    with Ledger(path) as ledger:
        ledger.files.record("a.nc", 10, 20, "reader", error="cut short")
        assert ledger.files.refused() == {"a.nc": "cut short"}
        assert ledger.files.has("a.nc", 10, 20, "reader", 19000.0)
        assert not ledger.files.has("a.nc", 11, 20, "reader", 19000.0)
        assert not ledger.files.has("a.nc", 10, 21, "reader", 19000.0)
        assert not ledger.files.has("a.nc", 10, 20, "another", 19000.0)
        ledger.files.record("a.nc", 10, 20, "reader", error="dated ahead", until=19001.0)
        assert ledger.files.has("a.nc", 10, 20, "reader", 19000.9)
        assert not ledger.files.has("a.nc", 10, 20, "reader", 19001.0)
        ledger.files.record("a.nc", 11, 20, "reader", acquisitions=3)
        assert ledger.files.refused() == {}


def test_near_in_time_means_linked_and_of_the_same_sensor(path):
    with Ledger(path) as ledger:
        steps = {"a": 0.0, "b": 0.9, "c": 1.8, "d": 3.0}
        for identity, step in steps.items():
            arrival = ARRIVAL._replace(identity=identity, time=ARRIVAL.time + step)
            ledger.queue.take(Accepted(arrival, 5, WAITING))
        ledger.queue.take(Accepted(ARRIVAL._replace(identity="l"), 5, "late"))
        ledger.queue.take(Accepted(ARRIVAL._replace(identity="w"), 5, "duplicate", withdrawn=True))
        found = ledger.queue.near("sentinel2a", ARRIVAL.time + 1.0, 1.0)
        assert [one.arrival.identity for one in found] == ["a", "b", "c"]
        assert ledger.queue.near("sentinel2b", ARRIVAL.time, 1.0) == []


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


def test_a_ledger_of_another_format_is_refused(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE cycle (number INTEGER)")
    db.close()
    with pytest.raises(InputError, match="a ledger of format 0"):
        Ledger(path)
