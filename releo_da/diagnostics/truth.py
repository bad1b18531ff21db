"""Pictures of a twin experiment, where every estimate stands beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from releo_da.diagnostics import plots
from releo_da.diagnostics.calibration import pit, rank_histogram
from releo_da.diagnostics.naming import naming
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.places import described_place, place_name
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.products import band, spread_places, variables
from releo_da.diagnostics.twin_judged import judged_pictures, landscape_pictures

ESTIMATES = ("background", "analysis", "smoothed")
"""Cases that are measured against the free run."""

TOY = "state"
"""The one variable of a toy model: all its components."""


def twin_pictures(
    scores: Mapping[str, Any],
    verification: xr.Dataset,
    analysis: xr.Dataset,
    truth: xr.Dataset,
    seed: int = 0,
    units: Mapping[str, str] | None = None,
    scored: np.datetime64 | None = None,
) -> list[Picture]:
    """The pictures of a twin experiment, in reading order.

    Args:
        scores: scores.json.
        verification: verification.nc; what it holds as observed is the truth.
        analysis: analysis.nc.
        truth: truth.nc, the output variables of analysis.nc as they were.
        seed: of the random numbers that make discrete ranks continuous.
        units: of the variables of the state; those of analysis.nc name their own.
        scored: the end of the burn-in, whose ranks count as little as its scores.
    """
    found = series_beside_truth(analysis, truth)
    if verification.channel.values.tolist() == [TOY]:
        found.insert(0, tracking_picture(verification))
    found.append(
        Picture(
            "twin_skill",
            "What observations add",
            "Root-mean-square error as a share of that of the free run, an ensemble that saw "
            "nothing. Left of 1 the observations inform a variable; at 1 they say nothing of it.",
            skill(scores),
        )
    )
    named = {str(name): str(one.attrs.get("units", "")) for name, one in analysis.data_vars.items()}
    every = {**(units or {}), **named}
    ahead = {name for rows in scores.get("forecast", {}).values() for name in rows}
    for name in [n for n in ("lai", "ndvi", TOY) if n in ahead]:
        title = f"Forecasts of {style.words(name)} by lead time"
        unit = "model time units" if name == TOY else "days"
        text = f"Against the truth, from acquisitions at least so many {unit} older."
        if "free_run" in scores.get("baselines", {}):
            text += " The free run saw none; where the lines meet, the observations are forgotten."
        picture = plots.by_horizon(scores, name, every.get(name, ""))
        found.append(Picture(f"skill_forecast_{name}", title, text, picture))
    found += judged_pictures(scores, every, int(verification.attrs["members"]))
    if not scores.get("calibration"):
        late = verification
        if scored is not None:
            late = verification.isel(time=verification.time.values > scored)
        found += calibration(late, np.random.default_rng(seed))
    if {"x", "y"} <= set(analysis.dims):
        found += landscape_pictures(verification, analysis, truth)
    return [of_first_seed(one) for one in found] if scores.get("repeats") else found


def of_first_seed(one: Picture) -> Picture:
    """A picture that is drawn from files, which are those of the first seed, says so."""
    drawn = one.name.startswith(("series", "map_", "hovmoeller_", "tracking"))
    return one._replace(caption=f"{one.caption} Of the first seed.") if drawn else one


def series_beside_truth(analysis: xr.Dataset, truth: xr.Dataset) -> list[Picture]:
    """All variables at one place, then each at several."""
    names = [name for name in variables(analysis) if name in truth]
    if not names:
        return []
    places = spread_places(analysis, names[0], 6)

    def panel(name: str, place: Mapping[str, int], title: str) -> plots.Panel:
        true = plots.Band("truth", truth.time.values, truth[name].isel(place).values[None])
        unit = style.label(style.words(name), analysis[name].attrs.get("units", ""))
        return plots.Panel(title, unit, [band(analysis, name, place), true])

    text = "Median, 50 % and 90 % range of the ensemble through time, and the truth."
    where = described_place(analysis, places[0])
    clock = style.model_time if names == [TOY] else style.dates
    at = place_name(analysis, places[0])
    first = [panel(n, places[0], f"{style.words(n)} at {at}") for n in names]
    drawn = plots.series(first, height=1.7, clock=clock)
    found = [Picture("series", f"Output variables at {where}", text, drawn)]
    for name in names:
        panels = [panel(name, place, place_name(analysis, place)) for place in places]
        title = f"{style.words(name)} at {len(places)} places"
        made = plots.series(panels, columns=3, height=1.6, clock=clock)
        found.append(Picture(f"series_{name}", title, text, made))
    return found


def tracking_picture(verification: xr.Dataset) -> Picture:
    """Error and spread of every estimate through time, of a toy model."""
    said = verification.sel(channel=TOY)
    times = said.time.values.astype("datetime64[ms]").astype(float) / 86_400e3
    cases = {}
    for case in [c for c in ("free_run", "analysis", "smoothed") if c in said.case.values]:
        one = said.sel(case=case)
        error = np.sqrt(((one["mean"] - said.observed) ** 2).mean("pixel"))
        cases[case] = error.values, np.sqrt((one.sd**2).mean("pixel")).values
    return Picture(
        "tracking",
        "Error and spread through time",
        "Error of the ensemble mean (full line) and spread of the ensemble (dashed), over all "
        "components. A filter that follows the truth stays far below the free run, and its spread "
        "says how large its error is.",
        plots.tracking(times, cases),
    )


def ordered(names: Sequence[str]) -> list[str]:
    """Variables first, then channels, whose names begin with a capital letter."""
    return sorted(names, key=lambda name: name[:1].isupper())


def skill(scores: Mapping[str, Any]) -> Figure:
    """RMSE of each estimate relative to the free run, one line per variable."""
    free, named = scores["free_run"], naming(scores)
    names = ordered([name for name in free if free[name].get("rmse")])
    made, axes = style.figure(1, 1, max(1.3, 0.6 + 0.19 * len(names)))
    one = axes[0, 0]
    for case, marker in zip(ESTIMATES, "so^", strict=True):
        if case not in scores:
            continue
        share = [scores[case][name]["rmse"] / free[name]["rmse"] for name in names]
        colour = style.COLOURS[case]
        one.plot(share, range(len(names)), marker, color=colour, markersize=5, label=case)
    one.axvline(1.0, color=style.INK, linewidth=0.8)
    one.set_yticks(range(len(names)), [named.text(name) for name in names])
    one.invert_yaxis()
    one.set_xlim(left=0.0)
    style.name_axes(one, x="RMSE / RMSE of the free run")
    style.legend_above(made, [one])
    return made


def calibration(found: xr.Dataset, generator: np.random.Generator) -> list[Picture]:
    """Rank histograms and reliability of the state."""
    members = int(found.attrs["members"])
    state = [n for n in found.channel.values.tolist() if not n[:1].isupper()]
    rank = found["rank"].sel(channel=state)
    cases = [c for c in ("free_run", *ESTIMATES) if c in found.case.values]
    held = ["lai"] if "lai" in state else state[:1]
    histograms = {
        f"{style.words(c)}: {style.words(n)}": rank_histogram(
            rank.sel(case=c, channel=n).values, members
        )
        for n in held
        for c in cases
    }
    transforms = {c: pit(rank.sel(case=c).values, members, generator) for c in cases}
    return [
        Picture(
            "ranks",
            "Rank histograms",
            "Where the truth falls among the members. Flat is calibrated; U-shaped is too narrow, "
            "domed too wide, sloping biased. Pixels are independent, dates of one pixel are not.",
            plots.rank_histograms(histograms, 2),
        ),
        Picture(
            "reliability",
            "Reliability of intervals",
            "Share of truths inside central intervals of the ensemble, all variables of the state "
            "together. Below the diagonal the intervals are too narrow.",
            plots.reliability_diagram(transforms, members),
        ),
    ]
