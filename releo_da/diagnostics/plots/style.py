"""The one look of all figures: sizes, colours that colour-blind readers can tell apart, labels.

Figures are `matplotlib.figure.Figure` objects drawn without pyplot, so that nothing is global:
two runs in one process, or in two threads, do not see each other. Colours are those of Okabe and
Ito (2008); a colour always means the same thing (`COLOURS`), rivals differ by marker as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

Array = NDArray[Any]

WIDTH = 7.6  # inches, the text width of the report
DPI = 144
LONG = 18  # characters of a label that fit beside a small panel
INK, FAINT, GRID = "#222222", "#6b6b6b", "#e3e3e3"

COLOURS = {
    "background": "#56B4E9",
    "analysis": "#0072B2",
    "smoothed": "#D55E00",
    "forecast": "#CC79A7",
    "encoder": "#8c6d31",
    "climatology": "#6b6b6b",
    "in_situ": "#009E73",
    "observed": INK,
    "withheld": "#E69F00",
    "truth": INK,
}
RIVALS = (
    ("#6b6b6b", "s"),
    ("#009E73", "^"),
    ("#E69F00", "D"),
    ("#CC79A7", "v"),
    ("#56B4E9", "P"),
    ("#8c6d31", "X"),
    ("#000000", "*"),
)

TITLE: dict[str, Any] = {"fontsize": 9.5, "loc": "left", "color": INK}
"""How a title of a panel is written."""

UNITS = {"1": "", "": "", "degree": "°", "m2 m-2": "m² m⁻²", "ug cm-2": "µg cm⁻²",
         "g cm-2": "g cm⁻²", "g m-2": "g m⁻²", "m3 m-3": "m³ m⁻³"}  # fmt: skip


def figure(
    rows: int = 1,
    columns: int = 1,
    height: float = 2.6,
    width: float = WIDTH,
    **options: Any,
) -> tuple[Figure, Array]:
    """An empty figure and its axes.

    Args:
        rows: of panels.
        columns: of panels.
        height: inches of one row.
        width: inches of the whole figure.
        options: handed to ``Figure.subplots`` (sharex, width_ratios, ...).

    Returns:
        The figure and ``[rows, columns]`` axes, dressed.
    """
    made = Figure(figsize=(width, height * rows), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(made)
    axes = made.subplots(rows, columns, squeeze=False, **options)
    for one in axes.flat:
        dress(one)
    return made, axes


def dress(axes: Axes) -> None:
    """Light frame, light grid, small ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK, length=3, width=0.6)


def name_axes(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Labels of both axes and a title at the left, where given; a long y label takes two lines."""
    axes.set_xlabel(x, fontsize=8.5, color=INK)
    axes.set_ylabel(y if len(y) <= LONG else y.replace(" (", "\n("), fontsize=8.5, color=INK)
    if title:
        axes.set_title(title, **TITLE)


def legend(axes: Axes, **options: Any) -> None:
    """A frameless legend, if there is anything to explain."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**{"fontsize": 7.5, "frameon": False, **options})


def legend_above(made: Figure, axes: Iterable[Axes]) -> None:
    """One legend above all panels, each entry once."""
    entries = {
        name: handle
        for one in axes
        for handle, name in zip(*one.get_legend_handles_labels(), strict=True)
    }
    if entries:
        columns = len(entries) if len(entries) <= 4 else 3
        options: dict[str, Any] = {"ncols": columns, "fontsize": 7.5, "frameon": False}
        made.legend(entries.values(), entries.keys(), loc="outside upper left", **options)


def dates(axes: Axes) -> None:
    """A time axis with short labels."""
    locator = AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def model_time(axes: Axes) -> None:
    """A time axis with plain numbers: the model time of a toy model, which is counted as days."""
    axes.set_xlabel("model time", fontsize=8.5, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(ScalarFormatter())


def label(name: str, unit: str = "") -> str:
    """``name (unit)``, without the bracket where there is no unit."""
    return f"{name} ({written(unit)})" if written(unit) else name


def written(unit: str) -> str:
    """A unit as it is read, ``m2 m-2 -> m² m⁻²``; nothing for 1."""
    return UNITS.get(unit, unit)


def colour(name: str, rivals: Iterable[str] = ()) -> tuple[str, str]:
    """Colour and marker of a method; rivals are told apart by their place in `rivals`."""
    if name in COLOURS:
        return COLOURS[name], "o"
    order = list(rivals)
    return RIVALS[(order.index(name) if name in order else 0) % len(RIVALS)]


def words(name: str) -> str:
    """A key of scores.json as words, ``savitzky_golay -> Savitzky-Golay``."""
    known = {
        "ou_kalman": "OU Kalman",
        "matern_kalman": "Matérn Kalman",
        "gru": "GRU",
        "savitzky_golay": "Savitzky-Golay",
        "double_logistic": "double logistic",
        "whittaker": "Whittaker",
        "ndvi": "NDVI",
        "lai": "LAI",
        "lai_green": "green LAI",
        "ccc": "CCC",
        "cwc": "CWC",
        "fapar": "FAPAR",
        "fcover": "FCOVER",
        "cab": "chlorophyll cab",
        "rmse": "RMSE",
        "mae": "MAE",
        "crps": "CRPS",
        "crps_fair": "fair CRPS",
        "cw": "leaf water cw",
        "median_abs": "median |error|",
        "unbiased_rmse": "unbiased RMSE",
        "coverage_90": "90 % coverage",
        "in_situ": "field measurement",
        "harmonic": "harmonic, pooled",
        "place_day_of_year": "day of year, of the place",
        "place_harmonic": "harmonic, of the place",
        "r2": "r²",
    }
    head, _, days = name.rpartition("_")
    if head == "forecast" and days.replace(".", "").isdigit():
        return f"forecast, {days} days"
    return known.get(name, name.replace("_", " "))


def instants(times: Array) -> Array:
    """Days since 1970-01-01, or datetime64, as datetime64 for a time axis."""
    times = np.asarray(times)
    if np.issubdtype(times.dtype, np.datetime64):
        return times
    return np.round(times.astype(float) * 86_400).astype("datetime64[s]")


def png(made: Figure) -> bytes:
    """The figure as PNG, without a date inside: the same figure gives the same bytes.

    Those of ``Figure.savefig``, which walks through the whole figure twice, once to lay it out.
    """
    canvas, out = FigureCanvasAgg(made), BytesIO()
    canvas.draw()
    nameless: dict[str, Any] = {"Software": None}
    imsave(out, canvas.buffer_rgba(), format="png", dpi=DPI, metadata=nameless)
    return out.getvalue()
