"""An acquisition whose assimilation fails is set aside and not lost; the others go on."""

from dataclasses import replace

import pytest

from releo_da.cycling.snapshot import contradictions, snapshot
from releo_da.runs.set_aside import retry
from releo_da.types import InputError

from .linear import deliver, linear_model, rows, season, states

POISON = 3


def model_without(time: float, error: Exception):
    """The linear model, whose forecast to one time raises."""
    model = linear_model()

    def forecast(state, to, noise):
        if to == time:
            raise error
        return model.forecast(state, to, noise)

    return replace(model, forecast=forecast)


@pytest.fixture
def poison(tmp_path, service, uninterrupted):
    """A model that fails at the fourth acquisition of the inbox."""
    time = uninterrupted[1][POISON].arrival.time
    return model_without(time, RuntimeError("no such table"))


def chain(one):
    return [(c.arrival.identity, c.sha256, c.product_sha256) for c in one.ledger.cycles()]


def test_the_others_go_on_and_it_is_told(tmp_path, service, poison, uninterrupted):
    one = service("poisoned", model=poison)
    assert one.sweep().assimilated == 6
    assert len(one.failed) == 1 and "no such table" in one.failed[0]
    counts = one.ledger.counts()
    assert counts["cycles"] == 6 and counts["failed"] == 1 and counts["waiting"] == 0
    (failed,) = one.ledger.queue.listed("failed")
    assert failed.reason == "RuntimeError('no such table')"
    assert contradictions(snapshot(tmp_path / "poisoned" / "ledger.sqlite")) == []
    again = service("poisoned", model=poison)
    assert again.sweep().assimilated == 0 and again.failed == []


def test_tried_again_it_takes_its_place(tmp_path, service, poison, uninterrupted):
    service("poisoned", model=poison).sweep()
    one = service("poisoned")
    assert retry(one.ledger, 30.0) == 3
    assert one.sweep().assimilated == 4
    expected = [(c.arrival.identity, c.sha256, c.product_sha256) for c in uninterrupted[1]]
    assert chain(one) == expected
    assert one.ledger.counts()["failed"] == 0


def test_the_chain_does_not_depend_on_the_order_of_arrival(tmp_path, service, poison):
    inbox = tmp_path / "inbox"
    service("direct", model=poison).sweep()
    expected = chain(service("direct", model=poison))
    for path in inbox.iterdir():
        path.unlink()
    for date in (0, 3, 5, 2, 1, 6, 4):
        deliver(inbox, season(), [date])
        one = service("parts", model=poison, replay_days=30.0)
        one.sweep()
    assert chain(one) == expected
    assert [x.arrival.time for x in one.ledger.queue.listed("failed")] == [
        x.arrival.time for x in service("direct").ledger.queue.listed("failed")
    ]


def test_its_copy_outlives_the_window_and_it_is_not_tried_there(tmp_path, service, poison):
    one = service("poisoned", model=poison, replay_days=4.0)
    one.sweep()
    (failed,) = one.ledger.queue.listed("failed")
    assert failed.kept
    copy = tmp_path / "poisoned" / "acquisitions" / f"{failed.arrival.identity}.safetensors"
    assert copy.is_file()
    assert retry(one.ledger, 4.0) == 0
    assert one.ledger.counts()["failed"] == 1


@pytest.mark.parametrize(
    "error", [OSError(5, "no disk"), MemoryError(), InputError("a damaged state")]
)
def test_errors_from_outside_end_the_sweep(tmp_path, service, uninterrupted, error):
    model = model_without(uninterrupted[1][POISON].arrival.time, error)
    one = service("ended", model=model)
    with pytest.raises(type(error)):
        one.sweep()
    assert one.ledger.counts()["failed"] == 0
    again = service("ended")
    again.sweep()
    assert states(tmp_path / "ended") == uninterrupted[0]
    assert rows(again) == uninterrupted[1]
