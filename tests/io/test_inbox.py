"""What lies in an inbox, and that one process holds a run directory."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from releo_da.io.inbox import arrived, folder_and_pattern
from releo_da.io.lock import locked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inbox", ("inbox", "*")),
        ("inbox/*.nc", ("inbox", "*.nc")),
        ("/data/s2/**/*.nc", ("/data/s2", "**/*.nc")),
        ("tile_[ab]/x.nc", (".", "tile_[ab]/x.nc")),
    ],
)
def test_a_glob_is_a_folder_and_a_pattern(text, expected):
    assert folder_and_pattern(text) == expected


def test_hidden_files_and_folders_are_left_alone(tmp_path):
    for name in ("b.nc", "a.nc", ".c.nc", "d.txt", "deep/e.nc", ".hidden/f.nc"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name, encoding="utf-8")
    assert [file.name for file in arrived(tmp_path, "*.nc")] == ["a.nc", "b.nc"]
    assert [file.name for file in arrived(tmp_path, "**/*.nc")] == ["a.nc", "b.nc", "deep/e.nc"]
    files = [file.name for file in arrived(tmp_path, "*") if not file.wrong]
    assert files == ["a.nc", "b.nc", "d.txt"]
    assert arrived(tmp_path, "a.nc")[0].size == 4


def test_what_is_no_file_is_named_and_always_the_same(tmp_path):
    (tmp_path / "a.nc").write_text("file", encoding="utf-8")
    (tmp_path / "deep.nc").mkdir()
    os.mkfifo(tmp_path / "pipe.nc")
    before = arrived(tmp_path, "*")
    assert [(one.name, bool(one.wrong)) for one in before] == [
        ("a.nc", False), ("deep.nc", True), ("pipe.nc", True),
    ]  # fmt: skip
    assert "is a folder" in before[1].wrong and "named pipe" in before[2].wrong
    (tmp_path / "deep.nc" / "b.nc").write_text("file", encoding="utf-8")
    assert arrived(tmp_path, "*") == before
    inside = arrived(tmp_path, "**/*")  # the pattern leads into the folder
    assert [one.name for one in inside] == ["a.nc", "deep.nc/b.nc", "pipe.nc"]


def test_an_entry_that_cannot_be_looked_at_is_named_and_the_others_count(tmp_path):
    (tmp_path / "good.nc").write_text("file", encoding="utf-8")
    (tmp_path / "loop.nc").symlink_to("loop.nc")
    good, loop = arrived(tmp_path, "*.nc")
    assert (good.name, good.wrong) == ("good.nc", "")
    assert loop.key == ("loop.nc", 0, 0)
    assert str(tmp_path / "loop.nc") in loop.wrong and "remove it from the inbox" in loop.wrong
    (tmp_path / "loop.nc").unlink()
    (tmp_path / "loop.nc").write_text("file", encoding="utf-8")
    assert [one.wrong for one in arrived(tmp_path, "*.nc")] == ["", ""]


def test_a_file_written_over_is_another_whatever_its_time_of_modification(tmp_path):
    path = tmp_path / "a.nc"
    path.write_text("before", encoding="utf-8")
    (before,), facts = arrived(tmp_path, "*"), path.stat()
    time.sleep(0.02)  # the clock of a file system may tick every 10 ms
    path.write_text("after!", encoding="utf-8")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (after,) = arrived(tmp_path, "*")
    assert path.stat().st_mtime_ns == facts.st_mtime_ns and after.size == before.size
    assert after.key != before.key


def test_a_file_that_changes_is_another(tmp_path):
    (tmp_path / "a.nc").write_text("half", encoding="utf-8")
    before = arrived(tmp_path, "*")
    (tmp_path / "a.nc").write_text("whole file", encoding="utf-8")
    assert arrived(tmp_path, "*") != before


def test_another_process_cannot_hold_the_same_directory(tmp_path, project_root):
    code = (
        "import sys; from pathlib import Path; from releo_da.io.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held')"
    )

    def other():
        command = [sys.executable, "-c", code, str(tmp_path)]
        return subprocess.run(command, cwd=project_root, capture_output=True, text=True)

    with locked(tmp_path):
        refused = other()
        assert "BlockingIOError" in refused.stderr
        assert str(tmp_path) in refused.stderr
    assert other().stdout.strip() == "held"


def test_a_file_that_goes_while_the_folder_is_read_is_left_out(tmp_path, monkeypatch):
    for name in ("a.nc", "b.nc"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "c.nc").symlink_to(tmp_path / "nowhere")
    stat = Path.stat

    def going(path, **options):
        found = stat(path, **options)
        if path.name == "a.nc":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", going)
    assert [file.name for file in arrived(tmp_path, "*.nc")] in (["a.nc", "b.nc"], ["b.nc"])
    assert [file.name for file in arrived(tmp_path, "*.nc")] == ["b.nc"]
