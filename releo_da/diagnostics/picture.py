"""What a report shows: pictures with their captions, and the field measurements behind some."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from releo_da.diagnostics.scores import Array


class Picture(NamedTuple):
    """A figure of the report.

    Attributes:
        name: of its file, without suffix.
        title: one line.
        caption: what is drawn and how to read it.
        figure: the figure, or the path of a PNG.
    """

    name: str
    title: str
    caption: str
    figure: Figure | Path


class FieldPairs(NamedTuple):
    """Field measurements and what the state said of them, for scatters and series.

    Attributes:
        variable: its name in analysis.nc.
        unit: of all values.
        measured: ``[row]``.
        measured_sd: ``[row]`` measurement error.
        predicted: ``{"analysis": [row], "smoothed": [row]}``.
        predicted_sd: the same, spread.
        times: ``[row]`` days, or None.
        pixel: ``[row]`` position on the point axis, or None.
    """

    variable: str
    unit: str
    measured: Array
    measured_sd: Array | None
    predicted: dict[str, Array]
    predicted_sd: dict[str, Array] | None = None
    times: Array | None = None
    pixel: Array | None = None
