"""Errors of several runs side by side, or of the estimates of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style

Series = Mapping[str, Sequence[Sequence[float]]]
"""Name of an estimate -> ``[mean, lower, upper]`` of each label, NaN where there is none."""

APART = 0.14
"""Width of a label that each estimate takes, so that intervals do not hide each other."""


MANY = 6
"""Labels below a panel up to which they are written in full size."""

SHORT = 8
"""Characters of a label that stay on one line."""


def by_run(
    labels: Sequence[str], panels: Mapping[str, Series], units: Mapping[str, str], x: str = ""
) -> Figure:
    """RMSE with its intervals, one panel per variable.

    Args:
        labels: of the runs, or of the estimates of one run, from left to right.
        panels: variable -> estimate -> a ``[mean, lower, upper]`` per label.
        units: of the variables.
        x: what the labels are, under the lowest panels.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    made, axes = style.figure(rows, columns, 2.5)
    for panel, (name, series) in zip(axes.flat, panels.items(), strict=False):
        middle = (len(series) - 1) / 2
        for k, (case, values) in enumerate(series.items()):
            mean, lower, upper = np.array(values, float).reshape(-1, 3).T
            colour, marker = style.colour(case, series)
            place = np.arange(len(labels)) + APART * (k - middle)
            bars = np.nan_to_num(np.abs(np.stack([mean - lower, upper - mean])))
            panel.errorbar(place, mean, bars, fmt=marker, markersize=4.5, color=colour,
                           elinewidth=1.2, capsize=2, label=style.words(case))  # fmt: skip
        panel.set_xticks(range(len(labels)), [folded(n) for n in labels])
        panel.tick_params(axis="x", labelsize=7.5 if len(labels) <= MANY else 6)
        panel.set_xlim(-0.6, len(labels) - 0.4)
        panel.set_ylim(bottom=0)
        panel.grid(False, axis="x")
        style.name_axes(panel, "", "RMSE", style.label(style.words(name), units.get(name, "")))
    for panel in axes.flat[len(panels) :]:
        panel.set_visible(False)
    if x:
        made.supxlabel(x, fontsize=8.5, color=style.INK)
    if any(len(series) > 1 for series in panels.values()):
        style.legend_above(made, axes.flat[: len(panels)])
    return made


def folded(label: str) -> str:
    """A label in words, one below the other where it is long."""
    text = style.words(label)
    return text if len(text) <= SHORT else text.replace(" ", "\n")
