"""``pixels.nc``, the pixel axis of a run, with its checksum beside it.

    pixels.nc       ids, places and static fields of the pixels; replaced whole when pixels join
    pixels.sha256   its SHA-256; while it is replaced also that of the next, a line each

HDF5 keeps checksums of chunks and of some of its own records, not of all bytes, so a flipped bit
may move a pixel without a word. The checksum is written first, beside the one before, so that after
a crash at any instant the file that is there is one of the two. A reader beside a service that
replaces both looks twice.

A run of an earlier version has no checksum: its axis is taken as it is until the next cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import xarray as xr

from releo_da.io import read_products
from releo_da.io.atomic import checksum, replacing, write_text_atomic
from releo_da.io.products import store
from releo_da.io.state_rows import StateHead
from releo_da.types import InputError

PIXELS, SUMS = "pixels.nc", "pixels.sha256"
RESTORE = f"restore it from a backup, {PIXELS} and {SUMS} together"
REMOVE = f"; or remove it, if {PIXELS} is known to be sound: the next cycle makes it again"


def sums(root: Path) -> list[str] | None:
    """The checksums that a pixel axis may have; None where none is kept.

    Raises:
        InputError: the file holds something else.
    """
    try:
        found = (root / SUMS).read_bytes().decode("ascii", "replace").split()
    except FileNotFoundError:
        return None
    if not found or any(len(one) != 64 or set(one) - set("0123456789abcdef") for one in found):
        raise InputError(f"{root / SUMS}: holds no checksum; {RESTORE}{REMOVE}")
    return found


def check(root: Path) -> bool:
    """Whether a checksum of the pixel axis is kept, which it then has.

    Raises:
        InputError: it has another, or the file of checksums is damaged.
    """
    for _ in range(2):  # a service may replace both between two looks
        known = sums(root)
        if known is None:
            return False
        if not (root / PIXELS).is_file() or checksum(root / PIXELS) in known:
            return True
    raise InputError(f"{root / PIXELS}: is not what was committed; {RESTORE}")


def axis_of(root: Path, state: StateHead) -> tuple[xr.Dataset, bool]:
    """The pixel axis of a state, and whether it is all of the one on file.

    Raises:
        InputError: the run directory holds no pixel axis, a damaged one, or not all pixels of the
            state.
    """
    path = root / PIXELS
    check(root)
    try:
        table = read_products(path)
    except InputError as error:
        said = str(error).removeprefix(f"{path}: ").partition("; ")[0]
        raise InputError(f"{path}: {said}; {RESTORE}") from None
    place = pd.Index(table["id"].values).get_indexer(state.pixels.numpy())
    if (place < 0).any():
        raise InputError(f"{path}: lacks pixels of the last state; {RESTORE}")
    return table.isel(pixel=place), len(place) == table.sizes["pixel"]


def pixels_of(root: Path, state: StateHead) -> xr.Dataset:
    """The pixel axis of a state, which may be a part of the one on file.

    Raises:
        InputError: as of `axis_of`.
    """
    return axis_of(root, state)[0]


def write_axis(root: Path, pixels: xr.Dataset) -> None:
    """Put a pixel axis in the place of the one before, with its checksum."""
    with replacing(root / PIXELS) as aside:
        store(aside, pixels)
        write_sums(root, [*_standing(root), checksum(aside)])


def keep_sum(root: Path) -> None:
    """Note the checksum of the pixel axis of a run that has none yet."""
    if not (root / SUMS).is_file():
        write_sums(root, [checksum(root / PIXELS)])


def write_sums(root: Path, digests: list[str]) -> None:
    """Write the checksums that a pixel axis may have."""
    write_text_atomic(root / SUMS, "".join(f"{one}\n" for one in dict.fromkeys(digests)))


def _standing(root: Path) -> Iterator[str]:
    """The checksum of the axis that is there, if it is one."""
    if (root / PIXELS).is_file():
        yield checksum(root / PIXELS)
