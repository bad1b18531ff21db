"""Figures of analysis.nc: bands of output variables at places, maps at dates.

The file holds, per variable, the mean ``lai``, ``lai_spread`` and ``lai_quantile`` along time and
point, or time, y and x.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.maps import maps
from releo_da.diagnostics.plots.series import Band
from releo_da.diagnostics.plots.style import Array

BIAS = "bias_"
"""Begins the names of biases."""

ROW = "row"
"""What the vertical axis of a map is called where rows are counted."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def variables(found: xr.Dataset) -> list[str]:
    """Names of the output variables of analysis.nc that are drawn.

    Biases of sensors are tabled; flags and vectors such as an embedding are not shown.
    """
    derived, axes = ("_spread", "_quantile"), {"time", "point", "y", "x"}
    return [
        str(name)
        for name, array in found.data_vars.items()
        if "time" in array.dims and not str(name).endswith(derived) and set(array.dims) <= axes
        if not str(name).startswith(BIAS) and "flag_values" not in array.attrs
    ]


def ranged(found: xr.Dataset, name: str) -> bool:
    """Whether a variable has the quantiles of a band; otherwise it is drawn as one line."""
    known = {round(float(q), 4) for q in found["quantile"].values} if "quantile" in found else set()
    return f"{name}_quantile" in found and known >= set(LEVELS)


def band(found: xr.Dataset, name: str, place: Mapping[str, int], role: str = "") -> Band:
    """The band of a variable at one place.

    Args:
        found: analysis.nc.
        name: of the variable.
        place: position along the axes of space, ``{"point": 3}`` or ``{"y": 3, "x": 7}``.
        role: its colour and its name; the attribute ``estimate`` of the file, or "smoothed".
    """
    role = role or str(found.attrs.get("estimate", "smoothed"))
    if ranged(found, name):
        quantiles = (
            found[f"{name}_quantile"].isel(dict(place)).sel(quantile=list(LEVELS), method="nearest")
        )
        return Band(role, found.time.values, quantiles.transpose("quantile", "time").values)
    return Band(role, found.time.values, found[name].isel(dict(place)).values[None])


def spread_places(found: xr.Dataset, name: str, count: int) -> list[dict[str, int]]:
    """At most `count` of the places where a variable was estimated, evenly spaced.

    Of a map they are those next to the centres of equal parts, as 2 x 3 of them, so that no place
    is a corner of it.
    """
    space = [str(d) for d in found[name].dims if d != "time"]
    where = np.argwhere(found[name].notnull().any("time").transpose(*space).values)
    if not len(where):
        return []
    if len(space) == 2 and count < len(where):
        rows = max(1, int(count**0.5))
        parts = rows, -(-count // rows)
        ends = [found.sizes[axis] for axis in space]
        at = [(np.arange(n) + 0.5) / n * end - 0.5 for n, end in zip(parts, ends, strict=True)]
        centres = np.stack(np.meshgrid(*at, indexing="ij"), -1).reshape(-1, 2)[:count]
        apart = ((where[None] - centres[:, None]) ** 2).sum(-1)
        chosen = dict.fromkeys(apart.argmin(1).tolist())  # each once, in reading order
        return [dict(zip(space, map(int, where[i]), strict=True)) for i in chosen]
    kept = np.linspace(0, len(where) - 1, min(count, len(where))).round().astype(int)
    return [dict(zip(space, map(int, where[i]), strict=True)) for i in kept]


def product_maps(found: xr.Dataset, name: str, count: int = 4) -> Figure:
    """Mean and spread of a gridded variable at `count` dates: evenly spaced, and the last."""
    mean = found[name].transpose("time", "y", "x")
    known = np.flatnonzero(mean.notnull().any(("y", "x")).values)
    times = style.instants(found.time.values)[known]
    before = spaced(times[:-1], count - 1).tolist() if min(count, len(known)) > 1 else []
    chosen = known[[*before, len(known) - 1]]
    spread = found[f"{name}_spread"] if f"{name}_spread" in found else mean * np.nan
    unit = mean.attrs.get("units", "")
    x, y, named = map_axes(found)
    return maps(
        mean.values[chosen],
        spread.transpose("time", "y", "x").values[chosen],
        found.time.values[chosen],
        style.words(name),
        unit,
        x,
        y,
        named,
        counted=named[1] == ROW,
    )


def map_axes(found: xr.Dataset) -> tuple[Array, Array, tuple[str, str]]:
    """Coordinates of columns and rows as a map shows them, and what the two axes are called.

    Metres are shown as kilometres where they go beyond ten of them. Columns and rows of a grid
    without coordinates are counted from 0, those of the whole grid, whatever part of it is drawn.
    """
    x, y = (found[axis].values.astype(float) for axis in "xy")
    unit = str(found.x.attrs.get("units", "m"))
    if unit == "1":
        return x, y, ("column", ROW)
    if unit.startswith("degree"):
        return x, y, ("longitude (°)", "latitude (°)")
    if unit == "m" and max(np.abs(x).max(), np.abs(y).max()) >= 1e4:
        return x / 1e3, y / 1e3, ("x (km)", "y (km)")
    return x, y, (f"x ({unit})", f"y ({unit})")


def spaced(times: Array, count: int) -> Array:
    """Indices of `count` times, one near the middle of each equal part of the period."""
    at = times.astype("datetime64[s]").astype(float)
    middles = at[0] + (np.arange(count) + 0.5) / count * (at[-1] - at[0])
    return np.unique(np.abs(at[:, None] - middles).argmin(0))
