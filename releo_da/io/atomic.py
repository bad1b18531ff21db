"""Files that are whole or not there: written aside, flushed to the disk, then renamed.

A rename within a folder is atomic, so a reader sees the old file or the new one and nothing in
between, and a crash at any moment leaves the old one. The data must reach the disk before the
rename, and the rename before we go on; the two fsync calls see to that, which neither netCDF nor
safetensors does. The temporary name is always the same, so that what a crash left behind is
overwritten by the next attempt. One process at a time may write to a folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place when the block ends without error."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.tmp")
    try:
        yield aside
        _flush(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    _flush(path.parent)


def write_bytes_atomic(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as aside:
        aside.write_bytes(data)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes_atomic(path, text.encode("utf-8"))


def _flush(path: Path) -> None:
    """Wait until a file's data, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
