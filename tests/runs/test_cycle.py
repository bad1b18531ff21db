"""A service assimilates each acquisition once and stands, to the bit, where a hindcast stands."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.cycling.ledger import Ledger
from releo_da.io import JsonLines, drop_duplicates, merge, read_cube, read_products, read_state
from releo_da.io.inbox import arrived
from releo_da.runs.block import Task
from releo_da.runs.cycle import Service
from releo_da.runs.hindcast import hindcast
from releo_da.runs.store import Store
from releo_da.types import InputError

from .linear import DESCRIBED, MEMBERS, OPTIONS, SEED, deliver, linear_model, read, season

ALL = list(range(7))
Open = Callable[..., Service]


@pytest.fixture
def service(tmp_path: Path) -> Callable[..., Service]:
    """A service over ``tmp_path / inbox`` in a run directory, opened as a new process would."""
    opened: list[Ledger] = []

    def open_service(name: str = "run", **changes: object) -> Service:
        for ledger in opened:
            ledger.db.close()
        opened.clear()
        root = tmp_path / name
        for folder in ("states", "products"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        ledger = Ledger(root / "ledger.sqlite")
        opened.append(ledger)
        parts = {
            "model": linear_model(),
            "seed": SEED,
            "members": MEMBERS,
            "start": None,
            "inbox": lambda: arrived(tmp_path / "inbox", "*"),
            "read": read,
            "reader": "1",
            "store": Store(root, ledger, DESCRIBED, {"title": "test"}),
            "log": JsonLines(root / "log.jsonl"),
        }
        return Service(**(parts | changes))

    yield open_service
    for ledger in opened:
        ledger.db.close()


def states(root: Path) -> dict[str, bytes]:
    """Everything that a cycle leaves, byte by byte."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for folder in ("states", "products")
        for path in sorted((root / folder).iterdir())
    }


def rows(service: Service) -> list[tuple]:
    return list(service.ledger.cycles())


@pytest.fixture
def uninterrupted(tmp_path: Path, service: Open) -> tuple[dict[str, bytes], list[tuple]]:
    """What one sweep over everything leaves, one file per acquisition."""
    for date in ALL:
        deliver(tmp_path / "inbox", season(), [date])
    one = service("whole")
    assert one.sweep().assimilated == 7
    return states(tmp_path / "whole"), rows(one)


def test_the_service_stands_where_the_filter_of_a_hindcast_stands(tmp_path, service):
    data = season(points=300)  # two blocks of randomness
    path = deliver(tmp_path / "inbox", data, ALL)
    one = service()
    assert one.sweep().assimilated == 7
    series = drop_duplicates(merge([read(path)]))
    task = Task(SEED, MEMBERS, start=series.acquisitions[0].time, smooth=False)
    outcome = hindcast(linear_model(), series, task)
    assert torch.equal(one.store.state.ensemble, outcome.state.ensemble)
    assert torch.equal(one.store.state.pixels, outcome.state.pixels)
    assert one.store.state.time == outcome.state.time
    assert len(torch.unique(one.store.state.ensemble)) > 300 * MEMBERS


def test_a_state_is_on_file_as_it_is_in_memory(tmp_path, service, uninterrupted):
    last = read_state(tmp_path / "whole" / "states" / "000007.safetensors")
    again = service("whole")
    assert torch.equal(again.store.state.ensemble, last.ensemble)
    assert again.store.number == 7


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
    for count in (2, 3, 2):
        asked = iter([False] * count + [True])
        assert service("ended").sweep(lambda asked=asked: next(asked)).assimilated == count
    last = service("ended")
    assert last.sweep().assimilated == 0
    assert states(tmp_path / "ended") == uninterrupted[0]
    assert last.ledger.counts()["known"] == 0


class Killed(BaseException):
    """Stands for a process that ends at this instant."""


class Killer:
    """Lets n - 1 steps of the commits pass and ends the process before, or after, the n-th."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0
        for place, name in (
            (os, "fsync"),
            (os, "replace"),
            (Ledger, "commit"),
            (Ledger, "record_file"),
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
    for date in (0, 1, 2):
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
    # three cycles of two files and a row, the pixel axis once, and a row per file of the inbox
    assert killed == 3 * (2 * 3 + 1) + 3 + 3


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


def test_the_same_content_under_another_name_counts_once(tmp_path, service, uninterrupted):
    deliver(tmp_path / "inbox", season(), [2, 5], "copy.nc")
    again = service("whole")
    assert again.sweep().assimilated == 0
    assert again.ledger.counts()["known"] == 2
    assert again.sweep().assimilated == 0
    assert again.ledger.counts()["known"] == 2
    assert states(tmp_path / "whole") == uninterrupted[0]


def test_the_same_content_twice_in_one_sweep_counts_once(tmp_path, service, uninterrupted):
    deliver(tmp_path / "inbox", season(), ALL, "copy.nc")
    assert service("both").sweep().assimilated == 7
    assert states(tmp_path / "both").keys() == uninterrupted[0].keys()


def test_a_late_acquisition_is_recorded_and_left_out(tmp_path, service):
    inbox = tmp_path / "inbox"
    deliver(inbox, season(), [0, 4], "first.nc")
    assert service().sweep().assimilated == 2
    before = states(tmp_path / "run")
    deliver(inbox, season(), [1], "late.nc")
    late = service()
    assert late.sweep().assimilated == 0
    assert late.ledger.counts()["late"] == 1
    assert states(tmp_path / "run") == before


def test_a_second_product_of_a_pass_is_a_duplicate(tmp_path, service):
    inbox, data = tmp_path / "inbox", season(clear=True)
    deliver(inbox, data, [0], "a.nc")
    other = data.copy(deep=True)
    other["reflectance"] += 0.01
    other["cloud"][1:] = 1
    deliver(inbox, other, [0], "b.nc")
    one = service()
    assert one.sweep().assimilated == 1
    assert one.ledger.counts()["duplicate"] == 1
    assert one.ledger.last().arrival.file == "a.nc"  # it sees more
    other["reflectance"] += 0.01
    deliver(inbox, other, [0], "c.nc")
    assert one.sweep().assimilated == 0
    assert one.ledger.counts()["duplicate"] == 2


def test_unreadable_files_are_recorded_and_the_others_count(tmp_path, service):
    inbox = tmp_path / "inbox"
    deliver(inbox, season(), [0])
    good = deliver(inbox, season(), [1]).read_bytes()
    (inbox / "d1.nc").write_bytes(good[: len(good) // 2])
    (inbox / "empty.nc").write_bytes(b"")
    (inbox / "notes.txt").write_text("not a product", encoding="utf-8")
    deliver(inbox, season().drop_vars("cloud"), [2], "mask.nc")
    deliver(inbox, season(), [4])
    one = service()
    swept = one.sweep()
    assert swept.assimilated == 2
    assert len(swept.refused) == 4
    told = one.ledger.refused_files()
    assert set(told) == {"d1.nc", "empty.nc", "notes.txt", "mask.nc"}
    assert "cloud" in told["mask.nc"]
    assert one.sweep().refused == []  # known as they are
    deliver(inbox, season(), [5], "mask.nc")
    assert one.sweep().assimilated == 1  # read again when it changed
    assert "mask.nc" not in one.ledger.refused_files()


def test_files_are_read_again_when_the_reader_changes(tmp_path, service):
    deliver(tmp_path / "inbox", season(), [0])

    def wrong(path: Path):
        raise InputError(f"{path}: key 'values': no such variable")

    assert len(service(read=wrong).sweep().refused) == 1
    assert service().sweep().assimilated == 0
    assert service(reader="2").sweep().assimilated == 1


def test_cloud_everywhere_is_no_error(tmp_path, service):
    data = season()
    data["cloud"][:] = 1
    deliver(tmp_path / "inbox", data, [0])
    one = service()
    swept = one.sweep()
    assert (swept.assimilated, len(swept.empty), swept.refused) == (0, 1, [])
    assert one.ledger.counts()["files"] == 1
    assert one.store.state is None


def test_a_file_that_changes_during_a_sweep_waits_for_the_next(tmp_path, service):
    inbox = tmp_path / "inbox"
    for date in (0, 1):
        deliver(inbox, season(), [date])
    calls = []

    def changing(path: Path):
        calls.append(path.name)
        if calls.count("d1.nc") == 2:
            deliver(inbox, season(), [4], "d1.nc")
        return read(path)

    one = service(read=changing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("releo_da.runs.cycle.KEPT", 0)
        assert one.sweep().assimilated == 1
    assert one.sweep().assimilated == 1
    assert [c.arrival.file for c in one.ledger.cycles()] == ["d0.nc", "d1.nc"]


def test_new_pixels_join_from_the_prior_and_old_ones_do_not_notice(tmp_path, service):
    inbox = tmp_path / "inbox"
    for name, points in (("few", 2), ("more", 4)):
        for path in inbox.glob("*"):
            path.unlink()
        deliver(inbox, season(points=2), [0])
        service(name).sweep()
        deliver(inbox, season(points=points), [4])
        service(name).sweep()
    few, more = service("few").store.state, service("more").store.state
    assert more.pixels.tolist() == [0, 1, 2, 3]
    assert torch.equal(more.ensemble[:2], few.ensemble)
    assert torch.isfinite(more.ensemble).all()
    product = read_products(sorted((tmp_path / "more" / "products").iterdir())[-1])
    assert product.point.values.tolist() == [0, 1, 2, 3]


def test_a_grid_grows_by_the_pixels_that_become_clear(tmp_path, service):
    inbox = tmp_path / "inbox"
    data = season(points=6, clear=True)
    cloud = np.zeros((2, 3, 7), np.uint8)
    cloud[0, :2, 0] = cloud[1, :, 1] = 1  # the first date does not see pixels 0 and 1
    values = data.reflectance.values.reshape(2, 3, 7, 2)
    cube = xr.Dataset(
        {
            "reflectance": (("y", "x", "time", "band"), values),
            "cloud": (("y", "x", "time"), cloud),
        },
        {
            "time": data.time.values,
            "band": data.band.values,
            "platform": ("time", data.platform.values),
            "x": [0.5, 1.5, 2.5],
            "y": [9.5, 8.5],
        },
    )
    dims = {"y": "y", "x": "x", "time": "time", "channel": "band"}
    one = service(read=lambda path: read_cube(path, **(OPTIONS | {"dims": dims})))
    for date, held in ((0, [2, 3, 4, 5]), (1, [0, 1, 2, 3, 4, 5])):
        deliver(inbox, cube, [date])
        assert one.sweep().assimilated == 1
        assert one.store.state.pixels.tolist() == held
        product = read_products(sorted((tmp_path / "run" / "products").iterdir())[-1])
        assert product.lai.dims == ("time", "y", "x")
        assert int(product.lai.notnull().sum()) == len(held)
    again = service()
    assert again.store.pixels.attrs == one.store.pixels.attrs
    xr.testing.assert_equal(again.store.pixels, one.store.pixels)


def test_points_at_other_places_are_refused(tmp_path, service):
    inbox = tmp_path / "inbox"
    deliver(inbox, season(), [0])
    one = service()
    one.sweep()
    moved = season()
    moved["x"] = moved.x + 0.5
    deliver(inbox, moved, [4])
    assert "different places" in one.sweep().refused[0]


def test_products_open_as_one_data_set(tmp_path, uninterrupted):
    paths = str(tmp_path / "whole" / "products" / "*.nc")
    found = xr.open_mfdataset(paths, data_vars="minimal", compat="override", coords="minimal")
    with found:
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
