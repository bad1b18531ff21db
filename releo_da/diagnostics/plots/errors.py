"""Departures from observations: O-B and O-A per channel and sensor, and what was rejected.

O-B is an observation minus its prediction before it was used, O-A after. Their biases should lie
near zero; the standard deviation of O-B should be what the ensemble expects of it, the root of
spread squared plus observation error squared (short black marks).
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style

BAR = 0.38
NAMES = {"background": "O-B", "analysis": "O-A", "smoothed": "O-S (withheld)"}


def departures(found: xr.Dataset, cases: tuple[str, ...] = ("background", "analysis")) -> Figure:
    """Bias and standard deviation of O-B and O-A, one row of panels per sensor.

    Args:
        found: the data set of `verification`; indices are left out beside reflectances, whose
            departures are smaller by a factor of five or so.
        cases: at most two, those that it holds are drawn.
    """
    held = [case for case in cases if case in found.case.values]
    channels = [c for c in found.channel.values.tolist() if c != "ndvi"] or ["ndvi"]
    unit = "reflectance" if channels != ["ndvi"] else "NDVI"
    found = found.sel(channel=channels)
    compared = found["mean"].sel(case=held).notnull().any(("case", "pixel", "channel")).values
    sensors = sorted(set(found.sensor.values[compared].tolist()))  # without a withheld one
    made, axes = style.figure(len(sensors), 2, 2.3, sharey="col")
    for sensor, (left, right) in zip(sensors, axes, strict=True):
        one = found.isel(time=np.flatnonzero(found.sensor.values == sensor))
        shown = one.observed.notnull().any(("time", "pixel")).values
        one = one.isel(channel=np.flatnonzero(shown))
        for i, case in enumerate(held):
            draw_case(left, right, one, case, (i - (len(held) - 1) / 2) * BAR)
        left.axhline(0, color=style.INK, linewidth=0.8)
        for panel, name in ((left, "bias"), (right, "standard deviation")):
            names = [style.words(c) for c in one.channel.values.tolist()]
            panel.set_xticks(np.arange(len(names)), names)
            panel.tick_params(axis="x", rotation=45)
            panel.grid(False, axis="x")
            style.name_axes(panel, y=unit, title=f"{PurePath(sensor).stem}: {name}")
    style.legend_above(made, axes[0])
    return made


def draw_case(left: Axes, right: Axes, one: xr.Dataset, case: str, shift: float) -> None:
    """Bars of one case: bias at the left, standard deviation at the right."""
    said = one.sel(case=case)
    departure = one.observed - said["mean"]
    at = np.arange(one.sizes["channel"]) + shift
    paint: dict[str, Any] = {
        "width": BAR,
        "color": style.COLOURS[case],
        "label": NAMES.get(case, case),
    }
    left.bar(at, departure.mean(("time", "pixel")), **paint)
    right.bar(at, departure.std(("time", "pixel")), **paint)
    if case == "background":
        expected = np.sqrt((said.sd**2).mean(("time", "pixel")))
        dash: dict[str, Any] = {"marker": "_", "markersize": 9, "linestyle": "none", "zorder": 3}
        right.plot(at, expected, color=style.INK, label="expected of O-B", **dash)


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
