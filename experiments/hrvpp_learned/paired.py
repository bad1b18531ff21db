"""NDVI forecasts of two runs on the same pairs, fields apart: `python paired.py RUN RIVAL`.

RMSE and CRPS by days ahead over all sites, the sites that the set calls arable (land cover 11) and
the others; the relative difference from the rival (negative: the run is better) with its 95 %
interval over sites, and how much the 90 % intervals of the run hold.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from releo_da.config.document import load
from releo_da.config.sources import read_sources
from releo_da.diagnostics.leads import bins_of, lead_losses, of_bin
from releo_da.diagnostics.paired import paired_interval
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import summary

CONFIG = Path(__file__).parents[1] / "hrvpp_forecast" / "config.yaml"
ARABLE = 11


def arable() -> Array:
    """Which sites are fields, ``[site]`` bool."""
    document = load(CONFIG, [])
    path = document.resolve(document.values["source"][0]["path"])
    cover = pd.read_csv(path).groupby("site")["lc"].first()
    return np.asarray(cover[read_sources(document).pixels["label"].values] == ARABLE)


def rows(run: xr.Dataset, rival: xr.Dataset, kept: Array) -> list[str]:
    """The lines of a table over the sites that are kept, a column per bin."""
    cells: dict[str, list[str]] = {}
    for name in bins_of(run):
        one, other = of_bin(run, name), of_bin(rival, name)
        chosen = np.flatnonzero(kept[one["place"].values])
        one, other = one.isel(pair=chosen), other.isel(pair=chosen)
        for score, root in (("RMSE", True), ("CRPS", False)):
            a, b = lead_losses(one, root), lead_losses(other, root)
            random = np.random.default_rng(0)
            change = paired_interval(a, b, one["place"].values, random, root)
            ours, theirs = (float(np.nanmean(loss)) for loss in (a, b))
            if root:
                ours, theirs = np.sqrt(ours), np.sqrt(theirs)
            interval = f"[{100 * change.lower:+.1f}, {100 * change.upper:+.1f}]"
            cells.setdefault(f"{score}, run", []).append(f"{ours:.4f}")
            cells.setdefault(f"{score}, rival", []).append(f"{theirs:.4f}")
            cells.setdefault(f"{score}, difference", []).append(
                f"{100 * change.change:+.1f} % {interval}"
            )
        cells.setdefault("coverage, run", []).append(f"{summary(one)['coverage_90']:.2f}")
    return [f"| {what} | {' | '.join(found)} |" for what, found in cells.items()]


def main() -> None:
    """Print three tables."""
    run, rival = (xr.open_dataset(Path(root) / "leads.nc") for root in sys.argv[1:3])
    fields = arable()
    names = " | ".join(bins_of(run))
    for label, kept in {"all": fields >= 0, "arable": fields, "other": ~fields}.items():
        print(f"\n| {label}, {int(kept.sum())} sites | {names} |")
        print("\n".join(rows(run, rival, kept)))


if __name__ == "__main__":
    main()
