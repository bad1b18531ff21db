"""What is kept of the health of a run and what follows give what all rows give, to the bit."""

import json
from pathlib import Path

import numpy as np
import pytest

from releo_da.cycling.ledger import Ledger
from releo_da.cycling.records import WAITING, Accepted, Arrival, Cycle
from releo_da.diagnostics.alarms import Rules
from releo_da.diagnostics.watching import Health, alarms
from releo_da.runs.kept_health import HEALTH, SCENES, keep_health, kept_health
from releo_da.runs.watched import advance, folded, health_of

RULES = Rules(silent_days=3.0)


def cycles(count: int) -> list[Cycle]:
    """Two sensors: one jumps and comes back, one collapses, diverges and is recovered at times."""
    rng = np.random.default_rng(0)
    found = []
    for k in range(count):
        sensor = ("a", "b")[k % 3 == 0]
        mean = 0.005 * rng.standard_normal(2) + 0.1 * (40 <= k < 60) * (sensor == "a")
        spread = 0.03 if k % 50 < 25 else 0.3
        sums = {
            name: [50, -50 * m, 50 * (m**2 + 0.03**2), 1, 1, 50 * spread**2, 45, 1, 0]
            for name, m in zip(("B1", "B2")[: 2 - (k < 7)], mean, strict=False)
        }
        said = {"sums": sums, "diverged": 20 * (k % 30 == 0), "pixels": 50, "stale": 30 * (k > 70)}
        judged = {"sums": {"assumed": [1.0, 2.0], "expected": [1.0 + 1e-6 * (k % 40), 2.0]}}
        arrival = Arrival(f"a{k}", float(k), sensor, "p", "f")
        found.append(Cycle(k + 1, arrival, f"s{k}", f"{k}", {**said, "innovations": judged}))
    return found


def same(one: Health, other: Health) -> bool:
    return repr(one) == repr(other) and all(
        a.tobytes() == b.tobytes()
        for name in one.sensors
        for a, b in zip(one.sensors[name], other.sensors[name], strict=True)
        if isinstance(a, np.ndarray)
    )


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger(tmp_path / "ledger.sqlite") as made:
        for one in cycles(90):
            made.queue.take(Accepted(one.arrival, 1, WAITING))
            made.commit(one)
        yield made


def test_a_fold_that_was_kept_goes_on_as_if_it_had_not_been(tmp_path, ledger) -> None:
    rows = cycles(90)
    whole = folded((Health(), []), rows, RULES)
    for cut in range(1, 90, 4):
        keep_health(tmp_path, rows[cut - 1], RULES, folded((Health(), []), rows[:cut], RULES))
        number, fold = kept_health(tmp_path, ledger, RULES)
        known, made = folded(fold, rows[number:], RULES)
        assert number == cut and same(known, whole[0]) and repr(made) == repr(whole[1])
        assert alarms(known, RULES) == alarms(whole[0], RULES)
    fold, kinds = (Health(), []), set()
    for one in rows:
        fold = folded(fold, [one], RULES)
        kinds |= {alarm.kind for alarm in alarms(fold[0], RULES)}
    assert kinds >= {"biased", "diverged", "collapsed", "recovered", "stale"}


def test_rows_before_the_window_are_read_once(tmp_path, ledger) -> None:
    whole = health_of(ledger, RULES, tmp_path)
    for begin in (20.0, 20.5, 80.0):
        advance(ledger, RULES, tmp_path, begin)
    assert kept_health(tmp_path, ledger, RULES)[0] == 80
    with ledger.db:
        ledger.db.execute("UPDATE cycle SET scores='no JSON' WHERE number<=80")
    known, made = health_of(ledger, RULES, tmp_path)
    assert same(known, whole[0]) and repr(made) == repr(whole[1]) and len(made) <= SCENES


def test_what_is_kept_counts_only_with_its_chain_rules_and_version(
    tmp_path, ledger, monkeypatch
) -> None:
    advance(ledger, RULES, tmp_path, 50.0)
    held = json.loads((tmp_path / HEALTH).read_text("utf-8"))
    assert kept_health(tmp_path, ledger, RULES)[0] == 50
    assert kept_health(tmp_path, ledger, Rules(silent_days=3.0, limit=5.0))[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr("releo_da.runs.kept_health.__version__", "another")
        assert kept_health(tmp_path, ledger, RULES)[0] == 0
    ledger.queue.undo(49)
    assert kept_health(tmp_path, ledger, RULES)[0] == 0
    (tmp_path / HEALTH).write_text(json.dumps({**held, "number": 49, "state_sha256": "48"}))
    assert kept_health(tmp_path, ledger, RULES)[0] == 0  # its digest is another
