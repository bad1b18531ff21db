"""Text files of bounded size: what is too long is refused before it is in memory.

Configurations, sensors, notes and tables of settings are written by people and are small. A file
of gigabytes under such a name is a mistake or an attack, and is refused by its size; one byte more
than is allowed is read, so that a file whose size is not known (a pipe, one that grows) ends there
as well.
"""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

from releo_da.types import InputError


def bounded_bytes(path: Path | Traversable, most: int) -> bytes:
    """The bytes of a file.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        InputError: it has more.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(
            f"{path}: has more than {most:,} bytes, the most that a file of this kind may have; "
            "give the file that was meant, or leave out what it does not need"
        )
    return data


def bounded_text(path: Path | Traversable, most: int) -> str:
    """The text of a file in UTF-8, without a byte order mark and with one kind of line end.

    Raises:
        InputError: it has more than `most` bytes.
        OSError: it cannot be opened.
        UnicodeDecodeError: it is not UTF-8.
    """
    text = bounded_bytes(path, most).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")
