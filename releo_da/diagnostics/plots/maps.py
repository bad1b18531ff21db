"""Maps of gridded input: mean and spread of a variable at chosen dates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array


def unflatten(values: Array, row: Array, col: Array, height: int, width: int) -> Array:
    """Values of pixels on their grid, NaN elsewhere; ``[..., pixel] -> [..., row, col]``.

    Args:
        values: ``[..., pixel]``.
        row: ``[pixel]`` from the top.
        col: ``[pixel]`` from the left.
        height: rows of the grid.
        width: columns of the grid.
    """
    values = np.asarray(values, float)
    grid = np.full((*values.shape[:-1], height, width), np.nan)
    grid[..., np.asarray(row, int), np.asarray(col, int)] = values
    return grid


def cropped(grid: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """The grid without its empty borders, and its axes."""
    known = np.any(np.isfinite(grid).reshape(-1, *grid.shape[-2:]), axis=0)
    rows, columns = np.flatnonzero(known.any(1)), np.flatnonzero(known.any(0))
    if not rows.size:
        return grid, x, y
    down, across = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return grid[..., down, across], x[across], y[down]


def maps(
    mean: Array,
    spread: Array,
    times: Array,
    name: str,
    unit: str = "",
    x: Array | None = None,
    y: Array | None = None,
    axis_names: tuple[str, str] = ("column", "row"),
    counted: bool = False,
) -> Figure:
    """Mean above and spread below, one column per date, one scale for each row.

    Args:
        mean: ``[date, row, col]``, NaN where there is no pixel.
        spread: ``[date, row, col]`` standard deviation of the ensemble.
        times: ``[date]``.
        name: of the variable.
        unit: of the variable.
        x: ``[col]`` coordinates of the columns; their positions where left out.
        y: ``[row]`` coordinates of the rows; their positions where left out.
        axis_names: of x and y, with their unit.
        counted: whether y are positions of rows, which are drawn downwards; north is up else.
    """
    counted = counted or y is None
    x = np.arange(mean.shape[2], dtype=float) if x is None else np.asarray(x, float)
    y = np.arange(mean.shape[1], dtype=float) if y is None else np.asarray(y, float)
    if y[0] < y[-1] and not counted:
        mean, spread, y = mean[:, ::-1], spread[:, ::-1], y[::-1]
    if x[0] > x[-1]:
        mean, spread, x = mean[..., ::-1], spread[..., ::-1], x[::-1]
    both, x, y = cropped(np.stack([mean, spread]), x, y)
    count = len(both[0])
    ratio = both.shape[2] / max(both.shape[3], 1)
    height = float(np.clip((style.WIDTH - 1.3) / count * ratio + 0.45, 1.5, 4.2))
    made, axes = style.figure(2, count, height, sharex=True, sharey=True)
    days = np.datetime_as_string(style.instants(times), "D")
    rows = ((both[0], "viridis", name), (both[1], "cividis", "spread"))
    for line, (grids, palette, what) in zip(axes, rows, strict=True):
        drawn = draw_row(line, grids, x, y, palette)
        bar = made.colorbar(
            drawn, ax=list(line), shrink=0.9, pad=0.01, extend=clipped(grids, drawn)
        )
        bar.set_label(style.label(what, unit), fontsize=8)
        bar.ax.tick_params(labelsize=7)
    for one, day in zip(axes[0], days, strict=True):
        style.name_axes(one, title=str(day))
    style.name_axes(axes[1, 0], *axis_names)
    return made


def draw_row(
    line: Sequence[Axes],
    grids: Array,
    x: Array,
    y: Array,
    palette: str,
    ends: tuple[float, float] | None = None,
) -> AxesImage:
    """Images of one quantity on one scale, from `ends` or `limits`."""
    low, high = limits(grids) if ends is None else ends
    (left, right), (top, bottom) = (edges(axis) for axis in (x, y))
    for one, grid in zip(line, grids, strict=True):
        one.grid(False)
        one.set_facecolor("#f0f0f0")
        drawn = one.imshow(
            grid,
            cmap=palette,
            vmin=low,
            vmax=high,
            extent=(left, right, bottom, top),
            interpolation="nearest",
        )
        one.tick_params(labelsize=6.5)
        one.locator_params(nbins=4)
        one.ticklabel_format(useOffset=False, style="plain")
    return drawn


def limits(grids: Array) -> tuple[float, float]:
    """Ends of a colour scale: all values, unless a few lie so far out that they hide the rest.

    The range of the inner 98 %, widened to the extremes where these lie within a half of it.
    """
    known = grids[np.isfinite(grids)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.percentile(known, (1, 99))
    reach = 0.5 * (high - low)
    least, most = float(known.min()), float(known.max())
    return max(least, low - reach), min(most, high + reach)


def clipped(grids: Array, drawn: AxesImage) -> str:
    """Which ends of a colour bar hide larger or smaller values, as Matplotlib calls it."""
    low, high = drawn.get_clim()
    below, above = bool((grids < low).any()), bool((grids > high).any())
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (below, above), "neither"
    )


def edges(axis: Array) -> tuple[float, float]:
    """Outer edges of the first and the last of pixels with these centres, in their unit."""
    half = float(axis[-1] - axis[0]) / max(len(axis) - 1, 1) / 2 or 0.5
    return float(axis[0]) - half, float(axis[-1]) + half
