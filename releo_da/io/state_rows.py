"""The rows of a state file, read when they are asked for and verified on the way.

A state of a large map does not fit into memory beside what works on it. The header says where each
tensor lies (`releo_da.io.state_file`), so that a block of pixels is one read:

    header | ... | ensemble: rows 0, 1, ..., [first, last), ... | ...

The checksum covers the whole, and a state that is damaged must not be used. Bytes are counted into
the checksum as they are read: when the reader ends, all of the file has been seen once, and what
does not fit is refused *then*. So a reader has to keep what it makes of the rows back until the
block of code has ended without error, as files that are written aside do (`releo_da.io.atomic`).

Memory: the rows in use, the ids and the memory of all pixels. Cost: the file is read once; SHA-256
takes 0.5 to 3 seconds per gigabyte.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.io.state_file import (
    FORMAT,
    MEMORY,
    content,
    readable,
    state_header,
    titled,
    unsound,
)
from releo_da.types import State

PIECE = 2**24
"""Bytes that are read at once where nobody asked for them but the checksum."""


class StateHead(NamedTuple):
    """What a state file is, without its ensemble.

    Attributes:
        path: of the file.
        time: days since 1970-01-01 UTC.
        pixels: ``[pixel]`` int64 global ids.
        shape: pixels, members and latents of the ensemble.
    """

    path: Path
    time: float
    pixels: Tensor
    shape: tuple[int, int, int]


def state_head(path: str | Path) -> StateHead:
    """Time, ids and size of a state; its checksum is not verified.

    Raises:
        InputError: the file is missing, is no state or is cut short.
    """
    path = Path(path)
    with readable(path), path.open("rb") as file:
        return StateRows(file, path).head


@contextmanager
def reading_state(path: str | Path) -> Iterator[StateRows]:
    """A state whose rows can be taken for as long as the block of code lasts.

    Args:
        path: of the file.

    Raises:
        InputError: the file is missing, is no state or is cut short; or, when the block ends, its
            checksum does not fit: then nothing that was made of it may be kept.
    """
    path = Path(path)
    with ExitStack() as stack:
        with readable(path):
            file = stack.enter_context(path.open("rb"))
            rows = StateRows(file, path)
        yield rows
        rows.verify()


class StateRows:
    """A state file of which rows are read.

    Args:
        file: open for reading.
        path: of the file, for messages.

    Attributes:
        head: time, ids and size.
        memory: ``[pixel, ...]`` each, of all pixels, by name.
    """

    def __init__(self, file: BufferedReader, path: Path) -> None:
        header = state_header(path)
        metadata, self.entries, self.start = header.metadata, header.tensors, header.length
        if metadata["format"] != FORMAT:
            raise ValueError(f"its format is '{metadata['format']}'")
        self.sha256, self.file, self.path = metadata["sha256"], file, path
        count, members, latents = self.entries["ensemble"].shape
        time = float.fromhex(metadata["time"])
        if not math.isfinite(time):
            raise ValueError(f"its time is {time}")
        pixels = self._read("pixels", 0, count)
        self.head = StateHead(path, time, pixels, (count, members, latents))
        held = [name for name in self.entries if name.startswith(MEMORY)]
        self.memory = {name.removeprefix(MEMORY): self._read(name, 0, count) for name in held}
        self.total = hashlib.sha256(metadata["time"].encode())
        self.total.update(self._titled("ensemble"))
        self.done = 0

    def take(self, rows: Tensor) -> State:
        """The state of some pixels.

        Args:
            rows: ``[row]`` positions on the pixel axis of the file. All between the first and the
                last of them are read.
        """
        first, last = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
        ensemble = self._read("ensemble", first, last)
        if first == self.done:
            self.total.update(content(ensemble))
            self.done = last
        memory = {name: held[rows] for name, held in self.memory.items()}
        return State(self.head.time, ensemble[rows - first], self.head.pixels[rows], memory)

    def verify(self) -> None:
        """Compare the checksum, for which rows that were not taken in order are read now.

        Raises:
            InputError: it does not fit.
        """
        count, members, latents = self.head.shape
        size = self.entries["ensemble"].dtype.itemsize * members * latents
        step = max(PIECE // max(size, 1), 1)
        for first in range(self.done, count, step):
            part = self._read("ensemble", first, min(first + step, count))
            self.total.update(content(part))
        rest = {MEMORY + name: held for name, held in self.memory.items()}
        rest["pixels"] = self.head.pixels
        for name in sorted(rest):
            self.total.update(self._titled(name))
            self.total.update(content(rest[name]))
        if self.total.hexdigest() != self.sha256:
            raise unsound(self.path)

    def sha256_of_file(self) -> str:
        """SHA-256 of the whole file, as it is open here."""
        self.file.seek(0)
        return hashlib.file_digest(self.file, "sha256").hexdigest()

    def _titled(self, name: str) -> bytes:
        return titled(name, self.entries[name].dtype, self.entries[name].shape)

    def _read(self, name: str, first: int, last: int) -> Tensor:
        """Rows of a tensor."""
        entry = self.entries[name]
        found = torch.empty((last - first, *entry.shape[1:]), dtype=entry.dtype)
        row = math.prod(entry.shape[1:]) * found.itemsize
        self.file.seek(self.start + entry.start + first * row)
        if self.file.readinto(content(found)) < found.nbytes:
            raise unsound(self.path)
        return found
