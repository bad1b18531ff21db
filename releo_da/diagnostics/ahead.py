"""Pictures of a forecast: what came before it, where it goes, and what it returns to.

The places are those of the series of the same run, so that a reader can go from one to the other.
Dotted lines are the climatology, the distribution of the dynamics where nothing was observed: a
forecast far ahead is the climatology, whatever happened in the field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from releo_da.diagnostics import plots
from releo_da.diagnostics.picture import FieldPairs, Picture
from releo_da.diagnostics.places import chosen_places, place_name
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.products import band, variables

BEFORE = np.timedelta64(365, "D")
"""How much of the past is drawn."""


def forecast_pictures(
    ahead: xr.Dataset,
    analysis: xr.Dataset | None = None,
    climatology: xr.Dataset | None = None,
    verification: xr.Dataset | None = None,
    field: Sequence[FieldPairs] = (),
    scenarios: Mapping[str, xr.Dataset] = {},
) -> list[Picture]:
    """The forecast of each variable at the places of the series, after the year before it.

    Args:
        ahead: forecast.nc; its attribute ``comment`` says what it assumes.
        analysis: analysis.nc of the same run.
        climatology: climatology.nc.
        verification: verification.nc, which decides the places of the series.
        field: field measurements, which do as well.
        scenarios: forecasts under other weather, by name; drawn in front.
    """
    names = variables(ahead)
    if not names:
        return []
    drawn = ahead if analysis is None else analysis
    places = chosen_places(drawn, variables(drawn)[0], verification, field)
    before = None
    if analysis is not None:
        start = ahead.time.values[0]
        recent = (analysis.time.values >= start - BEFORE) & (analysis.time.values <= start)
        before = analysis.isel(time=recent)
    caption = (
        "Median, 50 % and 90 % range of the forecast, after what was estimated in the year before "
        f"it. {ahead.attrs.get('comment', '')} Dotted lines: median and 90 % range of the "
        "climatology."
    )
    painted = {name: style.RIVALS[k % len(style.RIVALS)][0] for k, name in enumerate(scenarios, 1)}
    if scenarios:
        titles = "; ".join(f"{n}: {one.attrs.get('title', '')}" for n, one in scenarios.items())
        caption += f" Scenarios: {titles}."
    pictures = []
    for name in names:
        panels = []
        for place in places:
            there = moved(place, drawn, ahead)
            bands = [] if there is None else [band(ahead, name, there, "forecast")]
            for other, one in scenarios.items():
                at = moved(place, drawn, one)
                if at is not None and name in one:
                    line = band(one, name, at, "forecast")._replace(run=(other, painted[other]))
                    bands.append(line)
            if climatology is not None and there is not None:
                bands.insert(0, band(climatology, name, there, "climatology"))
            if before is not None and before.sizes["time"] and name in before:
                bands.insert(0, band(before, name, place))
            label = style.label(style.words(name), ahead[name].attrs.get("units", ""))
            panels.append(plots.Panel(place_name(drawn, place), label, bands))
        title = f"Forecast of {style.words(name)} at {len(places)} places"
        made = plots.series(panels, columns=3, height=1.6)
        pictures.append(Picture(f"ahead_{name}", title, caption, made))
    return pictures


def moved(place: Mapping[str, int], here: xr.Dataset, there: xr.Dataset) -> dict[str, int] | None:
    """A place of one data set in another, by its coordinates; None where that lacks it."""
    found = {}
    for axis, position in place.items():
        at = np.flatnonzero(there[axis].values == here[axis].values[position])
        if not at.size:
            return None
        found[axis] = int(at[0])
    return found
