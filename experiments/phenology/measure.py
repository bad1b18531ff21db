"""Dates of seasons of finished runs, beside those of simpler methods: `python measure.py`.

    python measure.py twin TUNING RUN [RUN ...]    errors in days, of twins of several seeds
    python measure.py sites RUN TABLE              beside seasons of another leaf-area product

A date that is one number gets the distribution that it has earned, as in
`releo_da.diagnostics.baselines`: its errors in the run TUNING, whose years no other run has. So its
CRPS and its interval are free of the bias that it had there; its RMSE and bias are as they are.
`calendar` is the distribution of the true dates of TUNING, the same for every field.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from releo_da.diagnostics.baselines import days, series
from releo_da.diagnostics.phenology import day_of_year, levels
from releo_da.diagnostics.scores import Array, rmse, summarise_residual
from releo_da.diagnostics.seasons import KINDS, Seasons
from releo_da.diagnostics.seasons.windows import years
from releo_da.io import read_products
from releo_da.runs.seasons import RIVALS, of_curves, whittaker_curves

NAME = "lai"
SURE = 60.0  # days: a wider interval of a peak is no date
ROWS = ("rmse", "bias", "crps", "coverage_90", "n")


def dates(found: xr.Dataset, kind: str, whose: str) -> Array:
    """Dates of one method, or the true ones, ``[season]`` days of the year."""
    return day_of_year(found, f"{NAME}_{kind}_{whose}").ravel()


def rivals(found: xr.Dataset, tuning: xr.Dataset, kind: str) -> dict[str, dict[str, float]]:
    """Rows of methods without a distribution of their own."""
    true, before = (dates(one, kind, "truth") for one in (found, tuning))
    rows = {
        name: summarise_residual(true, dates(found, kind, name), before - dates(tuning, kind, name))
        for name in RIVALS
    }
    middle = np.nanmean(before)
    usual = np.where(np.isfinite(true), middle, np.nan)
    return rows | {"calendar": summarise_residual(true, usual, before - middle)}


def twin(tuning: Path, runs: list[Path]) -> str:
    """A table: kinds of dates down, methods under each, mean and deviation over the runs."""
    held, before = [read_products(run / "phenology.nc") for run in runs], read_products(
        tuning / "phenology.nc"
    )  # fmt: skip
    told = [json.loads((run / "scores.json").read_text("utf-8"))["phenology"] for run in runs]
    lines = ["| | RMSE | bias | CRPS | 90 % intervals hold | n |", "| --- " * 6 + "|"]
    for kind in KINDS:
        beside = [rivals(found, before, kind) for found in held]
        methods = {"assimilation": [one[kind] for one in told]}
        methods |= {name: [one[name] for one in beside] for name in beside[0]}
        for name, rows in methods.items():
            lines.append(f"| {kind}, {name} | " + " | ".join(cells(rows)) + " |")
    counts = [one["seasons"] for one in told]
    total = {key: sum(one[key] for one in counts) for key in ("true", "found", "missed", "false")}
    brier = np.mean([one["brier"] for one in counts])
    return "\n".join([*lines, "", f"seasons: {total}, Brier score {brier:.3f}"])


def cells(rows: list[dict[str, float]]) -> list[str]:
    """Scores of several seeds as texts."""
    found = []
    for key in ROWS:
        values = np.array([row[key] for row in rows])
        if key == "n":
            found.append(f"{values.sum():.0f}")
        elif key == "coverage_90":
            found.append(f"{100 * values.mean():.0f} ± {100 * values.std(ddof=1):.0f} %")
        else:
            sign = "+" if key == "bias" else ""
            found.append(f"{values.mean():{sign}.1f} ± {values.std(ddof=1):.1f}")
    return found


def sites(run: Path, table: Path) -> str:
    """A table of differences from the seasons of a product's leaf area, smoothed by Whittaker."""
    found = read_products(run / "phenology.nc")
    given = pd.read_csv(table)
    good = given[np.isfinite(given.LAI) & given.LAI.between(0.0, 15.0)]
    wide = good.pivot_table(index="site", columns="t", values="LAI").reindex(found.label.values)
    times = days(pd.to_datetime(wide.columns).to_numpy())
    analysis = read_products(run / "analysis.nc").time.values
    first, last = (float(days(at)) for at in (analysis[0], analysis[-1]))
    near = (times >= first - 30.0) & (times <= last + 30.0)
    table_ = series(times[near], wide.to_numpy()[:, near])
    axis = np.arange(np.floor(first), np.floor(last) + 1.0)
    theirs = of_curves(
        axis, whittaker_curves(table_, axis), Seasons(NAME, 0.5), years(np.array([first, last]))
    )
    year = days(found.time.values)[:, None, None]
    others = {
        kind: getattr(theirs, kind)[..., 0].reshape(len(year), 2, -1) - year + 1.0 for kind in KINDS
    }
    ours = {kind: levels(found, NAME, kind) for kind in KINDS}
    lines = ["| | mean | median of absolute | RMSE | in our 90 % intervals | n |"]
    lines.append("| --- " * 6 + "|")
    width = ours["peak"][2] - ours["peak"][1]
    for text, most in (("all", np.inf), (f"peak known to {SURE:g} days", SURE)):
        for kind in KINDS:
            pairs = paired(ours, others, kind, width <= most)
            y, x, low, high = (pairs[:, k] for k in range(4))
            inside = 100 * np.mean((y >= low) & (y <= high))
            lines.append(
                f"| {kind}, {text} | {np.mean(x - y):+.1f} | {np.median(np.abs(x - y)):.1f} | "
                f"{rmse(y, x):.1f} | {inside:.0f} % | {len(y)} |"
            )
    return "\n".join(lines)


def paired(
    ours: dict[str, tuple[Array, Array, Array]], others: dict[str, Array], kind: str, chosen: Array
) -> Array:
    """Other date, our median, lower and upper, ``[season, 4]``, of seasons that overlap.

    Of several seasons of the other between our start and our end, the one whose peak is nearest.
    """
    rows = []
    for n, t, p in np.argwhere(chosen):
        peak = others["peak"][t, :, p]
        held = (peak > ours["start"][1][n, t, p]) & (peak < ours["end"][2][n, t, p])
        apart = np.where(held, np.abs(peak - ours["peak"][0][n, t, p]), np.inf)
        value = others[kind][t, apart.argmin(), p]
        if held.any() and np.isfinite([value, ours[kind][0][n, t, p]]).all():
            rows.append([value, *(part[n, t, p] for part in ours[kind])])
    return np.array(rows)


if __name__ == "__main__":
    what, first_, *rest = sys.argv[1:]
    paths = [Path(one) for one in rest]
    print(twin(Path(first_), paths) if what == "twin" else sites(Path(first_), paths[0]))
