"""``call.json``: when the last call of `releo-da cycle` began and ended, and how.

    done       it did what there was to do; of a service, never while it runs
    stopped    a signal asked it to end; the cycle under way was finished, others may wait
    failed     it ended with an error or an exit status

The ledger says what was assimilated, and nothing of a call that failed before or found nothing.
The note is written when a call ends; one that was killed, or is at work now, is known by its start
in ``log.jsonl``, which no note follows: from the first file that it reads, or the first
acquisition that it finds waiting. A call that found the run in use leaves no note, nor does one
that failed beside another at work, of which the note would tell.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releo_da.config.finished import last_line, mapping_of, parsed
from releo_da.config.report import LEDGER
from releo_da.io import write_json
from releo_da.io.lock import locked
from releo_da.io.tile_plan import PLAN
from releo_da.runs.stopping import Asked
from releo_da.types import InputError

CALL = "call.json"
DONE, STOPPED, FAILED, OPEN = "done", "stopped", "failed", "at work or killed"

OPENED = b'{"kind": "started", "command": "cycle"'
"""How the record of a call begins in the log."""

Ending = tuple[Path | None, int]
"""Path of the report, or None, and the exit status."""


def noted(
    root: Path,
    work: Callable[[], Ending],
    inbox: Callable[[], Path],
    stop: Asked,
    once: bool,
) -> Ending:
    """What a call gives, after a note of how it ended in its run directory.

    Args:
        root: the run directory.
        work: the call; path of its report and exit status.
        inbox: the folder in which its files arrive.
        stop: whether a signal has asked it to end.
        once: one sweep, which a signal keeps from its end: its exit status says so, as a shell
            would (128 + number). For a service to be ended is no failure.

    Raises:
        Exception: those of ``work``.
    """
    started = _now()
    try:
        path, status = work()
    except BlockingIOError:
        raise
    except Exception as error:  # of any kind: it is noted and raised again
        _write(root, started, FAILED, " ".join(str(error).split()) or type(error).__name__, inbox)
        raise
    outcome, said = FAILED if status else DONE, f"exit status {status}" if status else None
    if stop.signal is not None:
        status = status or (stop.status if once else 0)
        outcome = FAILED if said else STOPPED
        said = f"{said}, after {stop.signal.name}" if said else stop.signal.name
    _write(root, started, outcome, said, inbox)
    return path, status


def stopped(stop: Asked, status: int) -> str:
    """What a call says that was asked to end."""
    name = "" if stop.signal is None else stop.signal.name
    return (
        f"releo-da: stopped by {name} after the cycle under way; what waits is assimilated by the "
        f"next call (exit status {status})"
    )


def last_call(root: Path) -> dict[str, Any] | None:
    """The last call: ``started``, ``ended`` (ISO, UTC), ``outcome``, ``error``, ``inbox``; or None.

    ``outcome`` is done, stopped, failed, or "at work or killed", with ``ended`` None.
    """
    try:
        held: dict[str, Any] | None = mapping_of(root / CALL)
    except (OSError, InputError):  # a note, not a fact
        held = None
    begun = _begun(root / "log.jsonl")
    if begun is not None and (held is None or begun > str(held.get("ended"))):
        inbox = None if held is None else held.get("inbox")
        return {"started": begun, "ended": None, "outcome": OPEN, "error": None, "inbox": inbox}
    return held


def gone(call: dict[str, Any] | None, name: str) -> bool:
    """Whether a file is no longer in the inbox of the last call, which is there and known."""
    inbox = None if call is None else call.get("inbox")
    try:
        return isinstance(inbox, str) and Path(inbox).is_dir() and not Path(inbox, name).exists()
    except OSError:  # one who may not see it cannot tell
        return False


def line(call: dict[str, Any]) -> str:
    """A call as a line."""
    ended = f", ended {call['ended']}" if call["ended"] else ""
    error = f": {call['error']}" if call["error"] else ""
    return f"last call: began {call['started']}{ended}, {call['outcome']}{error}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(
    root: Path, started: str, outcome: str, error: str | None, inbox: Callable[[], Path]
) -> None:
    """The note, where there is a run; a disk that takes none keeps no call from its end."""
    if not any((root / name).is_file() for name in (LEDGER, PLAN)):
        return
    note = {"started": started, "ended": _now(), "outcome": outcome, "error": error}
    with suppress(OSError), ExitStack() as held:
        try:
            held.enter_context(locked(root))
        except BlockingIOError:
            if outcome == FAILED:  # it has touched nothing of the run that is at work there
                return
        try:
            folder = str(inbox().resolve())
        except InputError:  # the configuration, or the folder, is what the call failed for
            folder = None
        write_json(root / CALL, {**note, "inbox": folder})


def _begun(path: Path) -> str | None:
    """When the last call opened the run, from its log."""
    try:
        found = last_line(path, OPENED)
        return None if found is None else str(parsed(path, found.decode()).get("written"))
    except (OSError, UnicodeDecodeError, InputError):  # no log, or cut by a crash
        return None
