"""All figures of a run from its files, in the order in which a report should show them.

A picture is a figure with what a reader needs beside it: a title, and a caption that says how to
read it. Nothing here touches a file or an ensemble: the same call draws the figures at the end of
a run and years later, from scores.json, verification.nc and analysis.nc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from releo_da.diagnostics import plots
from releo_da.diagnostics.calibration import pit, rank_histogram
from releo_da.diagnostics.departures import departure_pictures
from releo_da.diagnostics.fitted import of_forecasts, of_withheld
from releo_da.diagnostics.picture import FieldPairs, Picture
from releo_da.diagnostics.places import series_pictures
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.products import product_maps, variables


def gallery(
    scores: Mapping[str, Any],
    verification: xr.Dataset | None = None,
    analysis: xr.Dataset | None = None,
    field: Sequence[FieldPairs] = (),
    seed: int = 0,
) -> list[Picture]:
    """The pictures of a run.

    Args:
        scores: scores.json.
        verification: verification.nc.
        analysis: analysis.nc.
        field: field measurements, one entry per variable; one without rows is not drawn.
        seed: of the random numbers that make discrete ranks continuous.
    """
    found: list[Picture] = []
    field = [pairs for pairs in field if len(pairs.measured)]
    if analysis is not None:
        found += series_pictures(analysis, verification, field)
    found += skill_pictures(scores)
    found += [field_picture(pairs) for pairs in field if pairs.predicted]
    found += departure_pictures(scores)
    if verification is not None:
        found += verification_pictures(verification, np.random.default_rng(seed))
    if analysis is not None and {"x", "y"} <= set(analysis.dims):
        found += [map_picture(analysis, name) for name in variables(analysis)]
    return found


def skill_pictures(scores: Mapping[str, Any]) -> list[Picture]:
    """Assimilation against baselines: forecasts by horizon, withheld values."""
    pictures = []
    ahead = {name for rows in scores.get("forecast", {}).values() for name in rows}
    for name in [n for n in ("ndvi", "state") if n in ahead] or sorted(ahead)[:1]:
        pictures.append(
            Picture(
                f"skill_forecast_{name}",
                f"Forecasts of {style.words(name)} against baselines",
                "Error of forecasts that used only observations at least so many days older: a "
                "number of days starts from the latest acquisition that is old enough, so with a "
                "pass every 8 days 5 means 8. "
                "Lower is better; assimilation pays where its line is the lowest. "
                + of_forecasts(scores),
                plots.by_horizon(scores, name),
            )
        )
    held = scores.get("smoothed", {})
    for name in [n for n in ("ndvi", "state") if n in held] or sorted(held)[:1]:
        pictures.append(
            Picture(
                f"skill_withheld_{name}",
                f"Withheld {style.words(name)} against baselines",
                "Error on dates that were hidden from all methods, best on top. CRPS judges the "
                "whole distribution; a baseline without one is given its own residual spread."
                + of_withheld(scores),
                plots.smoothed(scores, name),
            )
        )
    return pictures


def field_picture(pairs: FieldPairs) -> Picture:
    """The scatter of field measurements."""
    name = style.words(pairs.variable)
    return Picture(
        f"field_{pairs.variable}",
        f"{name} against field measurements",
        "One dot per measurement; bars are one standard deviation of the measurement and of the "
        "ensemble. The dashed line is equality.",
        plots.scatter(
            pairs.measured,
            pairs.predicted,
            name,
            pairs.unit,
            pairs.measured_sd,
            pairs.predicted_sd,
        ),
    )


def verification_pictures(found: xr.Dataset, generator: np.random.Generator) -> list[Picture]:
    """Calibration and rejections."""
    members = int(found.attrs["members"])
    cases = [str(c) for c in found.case.values if c != "analysis"]
    channel = "ndvi" if "ndvi" in found.channel.values else str(found.channel.values[-1])
    rank = found["rank"]
    ranked = {f"{style.words(c)}: all channels": rank.sel(case=c) for c in cases}
    ranked |= {
        f"{style.words(c)}: {style.words(channel)}": rank.sel(case=c).sel(channel=channel)
        for c in cases
    }
    histograms = {
        name: rank_histogram(one.values, members)
        for name, one in sorted(ranked.items())
        if not name.startswith("forecast") and bool(one.notnull().any())
    }
    transforms = {c: pit(rank.sel(case=c).values, members, generator) for c in cases}
    pictures = [
        Picture(
            "ranks",
            "Rank histograms",
            "Where observations fall among the members. Flat is calibrated (the grey band is "
            "chance for independent values); U-shaped is too narrow, domed too wide, sloping "
            "biased.",
            plots.rank_histograms(histograms, 2),
        ),
        Picture(
            "reliability",
            "Reliability of intervals",
            "Share of observations inside central intervals of the ensemble, all channels "
            "together. Below the diagonal the intervals are too narrow.",
            plots.reliability_diagram(transforms, members),
        ),
    ]
    if int((found.rejected > 0).sum()):
        pictures.append(
            Picture(
                "rejected",
                "Values refused by screening",
                "Single tall lines are usually clouds or shadows that the product's mask missed, "
                "or a product with a wrong offset; a high share in one channel points to "
                "calibration or to the operator.",
                plots.rejections(found),
            )
        )
    return pictures


def map_picture(analysis: xr.Dataset, name: str) -> Picture:
    """Maps of one variable."""
    whose = "Mean" if analysis.attrs.get("estimate") == "encoder" else "Ensemble mean"
    return Picture(
        f"map_{name}",
        f"Maps of {style.words(name)}",
        f"{whose} above, spread (standard deviation) below, at dates spread over the run.",
        product_maps(analysis, name),
    )
