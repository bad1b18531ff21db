"""A finished run as its files tell it: configuration, scores, log, and what wrote them."""

from __future__ import annotations

from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from releo_da import __version__
from releo_da.io.latest import read_latest
from releo_da.io.netcdf import opened
from releo_da.strict_json import LARGEST as SCORES
from releo_da.strict_json import parse
from releo_da.strict_text import bounded_text
from releo_da.strict_yaml import LARGEST
from releo_da.types import InputError

CYCLING = ("ledger.sqlite", "tiles.json")
"""What the directory of a cycling run holds, of one in tiles."""

STARTED = b'{"kind": "started"'
"""How the record of a start begins in a log."""

LOG = 1 << 30
"""Bytes of a log; a service of years writes some hundred a cycle."""

LATEST = 1 << 20
"""Bytes of the log of a cycling run that are read, counted from its end."""

DRAWN = 100
"""Products of a cycling run that are read, counted from the last."""


class Finished(NamedTuple):
    """A run directory of a run that came to its end.

    Attributes:
        root: the directory.
        scores: scores.json.
        config: the text of config.yaml.
        log: the records of log.jsonl, of the last run where it was repeated.
        made: the record of its start: command, version, commit, seed; empty without one.
    """

    root: Path
    scores: dict[str, Any]
    config: str
    log: list[dict[str, Any]]
    made: dict[str, Any]


def finished(root: Path) -> Finished:
    """Read scores, configuration and log of a run directory.

    Raises:
        InputError: the directory holds no finished run, or a file that is not as this version
            writes it.
    """
    if not (root / "scores.json").is_file():
        raise InputError(f"{root}: holds no scores.json, so no finished run; give a run directory")
    for name in ("config.yaml", "log.jsonl"):
        if not (root / name).is_file():
            raise InputError(f"{root}: holds no {name}; a run directory is used whole, as written")
    text = text_of(root / "config.yaml", LARGEST)
    cycling = any((root / name).is_file() for name in CYCLING)
    log = records(root / "log.jsonl", LATEST if cycling else LOG)
    made: dict[str, Any] = next((r for r in reversed(log) if r.get("kind") == "started"), {})
    if made.get("command") != "cycle":  # a run that was repeated is reported once
        log = log[len(log) - 1 - log[::-1].index(made) :] if made else log
    return Finished(root, mapping_of(root / "scores.json"), text, log, made)


def mapping_of(path: Path) -> dict[str, Any]:
    """A file of a run that holds one JSON object, such as its scores.

    Raises:
        InputError: it is too long, no text, or not one.
    """
    return parsed(path, text_of(path, SCORES))


def records(path: Path, most: int = LOG) -> list[dict[str, Any]]:
    """The records of a log.

    Nothing of a result is in the log alone, and the loss of power may leave a line cut short or
    filled with zeros. Such lines are left out and counted in a record of the kind ``unreadable``.

    Args:
        path: of the log.
        most: bytes, about, that are read from its end. In the place of what comes before them are
            a record of the kind ``cut``, with the number of ``bytes``, and the last one of a start.

    Raises:
        InputError: the log is too large.
    """
    size = path.stat().st_size
    if size > LOG:
        raise InputError(f"{path}: has more than {LOG} bytes; move it away, a new one is begun")
    found, unreadable = [], 0
    with path.open("rb") as file:
        if size > most:
            file.seek(size - most)
            file.readline()
            found.append({"kind": "cut", "bytes": file.tell()})
            begun = last_line(path, STARTED)
            with suppress(InputError, UnicodeDecodeError):
                found += [] if begun is None else [parsed(path, begun.decode())]
        for line in filter(None, map(bytes.strip, file)):
            try:
                record = parsed(path, line.decode())
            except (InputError, UnicodeDecodeError):
                record = {}
            if isinstance(record.get("kind"), str):
                found.append(record)
            else:
                unreadable += 1
    return found + ([{"kind": "unreadable", "count": unreadable}] if unreadable else [])


def last_line(path: Path, beginning: bytes) -> bytes | None:
    """The last line of a file that begins so, or None."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return None
        with mmap(file.fileno(), 0, access=ACCESS_READ) as held:
            place = held.rfind(b"\n" + beginning) + 1
            if not place and held[: len(beginning)] != beginning:
                return None
            held.seek(place)
            return held.readline()


def text_of(path: Path, most: int) -> str:
    """The text of a file of a run.

    Raises:
        InputError: it is too long, or no text.
    """
    try:
        return bounded_text(path, most)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text ({error.reason}); repeat the run") from None


def parsed(path: Path, text: str) -> dict[str, Any]:
    """One JSON object of a file.

    Raises:
        InputError: it is not one.
    """
    found = parse(text, str(path), "repeat the run")
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no JSON object; repeat the run")
    return found


def another_format(run: Finished, name: str, lacks: str) -> InputError:
    """What to say of a file that a run of another version wrote in another form."""
    wrote = run.made.get("version", "an unknown version")
    if wrote == __version__:
        return InputError(
            f"{run.root / name}: holds no {lacks}, so it was written in another format by an "
            f"earlier state of releo_da {wrote}, or changed since; repeat the run"
        )
    return InputError(
        f"{run.root / name}: holds no {lacks}, so it was written in another format (by releo_da "
        f"{wrote}, this is {__version__}); repeat the run with this version"
    )


def published(root: Path) -> tuple[xr.Dataset | None, list[str]]:
    """The latest products of a cycling run along time, thinned, and what is wrong with others."""
    return read_latest(sorted((root / "products").glob("*.nc"))[-DRAWN:])


def compared(run: Finished, fields: tuple[str, ...]) -> xr.Dataset | None:
    """Some fields of verification.nc, or None where a run has none.

    Raises:
        InputError: the file is damaged, or not in the form of
            `releo_da.diagnostics.verification`.
    """
    path = run.root / "verification.nc"
    if not path.is_file():
        return None
    with opened(path) as held:
        for name in ("case", "time", "pixel", "channel"):
            if name not in held.dims or name not in held.coords:
                raise another_format(run, path.name, f"dimension {name!r}")
        for name in fields:
            if name not in held:
                raise another_format(run, path.name, f"field {name!r}")
        return held[list(fields)].load()


def sampled_pixels(run: Finished) -> np.ndarray:
    """Ids of the pixels that verification.nc samples of a large map; none where it has all."""
    path = run.root / "verification.nc"
    if "sampled" not in run.scores or not path.is_file():
        return np.empty(0, int)
    with opened(path) as held:
        return held.pixel.values
