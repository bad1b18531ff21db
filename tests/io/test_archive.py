"""The run directory: files are whole or not there, documents hold plain values."""

import datetime
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from releo_da.io import (
    JsonLines,
    create_run_directory,
    write_json,
    write_text_atomic,
    write_yaml,
)
from releo_da.io.atomic import replacing
from releo_da.types import InputError

CRASH = """
import os, sys
from releo_da.io import atomic
moment = sys.argv[2]
def stop(*_):
    os._exit(9)
if moment == "rename":
    atomic.os.replace = stop
elif moment == "flush":
    atomic.os.fsync = stop
atomic.write_text_atomic(sys.argv[1], "new" * 1000)
"""


@pytest.mark.parametrize("moment", ["flush", "rename"])
def test_a_crash_before_the_rename_leaves_the_old_file(
    tmp_path: Path, project_root: Path, moment: str
) -> None:
    path = tmp_path / "scores.json"
    write_text_atomic(path, "old")
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(path), moment],
        cwd=project_root, env=os.environ | {"PYTHONPATH": str(project_root)}, check=False,
    )  # fmt: skip
    assert done.returncode == 9
    assert path.read_text() == "old"
    # What the crash left is replaced by the next attempt and does not pile up.
    write_text_atomic(path, "newer")
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.json"]
    assert path.read_text() == "newer"


def test_an_error_while_writing_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text_atomic(path, "old")
    with pytest.raises(RuntimeError, match="midway"), replacing(path) as aside:
        aside.write_text("half")
        raise RuntimeError("midway")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_the_data_and_the_name_are_flushed_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("flush folder" if folder else "flush file")
        fsync(descriptor)

    def spy_replace(source: str, target: str) -> None:
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    write_text_atomic(tmp_path / "a.txt", "text")
    assert events == ["flush file", "rename", "flush folder"]


def test_json_holds_null_for_what_is_not_finite(tmp_path: Path) -> None:
    document = {
        "rmse": float("nan"),
        "bias": np.float32(-0.5),
        "n": np.int64(3),
        "spread": np.array([1.0, np.inf]),
        "rank": torch.tensor([[1, 2]]),
        5: {"path": Path("a/b"), "day": datetime.date(2020, 2, 1), "seen": np.bool_(True)},
        "names": ("é", None),
        "told": ["[\n1,\n 2]", 1],
    }
    write_json(tmp_path / "scores.json", document)
    text = (tmp_path / "scores.json").read_text(encoding="utf-8")
    assert '"spread": [1.0, null],' in text
    assert json.loads(text) == {
        "rmse": None, "bias": -0.5, "n": 3, "spread": [1.0, None], "rank": [[1, 2]],
        "5": {"path": "a/b", "day": "2020-02-01", "seen": True}, "names": ["é", None],
        "told": ["[\n1,\n 2]", 1],
    }  # fmt: skip


def test_what_has_no_plain_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="object has no plain form"):
        write_json(tmp_path / "a.json", {"a": object()})
    assert not (tmp_path / "a.json").exists()


def test_yaml_comes_back_in_order(tmp_path: Path) -> None:
    document = {"z": 1, "a": [1e-3, "1e-3", True, None], "period": ("2020-01-01", "2020-12-31")}
    write_yaml(tmp_path / "config.yaml", document)
    back = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    assert back == {**document, "period": ["2020-01-01", "2020-12-31"]}
    assert list(back) == ["z", "a", "period"]


def test_log_lines_survive_a_line_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    JsonLines(path).write({"kind": "read", "n": 1})
    with path.open("a") as file:
        file.write('{"kind": "cut')
    log = JsonLines(path)
    log.write({"kind": "step", "loss": float("inf")})
    log.write({"kind": "end"})
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in (lines[0], *lines[2:])] == [
        {"kind": "read", "n": 1}, {"kind": "step", "loss": None}, {"kind": "end"}
    ]  # fmt: skip


def test_a_log_that_takes_the_place_of_one_moved_away_says_what_it_is_of(tmp_path: Path) -> None:
    path, away = tmp_path / "log.jsonl", tmp_path / "log.1"
    log = JsonLines(path)
    log.hold({"kind": "started"})
    log.write({"kind": "read"})
    log.hold({"kind": "channels"})
    log.write({"kind": "cycle", "n": 1})
    path.rename(away)
    log.write({"kind": "cycle", "n": 2})
    log.write({"kind": "cycle", "n": 3})
    kinds = [json.loads(line)["kind"] for line in away.read_text().splitlines()]
    assert kinds == ["started", "read", "channels", "cycle"]
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds == ["started", "channels", "cycle", "cycle"]


def test_run_directory(tmp_path: Path) -> None:
    root = create_run_directory(tmp_path / "runs" / "my run", folders=("figures", "states"))
    assert sorted(entry.name for entry in root.iterdir()) == ["figures", "states"]
    (root / "scores.json").write_text("{}")
    create_run_directory(root)
    assert (root / "scores.json").exists()


def test_a_file_is_no_run_directory(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match="cannot be made a run directory .* --out"):
        create_run_directory(tmp_path / "run")
