"""NDVI forecasts of a run on the sites of hrvpp_forecast, fields apart.

    python paired.py RUN           beside the climatology of the place by day of year (RMSE)
    python paired.py RUN RIVAL     beside another run (RMSE and CRPS), on the pairs of both

By days ahead over all sites, those that the set calls arable (land cover 11), four of them and the
others; the relative difference (negative: RUN is better) with its 95 % interval over sites, and how
much the 90 % intervals of RUN hold.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from releo_da.config.document import Document, load
from releo_da.config.sources import read_sources
from releo_da.config.train_section import train
from releo_da.diagnostics.baselines.place import day_of_year, fit_day_of_year
from releo_da.diagnostics.leads import bins_of, lead_losses, of_bin
from releo_da.diagnostics.paired import paired_interval
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import summary
from releo_da.io.series import Series
from releo_da.runs.baselines import tables

CONFIG = Path(__file__).parents[1] / "hrvpp_forecast" / "config.yaml"
ARABLE, ROTATED = 11, ("BE-Lon", "FR-Gri", "FR-Aur", "FR-Lam")


def groups(document: Document, sites: Array) -> dict[str, Array]:
    """Which of the sites, by name, belong to a group, ``[site]`` bool."""
    path = document.resolve(document.values["source"][0]["path"])
    cover = pd.read_csv(path).groupby("site")["lc"].first()
    arable = np.asarray(cover[sites] == ARABLE)
    four = np.isin(sites, ROTATED)
    return {"all": arable | ~arable, "arable": arable, "these four": four, "other": ~arable}


def climatology(document: Document, series: Series, run: xr.Dataset) -> Array:
    """Squared error of the day of year for each pair of a run, ``[pair]``."""
    first, last = train(**document.values["train"]).period
    past = [a for a in series.acquisitions if first <= a.time <= last]
    learned = tables(past, series.channels)["ndvi"]
    whole = tables(series.acquisitions, series.channels)["ndvi"]
    mean = day_of_year(fit_day_of_year(learned), whole).mean
    target = run["target"].values.astype("datetime64[ms]").astype(float) / 86_400e3
    column = np.abs(whole.times[:, None] - target).argmin(0)
    return np.asarray((mean[run["place"].values, column] - run["observed"].values) ** 2)


def rows(run: xr.Dataset, losses: dict[str, tuple[Array, Array]], kept: Array) -> list[str]:
    """The lines of a table over the sites that are kept, a column per bin."""
    cells: dict[str, list[str]] = {}
    for name in bins_of(run):
        here = np.flatnonzero((run["lead"].values == name) & kept[run["place"].values])
        for score, (a, b) in losses.items():
            root, places = score == "RMSE", run["place"].values[here]
            change = paired_interval(a[here], b[here], places, np.random.default_rng(0), root)
            means = [float(np.nanmean(loss[here])) for loss in (a, b)]
            ours, theirs = np.sqrt(means) if root else means
            interval = f"[{100 * change.lower:+.1f}, {100 * change.upper:+.1f}]"
            cells.setdefault(score, []).append(f"{ours:.4f}")
            cells.setdefault(f"{score} of the rival", []).append(f"{theirs:.4f}")
            cells.setdefault(f"difference in {score}", []).append(
                f"{100 * change.change:+.1f} % {interval}"
            )
        held = summary(of_bin(run, name).sel(pair=kept[of_bin(run, name)["place"].values]))
        cells.setdefault("90 % coverage", []).append(f"{held['coverage_90']:.2f}")
    return [f"| {what} | {' | '.join(found)} |" for what, found in cells.items()]


def common(run: xr.Dataset, rival: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Two runs on the pairs of origin and target that both have."""
    keys = [
        pd.MultiIndex.from_arrays([one[name].values for name in ("place", "origin", "target")])
        for one in (run, rival)
    ]
    there = keys[1].get_indexer(keys[0])
    return run.isel(pair=np.flatnonzero(there >= 0)), rival.isel(pair=there[there >= 0])


def main() -> None:
    """Print a table for each group."""
    run = xr.open_dataset(Path(sys.argv[1]) / "leads.nc")
    document = load(CONFIG, [])
    series = read_sources(document)
    if len(sys.argv) == 2:
        losses = {"RMSE": (lead_losses(run, True), climatology(document, series, run))}
    else:
        run, rival = common(run, xr.open_dataset(Path(sys.argv[2]) / "leads.nc"))
        losses = {}
        for score, root in (("RMSE", True), ("CRPS", False)):
            losses[score] = lead_losses(run, root), lead_losses(rival, root)
    names = " | ".join(bins_of(run))
    for label, kept in groups(document, series.pixels["label"].values).items():
        print(f"\n| {label}, {int(kept.sum())} sites | {names} |")
        print("\n".join(rows(run, losses, kept)))


if __name__ == "__main__":
    main()
