"""Series of a variable through time: what the ensemble says, and what was seen.

A panel holds bands (analysis, smoothed, forecast: median with the ranges 25-75 % and 5-95 %) and
points (observations used, withheld or rejected, field measurements with their error). The same
function draws one large panel per variable, or small multiples over pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array


class Band(NamedTuple):
    """Quantiles of an ensemble through time.

    Attributes:
        role: "analysis", "smoothed", "forecast", "climatology", "truth": its colour and name.
        times: ``[time]`` days since 1970-01-01 or datetime64.
        quantiles: ``[level, time]`` for 5, 25, 50, 75 and 95 %; one row draws a line only.
        run: name and colour of the run where bands of several are drawn; instead of the role's.
    """

    role: str
    times: Array
    quantiles: Array
    run: tuple[str, str] | None = None


class Points(NamedTuple):
    """Single values through time.

    Attributes:
        role: "observed", "withheld", "rejected", "in_situ": their colour, marker and name.
        times: ``[point]``.
        values: ``[point]``.
        error: ``[point]`` standard deviation, drawn as a bar; or None.
    """

    role: str
    times: Array
    values: Array
    error: Array | None = None


class Panel(NamedTuple):
    """One plot of a variable at one place.

    Attributes:
        title: where or what.
        label: of the vertical axis, with unit.
        bands: drawn first.
        points: drawn on top.
    """

    title: str
    label: str
    bands: Sequence[Band] = ()
    points: Sequence[Points] = ()


MARKERS = {"observed": "o", "withheld": "D", "rejected": "x", "in_situ": "s"}


def series(
    panels: Sequence[Panel],
    columns: int = 1,
    height: float = 2.4,
    clock: Callable[[Axes], None] = style.dates,
) -> Figure:
    """Panels on one time axis; labels and one legend are not repeated.

    Args:
        panels: in reading order.
        columns: 1 for large panels, 3 or so for small multiples (which share the vertical axis
            if their labels are the same).
        height: inches of a row.
        clock: dresses a time axis.
    """
    rows = -(-len(panels) // columns)
    same = len({panel.label for panel in panels}) == 1
    made, axes = style.figure(rows, columns, height, sharex=True, sharey=same and columns > 1)
    for i, (panel, one) in enumerate(zip(panels, axes.flat, strict=False)):
        for band in panel.bands:
            draw_band(one, band)
        for points in panel.points:
            draw_points(one, points)
        first = i % columns == 0 or not same
        style.name_axes(one, y=panel.label if first else "", title=panel.title)
        clock(one)
        if i < len(panels) - columns:  # time is named below
            one.set_xlabel("")
    for one in axes.flat[len(panels) :]:
        one.set_visible(False)
    for one in axes.flat[max(len(panels) - columns, 0) : len(panels)]:
        one.tick_params(labelbottom=True)
    style.legend_above(made, axes.flat[: len(panels)])
    return made


def draw_band(axes: Axes, band: Band) -> None:
    """Median and two ranges; of a climatology the edges only; a single row is a line."""
    times, quantiles = style.instants(band.times), np.atleast_2d(band.quantiles)
    own = style.words(band.role), style.COLOURS.get(band.role, style.FAINT)
    name, colour = band.run or own
    style_of_line = "-"
    if band.role == "climatology":
        style_of_line = ":"
        name += " (median and 90 %)"
        median = quantiles[len(quantiles) // 2]
        for edge in (quantiles[0], quantiles[-1]):
            axes.plot(times, edge, style_of_line, color=colour, linewidth=0.7)
    elif len(quantiles) == 5:
        low, lower, median, upper, high = quantiles
        axes.fill_between(times, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.fill_between(times, lower, upper, color=colour, alpha=0.26, linewidth=0)
        name += "" if band.run else " (median, 50 % and 90 %)"
    else:
        median = quantiles[0]
    axes.plot(times, median, style_of_line, color=colour, linewidth=1.3, label=name)


def draw_points(axes: Axes, points: Points) -> None:
    """Markers, with bars of one standard deviation where an error is given."""
    axes.errorbar(
        style.instants(points.times),
        points.values,
        points.error,
        fmt=MARKERS.get(points.role, "o"),
        color=style.COLOURS.get(points.role, "#b2182b"),
        markersize=3.6 if points.role != "in_situ" else 4.6,
        markerfacecolor="white" if points.role == "withheld" else None,
        elinewidth=0.8,
        linestyle="none",
        label=style.words(points.role),
        zorder=4,
    )
