"""The run directory: configuration, scores, log, figures and states of one run.

    config.yaml  scores.json  analysis.nc  report.html  log.jsonl  figures/  states/

Documents are replaced whole (see `releo_da.io.atomic`); the log grows by lines, so that after a
crash all lines but perhaps the last are complete.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from releo_da.io.atomic import flush, write_text_atomic
from releo_da.types import InputError

FOLDERS = ("figures",)
NUMBERS = re.compile(r"\[\n([-+.,eE\dnul\s]*)\]")
"""A list of numbers and nulls in indented JSON."""


def create_run_directory(path: str | Path, folders: Iterable[str] = FOLDERS) -> Path:
    """Make the directory of a run and its sub-folders; one that is there already is kept.

    Args:
        path: the directory; its parents are made as well.
        folders: names of the sub-folders.

    Raises:
        InputError: the path is a file, or may not be written.
    """
    root = Path(path)
    try:
        made = [one for one in (root, *root.parents) if not one.exists()]
        for folder in (root, *(root / name for name in folders)):
            folder.mkdir(parents=True, exist_ok=True)
        for one in made:  # the entry of a folder is in the one above it
            flush(one.parent)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made a run directory ({error.strerror}); choose another with --out"
        ) from None
    return root


def write_json(path: str | Path, document: Any) -> None:
    """Write a document as JSON, whole or not at all; numbers that are not finite become null.

    A list of numbers takes one line.
    """
    text = json.dumps(plain(document, finite=True), indent=2, ensure_ascii=False, allow_nan=False)
    # A text holds no line feed as such, so nothing within one is matched.
    text = NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    write_text_atomic(path, text + "\n")


def write_yaml(path: str | Path, document: Any) -> None:
    """Write a document as YAML, whole or not at all; keys keep their order."""
    write_text_atomic(path, yaml_text(document))


def yaml_text(document: Any) -> str:
    """A document as YAML text; keys keep their order."""
    text: str = yaml.safe_dump(plain(document), sort_keys=False, allow_unicode=True, width=100)
    return text


class JsonLines:
    """A log of one JSON object per line; each record is on file when `write` returns.

    An existing log is continued. A last line that a crash cut short is ended first, so that the
    records after it stay readable. Records that are held wait for the first that is not, so that a
    call that finds nothing to tell adds nothing. They say what the others are of: where the file is
    moved away meanwhile, the one that takes its place begins with them again.
    """

    def __init__(self, path: str | Path) -> None:
        """Continue the log at `path`, or begin it with the first record."""
        self.path = Path(path)
        self._held: list[Mapping[str, Any]] = []
        self._begun = False
        if self._there():
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                ended = file.read() == b"\n"
            if not ended:
                self._append("\n")

    def hold(self, record: Mapping[str, Any]) -> None:
        """Append a record that says nothing by itself, once there is another one."""
        if self._begun:
            self.write(record)
        self._held.append(record)

    def begin(self) -> None:
        """Append what is held, now and from here on."""
        if not (self._begun and self._there()):
            self._begun = True
            for record in self._held:
                self._record(record)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record; numbers that are not finite become null."""
        self.begin()
        self._record(record)

    def _there(self) -> bool:
        """Whether the file is there and not empty."""
        return self.path.is_file() and self.path.stat().st_size > 0

    def _record(self, record: Mapping[str, Any]) -> None:
        text = json.dumps(plain(record, finite=True), ensure_ascii=False, allow_nan=False)
        self._append(text + "\n")

    def _append(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)


def plain(value: Any, finite: bool = False) -> Any:
    """A value as lists, dictionaries, texts and Python numbers, as JSON and YAML know them.

    Args:
        value: any nesting of these and of arrays, tensors, paths, dates and named tuples.
        finite: numbers that are not finite become None.

    Raises:
        TypeError: a value is of another type.
    """
    if isinstance(value, Mapping):
        return {_key(key): plain(item, finite) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        return plain(value.detach().cpu().tolist(), finite)
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist(), finite)
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item, finite) for item in items]
    if isinstance(value, float):
        return value if math.isfinite(value) or not finite else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no plain form")


def _key(key: Any) -> Any:
    """A key of a dictionary: numbers of numpy become those of Python."""
    return key.item() if isinstance(key, np.generic) else key
