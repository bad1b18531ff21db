"""Sums that are kept up to the replay window give the scores of all rows, to the bit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from releo_da.config.base_sums import BASE, NOTHING, kept_before
from releo_da.config.cycle_sums import added_to, scores_from, sums_of
from releo_da.cycling.ledger import Ledger
from releo_da.cycling.records import WAITING, Accepted, Arrival, Cycle
from releo_da.io.digested import read_digested, write_digested

from ..runs.conftest import service
from ..runs.linear import ALL, Open, deliver, season

__all__ = ["service"]


def from_all_rows(one) -> dict:
    """The sums without anything that was kept; what is kept stays as it is."""
    kept = one.store.root / BASE
    aside = shutil.move(kept, f"{kept}.aside") if kept.exists() else None
    found = sums_of(one)
    kept.unlink(missing_ok=True)
    if aside:
        shutil.move(aside, kept)
    return found


def text(sums: dict) -> str:
    return json.dumps([sums, scores_from([sums])])


@pytest.mark.parametrize("order", [ALL, [1, 0, 4, 2, 3, 6, 5]])
def test_sums_of_sweeps_are_those_of_all_rows(tmp_path: Path, service: Open, order) -> None:
    numbers = []
    for date in order:
        deliver(tmp_path / "inbox", season(), [date])
        one = service(replay_days=9.0)
        one.sweep()
        assert text(sums_of(one)) == text(from_all_rows(one))
        numbers.append(kept_before(one.store.root, one.ledger)[0])
    assert numbers == sorted(numbers) and numbers[-1] > 0
    read = [c.number for c in one.ledger.cycles(after=numbers[-1])]
    assert len(read) == 2  # days 18 and 20; the window begins with day 11


def test_what_is_kept_of_another_chain_or_damaged_is_left_out(tmp_path, service) -> None:
    for date in ALL:
        deliver(tmp_path / "inbox", season(), [date])
    one = service(replay_days=1.0)
    one.sweep()
    whole = text(sums_of(one))
    path = one.store.root / BASE
    number, _ = kept_before(one.store.root, one.ledger)
    held, sound = read_digested(path), path.read_text()
    assert number == held["number"] > 0
    for harm in (
        {**held, "version": "0.0"},
        {**held, "state_sha256": "0" * 64},
        {**held, "number": number + 1},
        {"number": number},
        {},
    ):
        write_digested(path, harm)
        assert kept_before(one.store.root, one.ledger) == (0, NOTHING)
        assert text(sums_of(one)) == whole
    for harm in ({**json.loads(sound), "sums": {**held["sums"], "cycles": 0}}, []):  # no digest
        path.write_text(json.dumps(harm))
        assert kept_before(one.store.root, one.ledger) == (0, NOTHING)
    one.ledger.queue.undo(number - 1)
    assert kept_before(one.store.root, one.ledger) == (0, NOTHING)


def test_parts_of_any_length_add_up_to_the_bit(tmp_path: Path) -> None:
    """Numbers of very different size, of which every other order gives other sums."""
    rng = np.random.default_rng(0)
    cycles = []
    for k in range(40):
        sensor, size = ("a", "b")[k % 3 == 0], 10.0 ** rng.uniform(-9, 9)
        sums = {"seen": float(k), "nu": list(size * rng.standard_normal(3))}
        judged = {"seen": 3, "refused": {"gross": k % 2}, "recovered": {}, "sums": sums}
        background = {
            name: list(size * rng.standard_normal(9)) for name in ("B1", "B2")[: 1 + k % 2]
        }
        said = {"sums": background, "rejected": {"B1": k}, "diverged": k % 4, "innovations": judged}
        cycles.append(Cycle(k + 1, Arrival(f"a{k}", float(k), sensor, "p", "f"), "s", "c", said))
    whole = json.dumps(added_to(NOTHING, cycles))
    for cut in (1, 2, 3, 20, 39):
        parts = json.loads(json.dumps(added_to(NOTHING, cycles[:cut])))
        assert json.dumps(added_to(parts, cycles[cut:])) == whole


def test_rows_before_the_window_are_not_read(tmp_path: Path) -> None:
    """The rows that a sweep reads are those after a number, whatever lies before it."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for k in range(5):
            arrival = Arrival(f"a{k}", float(k), "s", "p", "f")
            ledger.queue.take(Accepted(arrival, 1, WAITING))
            ledger.commit(Cycle(k + 1, arrival, f"states/{k}", "c", {}))
        with ledger.db:
            ledger.db.execute("UPDATE cycle SET scores='no JSON' WHERE number<4")
        assert [one.number for one in ledger.cycles(after=3)] == [4, 5]
        assert ledger.holds(3, "c") and not ledger.holds(3, "d") and not ledger.holds(9, "c")
