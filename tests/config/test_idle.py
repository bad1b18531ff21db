"""A call that finds nothing new says so in its note, and changes nothing else."""

import json
from pathlib import Path

from .test_cycling import CYCLE, Run, deliver, run

__all__ = ["run"]


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("call.json", ".lock")
    }


def kinds(root: Path) -> list[str]:
    return [json.loads(text)["kind"] for text in (root / "log.jsonl").read_text().splitlines()]


def test_idle_calls_and_status_change_nothing(tmp_path: Path, run: Run, capsys) -> None:
    root = tmp_path / "run"
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    before, said = everything(root), kinds(root)
    assert said[:2] == ["started", "channels"]
    assert run(*CYCLE) == 0
    assert everything(root) == before

    times = root.stat().st_mtime_ns, (root / "states").stat().st_mtime_ns
    assert run("status", "run") == 0 and "cycles: 1" in capsys.readouterr().out
    assert everything(root) == before
    assert (root.stat().st_mtime_ns, (root / "states").stat().st_mtime_ns) == times

    deliver(tmp_path / "inbox", 1)
    assert run(*CYCLE) == 0
    after = everything(root)
    assert after["config.yaml"] == before["config.yaml"]
    assert kinds(root)[len(said) :][:2] == ["started", "channels"]


def test_a_change_that_decides_nothing_is_written_at_once(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "run"
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    said = kinds(root)
    assert run(*CYCLE, "--set", "cycle.poll_seconds=7") == 0
    assert "poll_seconds: 7" in (root / "config.yaml").read_text()
    assert kinds(root) == [*said, "started", "channels"]


def test_a_ledger_without_a_row_beside_states_is_told(tmp_path: Path, run: Run, capsys) -> None:
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    (tmp_path / "run" / "ledger.sqlite").write_bytes(b"")
    assert run("status", "run") == 2
    assert "its ledger is missing or empty" in capsys.readouterr().out
    assert (tmp_path / "run" / "ledger.sqlite").stat().st_size == 0
