"""A season leaves the same chain, to the byte, in whatever order and portions it arrives."""

import json
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releo_da.cycling.ledger import Ledger
from releo_da.cycling.queue import Queue
from releo_da.cycling.records import REPLACED

from .linear import ALL, deliver, read, season

WINDOW = 30.0
"""Days of replay: longer than the season."""


def left(service) -> tuple:
    """What must not depend on the order of arrival: chain, last state, products, pixel axis."""
    root, chain = service.store.root, list(service.ledger.cycles())
    assert [c.arrival.key for c in chain] == sorted(c.arrival.key for c in chain)
    assert service.ledger.counts()["waiting"] == 0
    for one in chain:
        assert (root / one.product).is_file()
    return (
        [(c.arrival._replace(file=""), c.sha256, c.scores, c.product_sha256) for c in chain],
        (root / chain[-1].state).read_bytes(),
        {c.product: (root / c.product).read_bytes() for c in chain},
        (root / "pixels.nc").read_bytes(),
    )


def grown(date: int) -> xr.Dataset:
    """The season of points of which the last two are in files from the fourth date on."""
    return season(points=3 if date < 3 else 5)


@pytest.fixture
def expected(tmp_path, service) -> tuple:
    """What in-order delivery leaves, one acquisition a sweep."""
    inbox = tmp_path / "inbox"
    for date in ALL:
        deliver(inbox, grown(date), [date])
        assert service("in order", replay_days=0.0).sweep().assimilated == 1
    for path in inbox.iterdir():
        path.unlink()
    return left(service("in order"))


@pytest.mark.parametrize("seed", range(6))
def test_any_order_in_any_portions_leaves_the_same_bytes(tmp_path, service, expected, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(ALL)
    cuts = np.sort(rng.choice(np.arange(1, len(ALL)), rng.integers(1, 6), replace=False))
    inbox, undone = tmp_path / "inbox", 0
    for portion in np.split(order, cuts):
        for date in portion:
            deliver(inbox, grown(int(date)), [int(date)])
        undone += service(replay_days=WINDOW).sweep().undone
        for path in inbox.iterdir():
            path.unlink()  # what was accepted does not need the inbox
    one = service()
    assert left(one) == expected
    assert one.ledger.counts()["undone"] == undone
    kinds = [json.loads(line)["kind"] for line in (one.store.root / "log.jsonl").open()]
    assert kinds.count("cycle") == len(ALL) + undone
    assert (kinds.count("undone") > 0) == (undone > 0)


@pytest.mark.parametrize("seed", range(3))
def test_any_order_within_a_window_that_is_shorter_than_the_season(
    tmp_path, service, expected, seed
):
    """One a sweep, each up to 6 days late, while states and copies of the past are given up."""
    days = np.array([0, 3, 5, 5, 10, 18, 20])
    arrives = days + np.random.default_rng(seed).uniform(0.0, 6.0, len(days))
    inbox, undone = tmp_path / "inbox", 0
    for date in np.argsort(arrives):
        deliver(inbox, grown(int(date)), [int(date)])
        undone += service(replay_days=6.0, thin_days=9.0).sweep().undone
        next(inbox.iterdir()).unlink()
    one = service()
    assert left(one) == expected
    assert one.ledger.counts()["late"] == 0 and undone > 0
    states = [c.state for c in one.ledger.cycles() if c.retained]
    assert len(states) <= 5
    found = {f"states/{path.name}" for path in (one.store.root / "states").iterdir()}
    assert found == set(states)


def test_one_before_the_first_cycle_starts_the_run_again(tmp_path, service, expected):
    inbox = tmp_path / "inbox"
    for date in ALL[1:]:
        deliver(inbox, grown(date), [date])
    assert service(replay_days=WINDOW).sweep() == (6, [], [], 0)
    deliver(inbox, grown(0), [0])
    assert service(replay_days=WINDOW).sweep() == (7, [], [], 6)
    assert left(service()) == expected


def test_a_late_one_undoes_no_more_than_what_came_after_it(tmp_path, service, expected):
    inbox = tmp_path / "inbox"
    for date in (0, 1, 2, 3, 4, 6):
        deliver(inbox, grown(date), [date])
    service(replay_days=2.0).sweep()
    deliver(inbox, grown(5), [5])
    one = service(replay_days=2.0)
    assert one.sweep() == (2, [], [], 1)
    assert [c.number for c in one.ledger.cycles()] == [1, 2, 3, 4, 5, 7, 8]
    assert left(one) == expected


def test_two_sensors_at_the_same_instant_in_either_order(tmp_path, service):
    data = season(clear=True)
    times = data.time.values.copy()
    times[1] = times[0]  # sentinel2a and sentinel2b
    data = data.assign_coords(time=times)
    inbox, found = tmp_path / "inbox", []
    for name, order in (("one", [0, 1, 2]), ("other", [2, 1, 0])):
        for path in inbox.glob("*"):
            path.unlink()
        for date in order:
            deliver(inbox, data, [date])
            service(name, replay_days=WINDOW).sweep()
        found.append(left(service(name)))
    assert found[0] == found[1]
    assert len(found[0][2]) == 3
    sensors = [arrival.sensor for arrival, *_ in found[0][0]]
    assert sensors == ["sentinel2a", "sentinel2b", "sentinel2a"]


def corrected() -> xr.Dataset:
    """The third pass once more, by a later baseline."""
    again = season(points=5).isel(time=[2])
    again["reflectance"] = again.reflectance * 1.1
    return again.assign(product_uri=("time", ["N0500"]))


@pytest.mark.parametrize("rule", ["first", "last", "best", "all"])
def test_the_product_of_a_pass_that_is_kept_is_that_of_the_rule(tmp_path, service, rule):
    """In all orders of two products and of what comes after them."""
    former = season(points=5).isel(time=[2]).assign(product_uri=("time", ["N0214"]))
    clouded = corrected()
    clouded["cloud"][1:] = 1
    parts = [former, clouded, season(points=5).isel(time=[4])]
    inbox, found = tmp_path / "inbox", []

    def ruled(path: Path):
        return read(path)._replace(duplicates=rule)

    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        for path in inbox.glob("*"):
            path.unlink()
        for k in order:
            deliver(inbox, parts[k], [0], f"{k}.nc")
            service(f"run {order}", replay_days=WINDOW, read=ruled).sweep()
        found.append(left(service(f"run {order}")))
    assert found[0] == found[1] == found[2]
    kept = [arrival.product for arrival, *_ in found[0][0]][:-1]
    assert kept == {"all": ["N0214", "N0500"], "last": ["N0500"]}.get(rule, ["N0214"])


def test_a_correction_that_comes_late_replaces(tmp_path, service):
    inbox = tmp_path / "inbox"

    def last(path: Path):
        return read(path)._replace(duplicates="last")

    for date in ALL:
        deliver(inbox, season(points=5), [date])
    assert service(replay_days=WINDOW, read=last).sweep().assimilated == 7
    deliver(inbox, corrected(), [0], "again.nc")
    one = service(replay_days=WINDOW, read=last)
    assert one.sweep() == (5, [], [], 5)
    (old,) = one.ledger.queue.listed(REPLACED)
    assert old.arrival.file == "d2.nc"
    assert "again.nc" in [c.arrival.file for c in one.ledger.cycles()]
    assert one.ledger.counts()["cycles"] == 7


def test_a_file_that_was_written_over_replaces_whatever_the_rule(tmp_path, service):
    """What its former content left is as if it had never been."""
    inbox, data = tmp_path / "inbox", season()
    for date in (0, 1, 2):
        deliver(inbox, data, [date])
    service("two", replay_days=WINDOW).sweep()
    brighter = data.copy(deep=True)
    brighter["reflectance"] += 0.02
    deliver(inbox, brighter, [1])
    assert service("two", replay_days=WINDOW).sweep() == (2, [], [], 2)
    service("one", replay_days=WINDOW).sweep()
    assert left(service("two")) == left(service("one"))
    deliver(inbox, data, [1])  # and back again
    two = service("two", replay_days=WINDOW)
    assert two.sweep() == (2, [], [], 2)
    assert two.ledger.counts()["replaced"] == 1
    assert [c.arrival.product for c in two.ledger.cycles()] == list(
        map(str, data.time.values.astype("M8[s]")[:3])
    )


@pytest.mark.parametrize("rule", ["first", "best", "all"])
def test_a_file_written_over_with_what_another_file_brought(tmp_path, service, rule):
    """The former content is withdrawn, and the run stands as if it had never been."""
    inbox, data = tmp_path / "inbox", season(clear=True)
    other = data.copy(deep=True)
    other["reflectance"] += 0.02
    other["cloud"][2:] = 1  # the rule leaves it out

    def ruled(path: Path):
        return read(path)._replace(duplicates=rule)

    parts = {"replay_days": WINDOW, "read": ruled}
    for date in (0, 1, 2):
        deliver(inbox, data, [date])
    service("two", **parts).sweep()
    deliver(inbox, other, [1], "other.nc")
    service("two", **parts).sweep()
    deliver(inbox, other, [1])
    two = service("two", **parts)
    assert two.sweep().undone >= 2
    assert two.sweep() == (0, [], [], 0)
    (inbox / "other.nc").unlink()
    service("one", **parts).sweep()
    assert left(service("two")) == left(service("one"))
    deliver(inbox, data, [1])  # and back again: the file that holds it now is this one
    assert service("two", **parts).sweep().undone == 2
    service("three", **parts).sweep()
    assert left(service("two")) == left(service("three"))


@pytest.mark.parametrize("dates", [[1], [1, 4]])
def test_a_file_written_over_with_cloud_everywhere_withdraws(tmp_path, service, dates):
    """Alone in its file, and beside a date that stays clear; another product takes its place."""
    inbox, data = tmp_path / "inbox", season(clear=True)
    dark = data.copy(deep=True)
    dark["cloud"][:, 1] = 1
    other = data.isel(time=[1]).assign(product_uri=("time", ["N0500"]))
    other["cloud"][2:] = 1
    for date in (0, 2):
        deliver(inbox, data, [date])
    deliver(inbox, data, dates, "over.nc")
    deliver(inbox, other, [0], "other.nc")
    service("two", replay_days=WINDOW).sweep()
    deliver(inbox, dark, dates, "over.nc")
    two = service("two", replay_days=WINDOW)
    assert two.sweep().undone == 1 + len(dates)
    assert "other.nc" in [c.arrival.file for c in two.ledger.cycles()]
    service("one", replay_days=WINDOW).sweep()
    assert left(service("two")) == left(service("one"))


class Killed(BaseException):
    """Stands for a process that ends at this instant."""


@pytest.mark.parametrize("seed", range(4))
def test_any_order_with_corrections_copies_and_crashes(tmp_path, service, monkeypatch, seed):
    """Everything at once, each sweep killed at a random step until one comes to its end."""
    inbox, rng = tmp_path / "inbox", np.random.default_rng(seed)

    def last(path: Path):
        return read(path)._replace(duplicates="last")

    parts = {"replay_days": WINDOW, "read": last}
    files = {f"d{date}.nc": grown(date).isel(time=[date]) for date in ALL}
    files |= {"again.nc": corrected(), "copy.nc": grown(4).isel(time=[4, 6])}
    for name, data in files.items():
        deliver(inbox, data, list(range(data.sizes["time"])), name)
    whole = service("whole", **parts)
    assert whole.sweep().assimilated == 7
    expected = left(whole)

    def fragile(step, life):
        def run(*arguments, **options):
            life[0] -= 1
            if life[0] == 0:
                raise Killed
            return step(*arguments, **options)

        return run

    for path in inbox.iterdir():
        path.unlink()
    for portion in np.array_split(rng.permutation(list(files)), rng.integers(2, 6)):
        for name in portion:
            deliver(inbox, files[name], list(range(files[name].sizes["time"])), name)
        for _ in range(2):
            life = [int(rng.integers(1, 60))]
            with monkeypatch.context() as patch, suppress(Killed):
                for place, step in (
                    *((os, step) for step in ("fsync", "replace", "unlink")),
                    *((Ledger, step) for step in ("commit", "retire")),
                    (Queue, "take"),
                ):
                    patch.setattr(place, step, fragile(getattr(place, step), life))
                service(**parts).sweep()
        service(**parts).sweep()
        for path in inbox.iterdir():
            path.unlink()
    one = service(**parts)
    assert left(one) == expected
    needed = {c.product for c in one.ledger.cycles()}
    assert {f"products/{path.name}" for path in (one.store.root / "products").iterdir()} == needed
