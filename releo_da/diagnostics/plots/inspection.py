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
    units: Mapping[str, str],
) -> Figure:
    """Four panels: share of clear pixels, ranges of channels, an index, zenith angles.

    Channels of different units (reflectance, an index, leaf area) have an axis each.

    Args:
        glance: per acquisition.
        ranges: sensor -> channel -> quantiles 1, 25, 50, 75, 99 % of what was seen.
        land: sensor -> channel -> 1 and 99 % of the spectra of land, where known.
        index: name of the index.
        units: channel -> what its axis is called.
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
    parts = _by_unit(made, second, ranges, units)
    for one, (unit, channels) in parts:
        _ranges(one, channels, ranges, land, shown)
        style.name_axes(one, y=unit)
    for one in (first, third, fourth):
        style.dates(one)
    style.name_axes(first, y="clear pixels (%)", title="Acquisitions")
    first.set_ylim(-4, 104)
    parts[0][0].set_title("Channels: 1-99 %, 25-75 %, median", **style.TITLE)
    style.name_axes(third, y=style.words(index), title=f"{style.words(index)}: median, 10-90 %")
    style.name_axes(fourth, y="zenith angle (°)", title="Sun (filled) and view (open)")
    style.legend_above(made, [first, *(one for one, _ in parts)])
    return made


def _by_unit(
    made: Figure,
    axes: Axes,
    ranges: Mapping[str, Mapping[str, Array]],
    units: Mapping[str, str],
) -> list[tuple[Axes, tuple[str, list[str]]]]:
    """Axes side by side in the place of one, each with its unit and the channels that have it."""
    channels = dict.fromkeys(c for rows in ranges.values() for c in rows)
    groups: dict[str, list[str]] = {}
    for channel in channels:
        groups.setdefault(units.get(channel, "value"), []).append(channel)
    if len(groups) < 2:
        return [(axes, group) for group in groups.items()] or [(axes, ("value", []))]
    place = axes.get_subplotspec()
    if place is None:
        raise ValueError("the axes are no part of a grid")
    axes.remove()
    widths = [1 + len(held) for held in groups.values()]
    cells = place.subgridspec(1, len(groups), width_ratios=widths)
    parts = [(made.add_subplot(cells[k]), group) for k, group in enumerate(groups.items())]
    for one, _ in parts:
        style.dress(one)
    return parts


def _ranges(
    axes: Axes,
    channels: Sequence[str],
    ranges: Mapping[str, Mapping[str, Array]],
    land: Mapping[str, Mapping[str, tuple[float, float]]],
    shown: Mapping[str, tuple[str, str]],
) -> None:
    """Quantiles of some channels, sensors side by side, over those of the spectra of land."""
    sensors = [sensor for sensor, rows in ranges.items() if set(rows) & set(channels)]
    step = 0.8 / max(len(sensors), 1)
    told = False
    for k, sensor in enumerate(sensors):
        rows = ranges[sensor]
        colour, _ = shown[sensor]
        for channel in (name for name in channels if name in rows):
            low, lower, median, upper, high = rows[channel]
            x = channels.index(channel) + (k + 0.5) * step - 0.4
            if channel in land.get(sensor, {}):
                bottom, top = land[sensor][channel]
                label = None if told else "canopies and soils (1-99 %)"
                axes.bar(x, top - bottom, step, bottom, color=style.GRID, label=label)
                told = True
            axes.vlines(x, low, high, color=colour, linewidth=0.8)
            axes.vlines(x, lower, upper, color=colour, linewidth=3)
            axes.plot([x], [median], "o", color="white", markersize=1.8)
    axes.set_xlim(-0.6, max(len(channels), 1) - 0.4)
    turned = 60 if len(channels) > 7 else 0
    axes.set_xticks(range(len(channels)), channels, rotation=turned)
    axes.grid(False, axis="x")
