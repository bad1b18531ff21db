"""The note of a call is of the run as it is: a mistyped call beside a service changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from releo_da.config.last_call import CALL, OPEN, gone, last_call, noted
from releo_da.io.lock import locked
from releo_da.runs.stopping import Asked
from releo_da.types import InputError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory whose log tells of a call at work."""
    root = tmp_path / "run"
    root.mkdir()
    (root / "ledger.sqlite").write_bytes(b"")
    begun = {"kind": "started", "command": "cycle", "written": "2020-01-01T08:00:00+00:00"}
    (root / "log.jsonl").write_text(json.dumps(begun) + "\n", encoding="utf-8")
    return root


def call(root: Path, work: Callable[[], tuple[Path | None, int]]) -> None:
    noted(root, work, lambda: root.parent, Asked(), once=True)


def mistyped() -> tuple[Path | None, int]:
    raise InputError("my.yaml: cycle.replay_days is -1")


def test_a_call_that_fails_beside_one_at_work_leaves_no_note(run: Path) -> None:
    with locked(run):
        with pytest.raises(InputError):
            call(run, mistyped)
        assert not (run / CALL).exists()
        found = last_call(run)
        assert found is not None and found["outcome"] == OPEN
        call(run, lambda: (None, 0))  # which did its work before the other began
        assert json.loads((run / CALL).read_text("utf-8"))["outcome"] == "done"
    with pytest.raises(InputError):
        call(run, mistyped)
    found = last_call(run)
    assert found is not None and found["outcome"] == "failed" and "-1" in found["error"]


def test_who_may_not_see_the_inbox_calls_no_file_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"inbox": str(tmp_path)}
    assert gone(about, "a.nc")

    def refused(*arguments: object, **options: object) -> bool:
        raise PermissionError(13, "Permission denied")

    for name in ("exists", "is_dir"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, name, refused)
            assert not gone(about, "a.nc")
