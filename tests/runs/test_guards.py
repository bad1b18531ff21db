"""What a service does not take on trust: errors that pass, dates ahead of the clock, copies."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from releo_da.io import read_points
from releo_da.io.inbox import arrived
from releo_da.io.passing import passing
from releo_da.types import InputError

from .linear import OPTIONS, deliver, linear_model, read, season, states
from .test_replay import WINDOW, left

FIRST = 18383.0
"""Day of the first acquisition of the season, 2020-05-01."""


def moved(days: float):
    """The season, some days later or earlier."""
    data = season(clear=True)
    return data.assign_coords(time=data.time + np.timedelta64(round(days * 86_400), "s"))


def wrapped(path: Path) -> None:
    """As a reader does that tells an error of the system in its own words."""
    try:
        raise OSError(errno.ESTALE, "Stale file handle")
    except OSError as error:
        raise InputError(f"{path}: not readable ({error})") from None


@pytest.mark.parametrize(
    "fail",
    [
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        wrapped,
    ],
    ids=["disk", "files", "memory", "tensors", "wrapped"],
)
def test_an_error_that_passes_does_not_refuse_a_file_for_ever(tmp_path, service, fail):
    deliver(tmp_path / "inbox", season(clear=True), [0])
    deliver(tmp_path / "inbox", season(clear=True), [1])
    life = [1]

    def failing(path: Path):
        if path.name == "d1.nc" and life[0]:
            life[0] -= 1
            if callable(fail):
                fail(path)
            raise fail
        return read(path)

    swept = service(read=failing).sweep()
    assert swept.assimilated == 1 and "it is read again" in swept.refused[0]
    one = service(read=failing)
    assert set(one.ledger.files.refused()) == {"d1.nc"}
    assert one.sweep() == (1, [], [], 0)
    assert one.ledger.files.refused() == {}


def test_a_damaged_file_is_not_an_error_that_passes(tmp_path):
    path = deliver(tmp_path, season(), [0])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError) as damaged:
        read(path)
    assert not passing(damaged.value, path)
    assert passing(damaged.value, tmp_path / "gone.nc")


def test_what_is_dated_ahead_of_the_clock_waits_for_it(tmp_path, service):
    """And takes neither the window nor the copies of the others with it."""
    inbox = tmp_path / "inbox"
    deliver(inbox, moved(0.0), [0, 1])
    deliver(inbox, moved(20_000.0), [2], "ahead.nc")
    now = [FIRST + 4.0]
    parts = {"today": lambda: now[0], "replay_days": WINDOW}
    swept = service(**parts).sweep()
    assert swept.assimilated == 2
    assert "ahead.nc: 1 acquisitions are dated more than 1 days ahead" in swept.refused[0]
    one = service(**parts)
    assert set(one.ledger.files.refused()) == {"ahead.nc"}
    assert one.sweep() == (0, [], [], 0)  # told once
    deliver(inbox, moved(0.0), [2, 4], "then.nc")  # a part of it is ahead
    now[0] = FIRST + 5.0
    swept = one.sweep()
    assert swept.assimilated == 1 and "then.nc" in swept.refused[0]
    now[0] = FIRST + 9.0  # less than a day before
    assert one.sweep().assimilated == 0
    now[0] = FIRST + 9.5
    assert one.sweep() == (1, [], [], 0)
    deliver(inbox, moved(0.0), [2], "ahead.nc")  # with the right date it is known
    assert one.sweep() == (0, [], [], 0)
    assert one.ledger.files.refused() == {} and one.ledger.counts()["late"] == 0
    deliver(tmp_path / "other", moved(0.0), [0, 1, 2, 4])
    plain = service("plain", inbox=lambda: arrived(tmp_path / "other", "*"))
    plain.sweep()
    assert states(tmp_path / "run") == states(tmp_path / "plain")


def test_a_clock_that_goes_backwards_only_delays(tmp_path, service):
    inbox, now = tmp_path / "inbox", [FIRST + 30.0]
    parts = {"today": lambda: now[0]}
    deliver(inbox, moved(0.0), [0])
    assert service(**parts).sweep().assimilated == 1
    now[0] = 0.0
    deliver(inbox, moved(0.0), [1])
    assert service(**parts).sweep().assimilated == 0
    assert service(**parts).sweep().assimilated == 0
    now[0] = FIRST + 30.0
    assert service(**parts).sweep() == (1, [], [], 0)
    deliver(inbox, moved(0.0), [4])
    now[0] = 0.0
    assert service(**parts, ahead_days=float("inf")).sweep().assimilated == 1


@pytest.mark.parametrize("differs", ["angles", "product"])
def test_what_enters_a_state_or_a_product_does_not_depend_on_the_order(tmp_path, service, differs):
    """The same reflectances with other angles, and under another name of their product."""
    base = season(clear=True).isel(time=[0])
    if differs == "angles":
        pair = [base.assign(sza=("time", [angle])) for angle in (30.0, 60.0)]
        options = OPTIONS | {"angles": {"sun_zenith": "sza"}}
    else:
        pair = [base.assign(product_uri=("time", [name])) for name in ("N0214", "N0500")]
        options = OPTIONS

    def observe(ensemble, acquisition):
        return ensemble[..., :2] * torch.cos(torch.deg2rad(acquisition.angles[:, None, :1]))

    inbox, found = tmp_path / "inbox", []
    parts = {"read": lambda path: read_points(path, **options), "replay_days": WINDOW}
    parts["model"] = replace(linear_model(), observe=observe)
    for name, order in (("one", (0, 1)), ("other", (1, 0))):
        for path in inbox.glob("*"):
            path.unlink()
        for k in order:
            deliver(inbox, pair[k], [0], f"{k}.nc")
            service(name, **parts).sweep()
        deliver(inbox, pair[order[0]], [0], "copy.nc")
        one = service(name, **parts)
        assert one.sweep() == (0, [], [], 0)
        assert one.ledger.counts()["known"] == 1
        found.append(left(one))
    assert found[0] == found[1]


def test_a_copy_of_another_acquisition_is_not_assimilated(tmp_path, service):
    for date in (0, 1, 2):
        deliver(tmp_path / "inbox", season(clear=True), [date])
    one = service()
    one.sweep(lambda: one.ledger.counts()["waiting"] == 3)
    names = [f"{held.arrival.identity}.safetensors" for held in one.ledger.queue.listed("waiting")]
    copies = tmp_path / "run" / "acquisitions"
    sound = (copies / names[1]).read_bytes()
    (copies / names[1]).write_bytes((copies / names[2]).read_bytes())
    one = service()
    with pytest.raises(InputError, match="copy of another acquisition"):
        one.sweep()
    assert one.ledger.counts()["cycles"] == 1
    (copies / names[1]).write_bytes(sound)
    assert service().sweep().assimilated == 2


@pytest.mark.parametrize("split", [False, True])
def test_lateness_does_not_depend_on_the_split_of_sweeps(tmp_path, service, split):
    """Day 10 undoes the chain back to day 0; day 5 lies before the window, before and after."""
    inbox, parts = tmp_path / "inbox", {"replay_days": 12.0}
    for date in (0, 5, 6):
        deliver(inbox, season(clear=True), [date])
    service(**parts).sweep()
    deliver(inbox, season(clear=True), [4], "a.nc")
    if split:
        service(**parts).sweep()
    deliver(inbox, season(clear=True), [2], "b.nc")
    one = service(**parts)
    one.sweep()
    assert [round(c.arrival.time - FIRST) for c in one.ledger.cycles()] == [0, 10, 18, 20]
    assert one.ledger.counts()["late"] == 1
