"""Does assimilation pay? Its scores beside those of the baselines on the same values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics.leads import middle
from releo_da.diagnostics.plots import style

OURS = "assimilation"
SCORES = ("rmse", "crps")

TOY = "state"
"""The one variable of a toy model, whose time has no unit."""


def by_horizon(scores: Mapping[str, Any], variable: str, unit: str = "") -> Figure:
    """RMSE and CRPS of forecasts against the horizon, the assimilation and every baseline.

    Args:
        scores: as in scores.json.
        variable: a variable of its ``forecast``.
        unit: of the variable.
    """
    lines = forecasts(scores, variable)
    names = [name for name in lines if name != OURS]
    paints = {style.words(name): paint(name, names) for name in lines}
    named = {style.words(name): rows for name, rows in lines.items()}
    return by_lead(named, variable, paints, unit)


def by_lead(
    lines: Mapping[str, Mapping[str, Any]],
    variable: str,
    paints: Mapping[str, tuple[str, str]],
    unit: str = "",
) -> Figure:
    """RMSE and CRPS against the lead time, one line per method or run.

    Args:
        lines: rows of scores.json by lead time, ``{name: {days: row}}``; names as they are read.
        variable: that they are of.
        paints: colour and marker of each; `OURS` is drawn thicker.
        unit: of the variable.
    """
    made, axes = style.figure(1, 2, 3.0)
    for panel, score in zip(axes[0], SCORES, strict=True):
        for name, rows in lines.items():
            leads = sorted(rows, key=middle)
            values = [number(rows[lead].get(score)) for lead in leads]
            colour, marker = paints[name]
            ours = name == OURS
            days = [middle(lead) for lead in leads]
            panel.plot(days, values, marker=marker, markersize=5 if ours else 3.8, color=colour,
                       linewidth=2.2 if ours else 1.0, zorder=4 if ours else 2,
                       label=name)  # fmt: skip
        panel.set_ylim(0.0, 1.04 * panel.get_ylim()[1])  # so that no marker is cut
        ticks = sorted({lead for rows in lines.values() for lead in rows}, key=middle)
        panel.set_xticks([middle(lead) for lead in ticks], ticks)
        variable_score = f"{style.words(score)} of {style.words(variable)}"
        ahead = "model time ahead" if variable == TOY else "days ahead"
        style.name_axes(panel, ahead, style.label(variable_score, unit))
    style.legend_above(made, axes[0, :1])
    return made


def forecasts(scores: Mapping[str, Any], variable: str) -> dict[str, dict[str, Any]]:
    """Rows of every method by lead time, ``{method: {days: row}}``, the assimilation first.

    Days are those of scores.json: a horizon such as ``10``, or a bin such as ``10-30``.
    """
    methods = {OURS: scores.get("forecast", {})}
    for name, found in scores.get("baselines", {}).items():
        methods[name] = found.get("forecast", {})
    lines = {
        name: {day: rows[variable] for day, rows in found.items() if variable in rows}
        for name, found in methods.items()
    }
    return {name: rows for name, rows in lines.items() if rows}


def smoothed(scores: Mapping[str, Any], variable: str) -> Figure:
    """RMSE and CRPS on withheld values, bars from best to worst."""
    rows = {OURS: scores.get("smoothed", {}).get(variable)}
    for name, found in scores.get("baselines", {}).items():
        rows[name] = found.get("smoothed", {}).get(variable)
    rows = {name: row for name, row in rows.items() if row}
    made, axes = style.figure(1, 2, 0.9 + 0.26 * max(len(rows), 2))
    for panel, score in zip(axes[0], SCORES, strict=True):
        ladder(panel, {name: number(row.get(score)) for name, row in rows.items()})
        text = f"{style.words(score)} of withheld {style.words(variable)}"
        style.name_axes(panel, text)
    return made


def ladder(panel: Axes, values: Mapping[str, float]) -> None:
    """Horizontal bars from best (top) to worst, the assimilation in its own colour."""
    order = sorted(
        (n for n in values if np.isfinite(values[n])), key=lambda n: values[n], reverse=True
    )
    colours = [style.COLOURS["smoothed"] if n == OURS else "#bdbdbd" for n in order]
    bars = panel.barh([style.words(n) for n in order], [values[n] for n in order], color=colours)
    panel.bar_label(bars, fmt="%.3f", fontsize=7, padding=2)
    panel.margins(x=0.14)
    panel.grid(False, axis="y")


def paint(name: str, rivals: list[str]) -> tuple[str, str]:
    """Colour and marker of a method."""
    return (style.COLOURS["smoothed"], "o") if name == OURS else style.colour(name, rivals)


def number(value: float | None) -> float:
    """A score read from JSON, where null is NaN."""
    return float("nan") if value is None else float(value)
