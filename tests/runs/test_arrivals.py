"""What arrives counts once: copies, late and unclear products, damaged files, new pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.io import read_cube, read_products
from releo_da.types import InputError

from .linear import ALL, OPTIONS, deliver, last, read, season, states


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


def test_what_lies_before_the_window_is_recorded_and_left_out(tmp_path, service):
    inbox = tmp_path / "inbox"
    deliver(inbox, season(), [0, 4], "first.nc")
    assert service().sweep().assimilated == 2
    before = states(tmp_path / "run")
    deliver(inbox, season(), [1], "late.nc")
    late = service(replay_days=6.9)  # the late one is 7 days old
    assert late.sweep().assimilated == 0
    assert late.ledger.counts()["late"] == 1
    (one,) = late.ledger.queue.listed("late")
    assert (one.arrival.file, one.kept) == ("late.nc", False) and "replay window" in one.reason
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
    assert one.ledger.counts()["undone"] == 0


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
    told = one.ledger.files.refused()
    assert set(told) == {"d1.nc", "empty.nc", "notes.txt", "mask.nc"}
    assert "cloud" in told["mask.nc"]
    assert one.sweep().refused == []  # known as they are
    deliver(inbox, season(), [5], "mask.nc")
    assert one.sweep().assimilated == 1  # read again when it changed
    assert "mask.nc" not in one.ledger.files.refused()


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
    assert one.ledger.files.unclear() == [("2020-05-01T10:50:07", "d0.nc")]
    assert one.store.state is None


def test_a_product_without_a_clear_pixel_is_named_beside_those_that_count(tmp_path, service):
    data = season(clear=True)
    data["cloud"][:, 1] = 1
    deliver(tmp_path / "inbox", data, [0, 1, 2], "three.nc")
    one = service()
    assert one.sweep().assimilated == 2
    assert one.ledger.files.unclear() == [("2020-05-04T10:50:07", "three.nc")]
    assert one.ledger.counts()["unclear"] == 1
    deliver(tmp_path / "inbox", season(clear=True), [0, 1, 2], "three.nc")
    one.sweep()
    assert one.ledger.files.unclear() == []  # the file was replaced


def test_a_file_is_read_once_and_not_needed_any_more(tmp_path, service):
    inbox = tmp_path / "inbox"
    for date in (0, 1):
        deliver(inbox, season(), [date])
    calls = []

    def once(path: Path):
        calls.append(path.name)
        found = read(path)
        path.unlink()
        return found

    one = service(read=once)
    assert one.sweep(lambda: len(calls) == 2).assimilated == 0
    assert one.ledger.counts()["waiting"] == 2 and not list(inbox.iterdir())
    assert service(read=once).sweep().assimilated == 2
    assert calls == ["d0.nc", "d1.nc"]


def test_new_pixels_join_from_the_prior_and_old_ones_do_not_notice(tmp_path, service):
    inbox = tmp_path / "inbox"
    for name, points in (("few", 2), ("more", 4)):
        for path in inbox.glob("*"):
            path.unlink()
        deliver(inbox, season(points=2), [0])
        service(name).sweep()
        deliver(inbox, season(points=points), [4])
        service(name).sweep()
    few, more = last(service("few")), last(service("more"))
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


def test_products_of_a_pass_some_seconds_apart_are_one_pass_in_two_sweeps(tmp_path, service):
    """The second comes 45 s later in time, and sees less; the third 90 s, linked by the second."""
    inbox, data = tmp_path / "inbox", season(clear=True)
    deliver(inbox, data, [0], "a.nc")
    one = service()
    assert one.sweep().assimilated == 1
    for number, name in enumerate(("b.nc", "c.nc"), 1):
        other = data.assign_coords(time=data.time + number * np.timedelta64(45, "s"))
        other["reflectance"] += 0.01 * number
        other["cloud"][1:] = 1
        deliver(inbox, other, [0], name)
        assert one.sweep() == (0, [], [], 0)
        assert one.ledger.counts()["duplicate"] == number


def test_a_file_has_to_fit_what_waits_from_a_call_that_was_stopped(tmp_path, service):
    inbox = tmp_path / "inbox"
    deliver(inbox, season(), [0])
    asked = iter([False, True])  # before the file, before the cycle
    one = service()
    assert one.sweep(lambda: next(asked)).assimilated == 0
    assert one.ledger.counts()["waiting"] == 1
    moved = season()
    moved["x"] = moved.x + 0.5
    deliver(inbox, moved, [4])
    swept = service().sweep()
    assert swept.assimilated == 1 and "different places" in swept.refused[0]


def test_of_several_files_with_one_content_the_row_names_the_one_that_brought_it(tmp_path, service):
    """Written over, that one withdraws it; another one that held it too does not."""
    inbox, data = tmp_path / "inbox", season(clear=True)
    for name in ("a.nc", "b.nc"):
        deliver(inbox, data, [0], name)
    one = service()
    assert one.sweep().assimilated == 1
    assert one.ledger.last().arrival.file == "a.nc" and one.ledger.counts()["known"] == 1
    dark = data.copy(deep=True)
    dark["cloud"][:] = 1
    deliver(inbox, dark, [0], "b.nc")
    assert one.sweep().undone == 0
    deliver(inbox, dark, [0], "a.nc")
    assert one.sweep().undone == 1 and one.ledger.last() is None


@pytest.mark.parametrize("why", ["refused", "ahead"])
def test_a_file_of_which_nothing_is_accepted_decides_no_grid(tmp_path, service, why):
    """Its points lie elsewhere: neither in this sweep nor in a later one are the others refused."""
    inbox = tmp_path / "inbox"
    elsewhere = season()
    elsewhere["x"] = elsewhere.x + 5.0
    deliver(inbox, elsewhere, [0], "a.nc")
    deliver(inbox, season(), [1], "b.nc")

    def judge(series, where):
        if why == "refused" and "a.nc" in where:
            raise InputError(f"{where}: surely wrong")
        return []

    clock = {} if why == "refused" else {"today": lambda: 18382.0, "ahead_days": 0.0}
    if why == "ahead":
        early = season()
        deliver(inbox, early.assign_coords(time=early.time - np.timedelta64(9, "D")), [1], "b.nc")
    swept = service(judge=judge, **clock).sweep()
    assert swept.assimilated == 1
    assert len(swept.refused) == 1 and "a.nc" in swept.refused[0]


def test_a_file_on_another_grid_is_refused_with_its_name(tmp_path, service):
    deliver(tmp_path / "inbox", season(), [0], "a.nc")
    elsewhere = season()
    elsewhere["x"] = elsewhere.x + 5.0
    path = deliver(tmp_path / "inbox", elsewhere, [1], "b.nc")
    swept = service().sweep()
    assert swept.assimilated == 1
    assert swept.refused[0].startswith(f"{path}: source: ")
