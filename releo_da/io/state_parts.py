"""The state of a large map, written block by block into one file.

The file is, to the last bit, the one that `releo_da.io.state_file.write_state` writes of the same
state at once, and `read_state` reads it. A safetensors file is a header that gives type, shape and
place of each tensor, then the tensors one after the other. All shapes are known with the first
block and the number of pixels, so the header is written first and each block's rows go where they
belong:

    header | ensemble: rows of block 1, of block 2, ... | memory.<name>: rows ... | pixels: rows ...

The room on the disk is claimed with the first block, so that a disk which is too small is found
before hours of work and not after them. The checksum has its place in the header from the start.
It counts the ensemble as it comes, and then what the scheme carries along and the ids, which are
read once more in pieces at the end.

Memory: one block. Cost: the file is written once. Its size is pixels x members x latents x 4 bytes
and what the scheme carries along.

Reference: safetensors format, https://github.com/huggingface/safetensors (section Format).
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import save
from torch import Tensor

from releo_da.io.atomic import replacing
from releo_da.io.state_file import FORMAT, content, named, titled
from releo_da.io.tensors import header_of, packed
from releo_da.types import InputError, State

PIECE = 2**24
"""Bytes that are read at once for the checksum."""


@contextmanager
def writing_state(path: str | Path, count: int) -> Iterator[Callable[[State], None]]:
    """A function that takes the states of blocks, for as long as the block of code lasts.

    Args:
        path: of the file.
        count: number of pixels of all blocks.

    Yields:
        ``write(state)``: the next pixels, in the order in which the file holds them; time, members,
        latents and names of the memory are the same in every call.

    Raises:
        InputError: the disk has no room for the whole.
        ValueError: the blocks hold more or fewer pixels than `count`.
    """
    with replacing(path) as aside, aside.open("w+b") as file:
        parts = _Parts(file, Path(path), count)
        yield parts.write
        parts.finish()


class _Parts:
    """A state file of which the first so many rows of every tensor are there.

    Args:
        file: empty, open for reading and writing.
        path: of the file in the end, for messages.
        count: rows of every tensor.
    """

    def __init__(self, file: BinaryIO, path: Path, count: int) -> None:
        self.file, self.path, self.count = file, path, count
        self.done = 0
        self.time = ""
        self.entries: dict[str, Any] = {}
        self.types: dict[str, torch.dtype] = {}
        self.start = 0
        self.total = hashlib.sha256()

    def write(self, state: State) -> None:
        """Take the state of the next pixels."""
        tensors = named(state)
        if not self.done:
            self._begin(float(state.time).hex(), tensors)
        rows = len(state.pixels)
        if self.done + rows > self.count:
            raise ValueError(f"{self.path}: more than the {self.count} pixels that were announced")
        for name, tensor in tensors.items():
            first, last = self.entries[name]["data_offsets"]
            self.file.seek(self.start + first + (last - first) // self.count * self.done)
            self.file.write(content(tensor))
        self.total.update(content(tensors["ensemble"]))
        self.done += rows

    def finish(self) -> None:
        """Put the checksum in its place."""
        if self.done < self.count:
            raise ValueError(f"{self.path}: {self.done} of {self.count} pixels were written")
        header = self._header(self._digest())
        self.file.seek(0)
        self.file.write(header)

    def _begin(self, time: str, tensors: dict[str, Tensor]) -> None:
        """Lay out the file and claim its room."""
        self.time = time
        self.types = {name: tensor.dtype for name, tensor in tensors.items()}
        # The library says in which order the tensors come and what their types are called.
        empty = save({name: tensor[:0] for name, tensor in tensors.items()}, {"format": FORMAT})
        place = 0
        for name, entry in header_of(empty).items():
            if name != "__metadata__":
                tensor = tensors[name]
                shape = [self.count, *tensor.shape[1:]]
                size = self.count * tensor[0].numel() * tensor.element_size()
                self.entries[name] = {
                    **entry,
                    "shape": shape,
                    "data_offsets": [place, place + size],
                }
                place += size
        header = self._header("0" * hashlib.sha256().digest_size * 2)
        self.start = len(header)
        self._claim(self.start + place)
        self.file.write(header)
        self.total = hashlib.sha256(self.time.encode())
        self.total.update(self._titled("ensemble"))

    def _claim(self, size: int) -> None:
        """Give the file its length, on the disk where the system can promise that."""
        try:
            self.file.truncate(size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self.file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise InputError(
                f"{self.path}: the state of {self.count} pixels takes {size / 1e9:.1f} GB and the "
                f"disk has no room for it ({error.strerror}); choose another with --out, or fewer "
                "members, a window or a stride"
            ) from None

    def _header(self, digest: str) -> bytes:
        metadata = {"format": FORMAT, "time": self.time, "sha256": digest}
        return packed({"__metadata__": metadata, **self.entries})

    def _titled(self, name: str) -> bytes:
        return titled(name, self.types[name], self.entries[name]["shape"])

    def _digest(self) -> str:
        """The checksum of `releo_da.io.state_file`, whose first name is that of the ensemble."""
        for name in sorted(self.entries.keys() - {"ensemble"}):
            self.total.update(self._titled(name))
            first, last = self.entries[name]["data_offsets"]
            self.file.seek(self.start + first)
            while first < last:
                piece = self.file.read(min(PIECE, last - first))
                self.total.update(piece)
                first += len(piece)
        return self.total.hexdigest()
