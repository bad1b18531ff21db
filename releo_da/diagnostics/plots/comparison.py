"""Figures of several runs: differences with intervals, error through time, calibration.

A run has one colour and one marker in all of them (`paints`), the first that of the assimilation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics.differences import Difference
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array

PAINTS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"),
          ("#E69F00", "v"), ("#56B4E9", "P"), ("#8c6d31", "X"))  # fmt: skip
ROW = 0.24  # inches of a line of a chart of names
NOMINAL = 90.0


def paints(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each run; from the eighth on they begin again."""
    return {name: PAINTS[k % len(PAINTS)] for k, name in enumerate(names)}


def changes(
    found: Mapping[str, Sequence[Difference]], score: str, painted: Mapping[str, tuple[str, str]]
) -> Figure:
    """Changes of a score against the first run with their 95 % intervals, variables down.

    Args:
        found: differences of one case by the name of the run.
        score: of which changes are drawn.
        painted: colour and marker of each run.
    """
    names = list(dict.fromkeys(one.variable for held in found.values() for one in held))
    made, axes = style.figure(1, 1, 0.9 + (ROW + 0.1 * (len(found) - 1)) * len(names))
    panel = axes[0, 0]
    for k, (run, held) in enumerate(found.items()):
        of_score = [one for one in held if one.score == score]
        at = np.array([names.index(one.variable) for one in of_score], float)
        at += (k - (len(found) - 1) / 2) * 0.8 / max(len(found), 2)
        change = 100.0 * np.array([one.change for one in of_score])
        ends = 100.0 * np.array([(one.lower, one.upper) for one in of_score]).reshape(-1, 2)
        error = np.abs(np.nan_to_num(ends - change[:, None])).T
        colour, marker = painted[run]
        panel.errorbar(change, at, xerr=error, fmt=marker, color=colour, markersize=4.5,
                       elinewidth=1.2, capsize=2, label=run)  # fmt: skip
    panel.axvline(0.0, color=style.INK, linewidth=0.8)
    rows(panel, names)
    style.name_axes(panel, x=f"change of {style.words(score)} (%); left of 0 is better")
    style.legend_above(made, [panel])
    return made


def rows(panel: Axes, names: Sequence[str]) -> None:
    """Names of variables down the vertical axis, the first on top."""
    panel.set_yticks(range(len(names)), [style.words(name) for name in names])
    panel.set_ylim(len(names) - 0.4, -0.6)


def calibration(
    found: Mapping[str, Mapping[str, tuple[float, float]]], painted: Mapping[str, tuple[str, str]]
) -> Figure:
    """Coverage of the 90 % interval, and spread as a share of the error, variables down.

    Args:
        found: ``{run: {variable: (coverage_90, spread / rmse)}}``, NaN where one is not known.
        painted: colour and marker of each run.
    """
    names = list(dict.fromkeys(name for held in found.values() for name in held))
    made, axes = style.figure(1, 2, 0.9 + ROW * len(names), sharey=True)
    for k, panel in enumerate(axes[0]):
        for run, held in found.items():
            values = [held.get(name, (np.nan, np.nan))[k] for name in names]
            colour, marker = painted[run]
            panel.plot(values, range(len(names)), marker, color=colour, markersize=4.5, label=run)
        rows(panel, names)
    axes[0, 0].axvline(NOMINAL, color=style.INK, linewidth=0.8)
    axes[0, 1].axvline(1.0, color=style.INK, linewidth=0.8)
    axes[0, 1].set_xlim(left=0.0)
    style.name_axes(axes[0, 0], x="values inside the 90 % interval (%)")
    style.name_axes(axes[0, 1], x="spread / RMSE")
    style.legend_above(made, axes[0])
    return made


def through_time(
    panels: Mapping[str, Mapping[str, tuple[Array, Array, Array]]],
    labels: Mapping[str, str],
    painted: Mapping[str, tuple[str, str]],
    toy: bool = False,
) -> Figure:
    """Error (full line) and spread (dashed) of each run through time, one panel per variable.

    Args:
        panels: ``{variable: {run: (times, error, spread)}}``, ``[time]`` each.
        labels: of the vertical axis by variable, with unit.
        painted: colour and marker of each run.
        toy: whether times are model times.
    """
    made, axes = style.figure(len(panels), 1, 1.9, sharex=True)
    for panel, (name, runs) in zip(axes[:, 0], panels.items(), strict=True):
        for run, (times, error, spread) in runs.items():
            at, colour = style.instants(times), painted[run][0]
            panel.plot(at, error, "-", color=colour, linewidth=1.3, label=run)
            panel.plot(at, spread, "--", color=colour, linewidth=1.0)
        panel.set_ylim(bottom=0.0)
        style.name_axes(panel, y=labels[name], title=style.words(name))
        (style.model_time if toy else style.dates)(panel)
        panel.label_outer()
    style.legend_above(made, axes[:, 0])
    return made
