"""Scores crop types told from finished runs: `python score.py FOLDER PART`; see README.md.

FOLDER holds the runs of README.md: `embed`, `states` and, for early dates, `embed-MONTH`. PART is
`all` (labels of four fifths of the parcels), `few` (10, 30 and 100 labels) or `early` (what was
known on the first of May, June and July). Rows are printed, and written to FOLDER/PART.json.

Classifiers are fitted on four of five folds of clusters of parcels and say the classes of the
fifth; the confusions of all seeds are added up by cluster, and clusters are redrawn for intervals.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import pyplot as plt

from releo_da.config.document import load
from releo_da.config.sources import read_sources
from releo_da.diagnostics.baselines import series as series_of
from releo_da.diagnostics.baselines.interpolation import linear_at
from releo_da.diagnostics.classes import confusions, f1, macro_f1
from releo_da.diagnostics.features import features
from releo_da.diagnostics.redrawn import Interval, redrawn
from releo_da.diagnostics.scores import Array
from releo_da.io import write_json
from releo_da.io.times import to_days
from releo_da.runs.baselines import tables
from releo_da.runs.folds import clusters, folds

try:
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
except ImportError as error:
    raise SystemExit(
        "scikit-learn is missing; install the extra: pip install -e .[tasks]"
    ) from error

mpl.use("Agg")
HERE = Path(__file__).resolve().parent
CONFIG = HERE / "config.yaml"
SEEDS, FOLDS, WITHIN = range(3), 5, 1000.0
LABELS = 10, 30, 100
LEAST = 15
"""Parcels below which a class is left out."""

GROUPS: Mapping[str, Callable[[str], bool]] = {
    "cereals": lambda c: c.startswith("1101") and not c.startswith(("110106", "110107")),
    "maize": lambda c: c.startswith("110106"),
    "winter rapeseed": lambda c: c.startswith("110600003"),
    "sunflower, soya": lambda c: c.startswith(("110600001", "110600002")),
    "1111": lambda c: c.startswith("1111"),
    "1115": lambda c: c.startswith("1115"),
    "permanent crops": lambda c: c.startswith("12"),
    "2000": lambda c: c.startswith("2000"),
    "grass": lambda c: c.startswith("2001"),
}
EARLY = {"may": "2023-05-01", "june": "2023-06-01", "july": "2023-07-01"}
STATE = ("lai", "cab", "ccc", "cbrown", "cw", "cm", "ala", "psoil", "rsoil", "fapar", "ndvi")
FEW = "reflectance", "encoder: mean, spread", "encoder: embedding", "states: mean"
SPREAD = tuple(f"{name}_spread" for name in STATE)
NUMBER = re.compile(r"\d\.\d+")
Tables = dict[str, Array]


def table_of(path: Path) -> pd.DataFrame:
    """The parcels' file, integers that stand for nothing as NaN."""
    columns = ["S1-SIGMA0-VV", "S1-SIGMA0-VH", "AGERA5-TMEAN", "AGERA5-PRECIP"]
    found = pd.read_parquet(path, columns=["sample_id", "timestamp", "ewoc_code", *columns])
    found = found[found.timestamp < "2023-11-01"].copy()
    found[columns] = found[columns].where(found[columns] < 65535).astype(float)
    power = found[columns[:2]].where(found[columns[:2]] > 0)
    found[columns[:2]] = 20.0 * np.log10(power) - 83.0  # dB
    return found


def raw(until: str | None, times: Array) -> tuple[Array, Array]:
    """Reflectances and NDVI at some dates, by straight lines between clear dekads."""
    settings = () if until is None else (f"period=[2022-09-01, {until}]",)
    series = read_sources(load(CONFIG, settings))
    seen = tables(series.acquisitions, series.channels)
    lines = {name: np.nan_to_num(linear_at(one, times)) for name, one in seen.items()}
    index = lines.pop("ndvi")
    return np.concatenate(list(lines.values()), 1), index


def beside(parcels: pd.DataFrame, labels: Array, times: Array) -> Array:
    """Radar and weather at the same dates, by straight lines between dekads."""
    columns = []
    for name in parcels.columns[3:]:
        wide = parcels.pivot(index="sample_id", columns="timestamp", values=name).loc[labels]
        middle = to_days(wide.columns.values) + 5.0
        columns.append(linear_at(series_of(middle, wide.values), times))
    return np.nan_to_num(np.concatenate(columns, 1))


def grouped(codes: Array) -> tuple[Array, list[str]]:
    """Class of each parcel, -1 where it has none, and the names; rare classes are left out."""
    found, names = np.full(len(codes), -1), []
    for name, holds in GROUPS.items():
        there = np.array([holds(str(code)) for code in codes])
        if there.sum() >= LEAST:
            found[there] = len(names)
            names.append(name)
    return found, names


def forest(seed: int) -> RandomForestClassifier:
    """200 trees, classes weighted by their rarity."""
    return RandomForestClassifier(200, class_weight="balanced_subsample", random_state=seed)


def scaled(x: Array) -> Array:
    """Standardised features over the root of their number: rows of length 1, however many."""
    return x / np.sqrt(x.shape[1])


def logistic(strength: float | None) -> Pipeline:
    """Ridge logistic regression; without a strength the best of four by three inner folds.

    The rotation to at most as many axes as samples leaves it the same and saves time.
    """
    line = LogisticRegression(C=strength or 1.0, class_weight="balanced", max_iter=300, tol=1e-3)
    if strength is None:
        grid = {"C": [3.0, 30.0, 300.0, 3000.0]}
        line = GridSearchCV(line, grid, cv=GroupKFold(3), scoring="f1_macro")
    return make_pipeline(StandardScaler(), FunctionTransformer(scaled), PCA(), line)


def drawn(y: Array, rows: Array, number: int, generator: np.random.Generator) -> Array:
    """So many of the rows at random, the first of each class among them."""
    rows = generator.permutation(rows)
    firsts = [np.flatnonzero(y[rows] == k)[0] for k in np.unique(y[rows])]
    order = np.concatenate([firsts, np.setdiff1d(np.arange(len(rows)), firsts)])
    return rows[order[:number].astype(int)]


def splits(cluster: Array) -> Iterator[tuple[int, Array, Array]]:
    """Seed, rows that are fitted on, rows that are scored."""
    for seed in SEEDS:
        fold = folds(cluster, FOLDS, seed)
        for k in range(FOLDS):
            yield seed, np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def confused(
    x: Array, y: Array, cluster: Array, kind: str, number: int | None = None
) -> tuple[Array, Array]:
    """Confusions by cluster of all seeds, ``[cluster, K, K]``, and macro-F1 of each seed."""
    said = np.full((len(SEEDS), len(y)), -1)
    for k, (seed, fit, scored) in enumerate(splits(cluster)):
        generator = np.random.default_rng([seed, k])
        rows = fit if number is None else drawn(y, fit, number, generator)
        model = forest(seed) if kind == "forest" else logistic(None if number is None else 30.0)
        chosen = kind == "logistic" and number is None
        inner = {"gridsearchcv__groups": cluster[rows]} if chosen else {}
        said[seed, scored] = model.fit(x[rows], y[rows], **inner).predict(x[scored])
    each = np.stack([confusions(y, one, cluster, y.max() + 1) for one in said])
    return each.sum(0), macro_f1(each.sum(1))


def inputs(folder: Path, parcels: pd.DataFrame) -> Tables:
    """Tables of features of the whole season."""
    told, states = (xr.open_dataset(folder / run / "analysis.nc") for run in ("embed", "states"))
    times = to_days(told.time.values)
    bands, index = raw(None, times)
    vector = features(told, ["embedding"])
    variables = features(told, [*STATE, *SPREAD])
    return {
        "reflectance": bands,
        "reflectance, NDVI": np.hstack([bands, index]),
        "reflectance, radar, weather": np.hstack(
            [bands, beside(parcels, told.label.values, times)]
        ),
        "encoder: mean": features(told, STATE),
        "encoder: mean, spread": variables,
        "encoder: embedding": vector,
        "encoder: all three": np.hstack([variables, vector]),
        "states: mean": features(states, STATE),
        "states: mean, spread": features(states, [*STATE, *SPREAD]),
        "reflectance, states, embedding": np.hstack([bands, features(states, STATE), vector]),
    }


def cell(found: Interval, signed: bool = False) -> str:
    """A figure and its interval."""
    form = "+.3f" if signed else ".3f"
    return f"{found.value:{form}} [{found.lower:{form}}, {found.upper:{form}}]"


def rows_of(x: Tables, y: Array, cluster: Array, number: int | None = None) -> list[dict]:
    """Scores of every table by both classifiers, beside the forest on reflectance."""
    sums = {
        (name, kind): confused(values, y, cluster, kind, number)
        for name, values in x.items()
        for kind in ("forest", "logistic")
    }
    rival = sums["reflectance", "forest"][0]
    generator = np.random.default_rng(0)
    return [
        {
            "features": name,
            "classifier": kind,
            "labels": number or "all",
            "macro-F1": cell(redrawn(table, macro_f1, generator)),
            "of seeds": f"{each.min():.3f} to {each.max():.3f}",
            "less that of the forest on reflectance": cell(
                redrawn(table, macro_f1, generator, rival), signed=True
            ),
            "less that of the same on reflectance": cell(
                redrawn(table, macro_f1, generator, sums["reflectance", kind][0]), signed=True
            ),
            "f1": f1(table.sum(0)).round(3).tolist(),
        }
        for (name, kind), (table, each) in sums.items()
    ]


def shown(rows: list[dict]) -> str:
    """Markdown of rows, without their list of classes."""
    keys = [key for key in rows[0] if key != "f1"]
    lines = ["| " + " | ".join(keys) + " |", "| --- " * len(keys) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(r[k]) for k in keys) + " |" for r in rows])


def early(folder: Path, month: str) -> Tables:
    """Tables of what was known at the beginning of a month."""
    until = EARLY[month]
    told = xr.open_dataset(folder / f"embed-{month}" / "analysis.nc")
    unsmoothed = xr.open_dataset(folder / "states" / "unsmoothed.nc")
    return {
        "reflectance": raw(until, to_days(told.time.values))[0],
        "encoder: mean, spread": features(told, [*STATE, *SPREAD]),
        "encoder: embedding": features(told, ["embedding"]),
        "states, not smoothed": features(unsmoothed, STATE, until),
    }


def draw(folder: Path) -> None:
    """Macro-F1 by number of labels, from the rows of `few` and `all`."""
    parts = [json.loads((folder / f"{part}.json").read_text()) for part in ("few", "all")]
    rows = [row for part in parts for row in part["rows"] if row["features"] in FEW]
    most = int(sum(parts[0]["classes"].values()) * (1.0 - 1.0 / FOLDS))
    figure, axes = plt.subplots(1, 2, figsize=(8.0, 3.4), sharey=True, layout="constrained")
    for axis, kind in zip(axes, ("forest", "logistic"), strict=True):
        for k, name in enumerate(FEW):
            mine = [row for row in rows if (row["features"], row["classifier"]) == (name, kind)]
            labels = [most if row["labels"] == "all" else row["labels"] for row in mine]
            told = np.array([[float(x) for x in NUMBER.findall(r["macro-F1"])] for r in mine])
            value, low, high = told.T
            at = np.array(labels) * 1.04 ** (k - 1.5)  # beside one another
            axis.errorbar(at, value, [value - low, high - value], fmt="o-", ms=4, label=name)
        axis.set(title=kind, xlabel="labels", xscale="log", xticks=[*LABELS, most])
        axis.set_xticklabels([*map(str, LABELS), str(most)])
        axis.minorticks_off()
    axes[0].set_ylabel("macro-F1")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(HERE / "crop_labels.png", dpi=110)


def main(folder: Path, part: str) -> None:
    """The rows of a part."""
    document = load(CONFIG)
    parcels = table_of(document.resolve(document.values["source"][0]["path"]))
    told = xr.open_dataset(folder / "embed" / "analysis.nc")
    code = parcels.groupby("sample_id").ewoc_code.first().loc[told.label.values].values
    y, names = grouped(code)
    kept = y >= 0
    cluster = clusters(told.lon.values, told.lat.values, WITHIN)[kept]
    y = y[kept]
    counts = {name: int((y == k).sum()) for k, name in enumerate(names)}
    print(json.dumps(counts), len(np.unique(cluster)), "clusters", flush=True)

    def scored(x: Tables, number: int | None = None, **also: str) -> list[dict]:
        kept_rows = {name: values[kept] for name, values in x.items()}
        return [{**also, **row} for row in rows_of(kept_rows, y, cluster, number)]

    if part == "early":
        found = [row for m in EARLY for row in scored(early(folder, m), until=EARLY[m])]
    else:
        x = inputs(folder, parcels)
        few = {name: x[name] for name in FEW}
        found = scored(x) if part == "all" else [r for n in LABELS for r in scored(few, n)]
    print(shown(found))
    write_json(folder / f"{part}.json", {"classes": counts, "rows": found})
    if all((folder / f"{one}.json").is_file() for one in ("few", "all")):
        draw(folder)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in ("all", "few", "early"):
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
