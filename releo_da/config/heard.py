"""Alarms that were raised while a command was at work, for its error stream.

The logs of a run say once of each alarm that it was raised, and once that it has ended. What they
got since the command began is told after each sweep: cron mails what comes on the error stream.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from releo_da.config.finished import parsed
from releo_da.config.health import line
from releo_da.io.tile_plan import TILES
from releo_da.types import InputError

LOG = "log.jsonl"


class Heard:
    """What the logs of a run, or of its tiles, get from now on.

    Args:
        root: the run directory, which need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read = {path: path.stat().st_size for path in self._logs()}

    def raised(self) -> list[str]:
        """Lines of the alarms raised since the last call of this, and not cleared since.

        Of an alarm of several tiles one line, with their number.
        """
        found: dict[tuple[str, str], list[str]] = {}
        for path in self._logs():
            for key, told in self._standing(path).items():
                found.setdefault(key, []).append(told)
        return [
            f"releo-da: {told[0]}" + (f" (tiles: {len(told)})" if len(told) > 1 else "")
            for told in found.values()
        ]

    def _logs(self) -> list[Path]:
        paths = [self.root / LOG, *sorted((self.root / TILES).glob(f"*/{LOG}"))]
        return [path for path in paths if path.is_file()]

    def _standing(self, path: Path) -> dict[tuple[str, str], str]:
        """Of the new records of a log, the alarms that stand at their end."""
        with path.open("rb") as file:
            size, begin = path.stat().st_size, self.read.get(path, 0)
            begin = 0 if size < begin else begin  # the log was moved away and is another
            file.seek(begin)
            new = file.read()
        whole = new.rfind(b"\n") + 1
        self.read[path] = begin + whole
        found: dict[tuple[str, str], str] = {}
        for text in new[:whole].decode("utf-8", errors="replace").splitlines():
            record = _alarm(path, text)
            if record is None:
                continue
            key = str(record["alarm"]), str(record["sensor"])
            if record["state"] == "raised":
                found[key] = line({**record, "kind": record["alarm"]})
            else:
                found.pop(key, None)
        return found


def _alarm(path: Path, text: str) -> dict[str, Any] | None:
    """The record of an alarm; None of any other."""
    if not text.startswith('{"kind": "alarm"'):
        return None
    try:
        return parsed(path, text)
    except InputError:  # cut by a crash
        return None
