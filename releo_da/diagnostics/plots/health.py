"""Mean innovations of the scenes of each sensor, beside what is usual of it and its alarms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics.health import CLIP, LIMIT, SLACK, Judgement
from releo_da.diagnostics.plots import style

CHANNELS = 2
"""Channels that are drawn of a sensor."""

SENSORS = 4
"""Sensors that are drawn: those with alarms first."""

BAND = min(CLIP, SLACK + 0.5 * LIMIT)
"""Half width of the band, standard deviations: two scenes beyond it in a row raise an alarm."""


def scene_means(made: Sequence[Judgement]) -> Figure:
    """A panel for each sensor and channel, through time.

    Args:
        made: of the scenes of a run, in order; one at least.
    """
    sensors = dict.fromkeys(one.sensor for one in made)
    chosen = sorted(sensors, key=lambda n: -sum(m.biased for m in made if m.sensor == n))[:SENSORS]
    panels = [
        (sensor, channel)
        for sensor in sorted(chosen)
        for channel in _channels([one for one in made if one.sensor == sensor])
    ]
    figure, axes = style.figure(len(panels), 1, 1.7, sharex=True)
    for one, (sensor, channel) in zip(axes[:, 0], panels, strict=True):
        _panel(one, [m for m in made if m.sensor == sensor and channel in m.channels], channel)
        style.name_axes(one, "", "", f"{PurePath(sensor).stem}, {channel}")
    figure.supylabel("mean observation minus background", fontsize=8.5, color=style.INK)
    style.dates(axes[-1, 0])
    style.legend_above(figure, axes[:, 0])
    return figure


def _channels(made: Sequence[Judgement]) -> list[str]:
    """The channels of a sensor that were furthest from what is usual, in the order of its axis."""
    names = list(dict.fromkeys(name for one in made for name in one.channels))
    furthest = dict.fromkeys(names, 0.0)
    for one in made:
        if one.said == "judged":
            z = np.nan_to_num(abs(one.mean - one.centre) / one.sd)
            for name, value in zip(one.channels, z, strict=True):
                furthest[name] = max(furthest[name], float(value))
    largest = sorted(names, key=lambda name: -furthest[name])[:CHANNELS]
    return [name for name in names if name in largest]


def _panel(axes: Axes, made: Sequence[Judgement], channel: str) -> None:
    """One channel of one sensor."""
    place = [one.channels.index(channel) for one in made]
    times = style.instants(np.array([one.time for one in made]))
    mean, centre, sd = (
        np.array([getattr(one, name)[k] for one, k in zip(made, place, strict=True)])
        for name in ("mean", "centre", "sd")
    )
    judged = np.array([one.said == "judged" for one in made])
    biased = np.array([one.biased for one in made])
    axes.axhline(0.0, color=style.FAINT, linewidth=0.6)
    # Of the first scenes it says little, and would set the scale of the axis.
    early = np.array([one.said == "early" for one in made])
    half = np.where(early, np.nan, BAND * sd)
    low, high = centre - half, centre + half
    axes.fill_between(
        times, low, high, where=np.isfinite(low).tolist(), color=style.COLOURS["background"],
        alpha=0.35, linewidth=0, label="usual",
    )  # fmt: skip
    blue = style.COLOURS["analysis"]
    axes.plot(times[judged], mean[judged], "o", color=blue, markersize=3, label="judged scene")
    axes.plot(
        times[~judged], mean[~judged], "o", color=blue, markerfacecolor="white", markersize=3,
        label="says nothing",
    )  # fmt: skip
    label = "alarm"
    for first, last in _stretches(biased):
        end = times[min(last + 1, len(times) - 1)]
        axes.axvspan(
            times[first], end, color=style.COLOURS["smoothed"], alpha=0.25, linewidth=0, label=label
        )
        label = "_nolegend_"


def _stretches(flags: style.Array) -> list[tuple[int, int]]:
    """First and last position of each stretch of True."""
    edge = np.diff(np.r_[False, flags, False].astype(int))
    return list(zip((edge == 1).nonzero()[0], (edge == -1).nonzero()[0] - 1, strict=True))
