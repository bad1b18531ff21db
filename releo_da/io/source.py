"""What the readers of cubes and points share: open files, their axes, and dates on the time axis.

Whatever a file calls its dates (times, texts, days since a day, ordinals, a composite's first day),
from here on its axis of time holds times in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import xarray as xr

from releo_da.io.content import LENGTH
from releo_da.io.dates import TimeOption, moments_of
from releo_da.io.layout import Layout, make_layout
from releo_da.io.names import listed
from releo_da.io.periods import CompositeOption
from releo_da.io.stores import PathOption, file_pattern, opened_series, paths_of
from releo_da.io.times import from_days
from releo_da.io.values import Name
from releo_da.types import InputError

CHANNEL = "<channel>"
"""Name of the channel axis where every channel is a variable of its own; no axis is called so."""


@contextmanager
def opened_source(
    path: PathOption,
    dims: Mapping[str, str],
    space: Sequence[str],
    values: str | Mapping[str, str],
    time: TimeOption | None,
    overpass: str | int | None,
    composite: CompositeOption | None,
) -> Iterator[tuple[xr.Dataset, Layout]]:
    """The open files of a source, with times along the time axis, and their layout.

    Args:
        path: the option.
        dims: the option.
        space: roles of the axes of space.
        values: the option.
        time: the option; the coordinate of the time axis where it is None.
        overpass: the option.
        composite: the option.

    Raises:
        InputError: a file, axis or date is wrong.
    """
    pattern = file_pattern(time)
    named = list(values.values()) if isinstance(values, Mapping) else [values]
    if "time" not in dims and (pattern is not None or len(paths_of(path)) > 1):
        raise InputError(
            f"{path}: key 'dims' does not name the time axis along which files are joined; add "
            "'time: time', or what the files call it"
        )
    with opened_series(path, dims.get("time", ""), pattern, named) as (dataset, name):
        if isinstance(values, Mapping):
            layout = make_layout(name, dims, (*space, "time"), dataset, CHANNEL)
        else:
            layout = make_layout(name, dims, (*space, "time", "channel"), dataset)
        option = None if pattern is not None else time
        yield _dated(dataset, layout, option, overpass, composite), layout


def channels_of(
    values: str | Mapping[str, str],
    channels: Mapping[str, Name] | None,
    path: PathOption,
    labels: str | None = None,
) -> Mapping[str, Name]:
    """Agency's names and names in the file, of either form of ``values``.

    Raises:
        InputError: both forms are given, or none; one variable stands for two channels, or there
            are labels and no axis that they name.
    """
    if isinstance(values, Mapping):
        if channels is not None:
            raise InputError(
                f"{path}: key 'channels': 'values' names a variable for each channel already; "
                "remove 'channels'"
            )
        twice = [c for c, name in values.items() if list(values.values()).count(name) > 1]
        if twice:
            raise InputError(
                f"{path}: key 'values': the variable '{values[twice[0]]}' is named for "
                f"{listed(twice)}; name each variable once"
            )
        if labels is not None:
            raise InputError(
                f"{path}: key 'labels': 'values' names a variable for each channel, so there is no "
                "axis to label; remove 'labels'"
            )
        if not values:
            raise InputError(f"{path}: key 'values': no channel is named; write {{B04: variable}}")
        return dict(values)
    if channels is None:
        raise InputError(
            f"{path}: key 'channels' is missing; write {{B04: <its name in the file>}}, or "
            "'values: {B04: variable}' where every channel is a variable of its own"
        )
    return channels


def _dated(
    dataset: xr.Dataset,
    layout: Layout,
    option: TimeOption | None,
    overpass: str | int | None,
    composite: CompositeOption | None,
) -> xr.Dataset:
    """The data set with times along its time axis, and lengths of periods of composites."""
    dim = layout.time
    plain = dim in dataset.variables and dataset[dim].dtype.kind in "Miuf"
    if option is None and overpass is None and composite is None and plain:
        return dataset
    if option is None:
        if dim not in dataset.variables:
            return dataset
        option = dim
    table = pd.DataFrame(
        {
            str(name): _decoded(array)
            for name, array in dataset.variables.items()
            if array.dims == (dim,)
        }
    )
    table.attrs["numbered"] = False
    moments = moments_of(table, option, overpass, composite, layout.path)
    times = from_days(moments.days).astype("datetime64[ns]")
    dated = dataset.assign_coords({dim: (dim, times)})
    return dated if composite is None else dated.assign({LENGTH: (dim, moments.length)})


def _decoded(array: xr.Variable) -> np.ndarray:
    """Numbers and times as they are, everything else as text."""
    values = np.asarray(array.values)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    return values if values.dtype.kind in "iufMb" else values.astype(str)
