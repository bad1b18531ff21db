"""Processes that write to one folder at a time make their files in folders of their own."""

import pytest

from releo_da.io.own_folder import own_folder


def names(root):
    return sorted(path.name for path in root.iterdir() if path.name != ".made.lock")


def test_two_at_a_time_do_not_meet(tmp_path):
    with own_folder(tmp_path, "made") as one, own_folder(tmp_path, "made") as other:
        assert one != other and one.is_dir() and other.is_dir()
        (one / "a").write_text("one")
        (other / "a").write_text("other")
        assert not (tmp_path / "a").exists()
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "one"  # it ended last


def test_nothing_of_one_that_fails_is_kept(tmp_path):
    (tmp_path / "a").write_text("before")
    with pytest.raises(RuntimeError), own_folder(tmp_path, "made") as folder:
        (folder / "a").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "before"


def test_what_was_left_is_removed_by_one_that_is_alone(tmp_path):
    with own_folder(tmp_path, "made") as busy:
        (tmp_path / ".made-killed.own").mkdir()
        with own_folder(tmp_path, "made"):
            assert busy.is_dir() and (tmp_path / ".made-killed.own").is_dir()
    with own_folder(tmp_path, "made") as folder:
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_a_folder_takes_the_place_of_a_full_one(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "old").touch()
    with own_folder(tmp_path, "made") as folder:
        (folder / "a.zarr").mkdir()
        (folder / "a.zarr" / "new").touch()
    assert names(tmp_path / "a.zarr") == ["new"]
