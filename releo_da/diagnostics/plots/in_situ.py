"""Field measurements against the state: a scatter with the error of both."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from releo_da.diagnostics import scores
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array


def scatter(
    measured: Array,
    predicted: dict[str, Array],
    name: str,
    unit: str = "",
    measured_sd: Array | None = None,
    predicted_sd: dict[str, Array] | None = None,
) -> Figure:
    """One panel per estimate (analysis, smoothed), one dot per field measurement.

    Args:
        measured: ``[row]``.
        predicted: ``{role: [row]}``, "analysis" and "smoothed" have their colours.
        name: of the variable.
        unit: of both.
        measured_sd: ``[row]`` measurement error.
        predicted_sd: ``{role: [row]}`` spread of the ensemble.
    """
    made, axes = style.figure(1, len(predicted), 3.5, width=3.75 * max(len(predicted), 1.2))
    everything = np.concatenate([measured, *predicted.values()])
    bars = [np.zeros(1) if measured_sd is None else measured_sd]
    bars += [] if predicted_sd is None else list(predicted_sd.values())
    bar = max(float(np.nanmax(b)) for b in bars)
    top = float(np.nanmax(everything)) + bar
    bottom = min(-0.03 * top, float(np.nanmin(everything)))
    for one, (role, values) in zip(axes[0], predicted.items(), strict=True):
        one.plot([bottom, top], [bottom, top], color=style.FAINT, linewidth=1, linestyle="--")
        one.errorbar(
            measured,
            values,
            yerr=None if predicted_sd is None else predicted_sd.get(role),
            xerr=measured_sd,
            fmt="o",
            markersize=3.6,
            color=style.COLOURS.get(role, style.INK),
            ecolor="#bbbbbb",
            elinewidth=0.6,
        )
        text = (
            f"{style.words(role)}, n = {len(scores.pairs(measured, values)[0])}\n"
            f"RMSE {scores.rmse(measured, values):.2f}, bias {scores.bias(measured, values):+.2f}, "
            f"unbiased RMSE {scores.unbiased_rmse(measured, values):.2f}, "
            f"r² {scores.r2(measured, values):.2f}"
        )
        one.set(xlim=(bottom, top), ylim=(bottom, top), aspect="equal")
        style.name_axes(
            one, style.label(f"measured {name}", unit), style.label(f"estimated {name}", unit)
        )
        one.set_title(text, fontsize=8, loc="left", color=style.INK)
    return made
