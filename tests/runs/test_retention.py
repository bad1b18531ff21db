"""A run keeps what a late acquisition may need and not much more, through crashes too."""

import os
import shutil
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.cycling.ledger import Ledger
from releo_da.cycling.queue import Queue
from releo_da.cycling.read_files import ReadFiles
from releo_da.runs.retention import thinned

from .linear import ALL, deliver, rows, season, states

DAYS = st.lists(st.floats(0.0, 400.0), min_size=1, max_size=60).map(sorted)


@settings(deadline=None)
@given(DAYS, st.floats(0.0, 60.0), st.floats(1.0, 90.0))
def test_states_stay_few_and_the_base_is_kept(times, window, thin):
    held: list[float] = []
    for time in times:  # as commits come
        held.append(time)
        given_up, base = thinned(held, time - window, thin)
        before = [t for t in held if t < time - window]
        assert (base is None) == (not before)
        if base is not None:
            assert held[base] == before[-1] and base not in given_up
        inside = [t for t in held if t >= time - window]
        held = [t for k, t in enumerate(held) if k not in given_up]
        assert held[len(held) - len(inside) :] == inside
        assert len(held) - len(inside) <= 2 + (time - times[0]) / thin
        again, _ = thinned(held, time - window, thin)
        assert again == []


def kept(root) -> dict[str, list[str]]:
    """Names of the files of a run."""
    folders = ("states", "products", "acquisitions")
    return {name: sorted(os.listdir(root / name)) for name in folders}


def test_files_are_those_that_the_ledger_keeps(tmp_path, service):
    """Days 0, 3, 5, 5, 10, 18, 20; a window of 4 days, then one state a week."""
    root = tmp_path / "run"
    for date in ALL:
        deliver(tmp_path / "inbox", season(), [date])
        one = service(replay_days=4.0, thin_days=7.0)
        one.sweep()
        (root / "states" / "mine.safetensors").write_bytes(b"not of the run")
        chain = rows(one)
        if date < 4:  # the first day before the window of 4 is found when day 5 is there
            assert all(c.retained for c in chain)
    assert [c.number for c in chain if c.retained] == [1, 5, 6, 7]
    found = kept(root)
    assert found["states"] == [*(f"{n:06d}.safetensors" for n in (1, 5, 6, 7)), "mine.safetensors"]
    assert len(found["products"]) == 7
    names = {c.arrival.identity: c.number for c in chain}
    assert sorted(names[n.removesuffix(".safetensors")] for n in found["acquisitions"]) == [6, 7]


def test_a_longer_window_than_that_of_what_was_kept_is_late(tmp_path, service):
    for date in (0, 1, 2, 4, 5, 6):
        deliver(tmp_path / "inbox", season(), [date])
    service(replay_days=4.0).sweep()
    deliver(tmp_path / "inbox", season(), [3])
    one = service(replay_days=30.0)
    assert one.sweep().assimilated == 0
    assert one.ledger.counts()["late"] == 1


class Killed(BaseException):
    """Stands for a process that ends at this instant."""


def test_killed_at_every_step_of_a_replay(tmp_path, service, monkeypatch):
    """Days 0, 3, 10 are there; 5 comes late and 18 in time, so states and copies are given up."""
    data, inbox = season(points=2), tmp_path / "inbox"
    parts = {"replay_days": 6.0, "thin_days": 7.0}
    for date in (0, 1, 4):
        deliver(inbox, data, [date])
    service("before", **parts).sweep()
    for date in (2, 5):
        deliver(inbox, data, [date])
    service("again", **parts)
    shutil.copytree(tmp_path / "before", tmp_path / "whole")
    whole = service("whole", **parts)
    assert whole.sweep() == (3, [], [], 1)
    expected = states(tmp_path / "whole"), kept(tmp_path / "whole"), rows(whole)
    assert [c.number for c in expected[2] if c.retained] == [1, 5, 6]
    for at in range(1, 200):
        name = f"killed {at}"
        shutil.copytree(tmp_path / "before", tmp_path / name)
        left = at

        def dying(step):
            def run(*arguments, **options):
                nonlocal left
                left -= 1
                if left == 0:
                    raise Killed
                return step(*arguments, **options)

            return run

        with monkeypatch.context() as patch:
            for place, step in (
                *((os, step) for step in ("fsync", "replace", "unlink")),
                *((Ledger, step) for step in ("commit", "retire")),
                (Queue, "take"),
                (ReadFiles, "record"),
            ):
                patch.setattr(place, step, dying(getattr(place, step)))
            with suppress(Killed):
                service(name, **parts).sweep()
        again = service(name, **parts)
        again.sweep()
        found = states(tmp_path / name), kept(tmp_path / name), rows(again)
        assert found == expected, at
        shutil.rmtree(tmp_path / name)
        if left > 0:
            break
    assert at > 40


@pytest.mark.parametrize("thin_days", [0.5, float("inf")])
def test_all_or_none_of_the_past_but_the_first(tmp_path, service, thin_days):
    for date in ALL:
        deliver(tmp_path / "inbox", season(), [date])
    one = service(replay_days=0.0, thin_days=thin_days)
    one.sweep()
    found = [c.number for c in rows(one) if c.retained]
    assert found == ([1, 2, 3, 5, 6, 7] if thin_days < 1.0 else [1, 6, 7])


def test_files_that_are_not_of_the_run_are_left_alone(tmp_path, service):
    """Names that look like those of the run, or like what a killed call leaves, stay."""
    root = tmp_path / "run"
    mine = {
        "products": [f"lai_{digit:x}.nc" for digit in range(16)] + [".notes.tmp"],
        "states": ["000900.safetensors", "7.safetensors", ".mine.safetensors.tmp"],
        "acquisitions": ["field.safetensors", ".field.safetensors.tmp"],
    }
    for date in ALL:
        deliver(tmp_path / "inbox", season(), [date])
    one = service()
    for folder, names in mine.items():
        for name in names:
            (root / folder / name).write_bytes(b"not of the run")
    one.sweep()
    for folder, names in mine.items():
        assert set(names) <= set(os.listdir(root / folder))
    ours = [name for name in os.listdir(root / "products") if name not in mine["products"]]
    other = root / "products" / f"mine_{ours[0].removesuffix('.nc').rpartition('_')[2]}.nc"
    other.write_bytes(b"not of the run")
    service().sweep()
    assert other.exists()


def test_what_a_killed_process_leaves_is_removed(tmp_path, service):
    """A process that is killed runs no block to its end: temporary files stay behind."""
    deliver(tmp_path / "inbox", season(), [0])
    one = service()
    one.sweep()
    before = kept(tmp_path / "run")
    for folder, (name,) in before.items():
        (tmp_path / "run" / folder / f".{name}.tmp").write_bytes(b"half")
    service().sweep()
    assert kept(tmp_path / "run") == before
