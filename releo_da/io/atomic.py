"""Files that are whole or not there: written aside, flushed to the disk, then renamed.

A rename within a folder is atomic, so a reader sees the old file or the new one and nothing in
between, and a crash at any moment leaves the old one. The data must reach the disk before the
rename, and the rename before we go on; the two fsync calls see to that, which neither netCDF nor
safetensors does. The temporary name is always the same, so that what a crash left behind is
overwritten by the next attempt. One process at a time may write to a folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
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
        flush(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    flush(path.parent)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """As `replacing`, of a folder with all that is in it.

    A folder cannot take the place of a full one in one step: the old one is moved aside first, and
    for a moment neither is there.
    """
    path = Path(path)
    aside, old = path.with_name(f".{path.name}.tmp"), path.with_name(f".{path.name}.old")
    for left in (aside, old):
        shutil.rmtree(left, ignore_errors=True)  # of a crash
    try:
        yield aside
        for one in (aside, *aside.rglob("*")):
            flush(one)
        if path.exists():
            os.replace(path, old)
        os.replace(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    flush(path.parent)


def write_bytes_atomic(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as aside:
        aside.write_bytes(data)


def keep_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all; one that holds these bytes already is left alone."""
    path = Path(path)
    if not (path.is_file() and path.read_bytes() == data):
        write_bytes_atomic(path, data)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes_atomic(path, text.encode("utf-8"))


def checksum(path: str | Path) -> str:
    """SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file's data, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
