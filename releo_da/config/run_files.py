"""Where a run leaves its files: the run directory, its configuration, its log, its progress."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from releo_da import __version__
from releo_da.config.document import Document
from releo_da.config.options import Options
from releo_da.config.schemes import kernel_told
from releo_da.config.sensor_paths import keep_sensors
from releo_da.config.weight_paths import COPIES, START, weights_at, with_weights
from releo_da.io import JsonLines, create_run_directory, write_text_atomic
from releo_da.io.archive import yaml_text
from releo_da.io.atomic import keep_bytes
from releo_da.runs.block import Tick


def commit() -> str | None:
    """The commit of the checkout that the package runs from, or None outside one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    found = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True
    )
    return found.stdout.strip() or None


def provenance(command: str, seed: int, device: torch.device) -> dict[str, Any]:
    """What made a result: command, version, commit, seed, device and time."""
    return {
        "command": command,
        "version": __version__,
        "commit": commit(),
        "seed": seed,
        "device": str(device),
        "torch": str(torch.__version__),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def run_root(document: Document, options: Options, command: str) -> Path:
    """The run directory that was asked for, or the command's own choice."""
    return options.out or Path("runs") / f"{command}-{document.path.stem}"


class Opened(NamedTuple):
    """A run directory in use: where it is, its log, and what made the run."""

    root: Path
    log: JsonLines
    made: dict[str, Any]


def open_run(
    document: Document,
    options: Options,
    command: str,
    seed: int,
    weights: Path | None = None,
    idle: bool = False,
) -> Opened:
    """The run directory with its resolved configuration, its log, and the run's provenance.

    Args:
        document: the configuration.
        options: where, and on which device.
        command: its name.
        seed: of the run.
        weights: fitted ones, in place of those that the configuration names.
        idle: whether the call may find nothing to do: where only the time is another than that of
            config.yaml, the file is left alone, and the log holds its beginning.
    """
    root = create_run_directory(run_root(document, options, command))
    made = provenance(command, seed, options.torch_device())
    head = "".join(f"# {name}: {value}\n" for name, value in made.items())
    resolved = {**document.values, "seed": seed}
    keep_sensors(document, root)
    read = [key for key in COPIES if key != START or command == "train"]
    if weights is not None:
        read.remove("forecast.weights")
    files = {key: weights_at(document, key) for key in read}
    if weights is not None:
        files["forecast.weights"] = weights
        resolved.setdefault("forecast", "mean_reverting")
    for key, file in files.items():
        if file is not None:
            # A copy, so that the run directory holds all that a forecast from it needs.
            keep_bytes(root / COPIES[key], file.read_bytes())
            resolved = with_weights(resolved, key, COPIES[key])
    text = yaml_text(resolved)
    made["configuration_sha256"] = sha256(text.encode()).hexdigest()
    log = JsonLines(root / "log.jsonl")
    log.hold({"kind": "started", **made})
    kernel = kernel_told(document, options.torch_device())
    if kernel:
        log.hold({"kind": "kernel", "asked": "compiled", **kernel})
    if not (idle and _undated(root / "config.yaml") == _undated(head + text)):
        write_text_atomic(root / "config.yaml", head + text)
        log.begin()
    return Opened(root, log, made)


def _undated(config: Path | str) -> list[str] | None:
    """The lines of a configuration but for the time of writing; None without a file that is one."""
    if isinstance(config, Path):
        try:
            config = config.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
    return [line for line in config.splitlines() if not line.startswith("# written: ")]


def warn(text: str, quiet: bool = False) -> None:
    """A line on the error stream, which results and redirected output do not mix with."""
    if not quiet:
        Console(stderr=True).print(text, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def progress(total: int, label: str, quiet: bool) -> Iterator[Tick]:
    """A progress bar on a terminal, a plain line every tenth otherwise, nothing when quiet.

    The time left is the time spent so far, per turn, times the turns that remain: reading, pauses
    and all. A rate of the last moments would jump between passes that take longer and shorter.
    """
    console = Console(stderr=True)
    if quiet:
        yield lambda text: None
    elif console.is_terminal:
        columns = (
            *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
            TextColumn("{task.fields[left]}"),
        )
        start, turn = monotonic(), count(1)
        with Progress(*columns, console=console) as bars:
            task = bars.add_task(label, total=total, left="")
            yield lambda text: bars.update(
                task,
                advance=1,
                description=f"{label}: {text}",
                left=time_left(monotonic() - start, next(turn), total),
            )
    else:
        start, turn = monotonic(), count(1)

        def tick(text: str) -> None:
            done = next(turn)
            if total and done * 10 // total != (done - 1) * 10 // total:
                left = time_left(monotonic() - start, done, total)
                console.print(f"{label}: {100 * done // total} %{left}", highlight=False)

        yield tick


def time_left(spent: float, done: int, total: int) -> str:
    """The time that remains, ", 1:02:03 left"; nothing at the end.

    Args:
        spent: seconds.
        done: turns in that time.
        total: all turns.
    """
    if not 0 < done < total:
        return ""
    return f", {timedelta(seconds=round(spent / done * (total - done)))} left"
