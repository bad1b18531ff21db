"""A service is not stopped by what its earlier calls left: it says what is damaged and goes on."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from releo_da.config import serving
from releo_da.cycling.ledger import Ledger
from releo_da.runs import cycle

from .served import CYCLE, Run, deliver, run

__all__ = ["run"]


def cycles(root: Path) -> int:
    with Ledger(root / "ledger.sqlite") as ledger:
        return ledger.counts()["cycles"]


def cut(root: Path) -> None:
    with (root / "log.jsonl").open("a") as file:
        file.write('{"kind": "cyc')


def zeros(root: Path) -> None:
    with (root / "log.jsonl").open("ab") as file:
        file.write(b"\0" * 300)


def scores(root: Path) -> None:
    (root / "scores.json").write_bytes(b"")


def product(root: Path) -> None:
    next((root / "products").iterdir()).write_bytes(b"x")


def forecast(root: Path) -> None:
    (root / "forecast.nc").write_bytes(b"x")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "1 lines of log.jsonl cannot be read"),
        (zeros, "1 lines of log.jsonl cannot be read"),
        (scores, ""),
        (product, ".nc: not readable as netCDF"),
        (forecast, "forecast.nc: not readable as netCDF"),
    ],
)
def test_damaged_files_of_the_past_are_told_in_the_report(
    tmp_path: Path, run: Run, harm, said
) -> None:
    root = tmp_path / "run"
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    harm(root)
    deliver(tmp_path / "inbox", 1)
    assert run(*CYCLE) == 0
    assert cycles(root) == 2
    assert said in (root / "report.html").read_text("utf-8")
    assert run(*CYCLE) == 0


def test_a_report_that_cannot_be_made_is_told_and_made_by_a_later_call(
    tmp_path: Path, run: Run, capsys, monkeypatch
) -> None:
    root = tmp_path / "run"
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    drawn = (root / "report.html").read_bytes()
    deliver(tmp_path / "inbox", 1)

    def fails(*arguments):
        raise LookupError("no such colour")

    with monkeypatch.context() as patch:
        patch.setattr(serving, "report", fails)
        assert run(*CYCLE) == 1
    told = capsys.readouterr().err
    assert "the cycles are committed" in told and "no such colour" in told
    assert cycles(root) == 2 and (root / "report.html").read_bytes() == drawn
    assert run(*CYCLE) == 0  # nothing new, and the report is that of an earlier state
    assert (root / "report.html").read_bytes() != drawn


def test_nothing_of_a_refused_configuration_is_written(tmp_path: Path, run: Run, capsys) -> None:
    root = tmp_path / "run"
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    text = (root / "config.yaml").read_bytes()
    assert run(*CYCLE, "--set", "members=8", "--set", "cycle.accept_changes=true") == 2
    assert "the last state has [member, latent]" in capsys.readouterr().err
    assert (root / "config.yaml").read_bytes() == text
    assert run(*CYCLE) == 0


def test_an_acquisition_that_fails_is_told_listed_and_tried_again(
    tmp_path: Path, run: Run, capsys, monkeypatch
) -> None:
    deliver(tmp_path / "inbox", 0, 1)

    def fails(*arguments, **options):
        raise RuntimeError("no such table")

    with monkeypatch.context() as patch:
        patch.setattr(cycle, "turn", fails)
        assert run(*CYCLE) == 1
    assert "set aside, its assimilation failed" in capsys.readouterr().err
    assert run("status", "run", "--json") == 0
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert [one["reason"] for one in failed] == ["RuntimeError('no such table')"] * 2
    assert run(*CYCLE) == 0 and cycles(tmp_path / "run") == 0
    assert run(*CYCLE, "--set", "cycle.retry_failed=true") == 0
    assert cycles(tmp_path / "run") == 2


def test_one_pass_that_is_stopped_finishes_its_cycle_and_says_so(
    tmp_path: Path, run: Run, capsys, monkeypatch
) -> None:
    """SIGTERM comes within a cycle; the acquisitions after it wait for the next call."""
    deliver(tmp_path / "inbox", 0, 1)
    plain = cycle.turn

    def asked(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return plain(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cycle, "turn", asked)
        assert run(*CYCLE) == 143
    assert "stopped by SIGTERM after the cycle under way" in capsys.readouterr().err
    assert cycles(tmp_path / "run") == 1
    assert run("status", "run", "--json") == 0
    call = json.loads(capsys.readouterr().out)["call"]
    assert (call["outcome"], call["error"]) == ("stopped", "SIGTERM")
    assert run(*CYCLE) == 0
    assert run("status", "run") == 0
    assert ", done" in capsys.readouterr().out
    assert cycles(tmp_path / "run") == 2
    assert run(*CYCLE[:2], "--once", "--out", "whole", "--quiet") == 0
    files = [
        {p.name: p.read_bytes() for p in sorted((tmp_path / name).glob("[sp]*/*.[sn]*"))}
        for name in ("run", "whole")
    ]
    assert len(files[0]) == 4 and files[0] == files[1]


def test_a_run_of_another_format_is_refused_untouched_and_begun_anew_elsewhere(
    tmp_path: Path, run: Run, capsys
) -> None:
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    with closing(sqlite3.connect(tmp_path / "run" / "ledger.sqlite")) as db:
        db.execute("PRAGMA user_version=2")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    for line in (CYCLE, ("status", "run")):
        assert run(*line) == 2
        told = capsys.readouterr().err
        assert "a ledger of format 2" in told and "give another --out" in told
    after = {p: p.read_bytes() for p in before}
    changed = [path.name for path, data in before.items() if after[path] != data]
    assert changed == ["call.json"]  # the note that the call was refused
    assert run(*CYCLE[:3], "--out", "anew", "--quiet") == 0
    assert cycles(tmp_path / "anew") == 1
