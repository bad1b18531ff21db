"""Style and types, by the settings of pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import pytest


def check_passes(root: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def test_ruff(project_root: Path) -> None:
    check_passes(project_root, "ruff", "check", ".")


def test_mypy(project_root: Path) -> None:
    check_passes(project_root, "mypy")


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "XX" + "X"])
def test_nothing_is_left_for_later(project_root: Path, word: str) -> None:
    for path in sorted((project_root / "releo_da").rglob("*.py")):
        assert word not in path.read_text(encoding="utf-8"), path
