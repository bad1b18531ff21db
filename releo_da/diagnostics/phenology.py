"""Pictures of `phenology.nc`: dates of seasons with their intervals, beside the truth of a twin."""

from __future__ import annotations

import numpy as np
import xarray as xr

from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots import phenology as plots
from releo_da.diagnostics.plots.style import words
from releo_da.diagnostics.scores import LOWER, Array

LIKELY = 0.5
"""Probability of a season above which it is drawn."""

SHOWN = 60
"""Points of a figure, at most."""

EDGE = (
    "A date that the period cuts in more than half of the members has no median; an interval that "
    "begins or ends with the period reaches beyond it."
)
"""How pictures are read at the edge of the period."""

TRUTH = "_start_truth"
PROBABILITY = "_season_probability"


def phenology_pictures(found: xr.Dataset) -> list[Picture]:
    """The pictures of the dates of a run, empty where no pixel has a season.

    Args:
        found: ``phenology.nc``, in memory.
    """
    names = [str(n).removesuffix(PROBABILITY) for n in found if str(n).endswith(PROBABILITY)]
    pictures = []
    for name in names:
        if not bool((found[name + PROBABILITY] > LIKELY).any()):
            continue
        pictures.append(mapped(found, name) if "y" in found.dims else of_points(found, name))
        if name + TRUTH in found:
            pictures.insert(0, beside(found, name))
    return pictures


def day_of_year(found: xr.Dataset, name: str) -> Array:
    """Dates as days of the year of their season, 1 on the first of January; NaN where none is.

    ``[number, time, ...]``.
    """
    year = found.time.values.reshape(-1, *[1] * (found[name].ndim - 2))
    apart = found[name].values.astype("datetime64[s]") - year.astype("datetime64[s]")
    return np.where(np.isnat(apart), np.nan, apart.astype(float) / 86_400.0 + 1.0)


def levels(found: xr.Dataset, name: str, kind: str) -> tuple[Array, Array, Array]:
    """Median, lower and upper of likely seasons, ``[number, time, ...]`` days of the year."""
    likely = found[name + PROBABILITY].values > LIKELY
    parts = (f"{name}_{kind}{level}" for level in ("", "_lower", "_upper"))
    middle, lower, upper = (np.where(likely, day_of_year(found, p), np.nan) for p in parts)
    return middle, lower, upper


def bounded(found: xr.Dataset, name: str, kind: str) -> Array:
    """Whether the outer bound of a start or end of a likely season is where the period cuts it.

    The i-th of n dates is the i / (n + 1) quantile, so the bound falls among k cut ones where
    20 k >= n + 1, which is a share above 5 %. Shares are compared as files hold them, float32; a
    file from before there were any has no such bound.
    """
    likely = found[name + PROBABILITY].values > LIKELY
    share = found.get(f"{name}_{kind}_cut", xr.zeros_like(found[f"{name}{PROBABILITY}"]))
    return likely & (share.values > np.float32(LOWER))


def beside(found: xr.Dataset, name: str) -> Picture:
    """Estimated against true dates."""
    dates = {}
    for kind in plots.KINDS:
        true = day_of_year(found, f"{name}_{kind}_truth").ravel()
        middle, lower, upper = (part.ravel() for part in levels(found, name, kind))
        dates[kind] = true, middle, lower, upper
    return Picture(
        f"phenology_{name}_truth",
        f"Dates of seasons of {words(name)} against the truth",
        "One dot per season of a pixel: median of the ensemble, and bars from its 5 to its 95 % "
        "quantile. The dashed line is equality; nine bars in ten should meet it. " + EDGE,
        plots.beside_truth(dates),
    )


def of_points(found: xr.Dataset, name: str) -> Picture:
    """Seasons of points, sorted by their peak within each year and number."""
    chosen = np.unique(np.linspace(0, found.sizes["point"] - 1, SHOWN).round().astype(int))
    some = found.isel(point=chosen)
    held = {kind: levels(some, name, kind) for kind in plots.KINDS}
    peak = held["peak"][0]
    last = int(np.argwhere(np.isfinite(peak))[:, 1].max(initial=0))
    order = np.argsort(np.nanmin(np.where(np.isfinite(peak[:, last]), peak[:, last], 999.0), 0))
    rows = np.broadcast_to(np.argsort(order), peak[:, last].shape).ravel()
    dates = {
        kind: (middle[:, last].ravel(), lower[:, last].ravel(), upper[:, last].ravel())
        for kind, (middle, lower, upper) in held.items()
    }
    cut = {kind: bounded(some, name, kind)[:, last].ravel() for kind in ("start", "end")}
    called = some["label" if "label" in some.coords else "point"].values[order].astype(str)
    year = str(some.time.values[last].astype("datetime64[Y]"))
    return Picture(
        f"phenology_{name}",
        f"Seasons of {words(name)}",
        "Start, peak and end of the seasons of points, with 90 % intervals of the ensemble: "
        "in the row of a point, starts above and ends below; the earliest peak is in the lowest "
        "row. Drawn are seasons that more than half of the members have. "
        + EDGE
        + " Arrows stand at such ends.",
        plots.by_point(dates, cut, rows, list(called), f"seasons that peak in {year}"),
    )


def mapped(found: xr.Dataset, name: str) -> Picture:
    """Maps of the first season of the last year that has any."""
    held = {kind: levels(found, name, kind) for kind in plots.KINDS}
    last = int(np.argwhere(np.isfinite(held["peak"][0][0]))[:, 0].max(initial=0))
    year = str(found.time.values[last].astype("datetime64[Y]"))
    middle = {kind: one[0][0, last] for kind, one in held.items()}
    width = {kind: one[2][0, last] - one[1][0, last] for kind, one in held.items()}
    return Picture(
        f"phenology_{name}",
        f"First season of {words(name)} in {year}",
        "Median dates above, the width of their 90 % intervals below. Empty where less than half "
        "of the members have a season. " + EDGE,
        plots.season_maps(
            middle, width, found.x.values.astype(float), found.y.values.astype(float)
        ),
    )
