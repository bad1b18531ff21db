"""How large a file may say that it is: bounds that are checked before anything is allocated.

A file of some kilobytes can describe an array of 10^18 numbers, since chunks that were never
written take no room, and packed zeros unpack a thousandfold. What is read lazily is harmless as
long as its axes, and the pieces in which it is read, are of a size that a machine has:

    AXIS     entries of a dimension; coordinates and positions along it are held in memory
    VALUES   values of a variable, of which parts are read
    CHUNK    bytes of a chunk or of a packed member, which is read whole
    TEXT     bytes of a table of text after unpacking, and LINE of one of its lines
    CELLS    cells of a table in Parquet, and BYTES in memory
    memory   what is read at once is held against the memory of the machine (`check_room`)

A real file beyond a bound is best cut into several along time, or into tiles.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from releo_da.types import InputError

AXIS = 1 << 26
VALUES = 1 << 38
CHUNK = 1 << 30
TEXT = 1 << 32
LINE = 1 << 20
CELLS = 1 << 30
BYTES = 1 << 33
COPIES = 6
"""How many arrays of float64 reading holds of what it reads, about."""

PIECE = 1 << 20
REMEDY = "check the file, or cut it into several"


def check_sizes(path: str | Path, sizes: Mapping[str, int]) -> None:
    """Refuse dimensions that are too long to be held.

    Raises:
        InputError: it names the dimension.
    """
    for name, size in sizes.items():
        if size > AXIS:
            raise InputError(
                f"{path}: the dimension '{name}' has {size:,} entries, more than {AXIS:,}; {REMEDY}"
            )


def check_array(
    path: str | Path, name: str, shape: Iterable[int], chunk: Iterable[int], itemsize: int
) -> None:
    """Refuse a variable that is too large, or of which a piece is.

    Args:
        path: of the file.
        name: of the variable.
        shape: of it.
        chunk: shape of the pieces in which it is read; empty where it is not stored in pieces.
        itemsize: bytes of a value.

    Raises:
        InputError: it names the variable.
    """
    shape, chunk = tuple(shape), tuple(chunk)
    if math.prod(shape) > VALUES:
        raise InputError(
            f"{path}: '{name}' has {math.prod(shape):,} values, more than {VALUES:,}; {REMEDY}"
        )
    if chunk and math.prod(chunk) * itemsize > CHUNK:
        raise InputError(
            f"{path}: '{name}' is stored in chunks of {math.prod(chunk) * itemsize:,} bytes, more "
            f"than {CHUNK:,}; write it with smaller ones"
        )


def check_room(where: str, values: int) -> None:
    """Refuse to read more at once than the memory of the machine holds.

    Raises:
        InputError: with what it would take.
    """
    needed = 8 * COPIES * values
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise InputError(
            f"{where}: reading {values:,} values at once takes about {needed / 1e9:,.0f} GB, and "
            f"the machine has {there / 1e9:,.0f}; give a period, a window, a stride or 'select'"
        )


def check_members(path: Path) -> None:
    """Refuse an archive of which a member unpacks to more than is read at once.

    Raises:
        InputError: it names the member.
        zipfile.BadZipFile: it is no archive.
    """
    with zipfile.ZipFile(path) as packed:
        for member in packed.infolist():
            if member.file_size > CHUNK:
                raise InputError(
                    f"{path}: '{member.filename[:60]}' unpacks to {member.file_size:,} bytes, more "
                    f"than {CHUNK:,}; {REMEDY}"
                )


def check_text(path: Path, name: str) -> None:
    """Refuse a table of text that is too long, or has a line that is, after unpacking.

    Args:
        path: of the table.
        name: how it is called in messages.

    Raises:
        InputError: a bound is passed.
        OSError: it cannot be read, or unpacked; and what else the libraries raise.
    """
    if path.name.lower().endswith(".zst"):
        raise InputError(f"{name}: is packed by zstd; unpack it, or pack it by gzip")
    with _unpacked(path) as file:
        total = open_line = 0
        while piece := file.read(PIECE):
            total += len(piece)
            ends = [at for at in (piece.find(b"\n"), piece.rfind(b"\n")) if at >= 0]
            longest = open_line + (min(ends) if ends else len(piece))
            open_line = len(piece) - 1 - max(ends) if ends else open_line + len(piece)
            if longest > LINE:
                raise InputError(
                    f"{name}: a line has more than {LINE:,} bytes; check that it is a table, and "
                    "that its lines end with a line feed"
                )
            if total > TEXT:
                raise InputError(f"{name}: has more than {TEXT:,} bytes of text; {REMEDY}")


def _unpacked(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked as its ending says."""
    ending = path.suffix.lower()
    if ending == ".gz":
        return gzip.open(path)  # type: ignore[return-value]
    if ending == ".bz2":
        return bz2.open(path)
    if ending == ".xz":
        return lzma.open(path)
    if ending == ".zip":
        packed = zipfile.ZipFile(path)
        names = packed.namelist()  # another number than one is refused where the table is read
        return packed.open(names[0]) if len(names) == 1 else io.BytesIO()
    return path.open("rb")
