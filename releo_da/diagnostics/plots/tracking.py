"""Does an ensemble follow the truth? Its error and its spread through time, one line each.

The error is the root of the mean square over components, the spread the root of the mean variance.
In a calibrated filter the two move together; where the error leaves the spread and does not come
back, the filter has lost the truth.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array

SMOOTHED_TO = 200
"""Points of a line at most; longer series are averaged over equal stretches."""


def tracking(times: Array, cases: Mapping[str, tuple[Array, Array]]) -> Figure:
    """Error (full line) and spread (dashed) of estimates through time, on a logarithmic axis.

    Args:
        times: ``[time]`` model time.
        cases: name -> error and spread, ``[time]`` each, NaN absent.
    """
    made, axes = style.figure(1, 1, 3.0)
    one = axes[0, 0]
    for name, (error, spread) in cases.items():
        colour, _ = style.colour(name)
        for values, line, what in ((error, "-", "error"), (spread, "--", "spread")):
            known = np.isfinite(values) & (values > 0)
            at, drawn = thinned(times[known], values[known])
            text = f"{style.words(name)}: {what}"
            one.plot(at, drawn, line, color=colour, linewidth=1.1, label=text)
    one.set_yscale("log")
    style.name_axes(one, "model time", "root-mean-square over components")
    style.legend_above(made, [one])
    return made


def thinned(times: Array, values: Array) -> tuple[Array, Array]:
    """Means over equal stretches of a long series."""
    if len(values) <= SMOOTHED_TO:
        return times, values
    parts = np.array_split(np.arange(len(values)), SMOOTHED_TO)
    return tuple(np.array([axis[part].mean() for part in parts]) for axis in (times, values))  # type: ignore[return-value]
