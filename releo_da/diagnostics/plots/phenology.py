"""Dates of seasons: beside a truth, of points one above the other, and as maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE

from releo_da.diagnostics import scores
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.maps import cropped, draw_row
from releo_da.diagnostics.plots.style import Array

KINDS = {"start": "#009E73", "peak": "#0072B2", "end": "#D55E00"}
"""Dates of a season and their colours."""

APART = {"start": 0.25, "peak": 0.0, "end": -0.25}
"""Heights of the dates of a season above their row, which are one apart."""

NAMED = 20
"""Rows of points that have room for names, at most."""

AXIS = "day of the year"


def beside_truth(dates: Mapping[str, tuple[Array, Array, Array, Array]]) -> Figure:
    """True dates against estimated ones with their intervals, a panel per kind of date.

    Args:
        dates: by kind, the truth, median, lower and upper of each season, ``[season]`` days of the
            year each; NaN where either has none.
    """
    made, axes = style.figure(1, len(dates), 3.1)
    for one, (kind, (true, middle, lower, upper)) in zip(axes[0], dates.items(), strict=True):
        known = np.isfinite(true) & np.isfinite(middle)
        y, x, low, high = (part[known] for part in (true, middle, lower, upper))
        ends = np.concatenate([y, x]) if len(y) else np.array([0.0, 365.0])
        first, last = ends.min() - 8.0, ends.max() + 8.0
        one.plot([first, last], [first, last], color=style.FAINT, linewidth=1, linestyle="--")
        bars = np.stack([np.maximum(x - low, 0.0), np.maximum(high - x, 0.0)])
        one.errorbar(
            y, x, yerr=bars, fmt="o", markersize=3.2, color=KINDS[kind], ecolor="#bbbbbb",
            elinewidth=0.7,
        )  # fmt: skip
        one.set(xlim=(first, last), ylim=(first, last), aspect="equal")
        inside = scores.coverage(y, low, high) if len(y) else float("nan")
        text = (
            f"{kind}, n = {len(y)}: 90 % hold {100 * inside:.0f} %\n"
            f"RMSE {scores.rmse(y, x):.1f} d, bias {scores.bias(y, x):+.1f} d"
        )
        style.name_axes(one, f"true {AXIS}", f"estimated {AXIS}" if kind == "start" else "")
        one.set_title(text, fontsize=8, loc="left", color=style.INK)
    return made


def by_point(
    dates: Mapping[str, tuple[Array, Array, Array]],
    cut: Mapping[str, Array],
    rows: Array,
    names: Sequence[str],
    title: str,
) -> Figure:
    """Seasons of points, one above the other, in the order given.

    Args:
        dates: by kind, median, lower and upper of each season, ``[season]`` days of the year.
        cut: ``{"start": ..., "end": ...}``, ``[season]`` whether the lower bound of the start, or
            the upper one of the end, is where the period is cut; an arrow stands there.
        rows: ``[season]``, the height at which each is drawn.
        names: ``[row]``, written beside the rows where they are few.
        title: above the panel.
    """
    made, axes = style.figure(1, 1, float(np.clip(1.1 + 0.2 * len(names), 1.8, 9.0)))
    one = axes[0, 0]
    for kind, (middle, lower, upper) in dates.items():
        at = rows + APART[kind]
        one.hlines(at, lower, upper, color=KINDS[kind], linewidth=1.2)
        one.plot(middle, at, "o", color=KINDS[kind], markersize=3.0, label=kind)
    arrows: dict[str, Any] = {"linestyle": "", "markersize": 4.0}
    for kind, bound, marker in (("start", 1, CARETLEFTBASE), ("end", 2, CARETRIGHTBASE)):
        beyond = dates[kind][bound][cut[kind]], (rows + APART[kind])[cut[kind]]
        one.plot(*beyond, marker=marker, color=KINDS[kind], **arrows)
    if any(some.any() for some in cut.values()):
        one.plot([], [], marker=CARETLEFTBASE, color=style.FAINT, label="or beyond", **arrows)
    one.grid(False, axis="y")
    one.set_yticks(np.arange(len(names)) if len(names) <= NAMED else [])
    if len(names) <= NAMED:
        one.set_yticklabels(names)
    one.set_ylim(-0.6, len(names) - 0.4)
    style.name_axes(one, AXIS, "point", title)
    style.legend_above(made, [one])
    return made


def season_maps(
    middle: Mapping[str, Array],
    width: Mapping[str, Array],
    x: Array,
    y: Array,
) -> Figure:
    """Maps of dates above, of the width of their 90 % intervals below, a column per kind.

    Args:
        middle: by kind ``[row, col]`` days of the year, NaN where there is no season.
        width: by kind ``[row, col]`` days.
        x: ``[col]`` coordinates.
        y: ``[row]`` coordinates.
    """
    grids = np.stack([[middle[k] for k in middle], [width[k] for k in middle]])
    if y[0] < y[-1]:
        grids, y = grids[..., ::-1, :], y[::-1]
    grids, x, y = cropped(grids, x, y)
    ratio = grids.shape[2] / max(grids.shape[3], 1)
    height = float(np.clip((style.WIDTH - 1.3) / len(middle) * ratio + 0.45, 1.5, 4.2))
    made, axes = style.figure(2, len(middle), height, sharex=True, sharey=True)
    rows = ("viridis", AXIS), ("cividis", "90 % interval (days)")
    for line, part, (palette, what) in zip(axes, grids, rows, strict=True):
        bar = made.colorbar(
            draw_row(line, part, x, y, palette), ax=list(line), shrink=0.9, pad=0.01
        )
        bar.set_label(what, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    for one, kind in zip(axes[0], middle, strict=True):
        style.name_axes(one, title=kind)
    return made
