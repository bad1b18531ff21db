"""A service stands, to the bit, where a hindcast stands, however often it ends or is killed."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from releo_da.cycling.ledger import Ledger
from releo_da.cycling.queue import Queue
from releo_da.cycling.read_files import ReadFiles
from releo_da.io import drop_duplicates, merge, read_state
from releo_da.runs.block import Task
from releo_da.runs.hindcast import hindcast
from releo_da.runs.judged import restored
from releo_da.types import InputError

from .linear import ALL, MEMBERS, SEED, deliver, last, linear_model, read, rows, season, states


def test_the_service_stands_where_a_hindcast_stands(tmp_path, service):
    data = season(points=300)  # two blocks of randomness
    path = deliver(tmp_path / "inbox", data, ALL)
    one = service()
    assert one.sweep().assimilated == 7
    series = drop_duplicates(merge([read(path)]))
    task = Task(SEED, MEMBERS, start=series.acquisitions[0].time, smooth=False)
    outcome = hindcast(linear_model(), series, task)
    assert torch.equal(last(one).ensemble, outcome.state.ensemble)
    assert torch.equal(last(one).pixels, outcome.state.pixels)
    assert last(one).time == outcome.state.time
    assert len(torch.unique(last(one).ensemble)) > 300 * MEMBERS


def test_a_service_goes_on_from_the_last_state(tmp_path, service, uninterrupted):
    state = read_state(tmp_path / "whole" / "states" / "000007.safetensors")
    again = service("whole")
    assert again.store.number == 7
    assert again.store.state.time == state.time
    assert again.store.state.shape == tuple(state.ensemble.shape)
    assert torch.equal(again.store.state.pixels, state.pixels)


def test_three_calls_leave_the_bits_of_one(tmp_path, service, uninterrupted):
    inbox = tmp_path / "inbox"
    for path in inbox.iterdir():
        path.unlink()
    for dates in ([0, 1], [2, 3, 4], [5, 6]):
        for date in dates:
            deliver(inbox, season(), [date])
        assert service("parts").sweep().assimilated == len(dates)
    assert states(tmp_path / "parts") == uninterrupted[0]
    assert rows(service("parts")) == uninterrupted[1]


def test_ending_between_two_cycles_leaves_the_same_bits(tmp_path, service, uninterrupted):
    for count, end in ((2, 2), (3, 5), (2, 9)):
        one = service("ended")
        stop = lambda one=one, end=end: one.ledger.counts()["cycles"] == end  # noqa: E731
        assert one.sweep(stop).assimilated == count
    again = service("ended")
    assert again.sweep().assimilated == 0
    assert states(tmp_path / "ended") == uninterrupted[0]
    assert again.ledger.counts()["known"] == 0


def test_a_pixel_that_diverges_is_recovered_logged_and_counted(tmp_path, service):
    """The forecast of one pixel ends at infinity, once: its next state is a draw of the prior."""
    model, once = linear_model(), iter([False, False, True])

    def forecast(state, time, noise):
        ahead = model.forecast(state, time, noise)
        if next(once, False):
            ahead.ensemble[1, 0] = torch.inf
        return ahead

    deliver(tmp_path / "inbox", season(), ALL)
    one = service("broken", model=replace(model, forecast=forecast))
    one.sweep()
    said = [c.scores["diverged"] for c in one.ledger.cycles()]
    assert said == [0, 0, 1, 0, 0, 0, 0]
    log = [json.loads(line) for line in (tmp_path / "broken" / "log.jsonl").open()]
    (found,) = [r for r in log if r["kind"] == "recovered"]
    assert found["cycle"] == 3 and found["pixels"] == {"prior": 1}
    for path in (tmp_path / "broken" / "states").iterdir():
        assert torch.isfinite(read_state(path).ensemble).all()


class Killed(BaseException):
    """Stands for a process that ends at this instant."""


class Killer:
    """Lets n - 1 steps of the commits pass and ends the process before, or after, the n-th."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0
        for place, name in (
            (os, "fsync"),
            (os, "replace"),
            (os, "unlink"),
            (Ledger, "commit"),
            (Queue, "take"),
            (ReadFiles, "record"),
        ):
            monkeypatch.setattr(place, name, self.wrapped(getattr(place, name)))

    def wrapped(self, step: Callable) -> Callable:
        def run(*arguments, **options):
            self.count += 1
            here = self.count == self.at
            if here and not self.after:
                raise Killed
            result = step(*arguments, **options)
            if here:
                raise Killed
            return result

        return run


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_step_of_a_commit(tmp_path, service, monkeypatch, after):
    inbox = tmp_path / "inbox"
    for date in (0, 1):
        deliver(inbox, season(), [date])
    whole = service("whole")
    whole.sweep()
    expected, ledger = states(tmp_path / "whole"), rows(whole)
    killed = 0
    for at in range(1, 100):
        with monkeypatch.context() as patch:
            killer = Killer(patch, at, after)
            try:
                service(f"killed {at}").sweep()
            except Killed:
                killed += 1
        again = service(f"killed {at}")
        again.sweep()
        assert states(tmp_path / f"killed {at}") == expected, at
        assert rows(again) == ledger, at
        if killer.count < at:
            break
    # two cycles of two files and a row, the pixel axis and its checksum once; two copies, each with
    # a row, and a row per file of the inbox; a file is flushed, renamed and, where that failed,
    # removed
    files = 2 * 2 + 2 + 2
    assert killed == files * 3 + 2 + 2 + 2 + (0 if after else files)


def test_a_state_that_was_not_committed_is_not_resumed_from(tmp_path, service, uninterrupted):
    root = tmp_path / "whole"
    (root / "states" / "000008.safetensors").write_bytes(b"half a state")
    again = service("whole")
    assert again.store.number == 7
    assert again.sweep().assimilated == 0


def test_another_state_than_the_committed_one_is_refused(tmp_path, service, uninterrupted):
    folder = tmp_path / "whole" / "states"
    (folder / "000007.safetensors").write_bytes((folder / "000006.safetensors").read_bytes())
    with pytest.raises(InputError, match="not the one that cycle 7 committed"):
        service("whole")


def test_a_state_that_is_damaged_while_a_service_runs_is_not_gone_on_from(tmp_path, service):
    """The last byte, which is read after all blocks were assimilated: nothing of them is kept."""
    for date in (0, 1):
        deliver(tmp_path / "inbox", season(points=300), [date])
    one = service()
    one.sweep()
    before = states(tmp_path / "run")
    path = one.store.state.path
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    deliver(tmp_path / "inbox", season(points=300), [2])
    with pytest.raises(InputError, match="000002.safetensors: the state is damaged"):
        one.sweep()
    assert len(rows(one)) == 2
    assert states(tmp_path / "run").keys() == before.keys()


@pytest.mark.filterwarnings("error")
def test_products_open_as_one_data_set(tmp_path, uninterrupted, project_root, monkeypatch):
    """As docs/how-to/cycle.md says, without a warning."""
    page = (project_root / "docs" / "how-to" / "cycle.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "whole").rename(tmp_path / "runs" / "my_cycle")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block, names)
    with names["found"] as found:
        assert found.sizes["time"] == 7
        assert np.all(np.diff(found.time.values).astype(int) > 0)
        assert np.isfinite(found.lai.values).all()
        assert (found.lai_spread.values > 0).all()


def test_background_scores_are_those_of_the_hindcast(tmp_path, service, uninterrupted):
    from releo_da.diagnostics.streaming import row, total
    from releo_da.diagnostics.verification import summaries

    series = drop_duplicates(merge([read(deliver(tmp_path / "other", season(), ALL))]))
    task = Task(SEED, MEMBERS, start=series.acquisitions[0].time, smooth=False)
    outcome = hindcast(linear_model(), series, task)
    expected = summaries(outcome.verification, "background")
    grown = total([cycle.scores["sums"] for cycle in uninterrupted[1]])
    assert set(grown) == set(expected) == {"B04", "B08", "ndvi"}
    for name, terms in grown.items():
        found = row(terms)
        assert found == pytest.approx({k: expected[name][k] for k in found}, rel=1e-5)


def test_innovations_are_those_of_the_hindcast(tmp_path, service):
    """Over two blocks of randomness: counts to the last value, sums up to rounding."""
    path = deliver(tmp_path / "inbox", season(points=300), ALL)
    one = service()
    one.sweep()
    series = drop_duplicates(merge([read(path)]))
    task = Task(SEED, MEMBERS, start=series.acquisitions[0].time, smooth=False)
    expected = hindcast(linear_model(), series, task).judged
    said = [cycle.scores["innovations"] for cycle in one.ledger.cycles()]
    found = [restored(one, k) for k, one in enumerate(said)]
    assert [(j.date, j.seen, j.refused, j.recovered) for j in found] == [
        (j.date, j.seen, j.refused, j.recovered) for j in expected
    ]
    assert sum(j.refused.total() for j in found) > 0
    for ours, theirs in zip(found, expected, strict=True):
        for name, part in theirs.sums.items():
            torch.testing.assert_close(ours.sums[name], part)
    assert sum(float(j.sums["values"]) + j.refused.total() - j.seen for j in found) == 0.0
