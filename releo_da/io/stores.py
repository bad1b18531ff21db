"""A series that lies in one file or in many: netCDF or Zarr, one for all dates or one for each.

    path: cube.nc                            one file
    path: cube.zarr, cube.zarr.zip           one store
    path: "S2_*.nc", [a.nc, b.nc]            several, joined along time; all on one grid

A file of one date may lack the axis of time: then its scalar coordinate of that name is the date,
or the option ``time: {file: "%Y%m%d"}`` finds it in the name of the file.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import xarray as xr

from releo_da.io.names import listed
from releo_da.io.netcdf import opened
from releo_da.io.zarr_store import is_zarr, opened_zarr
from releo_da.types import InputError

PathOption = str | Path | list[str]
"""A path, a pattern with ``*``, or a list of them."""

CODES = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}", "%j": r"\d{3}", "%H": r"\d{2}",
         "%M": r"\d{2}", "%S": r"\d{2}", "%y": r"\d{2}"}  # fmt: skip
"""What a pattern of dates may hold, and how it looks in a name."""


def paths_of(option: PathOption) -> list[Path]:
    """The files that the option ``path`` names, patterns in alphabetical order.

    Raises:
        InputError: a pattern matches nothing, or the list is empty.
    """
    given = option if isinstance(option, list) else [option]
    found: list[Path] = []
    for one in given:
        text = str(one)
        if glob.has_magic(text) and not Path(text).exists():
            matched = sorted(map(Path, glob.glob(text)))
            if not matched:
                raise InputError(f"{text}: no file matches; correct the pattern")
            found += matched
        else:
            found.append(Path(text))
    if not found:
        raise InputError("key 'path': the list is empty; name at least one file")
    return found


@contextmanager
def opened_series(
    option: PathOption, dim: str, pattern: str | None = None
) -> Iterator[tuple[xr.Dataset, str]]:
    """The open files of a series as one data set, and what they are called in messages.

    Args:
        option: the option ``path``.
        dim: the axis of time.
        pattern: of the date in a file's name, or None where the file holds its dates.

    Raises:
        InputError: a file is missing or damaged, has no date, or lies on another grid.
    """
    paths = paths_of(option)
    with ExitStack() as stack:
        if len(paths) == 1:
            dataset = stack.enter_context(_opened(paths[0], None))
            yield _with_time(dataset, dim, pattern, paths[0]), str(paths[0])
            return
        # Many files share one reader at a time: the libraries below are not safe under threads.
        stack.enter_context(dask.config.set(scheduler="synchronous"))
        parts = []
        for path in paths:
            part = stack.enter_context(_opened(path, {}))
            parts.append(_with_time(part, dim, pattern, path))
            _check_same(parts[0], parts[-1], dim, paths[0], path)
        joined = xr.concat(
            parts,
            dim=dim,
            data_vars="minimal",
            coords="minimal",
            compat="override",
            join="override",
            combine_attrs="override",
        )
        yield joined, f"{paths[0]} and {len(paths) - 1} more"


def _opened(path: Path, chunks: dict[str, int] | None) -> AbstractContextManager[xr.Dataset]:
    """A file of either kind, open."""
    if is_zarr(path):
        return opened_zarr(path, chunks)
    return opened(path, chunks)


def _with_time(dataset: xr.Dataset, dim: str, pattern: str | None, path: Path) -> xr.Dataset:
    """The data set with an axis of time, of length 1 where the file has none."""
    if pattern is not None:
        if dataset.sizes.get(dim, 1) != 1:
            raise InputError(
                f"{path}: key 'time': the file holds {dataset.sizes[dim]} dates and its name one; "
                "leave out 'file'"
            )
        stamp = np.array([_date_in(path, pattern)], dtype="datetime64[ns]")
        if dim not in dataset.dims:
            dataset = _expanded(dataset.drop_vars(dim, errors="ignore"), dim)
        return dataset.assign_coords({dim: stamp})
    if dim in dataset.dims or dim not in dataset.variables:
        return dataset
    if dataset[dim].ndim:
        return dataset
    return _expanded(dataset, dim)


def _expanded(dataset: xr.Dataset, dim: str) -> xr.Dataset:
    """Every variable, also one number or text for the whole file, along a time of length 1."""
    single = [name for name, array in dataset.coords.items() if not array.ndim and name != dim]
    return dataset.reset_coords(single).expand_dims(dim)


def _date_in(path: Path, pattern: str) -> np.datetime64:
    """The date in the name of a file."""
    where = f"{path}: key 'time', file"
    codes = re.findall(r"%.", pattern)
    if not codes or not set(codes) <= set(CODES):
        raise InputError(f"{where}: '{pattern}' is no pattern; write such as %Y%m%d or %Y%j")
    looks = "".join(CODES.get(part, re.escape(part)) for part in re.split(r"(%.)", pattern))
    for found in re.finditer(looks, path.name):
        stamp = pd.to_datetime(found[0], format=pattern, errors="coerce")
        if stamp is not pd.NaT:
            return np.datetime64(stamp)
    raise InputError(f"{where}: no date such as {pattern} in the name; correct the pattern")


def _check_same(first: xr.Dataset, other: xr.Dataset, dim: str, path: Path, place: Path) -> None:
    """Refuse to join files whose axes, other than time, are not the same."""
    for part, where in ((first, path), (other, place)):
        if dim not in part.dims:
            raise InputError(
                f"{where}: one of several files and it has no axis or coordinate '{dim}' to join "
                f"along; correct 'dims.time' (it has {listed(part.sizes)}), or give "
                'time: {file: "%Y%m%d"}'
            )
    for name, size in first.sizes.items():
        if name != dim and other.sizes.get(name) != size:
            raise InputError(
                f"{place}: another grid than {path.name} ({name} has {other.sizes.get(name)} and "
                f"{size} entries); bring the files to one grid"
            )
    for name in first.variables:
        if name not in other.variables:
            raise InputError(
                f"{place}: it lacks the variable '{name}' of {path.name}; the files of a series "
                "hold the same ones"
            )
    for name, axis in first.coords.items():
        here, there = axis.values, other[name].values
        if dim not in axis.dims and axis.ndim and not np.array_equal(here, there):
            raise InputError(
                f"{place}: another grid than {path.name} ('{name}' differs); "
                "bring the files to one grid"
            )


def file_pattern(option: object) -> str | None:
    """The pattern of dates in names of files, where the option ``time`` gives one."""
    if isinstance(option, dict) and set(option) == {"file"}:
        return str(option["file"])
    return None
