"""The set-up of `./run`: made once, made anew when it was interrupted or its inputs changed."""

import importlib.machinery
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

INPUTS = ("run", "pyproject.toml", "setup.cfg", "constraints.txt")


@pytest.fixture
def run(tmp_path: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script in a folder of its own; making and filling the environment are only recorded."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in INPUTS:
        shutil.copy(project_root / name, folder / name)
    loader = importlib.machinery.SourceFileLoader("run_script", str(folder / "run"))
    spec = importlib.util.spec_from_loader("run_script", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    module.calls = []

    def venv_or_else(command: list[str], **_: object) -> subprocess.CompletedProcess:
        assert command[1:3] == ["-m", "venv"]
        module.calls.append("venv")
        module.PYTHON.parent.mkdir(parents=True)
        module.PYTHON.symlink_to(sys.executable)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(module.subprocess, "run", venv_or_else)
    monkeypatch.setattr(module, "version_of", lambda python: (3, 11) if python.exists() else (0, 0))
    monkeypatch.setattr(module, "pip_install", lambda *arguments: module.calls.append(arguments))
    monkeypatch.delenv("RELEO_TORCH_INDEX", raising=False)
    return module


EDITABLE = ("-e", ".[test]")


def test_a_second_call_installs_nothing(run: ModuleType) -> None:
    run.set_up()
    assert run.calls == ["venv", EDITABLE]
    run.set_up()
    assert run.calls == ["venv", EDITABLE]


def test_an_interrupted_set_up_starts_anew(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: str) -> None:
        (run.VENV / "half a package").write_text("")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "pip_install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.set_up()
    assert not run.is_ready()
    run.set_up()
    assert run.calls == ["venv", "venv", EDITABLE]
    assert run.is_ready()
    assert not (run.VENV / "half a package").exists()


@pytest.mark.parametrize(
    ("name", "old", "new", "again"),
    [
        ("pyproject.toml", '"rich>=13.7"', '"rich>=14"', True),
        ("pyproject.toml", "line-length = 100", "line-length = 99", False),
        ("constraints.txt", "torch==2.13.0", "torch==2.13.1", True),
        ("setup.cfg", "packages = find:", "packages = find_namespace:", True),
    ],
)
def test_it_is_made_anew_when_what_it_holds_changes(
    run: ModuleType, name: str, old: str, new: str, again: bool
) -> None:
    run.set_up()
    text = (run.ROOT / name).read_text()
    assert old in text
    (run.ROOT / name).write_text(text.replace(old, new))
    assert run.is_ready() is not again


def test_a_removed_interpreter_is_noticed(run: ModuleType) -> None:
    run.set_up()
    run.PYTHON.unlink()
    run.PYTHON.symlink_to(run.VENV / "gone")
    assert not run.is_ready()
    run.set_up()
    assert run.calls == ["venv", EDITABLE] * 2


def test_an_environment_made_by_hand_is_kept(run: ModuleType) -> None:
    run.PYTHON.parent.mkdir(parents=True)
    run.PYTHON.symlink_to(sys.executable)
    (run.VENV / "of mine").write_text("")
    run.set_up()
    assert run.calls == [EDITABLE]
    assert (run.VENV / "of mine").exists()
    assert run.is_ready()


def test_torch_comes_from_the_index_that_is_named(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELEO_TORCH_INDEX", "file:///somewhere")
    run.set_up()
    first, second = run.calls[1:]
    assert first == ("--no-deps", "--index-url", "file:///somewhere", "torch")
    assert second[-2:] == EDITABLE


def test_commands(run: ModuleType) -> None:
    command, folder = run.command_line("test", ["-k", "a b"])
    assert (command[:3], folder) == ([str(run.PYTHON), "-m", "pytest"], run.ROOT)
    assert command[3:5] == ["-n", "auto"]
    assert command[-2:] == ["-k", "a b"]  # last, so that they win
    releo_da = str(run.VENV / "bin" / "releo-da")
    assert run.command_line("demo", ["--quiet"]) == ([releo_da, "demo", "--quiet"], None)


def test_an_old_python_is_told_what_is_needed(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.sys, "version_info", (3, 9, 2, "final", 0))
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"Python 3\.9, and Python 3\.11 or newer is needed"):
        run.require_python()
