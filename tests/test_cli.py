"""The command line: arguments reach the functions, and every ending has its status."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import releo_da.config
from releo_da.cli import app, main
from releo_da.config.options import Options
from releo_da.config.registry import Registry
from releo_da.types import InputError

RUN_COMMANDS = {
    "demo": [],
    "twin": ["c.yaml"],
    "hindcast": ["c.yaml"],
    "inspect": ["c.yaml"],
    "cycle": ["c.yaml"],
    "forecast": ["runs/a", "--until", "2018-06-30"],
    "train": ["c.yaml"],
    "embed": ["c.yaml"],
    "experiment": ["toulouse"],
    "plot": ["runs/a"],
    "compare": ["runs/a", "runs/b"],
    "benchmark": [],
}


class Commands(SimpleNamespace):
    """Stands in for the functions that do the work: notes its calls, then ends as told."""

    def __init__(self, ending: Any = None) -> None:
        super().__init__(calls=[], ending=ending)

    def __getattr__(self, name: str) -> Any:
        def command(*arguments: Any) -> Any:
            self.calls.append((name, *arguments))
            if isinstance(self.ending, BaseException):
                raise self.ending
            return self.ending

        return command


def run(monkeypatch: pytest.MonkeyPatch, commands: Any, *arguments: str) -> int:
    """Exit status of a command line."""
    monkeypatch.setattr(releo_da.config, "commands", commands, raising=False)
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_every_command_of_the_contract_is_there() -> None:
    names = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert names == {
        *RUN_COMMANDS,
        "simulate",
        "sensors",
        "variables",
        "schema",
        "status",
        "verify",
    }


HEEDED = {
    "plot": {"--quiet"},
    "benchmark": {"--quiet"},
    "compare": {"--quiet", "--out", "--seed"},
}
"""Of commands that make no run: the common options that say something to them."""


@pytest.mark.parametrize("name", HEEDED)
def test_commands_that_make_no_run_offer_what_they_heed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    every = {"--out", "--set", "--device", "--seed", "--quiet"}
    assert {option for option in every if f"{option} " in said} == HEEDED[name]
    assert run(monkeypatch, Commands(), name, *RUN_COMMANDS[name], "--set", "members=3") == 2


@pytest.mark.parametrize("name", sorted({*RUN_COMMANDS} - {*HEEDED}))
def test_common_options_reach_every_run_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands()
    common = ["--out", "there", "--set", "members=3", "--set", "a.b=c", "--seed", "5"]
    line = [name, *RUN_COMMANDS[name], *common, "--device", "auto", "--quiet"]
    assert run(monkeypatch, commands, *line) == 0
    ((called, *arguments),) = commands.calls
    assert called == name
    expected = Options(Path("there"), ("members=3", "a.b=c"), "auto", 5, True)
    assert [a for a in arguments if isinstance(a, Options)] == [expected]
    assert expected.settings == ("members=3", "a.b=c", "seed=5")


@pytest.mark.parametrize("name", RUN_COMMANDS)
def test_common_options_may_all_be_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands()
    assert run(monkeypatch, commands, name, *RUN_COMMANDS[name]) == 0
    assert Options() in commands.calls[0]
    assert Options().settings == ()


def test_arguments_of_single_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands()
    run(monkeypatch, commands, "twin", "my runs/c.yaml")
    run(monkeypatch, commands, "cycle", "c.yaml", "--once")
    run(monkeypatch, commands, "forecast", "a", "--until", "2018-06-30")
    run(monkeypatch, commands, "forecast", "a", "--until", "2018-06-30", "--weather", "dry.csv")
    run(monkeypatch, commands, "benchmark", "--output", "b.json")
    assert [call[1:] for call in commands.calls] == [
        (Path("my runs/c.yaml"), Options(), None),
        (Path("c.yaml"), Options(), True),
        (Path("a"), date(2018, 6, 30), Options(), None),
        (Path("a"), date(2018, 6, 30), Options(), Path("dry.csv")),
        (Options(), Path("b.json")),
    ]


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [
        (None, 0, ""),
        (0, 0, ""),
        (3, 3, ""),
        (InputError("c.yaml: no such key; add it"), 2, "releo-da: c.yaml: no such key; add it\n"),
        (BlockingIOError(11, "busy", "runs/a"), 75, "runs/a: another process holds it; wait or"),
        (
            OSError(28, "No space left on device", "runs/a/x"),
            74,
            "runs/a/x: No space left on device;",
        ),
        (sqlite3.OperationalError("disk I/O error"), 74, "the ledger: disk I/O error; see to"),
        (
            sqlite3.DatabaseError("file is malformed"),
            2,
            "the ledger is damaged (file is malformed)",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_ending_has_its_status(
    ending: Any,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, Commands(ending), "twin", "c.yaml") == status
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    if not message:
        assert said.err == ""


@pytest.mark.parametrize("defect", [ValueError("a defect"), RuntimeError("a defect")])
def test_defects_are_not_disguised(defect: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releo_da.config, "commands", Commands(defect), raising=False)
    with pytest.raises(type(defect), match="a defect"):
        main(["twin", "c.yaml"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["twin"], "CONFIG"),
        (["twin", "c.yaml", "--sed", "1"], "--sed"),
        (["twin", "c.yaml", "--seed", "-1"], "--seed"),
        (["twin", "c.yaml", "--device", "tpu"], "--device"),
        (["forecast", "a"], "--until"),
        (["forecast", "a", "--until", "June"], "--until"),
        (["hindkast", "c.yaml"], "hindkast"),
    ],
)
def test_wrong_command_lines_end_with_2(
    line: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = Commands()
    assert run(monkeypatch, commands, *line) == 2
    assert expected in capsys.readouterr().err
    assert not commands.calls


def test_run_directory_may_not_be_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").touch()
    assert run(monkeypatch, Commands(), "demo", "--out", str(tmp_path / "x")) == 2
    told = capsys.readouterr().err
    assert told.startswith("releo-da: --out: ") and told.count("\n") == 1


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom releo_da.cli import main\n"
        "try:\n    main(['twin', '--help'])\n"
        "finally:\n    assert not {'torch', 'numpy', 'xarray'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Nature run" in done.stdout
    assert "--set" in done.stdout


def test_a_defect_of_a_process_ends_with_1_and_a_traceback() -> None:
    code = (
        "import types, releo_da.config\nfrom releo_da.cli import main\n"
        "def twin(*_): raise RuntimeError('a defect')\n"
        "releo_da.config.commands = types.SimpleNamespace(twin=twin)\nmain(['twin', 'c.yaml'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert "RuntimeError: a defect" in done.stderr


def test_schema_is_printed_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rts(lag: int = 3) -> None:
        """Smooths."""

    commands = SimpleNamespace(sections=lambda: {"smooth": Registry("smoother", {"rts": rts})})
    assert run(monkeypatch, commands, "schema") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["properties"]["smooth"]["anyOf"][0]["anyOf"][0] == {"enum": ["rts"]}


def test_sensors_and_variables_are_whole_when_piped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, Commands(), "sensors") == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("sentinel2a", "landsat9", "B01 B02 B03", "B12"))
    assert "…" not in out
    assert run(monkeypatch, Commands(), "sensors", "sentinel2b") == 0
    assert any(row.split()[:2] == ["B8A", "864.0"] for row in capsys.readouterr().out.splitlines())
    assert run(monkeypatch, Commands(), "variables") == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    assert ["cab", "leaf", "chlorophyll", "a+b", "content", "ug", "cm-2"] in [r[:7] for r in rows]


def test_unknown_sensor_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, Commands(), "sensors", "sentinel-2a") == 2
    assert "did you mean 'sentinel2a'" in capsys.readouterr().err


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert Options(device="auto").torch_device().type == "cpu"
    assert Options().torch_device().type == "cpu"
    with pytest.raises(InputError, match="--device cuda: no CUDA device .* use --device cpu"):
        Options(device="cuda").torch_device()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Options(device="auto").torch_device().type == "cuda"
    assert Options().torch_device().type == "cpu"
