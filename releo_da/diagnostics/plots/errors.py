"""Departures from observations: O-B and O-A per channel and sensor, and what was rejected.

O-B is an observation minus its prediction before it was used, O-A after. Their means should lie
near zero; the standard deviation of O-B should be what the ensemble expects of it, the root of
spread squared plus observation error squared (short black marks). They come from sums over all
values that a run used (`assimilation.tally`), rejections from its records.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.skill import number

BAR = 0.4
LABELS = 16
"""Names of channels that fit under a panel; of more, some are written."""

CASES = (("O-B", "background", "bias", "sd"), ("O-A", "analysis", "residual_bias", "residual_sd"))
"""What is drawn of departures: name, colour, and keys of their mean and their deviation."""


def departures(rows: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Mean and deviation of O-B and O-A, and the error that they suggest, a row per sensor.

    All of it in units of the observation error that the run assumes, so that channels of any unit
    stand side by side.

    Args:
        rows: ``innovations`` of scores.json, by sensor.
    """
    made, axes = style.figure(len(rows), 3, 2.3)
    for panels, (sensor, said) in zip(axes, rows.items(), strict=True):
        held = said["errors"]
        at, names = np.arange(len(held)), [style.words(name) for name in held]

        def shares(key: str, held: Mapping[str, Any] = held) -> list[float]:
            return [number(row.get(key)) / number(row["assumed"]) for row in held.values()]

        for shift, (name, case, *keys) in zip((-BAR / 2, BAR / 2), CASES, strict=True):
            for panel, key in zip(panels, keys, strict=False):
                panel.bar(at + shift, shares(key), BAR, color=style.COLOURS[case], label=name)
        panels[1].plot(at - BAR / 2, shares("expected"), "_", color=style.INK, markersize=9,
                       label="expected of O-B", zorder=3)  # fmt: skip
        panels[2].bar(at, shares("estimated"), 2 * BAR, color=style.COLOURS["withheld"])
        none = ~(np.array(shares("estimated")) > 0)
        if none.any():
            panels[2].plot(at[none], np.zeros(none.sum()), "x", color=style.INK, markersize=4,
                           clip_on=False, zorder=3)  # fmt: skip
        panels[0].axhline(0.0, color=style.INK, linewidth=0.8)
        panels[2].axhline(1.0, color=style.INK, linewidth=0.8)
        step = -(-len(names) // LABELS)
        titles = ("mean", "standard deviation", "estimated error")
        for panel, title in zip(panels, titles, strict=True):
            panel.set_xticks(at[::step], names[::step])
            panel.tick_params(axis="x", rotation=90, labelsize=7)
            panel.grid(False, axis="x")
            style.name_axes(panel, title=f"{PurePath(sensor).stem}:\n{title}")
        style.name_axes(panels[0], y="share of the assumed\nobservation error")
    style.legend_above(made, axes[0])
    return made


def rejections(found: xr.Dataset) -> Figure:
    """How many values screening refused, by date and by channel, as a share of those it saw."""
    rejected = found.rejected.drop_sel(channel="ndvi", errors="ignore") > 0
    before = found["mean"].sel(case="background", channel=rejected.channel, drop=True)
    seen = before.notnull() | rejected
    there = seen.any(("time", "pixel"))
    seen, rejected = seen.isel(channel=there), rejected.isel(channel=there)
    made, axes = style.figure(1, 2, 2.4, width_ratios=[2.2, 1])
    left, right = axes[0]
    day = found.time.values.astype("datetime64[D]")
    share = 100 * rejected.sum(("pixel", "channel")) / seen.sum(("pixel", "channel"))
    left.vlines(day, 0, share.fillna(0), color=style.COLOURS["smoothed"], linewidth=2)
    left.plot(day, share.fillna(0), "o", color=style.COLOURS["smoothed"], markersize=2.5)
    left.set_ylim(bottom=0)
    style.dates(left)
    total = int(rejected.sum())
    style.name_axes(left, y="rejected (% of values seen)", title=f"{total} values by date")
    by_channel = 100 * rejected.sum(("pixel", "time")) / seen.sum(("pixel", "time"))
    right.barh(by_channel.channel.values, by_channel, color=style.COLOURS["smoothed"])
    right.invert_yaxis()
    right.grid(False, axis="y")
    style.name_axes(right, x="rejected (%)", title="by channel")
    return made
