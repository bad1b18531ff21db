"""Estimate beside truth over space and time: maps at dates, and Hovmoeller diagrams.

What is compared shares a scale: truth and estimate one of theirs, errors and increments one about
zero, whose ends are the inner 98 % of both. Palettes are readable without red and green.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.dates
import numpy as np
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.maps import clipped, cropped, draw_row, limits
from releo_da.diagnostics.plots.style import Array

VALUES, SIGNED, SPREAD = "viridis", "PuOr", "cividis"
ERRORS = ("error", "increment")


def beside_truth(
    grids: dict[str, Array],
    times: Array,
    unit: str,
    x: Array,
    y: Array,
    axis_names: tuple[str, str],
) -> Figure:
    """Rows of maps, one column per date.

    Args:
        grids: by name (``truth``, ``analysis``, ``error``, ``increment``, ``spread``),
            ``[date, row, col]`` each, NaN where there is no pixel.
        times: ``[date]``.
        unit: of all of them.
        x: ``[col]`` coordinates of the columns.
        y: ``[row]`` coordinates of the rows, drawn downwards.
        axis_names: of x and y, with their unit.
    """
    whole, x, y = cropped(np.stack(list(grids.values())), x, y)
    held = dict(zip(grids, whole, strict=True))
    count = whole.shape[1]
    ratio = whole.shape[2] / max(whole.shape[3], 1)
    height = float(np.clip((style.WIDTH - 1.4) / count * ratio + 0.25, 0.9, 2.6))
    made, axes = style.figure(len(held), count, height, sharex=True, sharey=True)
    days = np.datetime_as_string(style.instants(times), "D")
    for line, (name, one) in zip(axes, held.items(), strict=True):
        palette, ends = look(name, held)
        drawn = draw_row(line, one, x, y, palette, ends)
        bar = made.colorbar(drawn, ax=list(line), pad=0.01, extend=clipped(one, drawn), aspect=14)
        bar.set_label(style.label(style.words(name), unit).replace(" (", "\n("), fontsize=7.5)
        bar.ax.tick_params(labelsize=6.5)
        bar.ax.locator_params(nbins=4)
    for one, day in zip(axes[0], days, strict=True):
        style.name_axes(one, title=str(day))
    style.name_axes(axes[-1, 0], *axis_names)
    return made


def look(name: str, held: dict[str, Array]) -> tuple[str, tuple[float, float]]:
    """Palette and ends of the colour scale of one quantity among all that are drawn."""
    if name in ERRORS:
        known = np.concatenate([np.abs(held[n]).ravel() for n in ERRORS if n in held])
        known = known[np.isfinite(known)]
        reach = float(np.percentile(known, 98)) if known.size else 1.0
        return SIGNED, (-(reach or 1.0), reach or 1.0)
    if name == "spread":
        return SPREAD, limits(held[name])
    return VALUES, limits(np.stack([held[n] for n in held if n not in (*ERRORS, "spread")]))


def hovmoeller(
    truth: Array, mean: Array, times: Array, place: Array, named: str, estimate: str, unit: str
) -> Figure:
    """Truth, estimate and error of the places of a line, time upwards.

    Args:
        truth: ``[time, place]``.
        mean: ``[time, place]`` of the ensemble.
        times: ``[time]``.
        place: ``[place]`` coordinates along the line.
        named: what these are, with their unit.
        estimate: "analysis" or "smoothed".
        unit: of truth and mean.
    """
    held = {"truth": truth, estimate: mean, "error": mean - truth}
    made, axes = style.figure(1, 3, 3.2, sharex=True, sharey=True)
    days = matplotlib.dates.date2num(style.instants(times))
    for k, (one, (name, values)) in enumerate(zip(axes[0], held.items(), strict=True)):
        palette, (low, high) = look(name, held)
        one.grid(False)
        drawn = one.pcolormesh(
            place, days, values, cmap=palette, vmin=low, vmax=high, shading="nearest",
            rasterized=True,
        )  # fmt: skip
        known = values[np.isfinite(values)]
        below, above = bool((known < low).any()), bool((known > high).any())
        extend = {(True, True): "both", (True, False): "min", (False, True): "max"}
        bar = made.colorbar(
            drawn, ax=one, location="bottom", pad=0.02, extend=extend.get((below, above), "neither")
        )
        bar.set_label(style.label(style.words(name), unit), fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.ax.locator_params(nbins=5)
        style.name_axes(one, x=named, title=style.words(name))
        if k == 0:
            locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=8)
            one.yaxis.set_major_locator(locator)
            short = matplotlib.dates.ConciseDateFormatter(locator, show_offset=False)
            one.yaxis.set_major_formatter(short)
            years = style.instants(times).astype("datetime64[Y]").astype(str)
            text = " to ".join(sorted({min(years), max(years)}))
            one.set_ylabel(f"date, {text}", fontsize=8.5)
    return made


def lines(values: Sequence[Array]) -> Array:
    """The middle row of each of ``[time, row, col]`` grids, ``[quantity, time, col]``."""
    return np.stack([one[:, one.shape[1] // 2] for one in values])
