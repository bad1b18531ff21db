"""The door to Zarr stores, of version 2 and 3: a folder, or a .zip of one.

Stores are opened for reading only and by their own listing, never by consolidated metadata, which
may be older than the arrays. A chunk that is missing is read as the fill value, as the format has
it: a copy that was cut short holds fewer clear values and nothing tells.

Version 2 has no other place for a missing value than that fill value, which is 0 where its writer
chose none. A 0 is therefore a number, the class "clear" of a mask say, unless the attributes
``_FillValue`` or ``missing_value`` call it missing; any other fill value is missing.

References: Zarr core specification, version 3.0; Zarr storage specification, version 2.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
import zarr.storage

from releo_da.io.limits import check_array, check_members, check_sizes
from releo_da.types import InputError

MARKS = ("zarr.json", ".zgroup", ".zmetadata", ".zarray")
"""Files at the root of a store, one of which is there."""

LIBRARIES = ("zarr", "numcodecs", "zipfile", "pyarrow")
"""Where an error about damaged numbers or texts comes from."""


def is_zarr(path: Path) -> bool:
    """Whether a path is a folder that holds a store, or a .zip."""
    if path.is_dir():
        return any((path / mark).is_file() for mark in MARKS)
    return path.suffix.lower() == ".zip" and path.is_file()


@contextmanager
def opened_zarr(path: Path, chunks: dict[str, int] | None = None) -> Iterator[xr.Dataset]:
    """An open store with CF conventions decoded.

    Args:
        path: folder or .zip.
        chunks: as xarray has them; ``{}`` for arrays that are not read before they are needed.

    Raises:
        InputError: it cannot be opened, or numbers read inside the block are damaged.
    """
    try:
        store, group = _store(path)
        _check(path, zarr.open_group(store, mode="r", path=group or ""))
        options: dict[str, Any] = {"consolidated": False, "chunks": chunks, "group": group}
        dataset = xr.open_dataset(store, engine="zarr", decode_cf=False, **options)
        said = zarr.open_group(store, mode="r", path=group or "")
        dataset = xr.decode_cf(_with_zeros(dataset, said))
    except InputError:
        raise
    except Exception as error:
        # The library names no error of its own: of damaged metadata it raises whatever its parsing
        # meets first (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile, ...).
        # Nothing but opening is in this block, so all of them say that the store is not readable.
        raise InputError(
            f"{path}: not readable as Zarr ({_told(error)}); check the store, and copy it again if "
            "the copy was cut short"
        ) from None
    with dataset:
        try:
            yield dataset
        except InputError:
            raise
        except Exception as error:
            # Within the caller's block, so only what comes out of the libraries that decode chunks
            # is taken for damage (`_raised_by`); errors of the caller are raised as they are.
            # A system error is what the interpreter says of bytes that are no text.
            if not (isinstance(error, SystemError) or _raised_by(error, LIBRARIES)):
                raise
            raise InputError(
                f"{path}: damaged, its numbers cannot be read ({_told(error)}); "
                "copy or make the store again"
            ) from None


def _with_zeros(dataset: xr.Dataset, group: zarr.Group) -> xr.Dataset:
    """An undecoded store in which a 0 that the format fills with is a number."""
    for name, array in dataset.variables.items():
        filled = array.attrs.get("_FillValue")
        if (
            isinstance(filled, int | float | np.number | np.bool_)
            and filled == 0
            and "_FillValue" not in group[str(name)].attrs
        ):
            del array.attrs["_FillValue"]
    return dataset


def _store(path: Path) -> tuple[Any, str | None]:
    """A store for reading, and the group in it where a .zip holds the folder itself."""
    if path.is_dir():
        _refuse_links(path)
        return zarr.storage.LocalStore(path, read_only=True), None
    check_members(path)
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
    tops = {name.split("/")[0] for name in names if "/" in name}
    inside = [top for top in sorted(tops) if any(f"{top}/{mark}" in names for mark in MARKS)]
    if not any(mark in names for mark in MARKS) and len(inside) != 1:
        raise InputError(f"{path}: the archive holds no Zarr store; pack the folder of one store")
    group = None if any(mark in names for mark in MARKS) else inside[0]
    return zarr.storage.ZipStore(path, mode="r", read_only=True), group


def _check(path: Path, group: zarr.Group) -> None:
    """Refuse a store that says it is larger than can be read; its coordinates are, at once."""
    for name, array in group.arrays():
        shape = array.shape
        check_sizes(path, {f"{name}, axis {axis + 1}": size for axis, size in enumerate(shape)})
        check_array(path, name, shape, array.chunks, getattr(array.dtype, "itemsize", 8))


def _refuse_links(folder: Path) -> None:
    """Refuse a store in which a link leads out of it: its bytes would be taken for numbers."""
    root = os.path.realpath(folder)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            one = os.path.join(place, name)
            if os.path.islink(one) and not os.path.realpath(one).startswith(root + os.sep):
                raise InputError(f"{one}: is a link out of the store; copy what it leads to")


def _raised_by(error: BaseException, libraries: tuple[str, ...]) -> bool:
    """Whether an error comes out of one of some libraries."""
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("__name__", "").partition(".")[0] in libraries:
            return True
        frame = frame.tb_next
    return False


def _told(error: BaseException) -> str:
    """The first words of an error."""
    text = " ".join(str(error).split())
    return text[:160] or type(error).__name__
