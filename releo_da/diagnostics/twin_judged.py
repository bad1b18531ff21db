"""Pictures of what a twin says of itself: calibration, channels, retrieval, maps beside truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from releo_da.diagnostics import plots
from releo_da.diagnostics.calibration import histogram, widest
from releo_da.diagnostics.departures import departure_pictures
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots import judged, landscape, style
from releo_da.diagnostics.plots.products import map_axes, spaced
from releo_da.diagnostics.scores import Array

PREFERRED = ("lai", "cab", "cw", "soil_moisture", "fapar", "ndvi")
"""Variables that figures show first; of a state that lacks all of them its first ones."""

CASES = ("free_run", "background", "analysis", "smoothed")


def chosen(held: Sequence[str], count: int) -> list[str]:
    """The variables that a figure has room for."""
    first = [name for name in PREFERRED if name in held]
    return (first or [n for n in held if not n[:1].isupper()] or list(held))[:count]


def judged_pictures(
    scores: Mapping[str, Any], units: Mapping[str, str], members: int
) -> list[Picture]:
    """What follows from scores.json alone; parts that it lacks are left out."""
    found = []
    if "retrieval" in scores.get("seen", {}):
        found.append(retrieval_picture(scores))
    if scores.get("calibration"):
        found += calibration_pictures(scores["calibration"], units, members)
    found += departure_pictures(scores)
    if scores.get("impact"):
        found.append(impact_picture(scores["impact"], units))
    return found


def retrieval_picture(scores: Mapping[str, Any]) -> Picture:
    """Estimates where the acquisition saw something."""
    names = chosen(list(scores["seen"]["retrieval"]), 6)
    network = "network" in scores["seen"]
    return Picture(
        "retrieval",
        "Each date by itself beside the filter",
        "Error at the pixels and dates that a satellite saw, as a share of the error without any "
        "observation (1). The retrieval knows the acquisition of that date alone; where the "
        "analysis is shorter, memory of earlier dates pays. Beyond 1 an estimate is worse than "
        "none." + (" The network reads that acquisition alone as well." if network else ""),
        judged.seen(scores, names),
    )


def calibration_pictures(
    rows: Mapping[str, Any], units: Mapping[str, str], members: int
) -> list[Picture]:
    """Rank histograms of the thinned sample, reliability and spread-skill of all values."""
    held = {case: rows[case] for case in CASES if case in rows}
    last = "analysis" if "analysis" in held else next(iter(held))
    names = chosen(list(held[last]), 6)
    histograms = {
        f"{style.words(name)}, {last}": histogram(np.array(held[last][name]["ranks"]), members)
        for name in names
    }
    return [
        Picture(
            "ranks",
            "Rank histograms of the analysis",
            "Where the truth falls among the members, of a sample of pixels and dates far apart. "
            "Flat is calibrated (the grey band is chance for independent values); U-shaped is too "
            "narrow, domed too wide, sloping biased: high at the right means that the truth lies "
            "above the ensemble.",
            plots.rank_histograms(histograms, 3),
        ),
        Picture(
            "reliability",
            "Reliability of intervals",
            "Share of truths inside central intervals, of all pixels and dates. On the dashed "
            "diagonal intervals hold what they promise; below it they are too narrow. The black "
            "mark is what an honest 90 % interval may hold, 85 to 95 %. Curves end at the interval "
            f"from the first to the last of {members} members, {100 * widest(members):.0f} %.",
            judged.reliability(held, names, members),
        ),
        Picture(
            "spread_skill",
            "Error by predicted spread",
            "Values sorted by the spread that the ensemble gave them; dots grow with their number. "
            "On the dashed line the spread says how large the error is; above it the ensemble is "
            "too sure. A flat row of dots means that the spread does not tell large errors from "
            "small ones. Both axes are logarithmic, in the unit of the title.",
            judged.spread_skill(held, names, units),
        ),
    ]


def impact_picture(rows: Mapping[str, Any], units: Mapping[str, str]) -> Picture:
    """What each channel did to the error of some variables."""
    first = next(iter(rows.values()))
    names = chosen([n for n in first if n != "observations"], 4)
    return Picture(
        "impact",
        "What each channel brought",
        "Mean change of the squared error of the ensemble mean by each channel, per analysed "
        "pixel. Blue, to the left: the channel took error away; orange, to the right: it added "
        "some. The sum of a panel is the change by the sensor as far as the operator is linear; "
        "the table of channels has both, and where they are far apart the bars rank nothing.",
        judged.impact(rows, names, units),
    )


def landscape_pictures(
    verification: xr.Dataset, analysis: xr.Dataset, truth: xr.Dataset
) -> list[Picture]:
    """Maps and Hovmoeller diagrams of a gridded twin."""
    ids = whole_grid(analysis)
    known = [str(n) for n in truth.data_vars if n in verification.channel.values]
    held = chosen(known, 6)
    found = [map_picture(verification, analysis, name, ids) for name in held]
    estimate = str(analysis.attrs.get("estimate", "smoothed"))
    for name in held[:3]:
        true, mean = (d[name].transpose("time", "y", "x").values for d in (truth, analysis))
        one, other = landscape.lines([true, mean])
        x, y, named = map_axes(analysis)
        at = f"{named[1].split(' (')[0]} {y[true.shape[1] // 2]:g}"
        unit = analysis[name].attrs.get("units", "")
        drawn = landscape.hovmoeller(one, other, analysis.time.values, x, named[0], estimate, unit)
        found.append(
            Picture(
                f"hovmoeller_{name}",
                f"{style.words(name)} along one line through time (Hovmöller)",
                f"The line at {at}, across the middle of the landscape, at the product dates, time "
                "upwards. Truth and estimate share a scale. Vertical stripes of the error are "
                "fields whose error lasts, horizontal ones dates.",
                drawn,
            )
        )
    return found


def whole_grid(analysis: xr.Dataset) -> Array:
    """Pixel ids of the grid of analysis.nc, ``[y, x]``."""
    if "id" in analysis.coords:
        return np.asarray(analysis["id"].values)
    shape = analysis.sizes["y"], analysis.sizes["x"]
    return np.arange(shape[0] * shape[1]).reshape(shape)


def map_picture(
    verification: xr.Dataset, analysis: xr.Dataset, name: str, ids: Array, count: int = 4
) -> Picture:
    """Truth, analysis, error, increment and spread of one variable at some acquisitions."""
    held = np.isin(ids, verification.pixel.values)  # of a large grid, a sample
    rows, columns = held.any(1), held.any(0)
    ids, held = ids[rows][:, columns], held[rows][:, columns]
    place = np.searchsorted(verification.pixel.values, np.where(held, ids, ids[held].min()))
    one = verification.sel(channel=name)
    moved = one["mean"].sel(case="analysis") != one["mean"].sel(case="background")
    share = moved.mean("pixel").values  # where no value was used there is no increment
    clear = np.flatnonzero(share >= 0.5 * share.max())
    one = one.isel(time=clear[spaced(one.time.values[clear], count)])

    def grid(values: xr.DataArray) -> Array:
        drawn = np.asarray(values.transpose("time", "pixel").values, float)[:, place]
        return np.where(held, drawn, np.nan)

    true, after = grid(one.observed), grid(one["mean"].sel(case="analysis"))
    grids = {
        "truth": true,
        "analysis": after,
        "error": after - true,
        "increment": after - grid(one["mean"].sel(case="background")),
        "spread": grid(one.sd.sel(case="analysis")),
    }
    unit = analysis[name].attrs.get("units", "")
    x, y, named = map_axes(analysis)
    return Picture(
        f"map_{name}",
        f"Maps of {style.words(name)} beside the truth",
        "At clear acquisitions of the run: the truth and the analysis (one scale), the error "
        "(analysis minus truth), the increment (what this acquisition changed; zero where no value "
        "was used: under cloud, or refused by the screening) and the spread of the ensemble, which "
        "should be large where the error is. Arrows at a colour bar: a few values lie beyond its "
        f"ends.{beside_refused(verification, name, moved)}",
        landscape.beside_truth(grids, one.time.values, unit, x[columns], y[rows], named),
    )


def beside_refused(verification: xr.Dataset, name: str, moved: xr.DataArray) -> str:
    """The error where all values were refused, in a sentence; empty where none was.

    Args:
        verification: verification.nc.
        name: of the variable.
        moved: ``[time, pixel]`` bool, where the analysis is another than the background.
    """
    refused = (verification.rejected > 0).any("channel") & ~moved
    if not refused.any():
        return ""
    one = verification.sel(channel=name)
    square = (one["mean"].sel(case="analysis") - one.observed) ** 2
    alone, used = (float(square.where(at).mean() ** 0.5) for at in (refused, moved))
    number = int(refused.sum())
    return (
        f" Over all dates screening refused all that was seen at {number} "
        f"pixel{'' if number == 1 else 's'}: RMSE {alone:.3g} there, {used:.3g} where values were "
        "used."
    )
