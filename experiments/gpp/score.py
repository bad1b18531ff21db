"""Tower GPP from estimated states: `python score.py RUN`; see README.md.

RUN is the hindcast of README.md. Rows are printed, and written to RUN/gpp.json; the figure goes
beside this file. Models are fitted on other sites, or on earlier years, than they are scored on.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
import xarray as xr
from matplotlib import pyplot as plt

from releo_da.config.document import load
from releo_da.config.sources import read_sources
from releo_da.diagnostics import moments
from releo_da.diagnostics.baselines import series as series_of
from releo_da.diagnostics.baselines.interpolation import linear_at
from releo_da.diagnostics.redrawn import redrawn
from releo_da.diagnostics.scores import Array
from releo_da.dynamics.growth_water import day_length, top_radiation
from releo_da.io import write_json
from releo_da.io.times import to_days
from releo_da.runs.baselines import tables

try:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression
except ImportError as error:
    raise SystemExit("scikit-learn is missing: pip install -e .[tasks]") from error

mpl.use("Agg")
HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "hrvpp_forecast" / "config.yaml"
DATA = "hrvpp_flux_sites_2017_2024"
HALF, FEWEST = 5, 7
"""Days on either side of a date over which GPP is averaged, and how many of them must be there."""
FIT_UNTIL = 2020
Tables = dict[str, Array]


def measured(path: Path, sites: Array, times: Array) -> Array:
    """Mean GPP about each date, ``[site, date]`` gC m-2 d-1; NaN where too few days are known."""
    daily = pd.read_csv(path, parse_dates=["time"])
    wide = daily.pivot(index="time", columns="site", values="gpp_dt_vut_ref")
    days = np.floor(times).astype(int)
    index = pd.to_datetime(np.arange(days[0] - HALF, days[-1] + HALF + 1), unit="D")
    wide = wide.reindex(index=index, columns=sites)
    mean = wide.rolling(2 * HALF + 1, center=True, min_periods=FEWEST).mean()
    return mean.loc[pd.to_datetime(days, unit="D")].to_numpy().T


def product(path: Path, time: str, column: str, sites: Array, dates: Array) -> Array:
    """A column of a product by straight lines between its clear dates, ``[site, date]``."""
    table = pd.read_csv(path, parse_dates=[time])
    table = table[np.isfinite(table[column]) & table[column].between(0.0, 12.0)]
    wide = table.pivot_table(index=time, columns="site", values=column).reindex(columns=sites)
    return linear_at(series_of(to_days(wide.index.values), wide.to_numpy().T), dates)


def interpolated(dates: Array) -> Array:
    """NDVI as it was seen, by straight lines between clear dates, ``[site, date]``."""
    series = read_sources(load(CONFIG))
    seen = next(iter(tables(series.acquisitions, series.channels).values()))
    return linear_at(seen, dates)


def inputs(run: xr.Dataset) -> tuple[Tables, Array, Array]:
    """Vegetation by rival, ``[site, date, feature]``; the season; GPP ``[site, date]``."""
    data = load(CONFIG).resolve(f"{DATA}/s2_vi_lai.csv.gz").parent
    sites, dates = run.label.values, to_days(run.time.values)
    vi = data / "s2_vi_lai.csv.gz"
    raw = interpolated(dates)
    states = [run[name].transpose("point", "time").values for name in ("fapar", "lai", "ndvi")]
    evi2 = product(vi, "t", "EVI2", sites, dates)
    hrvpp = [
        product(data / "s2_fapar_50m.csv.gz", "date", "FAPAR", sites, dates),
        product(vi, "t", "LAI", sites, dates),
        raw,
    ]
    day = torch.as_tensor(dates)
    light = torch.cat([f(torch.tensor([48.0]), day) for f in (top_radiation, day_length)], 1)
    angle = 2.0 * np.pi * dates / 365.25
    season = np.column_stack([light.numpy(), np.sin(angle), np.cos(angle)])
    season = np.broadcast_to(season, (len(sites), *season.shape))
    found = {
        "season alone": np.empty((*raw.shape, 0)),
        "NDVI, interpolated": raw[..., None],
        "EVI2, NDVI, interpolated": np.stack([evi2, raw], -1),
        "NDVI, assimilated": states[2][..., None],
        "fAPAR, LAI, NDVI, assimilated": np.stack(states, -1),
        "fAPAR, LAI of HR-VPP, NDVI": np.stack(hrvpp, -1),
    }
    return found, season, measured(data / "gpp_daily.csv.gz", sites, dates)


def line(x: Array, season: Array) -> Array:
    """Light use: absorbed radiation, the first feature times radiation above the atmosphere."""
    return x[:, :1] * season[:, :1] if x.shape[1] else season


def trees(x: Array, season: Array) -> Array:
    """All features and the season."""
    return np.hstack([x, season])


MODELS: dict[str, tuple[Callable[[Array, Array], Array], Callable[[], object]]] = {
    "line": (line, LinearRegression),
    "trees": (
        trees,
        lambda: HistGradientBoostingRegressor(
            max_iter=150, learning_rate=0.06, max_leaf_nodes=15, min_samples_leaf=40
        ),
    ),
}


def splits(site: Array, year: Array, by: str) -> Iterator[tuple[Array, Array]]:
    """What is fitted on and what is scored: each site from the others, or late years from early."""
    if by == "years":
        yield year <= FIT_UNTIL, year > FIT_UNTIL
        return
    for one in np.unique(site):
        yield site != one, site == one


def said(features: Array, gpp: Array, site: Array, year: Array, by: str, model: str) -> Array:
    """GPP as it was predicted, NaN where it was not."""
    found = np.full(len(gpp), np.nan)
    for fit, scored in splits(site, year, by):
        made = MODELS[model][1]().fit(features[fit], gpp[fit])
        found[scored] = made.predict(features[scored])
    return found


def own_season(gpp: Array, season: Array, site: Array, year: Array) -> Array:
    """The site's own harmonic mean of early years, for late ones."""
    found, angle = np.full(len(gpp), np.nan), np.arctan2(season[:, 2], season[:, 3])
    x = np.column_stack([f(k * angle) for k in (1, 2) for f in (np.sin, np.cos)])
    for one in np.unique(site):
        fit, scored = (site == one) & (year <= FIT_UNTIL), (site == one) & (year > FIT_UNTIL)
        if fit.sum() >= 36 and scored.any():
            found[scored] = LinearRegression().fit(x[fit], gpp[fit]).predict(x[scored])
    return found


def row(name: str, model: str, by: str, gpp: Array, told: Array, rival: Array, site: Array) -> dict:
    """Scores of one way, and its RMSE beside that of interpolated NDVI on the same values."""
    generator = np.random.default_rng(0)
    there = np.isfinite(told) & np.isfinite(rival)
    ours = moments.moments(gpp[there], told[there], site[there])
    theirs = moments.moments(gpp[there], rival[there], site[there])

    def cell(figure: Callable[[Array], Array], against: Array | None = None) -> str:
        one = redrawn(ours, figure, generator, against)
        sign = "+" if against is not None else ""
        return f"{one.value:{sign}.2f} [{one.lower:{sign}.2f}, {one.upper:{sign}.2f}]"

    return {
        "split by": by,
        "vegetation": name,
        "model": model,
        "RMSE": cell(moments.rmse),
        "r2": cell(moments.r2),
        "bias": cell(moments.bias),
        "RMSE less that of interpolated NDVI": cell(moments.rmse, theirs),
        "n": int(there.sum()),
    }


def main(root: Path) -> None:
    """All rows and the figure."""
    run = xr.open_dataset(root / "analysis.nc")
    x, season, gpp = inputs(run)
    there = np.isfinite(gpp) & np.all([np.isfinite(v).all(-1) for v in x.values()], 0)
    site = np.broadcast_to(run.label.values.astype(str)[:, None], gpp.shape)[there]
    year = np.broadcast_to(run.time.dt.year.values, gpp.shape)[there]
    gpp, season, x = gpp[there], season[there], {name: v[there] for name, v in x.items()}
    rows, kept = [], {}
    for by in ("sites", "years"):
        told = {
            (name, model): said(make(v, season), gpp, site, year, by, model)
            for model, (make, _) in MODELS.items()
            for name, v in x.items()
        }
        if by == "years":
            told["own season of the site", "harmonic"] = own_season(gpp, season, site, year)
        kept[by] = told
        for (name, model), one in told.items():
            rival = told["NDVI, interpolated", "line" if model == "line" else "trees"]
            rows.append(row(name, model, by, gpp, one, rival, site))
    keys = list(rows[0])
    print(len(np.unique(site)), "sites")
    print("| " + " | ".join(keys) + " |\n" + "| --- " * len(keys) + "|")
    print("\n".join("| " + " | ".join(str(r[k]) for k in keys) + " |" for r in rows))
    write_json(root / "gpp.json", {"rows": rows})
    draw(kept["sites"], gpp, site)


def draw(told: dict[tuple[str, str], Array], gpp: Array, site: Array) -> None:
    """RMSE of each site, assimilated states beside interpolated NDVI."""
    names = np.unique(site)
    figure, axis = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
    for name, mark in (("season alone", "x"), ("fAPAR, LAI, NDVI, assimilated", "o")):
        pairs = [
            [
                np.sqrt(np.mean((told[n, "trees"][site == s] - gpp[site == s]) ** 2))
                for n in ("NDVI, interpolated", name)
            ]
            for s in names
        ]
        axis.plot(*np.transpose(pairs), mark, label=name, alpha=0.8)
    axis.axline((1, 1), slope=1, color="0.6", lw=1)
    axis.set(
        xlabel="RMSE with interpolated NDVI (gC m$^{-2}$ d$^{-1}$)",
        ylabel="RMSE with ... (gC m$^{-2}$ d$^{-1}$)",
        title="GPP of a site from the other sites",
    )
    axis.legend(frameon=False)
    figure.savefig(HERE / "gpp_sites.png", dpi=110)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
