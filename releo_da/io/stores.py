"""A series that lies in one file or in many: netCDF or Zarr, one for all dates or one for each.

    path: cube.nc                            one file
    path: cube.zarr, cube.zarr.zip           one store
    path: "S2_*.nc", [a.nc, b.nc]            several, joined along time; all on one grid

A file of one date may lack the axis of time: then its scalar coordinate of that name is the date,
or the option ``time: {file: "%Y%m%d"}`` finds it in the name of the file.

What has no axis of time itself, such as the cloud mask of a file of one date, belongs to the times
of its file. A list along one axis (wavelengths, positions) that is the same in all files stays one.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

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
    option: PathOption,
    dim: str,
    pattern: str | None = None,
    values: Collection[str] = (),
) -> Iterator[tuple[xr.Dataset, str]]:
    """The open files of a series as one data set, and what they are called in messages.

    Args:
        option: the option ``path``.
        dim: the axis of time.
        pattern: of the date in a file's name, or None where the file holds its dates.
        values: variables that change with time, whether two files differ in them or not.

    Raises:
        InputError: a file is missing or damaged, has no date, or lies on another grid.
    """
    paths = paths_of(option)
    with ExitStack() as stack:
        if len(paths) == 1:
            dataset = stack.enter_context(_opened(paths[0], None))
            dated = _with_time(dataset, dim, pattern, paths[0])
            if dated is not dataset and dim in dated.dims:
                dated = _along(dated, dim, _changing([dated], dim, values))
            yield dated, str(paths[0])
            return
        # Many files share one reader at a time: the libraries below are not safe under threads.
        stack.enter_context(dask.config.set(scheduler="synchronous"))
        parts = []
        for path in paths:
            part = stack.enter_context(_opened(path, {}))
            parts.append(_with_time(part, dim, pattern, path))
            _check_same(parts[0], parts[-1], dim, paths[0], path)
        changing = _changing(parts, dim, values)
        joined = xr.concat(
            [_along(part, dim, changing) for part in parts],
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
        return _at(dataset, dim, _date_in(path, pattern))
    if dim in dataset.dims or dim not in dataset.variables or dataset[dim].ndim:
        return dataset
    return _at(dataset, dim, dataset[dim].values[()])


def _at(dataset: xr.Dataset, dim: str, moment: object) -> xr.Dataset:
    """The data set with a time of length 1; what it says once for the whole file is a variable."""
    if dim not in dataset.dims:
        dataset = dataset.drop_vars(dim, errors="ignore")
        dataset = dataset.reset_coords([n for n, c in dataset.coords.items() if not c.ndim])
    dtype = "datetime64[ns]" if isinstance(moment, np.datetime64) else None
    return dataset.assign_coords({dim: np.array([moment], dtype=dtype)})


def _changing(parts: Sequence[xr.Dataset], dim: str, values: Collection[str]) -> list[str]:
    """Variables without an axis of time that belong to the times of their file.

    Maps always do, so that none is read to compare it; what has one axis or none where two files
    differ; single numbers and texts of files that hold one date and no axis of time.
    """
    undated = any(all(dim not in v.dims for v in part.data_vars.values()) for part in parts)
    found = []
    for name, array in parts[0].variables.items():
        if dim in array.dims or (name in parts[0].coords and array.ndim):
            continue
        known = array.ndim > 1 or name in values or (undated and not array.ndim)
        if known or not all(_same(array.values, part[name].values) for part in parts[1:]):
            found.append(str(name))
    return found


def _along(dataset: xr.Dataset, dim: str, names: Sequence[str]) -> xr.Dataset:
    """The data set with some variables repeated along its times, as far as they lack them."""
    lacking = {n: dataset[n] for n in names if dim not in dataset[n].dims}
    dataset = dataset.reset_coords([n for n in names if n in dataset.coords])
    times = dataset.sizes[dim]
    repeated = {n: a.variable.set_dims({dim: times, **a.sizes}) for n, a in lacking.items()}
    return dataset.assign(repeated)


def _same(first: NDArray, other: NDArray) -> bool:
    """Whether two arrays are equal, also where both lack a number."""
    numbers = {first.dtype.kind, other.dtype.kind} <= set("iufbM")
    return bool(np.array_equal(first, other, equal_nan=numbers))


def _date_in(path: Path, pattern: str) -> np.datetime64:
    """The date in the name of a file."""
    where = f"{path}: key 'time', file"
    codes = re.findall(r"%.", pattern)
    if not codes or not set(codes) <= set(CODES) or len(set(codes)) < len(codes):
        raise InputError(f"{where}: '{pattern}' is no pattern; write such as %Y%m%d or %Y%j")
    looks = "".join(CODES.get(part, re.escape(part)) for part in re.split(r"(%.)", pattern))
    for found in re.finditer(looks, path.name):
        try:
            stamp = pd.to_datetime(found[0], format=pattern, errors="coerce")
        except ValueError:  # codes that do not go together
            raise InputError(
                f"{where}: '{pattern}' is no pattern; write such as %Y%m%d or %Y%j"
            ) from None
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
        if dim not in axis.dims and axis.ndim and not _same(axis.values, other[name].values):
            raise InputError(
                f"{place}: another grid than {path.name} ('{name}' differs); "
                "bring the files to one grid"
            )


def file_pattern(option: object) -> str | None:
    """The pattern of dates in names of files, where the option ``time`` gives one."""
    if isinstance(option, dict) and set(option) == {"file"}:
        return str(option["file"])
    return None
