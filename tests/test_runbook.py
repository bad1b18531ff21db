"""The runbook says what is so: its unit, cron line, job scripts and backups are carried out.

What needs a service manager or a batch system is checked as far as the files go: keys and values of
the unit (also by systemd where it is), the script that dask-jobqueue writes.
"""

import configparser
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import typer
import yaml

from releo_da.cli import app
from releo_da.config.cluster import batch_cluster

RUN, SITE, PYTHON = "/opt/releo_da/run", "/srv/fields", "/opt/releo_da/.venv/bin/python"
KEYS = {
    "Unit": {"Description", "After"},
    "Service": {"User", "WorkingDirectory", "ExecStart", "KillSignal", "KillMode", "Restart"}
    | {"TimeoutStopSec", "RestartSec", "RestartPreventExitStatus"},
    "Install": {"WantedBy"},
}
"""Keys of systemd.unit(5), systemd.service(5) and systemd.kill(5) that the unit uses."""


@pytest.fixture(scope="module")
def text(request: pytest.FixtureRequest) -> str:
    root = Path(__file__).resolve().parents[1]
    return (root / "docs" / "how-to" / "runbook.md").read_text("utf-8")


def block(text: str, mark: str) -> str:
    """The block of code after a line of the page."""
    found = re.search(rf"^{re.escape(mark)}\n+```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, mark
    return found[1]


def check_call(words: list[str]) -> None:
    """A call of `./run` in the runbook is one that the command line takes."""
    assert words[0] == RUN
    command = typer.main.get_command(app).commands[words[1]]
    command.make_context(words[1], words[2:])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for the paths of the runbook, with a `run` of this Python that notes its calls."""
    run = tmp_path / "opt" / "run"
    run.parent.mkdir()
    root = Path(__file__).resolve().parents[1]
    run.write_text(
        "#!/bin/sh\n"
        f'echo "$PWD $*" >> {tmp_path}/calls\n'
        f'PYTHONPATH={shlex.quote(str(root))} exec {sys.executable} -m releo_da.cli "$@"\n'
    )
    run.chmod(0o755)
    (tmp_path / "fields" / "inbox").mkdir(parents=True)
    (tmp_path / "fields" / "runs").mkdir()
    return tmp_path


def here(script: str, site: Path) -> str:
    """A script of the runbook with the paths of a test."""
    script = script.replace(PYTHON, sys.executable).replace(RUN, str(site / "opt" / "run"))
    return script.replace(SITE, str(site / "fields"))


def shell(script: str, site: Path) -> subprocess.CompletedProcess:
    """A script as cron and an administrator run it, by `sh`."""
    line = ["sh", "-eu", "-c", here(script, site)]
    return subprocess.run(line, cwd=site, capture_output=True, text=True, check=False)


def test_the_unit_has_keys_that_systemd_knows(text: str, site: Path) -> None:
    unit = block(text, "## systemd")
    read = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    read.optionxform = str
    read.read_string(unit)
    assert {name: set(read[name]) for name in read.sections()} == KEYS
    service = read["Service"]
    assert (service["KillSignal"], service["KillMode"]) == ("SIGTERM", "mixed")
    assert service["Restart"] == "on-failure" and service["RestartPreventExitStatus"] == "2"
    check_call(shlex.split(service["ExecStart"]))
    if shutil.which("systemd-analyze"):
        path = site / "releo.service"
        path.write_text(here(unit, site))
        done = subprocess.run(
            ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 and "releo.service:" not in done.stderr, done.stderr


def test_the_line_of_cron_runs_in_sh(text: str, site: Path) -> None:
    line = block(text, "## cron").strip()
    fields, command = line.split(maxsplit=5)[:5], line.split(maxsplit=5)[5]
    assert fields == ["15", "*", "*", "*", "*"]
    check_call(shlex.split(command.partition("&&")[2]))
    (site / "fields" / "my_cycle.yaml").write_text("cycle: {inbox: inbox}\n")
    done = shell(command, site)
    assert done.returncode == 2 and "my_cycle.yaml" in done.stderr  # of what is not configured
    called = (site / "calls").read_text()
    assert called.startswith(f"{site}/fields cycle my_cycle.yaml --once --quiet --out runs/my_")


def test_the_script_of_one_pass_becomes_the_pass(text: str) -> None:
    lines = block(text, "One pass as a job, on one core:").splitlines()
    assert lines[0] == "#!/bin/bash"
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+=\S+", x) for x in lines if x.startswith("#SBATCH"))
    assert "#SBATCH --signal=B:TERM@600" in lines
    words = shlex.split(lines[-1])
    assert words[0] == "exec"
    check_call(words[1:])


def test_dask_jobqueue_writes_the_script_that_is_shown(text: str) -> None:
    given = yaml.safe_load(block(text, "<!-- configuration of jobs -->"))
    with batch_cluster(given["cycle"]["tiles"]["jobqueue"]) as cluster:
        script = cluster.job_script()
    script = script.replace(sys.executable, PYTHON)
    script = re.sub(r"tcp://[\d.]+:\d+", "tcp://head:8786", script)
    assert script.strip() == block(text, "<!-- script of a job -->").strip()


def ledger(path: Path) -> sqlite3.Connection:
    """A database that a service holds open, with rows in its write-ahead log alone."""
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    with db:
        db.execute("CREATE TABLE row (n)")
        db.execute("INSERT INTO row VALUES (7)")
    assert path.with_name("ledger.sqlite-wal").stat().st_size > 0
    return db


@pytest.mark.parametrize(
    ("mark", "run", "folders", "target"),
    [
        ("<!-- backup -->", "my_cycle", [""], "backup"),
        ("<!-- backup of tiles -->", "my_map", ["tiles/r0_c0", "tiles/r0_c8"], "backup_map"),
    ],
)
def test_a_backup_has_the_rows_of_the_log_and_all_files(
    text: str, site: Path, mark: str, run: str, folders: list[str], target: str
) -> None:
    root, copy = site / "fields" / "runs" / run, site / "fields" / target
    held = [ledger(root / folder / "ledger.sqlite") for folder in folders]
    for folder in folders:
        (root / folder / "states").mkdir()
        (root / folder / "states" / "000001.safetensors").write_bytes(b"state")
        (root / folder / ".lock").touch()
    if run == "my_map":
        (root / "tiles" / "r8_c0").mkdir()  # not begun
        (root / "standing.json").write_text("{}")
        (root / "tiles" / "r0_c0" / "sums.json").write_text("{}")
    script, _, last = block(text, mark).strip().rpartition("\n")
    assert shlex.split(last) == [RUN, "verify", target]
    done = shell(script, site)
    assert done.returncode == 0, done.stderr
    for folder in folders:
        names = {path.name for path in (copy / folder).iterdir()}
        assert names == {"ledger.sqlite", "states"}
        with closing(sqlite3.connect(copy / folder / "ledger.sqlite")) as db:
            assert db.execute("SELECT n FROM row").fetchall() == [(7,)]
        assert (copy / folder / "states" / "000001.safetensors").read_bytes() == b"state"
    if run == "my_map":
        assert (copy / "tiles" / "r8_c0").is_dir() and not (copy / "standing.json").exists()
    for db in held:
        db.close()
