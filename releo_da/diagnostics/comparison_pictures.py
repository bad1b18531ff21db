"""Pictures of a comparison: every run in one colour, on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from releo_da.diagnostics import plots
from releo_da.diagnostics.comparison import PRODUCTS, Estimates
from releo_da.diagnostics.comparison_tables import Rows, case_words, variables_first
from releo_da.diagnostics.differences import Difference
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.places import place_name
from releo_da.diagnostics.plots import comparison, style
from releo_da.diagnostics.plots.products import band, spread_places, variables
from releo_da.diagnostics.plots.skill import number
from releo_da.diagnostics.scores import Array

SHOWN = ("lai", "cab", "cw", "soil_moisture", "ndvi", "state")
"""Variables that are drawn first, where a run has them."""

DRAWN = 4
BANDS = 3  # from more runs on, series show medians only
MAIN = (PRODUCTS, "smoothed", "analysis", "filtered", "background")
"""Cases by how much a user of the estimates cares; the first there is, is drawn."""


class Compared(NamedTuple):
    """What pictures are made of; every mapping is by the name of the run.

    Attributes:
        rows: rows of scores by case.
        forecasts: the key ``forecast`` of scores.json.
        records: fields of verification.nc, or nothing.
        analyses: analysis.nc.
        estimates: analysis.nc and truth.nc on common dates, of twins.
        differences: against the first run.
        alike: whether all runs have the same truth.
        toy: whether time is model time.
    """

    rows: Mapping[str, Mapping[str, Rows]]
    forecasts: Mapping[str, Mapping[str, Rows]]
    records: Mapping[str, xr.Dataset]
    analyses: Mapping[str, xr.Dataset]
    estimates: Mapping[str, Estimates]
    differences: Mapping[str, Sequence[Difference]]
    alike: bool
    toy: bool


def chosen(names: Sequence[str], most: int = DRAWN) -> list[str]:
    """The variables to draw: those of `SHOWN` first."""
    return [*(n for n in SHOWN if n in names), *(n for n in names if n not in SHOWN)][:most]


def shared(runs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Keys that all runs have, in the order of the first."""
    first, *others = runs.values()
    return [key for key in first if all(key in one for one in others)]


def comparison_pictures(found: Compared) -> list[Picture]:
    """All pictures, in reading order."""
    return [
        *change_pictures(found),
        *lead_pictures(found),
        *error_pictures(found),
        *calibration_pictures(found),
        *series_pictures(found),
    ]


def change_pictures(found: Compared) -> list[Picture]:
    """Differences of the main case, variables or else channels."""
    painted = comparison.paints(list(found.rows))
    cases = {one.case for held in found.differences.values() for one in held}
    case = next((c for c in MAIN if c in cases), None)
    if case is None:
        return []
    held = {
        run: [one for one in listed if one.case == case]
        for run, listed in found.differences.items()
    }
    names = list(dict.fromkeys(one.variable for listed in held.values() for one in listed))
    kept = set(inner(names))
    held = {run: [one for one in listed if one.variable in kept] for run, listed in held.items()}
    return [
        Picture(
            "changes",
            f"What changes against {next(iter(found.rows))}: {case_words(case)}",
            "Change of the RMSE in per cent on the values that both runs have, with its 95 % "
            "interval. Where the interval holds 0, no difference is shown.",
            comparison.changes({r: one for r, one in held.items() if one}, "rmse", painted),
        )
    ]


def inner(names: Sequence[str]) -> list[str]:
    """Variables without channels, unless there are only channels."""
    ordered = variables_first(names)
    return [name for name in ordered if not name[:1].isupper()] or ordered


def lead_pictures(found: Compared) -> list[Picture]:
    """Forecasts by lead time of up to three variables that all runs forecast."""
    painted = comparison.paints(list(found.rows))
    if not all(found.forecasts.values()):
        return []
    names = shared({run: ahead[next(iter(ahead))] for run, ahead in found.forecasts.items()})
    pictures, held = [], next(iter(found.analyses.values()), None)
    for name in chosen(inner(names), 3):
        lines = {
            run: {lead: rows[name] for lead, rows in ahead.items() if name in rows}
            for run, ahead in found.forecasts.items()
        }
        unit = "" if held is None or name not in held else held[name].attrs.get("units", "")
        pictures.append(
            Picture(
                f"leads_{name}",
                f"Forecasts of {style.words(name)} by lead time",
                "Error of forecasts from acquisitions at least so many days older, of each run on "
                "its own dates.",
                plots.by_lead(lines, name, painted, unit),
            )
        )
    return pictures


def error_pictures(found: Compared) -> list[Picture]:
    """Error and spread through time: of products against the truth, or of NDVI in records."""
    if len(found.estimates) == len(found.rows) and found.alike:
        names = shared({r: dict.fromkeys(estimated(e)) for r, e in found.estimates.items()})
        panels = {n: {r: product_error(e, n) for r, e in found.estimates.items()}
                  for n in chosen(names)}  # fmt: skip
        text = "Estimates of analysis.nc against the truth, over all pixels."
    elif len(found.records) == len(found.rows):
        channels = shared({r: dict.fromkeys(map(str, s.channel.values))
                           for r, s in found.records.items()})  # fmt: skip
        cases = shared({r: dict.fromkeys(map(str, s.case.values))
                        for r, s in found.records.items()})  # fmt: skip
        case = next((c for c in MAIN if c in cases), None)
        if case is None:
            return []
        panels = {n: {r: record_error(s.sel(case=case, channel=n)) for r, s in
                      found.records.items()} for n in chosen(channels, 2)}  # fmt: skip
        text = f"Over all values of a date ({case_words(case)}), of each run on its own values."
    else:
        return []
    if not panels:
        return []
    first = next(iter(found.analyses.values()), None)
    labels = {n: f"RMSE{unit_of(first, n)}" for n in panels}
    painted = comparison.paints(list(found.rows))
    made = comparison.through_time(panels, labels, painted, found.toy)
    told = f"{text} Full line: root-mean-square error; dashed: spread of the ensemble."
    return [Picture("errors", "Error and spread through time", told, made)]


def unit_of(analysis: xr.Dataset | None, name: str) -> str:
    """The unit of a variable in brackets, nothing where it has none."""
    if analysis is None or name not in analysis:
        return ""
    unit = style.written(analysis[name].attrs.get("units", ""))
    return f" ({unit})" if unit else ""


def estimated(run: Estimates) -> list[str]:
    """Variables that have an estimate and a truth."""
    return [name for name in variables(run.analysis) if name in run.truth]


def product_error(run: Estimates, name: str) -> tuple[Array, Array, Array]:
    """Times, error and spread of a product, over all places."""
    space = [axis for axis in run.truth[name].dims if axis != "time"]
    error = (((run.analysis[name] - run.truth[name]) ** 2).mean(space) ** 0.5).values
    spread = run.analysis.get(f"{name}_spread")
    shown = error * np.nan if spread is None else ((spread**2).mean(space) ** 0.5).values
    return run.truth.time.values, error, shown


def record_error(said: xr.Dataset) -> tuple[Array, Array, Array]:
    """Times, error and spread of one case and channel, where there are values."""
    error = np.sqrt(((said["mean"] - said.observed) ** 2).mean("pixel")).values
    spread = np.sqrt((said.sd**2).mean("pixel")).values
    known = np.isfinite(error)
    return said.time.values[known], error[known], spread[known]


def calibration_pictures(found: Compared) -> list[Picture]:
    """Coverage and spread over error, of the main case of scores.json."""
    cases = shared(found.rows)
    case = next((c for c in MAIN[1:] if c in cases), None)
    if case is None:
        return []
    held = {run: cases_of[case] for run, cases_of in found.rows.items()}
    names = [n for n in inner(shared(held)) if held[next(iter(held))][n].get("rmse")]
    told = {
        run: {
            n: (100 * number(rows[n].get("coverage_90")),
                number(rows[n].get("spread")) / (number(rows[n].get("rmse")) or np.nan))
            for n in names
        }
        for run, rows in held.items()
    }  # fmt: skip
    if not names:
        return []
    caption = (
        "Share of values inside the 90 % interval, which should be 90 %, and spread of the "
        "ensemble as a share of its error, which should be 1: left of the lines an ensemble is "
        "too sure of itself."
    )
    title = f"Calibration: {case_words(case)}"
    made = comparison.calibration(told, comparison.paints(list(found.rows)))
    return [Picture("calibration", title, caption, made)]


def series_pictures(found: Compared) -> list[Picture]:
    """Each of the chosen variables at a few places, all runs and the truth where it is one."""
    if len(found.analyses) < len(found.rows):
        return []
    names = shared({run: dict.fromkeys(variables(a)) for run, a in found.analyses.items()})
    first = next(iter(found.analyses.values()))
    clock = style.model_time if found.toy else style.dates
    painted = comparison.paints(list(found.rows))
    several = len(found.analyses) > BANDS
    pictures = []
    for name in chosen(names):
        places = spread_places(first, name, 6)
        panels = []
        for place in places:
            bands = []
            for run, analysis in found.analyses.items():
                one = band(analysis, name, place)._replace(run=(run, painted[run][0]))
                middle = one.quantiles[len(one.quantiles) // 2 :][:1]
                bands.append(one._replace(quantiles=middle) if several else one)
            if found.alike and found.estimates and name in next(iter(found.estimates.values()))[1]:
                true = next(iter(found.estimates.values())).truth
                bands.append(
                    plots.Band("truth", true.time.values, true[name].isel(place).values[None])
                )
            label = f"{style.words(name)}{unit_of(first, name)}"
            panels.append(plots.Panel(place_name(first, place), label, bands))
        if not panels:
            continue
        text = "Medians of the runs" if several else "Median, 50 % and 90 % range of each run"
        pictures.append(
            Picture(
                f"series_{name}",
                f"{style.words(name)} at {len(places)} places",
                f"{text}{', and the truth' if found.alike else ''}.",
                plots.series(panels, columns=3, height=1.7, clock=clock),
            )
        )
    return pictures
