"""Figures of a run; every function takes arrays or data sets and returns a Figure."""

from releo_da.diagnostics.plots.calibration import rank_histograms, reliability_diagram
from releo_da.diagnostics.plots.errors import departures, rejections
from releo_da.diagnostics.plots.in_situ import scatter
from releo_da.diagnostics.plots.maps import maps, unflatten
from releo_da.diagnostics.plots.runs import by_run
from releo_da.diagnostics.plots.series import Band, Panel, Points, series
from releo_da.diagnostics.plots.skill import by_horizon, by_lead, smoothed
from releo_da.diagnostics.plots.style import png
from releo_da.diagnostics.plots.tracking import tracking

__all__ = [
    "Band",
    "Panel",
    "Points",
    "by_horizon",
    "by_lead",
    "by_run",
    "departures",
    "maps",
    "png",
    "rank_histograms",
    "rejections",
    "reliability_diagram",
    "scatter",
    "series",
    "smoothed",
    "tracking",
    "unflatten",
]
