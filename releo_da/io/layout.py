"""How a file lays out its acquisitions: the names of its axes, and arrays brought to one order.

Whatever the order in the file, everything is turned to ``[time, pixel]`` or ``[time, pixel,
channel]``, where the pixel axis of a grid is its rows one after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.names import listed, refuse, require
from releo_da.io.times import to_days
from releo_da.types import InputError


class Layout(NamedTuple):
    """Names of the axes in a file.

    Attributes:
        path: the file, for messages.
        time: dimension of time.
        space: the pixel dimension, or rows and columns.
        channel: dimension of channels.
    """

    path: str
    time: str
    space: tuple[str, ...]
    channel: str

    def where(self, key: str) -> str:
        """Beginning of a message about one option."""
        return f"{self.path}: key '{key}'"


def make_layout(
    path: str,
    dims: Mapping[str, str],
    roles: Sequence[str],
    dataset: xr.Dataset,
    channel: str | None = None,
) -> Layout:
    """The layout named by the option ``dims``, checked against the file.

    Args:
        path: of the file.
        dims: role -> dimension in the file.
        roles: what `dims` must name; the first ones are space, then time and, unless `channel` is
            given, channel.
        dataset: the open file.
        channel: name of a channel axis that the file does not have.

    Raises:
        InputError: a role is missing or unknown, or the file has no such dimension.
    """
    for role in dims:
        require(role, roles, f"{path}: key 'dims'", "axis")
    for role in roles:
        if role not in dims:
            raise InputError(
                f"{path}: key 'dims' does not name the {role} axis; "
                f"add '{role}: <dimension>', one of {listed(dataset.sizes)}"
            )
        require(dims[role], dataset.sizes, f"{path}: key 'dims.{role}'", "dimension")
    space = tuple(dims[role] for role in roles if role not in ("time", "channel"))
    return Layout(path, dims["time"], space, dims["channel"] if channel is None else channel)


def variable(
    dataset: xr.Dataset, name: object, axes: Collection[str], where: str, whole: bool = False
) -> xr.DataArray:
    """A variable of the file whose dimensions lie among `axes`.

    Args:
        dataset: the file.
        name: of the variable.
        axes: dimensions it may have.
        where: file and key, for messages.
        whole: it must have all of them.

    Raises:
        InputError: there is no such variable, or its dimensions are others.
    """
    if not isinstance(name, str) or name not in dataset.variables:
        refuse(name, dataset.variables, where, "variable")
    array = dataset[name]
    twice = len(set(array.dims)) < len(array.dims)  # the format allows that
    if not set(array.dims) <= set(axes) or twice or (whole and len(array.dims) < len(axes)):
        raise InputError(
            f"{where}: '{name}' has the dimensions {listed(array.dims)}, wanted "
            f"{'all of' if whole else 'some of'} {listed(axes)}, each once; "
            "correct 'dims' or the name"
        )
    return array


def times_of(dataset: xr.Dataset, layout: Layout) -> NDArray[np.float64]:
    """Days since 1970-01-01 along the time axis, ``[time]``.

    Raises:
        InputError: the axis has no coordinate of times, or one of them is missing.
    """
    where = layout.where("dims.time")
    if layout.time not in dataset.variables:
        raise InputError(
            f"{where}: the dimension '{layout.time}' has no coordinate variable of that name; "
            "add one with units such as 'days since 1970-01-01'"
        )
    times = dataset[layout.time]
    if times.dtype.kind != "M":
        raise InputError(
            f"{where}: '{layout.time}' holds {times.dtype}, not times; give it the attribute "
            "units, such as 'days since 1970-01-01'"
        )
    days = to_days(times.values)
    if np.isnan(days).any():
        position = int(np.flatnonzero(np.isnan(days))[0])
        raise InputError(f"{where}: the time at position {position} is missing; fill it in")
    return days


def flat(array: xr.DataArray, layout: Layout, dataset: xr.Dataset) -> NDArray:
    """A variable as ``[time, pixel, ...]``, repeated along the axes it lacks.

    Args:
        array: with dimensions among time, space and channel.
        layout: of the file.
        dataset: whose time and space axes give the lengths wanted.
    """
    order = [
        layout.time,
        *layout.space,
        *([layout.channel] if layout.channel in array.dims else []),
    ]
    missing = {dim: dataset.sizes[dim] for dim in order if dim not in array.dims}
    full = array.drop_vars(array.coords).expand_dims(missing).transpose(*order).values
    return full.reshape(full.shape[0], -1, *full.shape[1 + len(layout.space) :])
