"""The header of a netCDF classic file, walked before the library reads it.

The library takes the counts of a header at their word and asks for the memory they announce, so
that a file of some hundred bytes can ask for more than there is. Each count is held here against
the bytes that the file has.

    "CDF" version | records | dimensions | attributes | variables,   each list a tag and a count

Numbers are big-endian; counts have 4 bytes, in version 5 they have 8, and places of data 8 from
version 2 on. Names and values are filled up to a multiple of 4 bytes.

Reference: NetCDF classic format specification, NetCDF User's Guide, appendix B.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from releo_da.types import InputError

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""Bytes of a value, by the number of its type."""

DIMENSIONS, VARIABLES, ATTRIBUTES = 10, 11, 12


def check_classic(path: Path) -> bool:
    """Refuse a netCDF classic file whose header announces more than the file holds.

    Returns:
        Whether it is one; files of other formats pass.

    Raises:
        InputError: the header is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(3) != b"CDF":
            return False
        try:
            _Header(file, path.stat().st_size).walk()
        except ValueError as error:
            raise InputError(
                f"{path}: not readable as netCDF, its header is damaged ({error}); copy or make "
                "the file again"
            ) from None
    return True


class _Header:
    """A header that is walked from the byte after its three letters."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        version = self._bytes(1)[0]
        if version not in (1, 2, 5):
            raise ValueError(f"version {version}")
        self.wide, self.place = 8 if version == 5 else 4, 4 if version == 1 else 8

    def walk(self) -> None:
        """Read the whole of it."""
        self._bytes(self.wide)  # number of records
        for _ in range(self._list(DIMENSIONS)):
            self._name()
            self._bytes(self.wide)
        self._attributes()
        for _ in range(self._list(VARIABLES)):
            self._name()
            self._bytes(self._count(self.wide) * self.wide)
            self._attributes()
            self._bytes(4 + self.wide + self.place)

    def _attributes(self) -> None:
        for _ in range(self._list(ATTRIBUTES)):
            self._name()
            kind = int.from_bytes(self._bytes(4), "big")
            if kind not in SIZES:
                raise ValueError(f"a value of type {kind}")
            self._padded(self._count(SIZES[kind]) * SIZES[kind])

    def _name(self) -> None:
        self._padded(self._count(1))

    def _list(self, tag: int) -> int:
        """Number of entries of a list, which have four bytes or more each."""
        found = int.from_bytes(self._bytes(4), "big")
        count = self._count(4)
        if found != tag and (found or count):
            raise ValueError(f"tag {found} for {tag}")
        return count

    def _count(self, least: int) -> int:
        """A count of things of so many bytes, at least, which must all be in the file."""
        count = int.from_bytes(self._bytes(self.wide), "big")
        if count * least > self.size - self.file.tell():
            raise ValueError(f"it announces {count:,} entries and has {self.size:,} bytes")
        return count

    def _padded(self, size: int) -> None:
        self._bytes(-(-size // 4) * 4)

    def _bytes(self, size: int) -> bytes:
        found = self.file.read(size)
        if len(found) < size:
            raise ValueError("it is cut short")
        return found
