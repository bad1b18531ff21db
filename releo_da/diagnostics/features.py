"""Series of the products as a table of features, a row per place: what other tasks learn from.

    lai(time, y, x), embedding(dimension, time, y, x)    ->    [place, feature]

The features of a variable are its values at the dates of the file, of a vector those of all its
dimensions, in this order, one variable after the other. Dates are aligned by the file, so every
place has the same features. Nothing is learned here; a place that a run did not estimate has NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from releo_da.diagnostics.scores import Array
from releo_da.types import InputError

SPACE = ("point",), ("y", "x")
"""Axes of places: of points and of maps."""


def features(found: xr.Dataset, names: Sequence[str], until: str | None = None) -> Array:
    """Values of variables at the dates of a file, ``[place, feature]``.

    Args:
        found: analysis.nc of `embed` or of a hindcast, opened.
        names: of variables along time, such as ``lai``, ``lai_spread`` or ``embedding``.
        until: ISO date; later dates are left out. What is estimated of a date by a smoother or an
            encoder has seen the dates after it: for what was known on a day, end the period of
            the run there as well.

    Returns:
        Places in the order of the file, of a map row by row.

    Raises:
        InputError: no name, one that the file lacks, one that has no time, or no date that early.
    """
    if not names:
        raise InputError("features: name at least one variable")
    space = next((axes for axes in SPACE if set(axes) <= set(found.dims)), None)
    if space is None:
        raise InputError(f"features: the file has the axes {tuple(found.dims)}, and no places")
    some = found if until is None else found.sel(time=slice(None, until))
    if not some.sizes.get("time"):
        raise InputError(f"features: no date of the file is before {until}")
    columns = []
    for name in names:
        if name not in some.data_vars or not {"time", *space} <= set(some[name].dims):
            able = [str(n) for n in some.data_vars if {"time", *space} <= set(some[n].dims)]
            raise InputError(f"features: the file has no series '{name}'; it has {', '.join(able)}")
        other = [axis for axis in some[name].dims if axis not in ("time", *space)]
        values = some[name].transpose(*space, *other, "time").values
        places = int(np.prod(values.shape[: len(space)]))
        columns.append(np.asarray(values, float).reshape(places, -1))
    return np.concatenate(columns, 1)
