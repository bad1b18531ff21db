"""A series at a glance: when it was clear, how bright, how green, under which angles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array


class Glance(NamedTuple):
    """What is drawn of each acquisition.

    Attributes:
        times: ``[time]`` days.
        sensors: ``[time]``.
        clear: ``[time]`` share of pixels with a clear value.
        deciles: ``[time, 3]`` lower decile, median and upper decile of the index; NaN absent.
        angles: ``[time, 2]`` mean sun and view zenith, degrees.
        marked: ``[time]`` bool, dates with a finding.
    """

    times: Array
    sensors: Sequence[str]
    clear: Array
    deciles: Array
    angles: Array
    marked: Array


def overview(
    glance: Glance,
    ranges: Mapping[str, Mapping[str, Array]],
    land: Mapping[str, Mapping[str, tuple[float, float]]],
    index: str,
) -> Figure:
    """Four panels: share of clear pixels, ranges of channels, an index, zenith angles.

    Args:
        glance: per acquisition.
        ranges: sensor -> channel -> quantiles 1, 25, 50, 75, 99 % of what was seen.
        land: sensor -> channel -> 1 and 99 % of the spectra of land, where known.
        index: name of the index.
    """
    made, axes = style.figure(2, 2, 2.7)
    names = list(dict.fromkeys(glance.sensors))
    when, own = style.instants(glance.times), np.array(glance.sensors)
    shown = {name: style.RIVALS[k % len(style.RIVALS)] for k, name in enumerate(names)}
    first, second, third, fourth = axes.flat
    for name in names:
        colour, marker = shown[name]
        rows = own == name
        look = {"linestyle": "", "marker": marker, "markersize": 3, "color": colour}
        first.plot(when[rows], 100 * glance.clear[rows], **look, label=name)
        third.plot(when[rows], glance.deciles[rows, 1], **look)
        third.vlines(
            when[rows], glance.deciles[rows, 0], glance.deciles[rows, 2], color=colour, alpha=0.3
        )
        fourth.plot(when[rows], glance.angles[rows, 0], **look)
        fourth.plot(when[rows], glance.angles[rows, 1], **look, markerfacecolor="white")
    marked = glance.marked
    if marked.any():
        ring = {"s": 42, "facecolors": "none", "edgecolors": style.COLOURS["smoothed"]}
        first.scatter(when[marked], 100 * glance.clear[marked], **ring, label="found odd")
        third.scatter(when[marked], glance.deciles[marked, 1], **ring)
    _ranges(second, ranges, land, shown)
    for one in (first, third, fourth):
        style.dates(one)
    style.name_axes(first, y="clear pixels (%)", title="Acquisitions")
    first.set_ylim(-4, 104)
    style.name_axes(second, y="value", title="Channels: 1-99 %, 25-75 %, median")
    style.name_axes(third, y=style.words(index), title=f"{style.words(index)}: median, 10-90 %")
    style.name_axes(fourth, y="zenith angle (°)", title="Sun (filled) and view (open)")
    style.legend_above(made, [first, second])
    return made


def _ranges(
    axes: Axes,
    ranges: Mapping[str, Mapping[str, Array]],
    land: Mapping[str, Mapping[str, tuple[float, float]]],
    shown: Mapping[str, tuple[str, str]],
) -> None:
    """Quantiles of each channel, sensors side by side, over those of the spectra of land."""
    channels = list(dict.fromkeys(c for rows in ranges.values() for c in rows))
    step = 0.8 / max(len(ranges), 1)
    told = False
    for k, (sensor, rows) in enumerate(ranges.items()):
        colour, _ = shown[sensor]
        for channel, (low, lower, median, upper, high) in rows.items():
            x = channels.index(channel) + (k + 0.5) * step - 0.4
            if channel in land.get(sensor, {}):
                bottom, top = land[sensor][channel]
                label = None if told else "canopies and soils (1-99 %)"
                axes.bar(x, top - bottom, step, bottom, color=style.GRID, label=label)
                told = True
            axes.vlines(x, low, high, color=colour, linewidth=0.8)
            axes.vlines(x, lower, upper, color=colour, linewidth=3)
            axes.plot([x], [median], "o", color="white", markersize=1.8)
    turned = 60 if len(channels) > 7 else 0
    axes.set_xticks(range(len(channels)), channels, rotation=turned)
    axes.grid(False, axis="x")
