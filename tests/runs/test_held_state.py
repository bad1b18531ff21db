"""The last state of a run is held open beside a service that gives it up, or goes back."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from releo_da.runs import held_state as holding
from releo_da.runs.cycle import Service
from releo_da.runs.held_state import held_state
from releo_da.types import InputError

from .linear import Open, deliver, season


def run_of(service: Open, inbox: Path, points: dict[int, int], **changes: object) -> Service:
    """A service that has assimilated some dates, each of so many points."""
    for date, count in points.items():
        deliver(inbox, season(count), [date])
    one = service(**changes)
    assert one.sweep().assimilated == len(points)
    return one


def once_meanwhile(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Something happens between the first look at the ledger and the files."""
    last, done = holding._last, []

    def meanwhile(root):
        found = last(root)
        if not done:
            done.append(work())
        return found

    monkeypatch.setattr(holding, "_last", meanwhile)


def test_a_state_that_is_given_up_before_it_is_open(tmp_path, service, monkeypatch):
    one = run_of(service, tmp_path / "inbox", {0: 3, 1: 3}, replay_days=1.0, thin_days=99.0)
    for date in (2, 4, 5):
        deliver(tmp_path / "inbox", season(), [date])
    once_meanwhile(monkeypatch, one.sweep)
    with held_state(tmp_path / "run") as (rows, pixels):
        assert rows.path.name == "000005.safetensors" and pixels.sizes["pixel"] == 3
    assert not (tmp_path / "run" / "states" / "000002.safetensors").exists()


def test_a_chain_that_goes_back_to_fewer_pixels(tmp_path, service, monkeypatch):
    one = run_of(service, tmp_path / "inbox", {0: 3, 4: 5})
    deliver(tmp_path / "inbox", season(), [1])
    answers = iter([False, False, True])
    once_meanwhile(monkeypatch, lambda: one.sweep(lambda: next(answers)))
    with held_state(tmp_path / "run") as (rows, pixels):
        assert rows.path.name == "000003.safetensors"
        assert pixels["id"].values.tolist() == rows.head.pixels.tolist() == [0, 1, 2]


def test_a_state_that_is_removed_is_read_to_its_end(tmp_path, service):
    run_of(service, tmp_path / "inbox", {0: 3})
    with held_state(tmp_path / "run") as (rows, _):
        rows.path.unlink()
        assert torch.isfinite(rows.take(torch.arange(3)).ensemble).all()
        rows.verify()


def test_what_stays_wrong_is_told(tmp_path, service):
    one = run_of(service, tmp_path / "inbox", {0: 3, 1: 3})
    path = tmp_path / "run" / one.ledger.last().state
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match="not the one that cycle 2"), held_state(tmp_path / "run"):
        pass
    path.unlink()
    with pytest.raises(InputError, match="no state can be read"), held_state(tmp_path / "run"):
        pass
    path.write_bytes(whole)
    (tmp_path / "run" / "pixels.nc").unlink()
    with pytest.raises(InputError, match="restore it from a backup"), held_state(tmp_path / "run"):
        pass
