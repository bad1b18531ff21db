"""Calibration: rank histograms and the reliability of intervals.

Ranks should be flat within the grey band (what chance allows with independent samples; values of
one date are not independent, so real histograms may leave it a little). A U is an ensemble too
narrow, a dome too wide, a slope biased. In the reliability diagram a curve below the diagonal is
overconfident.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from releo_da.diagnostics.calibration import Histogram, coarser, reliability, widest
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array


def rank_histograms(histograms: Mapping[str, Histogram], columns: int = 3) -> Figure:
    """One histogram per name (a case, a channel), as density: 1 is calibrated.

    Bins are as many as the counts bear (`releo_da.diagnostics.calibration.coarser`).
    """
    rows = -(-len(histograms) // columns)
    columns = min(columns, max(len(histograms), 1))
    made, axes = style.figure(max(rows, 1), columns, 2.2, sharex=True)
    for one, (name, found) in zip(axes.flat, histograms.items(), strict=False):
        found = coarser(found)
        scale = np.maximum(found.expected, 1e-12)
        density, band = found.counts / scale, found.band / scale
        width = np.diff(found.edges)
        one.bar(found.edges[:-1], density, width, align="edge", color=style.COLOURS["analysis"],
                edgecolor="white", linewidth=0.6)  # fmt: skip
        one.stairs(band[1], found.edges, baseline=band[0], fill=True, color="#000000", alpha=0.18,
                   zorder=0.6)  # fmt: skip
        one.axhline(1, color=style.INK, linewidth=0.8)
        one.set_xlim(0, 1)
        one.tick_params(labelbottom=True)  # also above a panel that is hidden
        title = f"{style.words(name)}\nn = {int(found.counts.sum())}"
        style.name_axes(one, "rank / (members + 1)", "density", title)
    for one in axes.flat[len(histograms) :]:
        one.set_visible(False)
    return made


def reliability_diagram(transforms: Mapping[str, Array], members: int | None = None) -> Figure:
    """Observed against nominal coverage of central intervals, one curve per name.

    Args:
        transforms: ``{name: PIT}``, any shape, NaN absent.
        members: size of the ensemble, at whose widest interval curves end; None of a distribution.
    """
    made, axes = style.figure(1, 1, 3.6, width=4.4)
    one = axes[0, 0]
    one.plot([0, 100], [0, 100], color=style.FAINT, linewidth=1, linestyle="--")
    names = [n for n in transforms if n not in style.COLOURS]
    for name, transform in transforms.items():
        nominal, observed = reliability(transform)
        if members is not None:
            told = nominal <= widest(members) + 1e-9
            nominal, observed = nominal[told], observed[told]
        colour, marker = style.colour(name, names)
        count = int(np.isfinite(transform).sum())
        text = f"{style.words(name)} (n = {count})"
        one.plot(100 * nominal, 100 * observed, marker=marker, markersize=4, color=colour,
                 linewidth=1.2, label=text)  # fmt: skip
    one.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    style.name_axes(one, "nominal coverage (%)", "observed coverage (%)")
    style.legend(one, loc="upper left")
    return made
