"""Withheld NDVI by the smoothing baselines alone, as the study scores them: `python baselines.py`.

Each is fitted on 2017 of the points of four folds and says the withheld values of the fifth; folds
are pooled, offsets averaged. The table of the README has them beside the assimilation; this needs
no fit and no run of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from releo_da.config.document import load
from releo_da.config.sections import score, section
from releo_da.config.sources import read_sources
from releo_da.config.study_parts import subset
from releo_da.config.table_text import markdown
from releo_da.config.train_section import train
from releo_da.diagnostics.baselines import BASELINES
from releo_da.runs.baselines import Said, rows, said, tables
from releo_da.runs.folds import clusters, folds

HERE = Path(__file__).resolve().parent
COLUMNS = ("rmse", "mae", "median_abs", "crps", "n")


def pooled(each: list[Said]) -> Said:
    """The folds one under another, ``[pixel, date]``."""
    return {
        key: tuple(np.concatenate([fold[key][k] for fold in each]) for k in range(3))
        for key in each[0]
    }


def main() -> None:
    """Print the table."""
    document = load(HERE / "config.yaml")
    series = read_sources(document)
    rule = section(document, "score", score).withhold
    first, last = section(document, "train", train).period
    fold = folds(clusters(*(series.pixels[n].values for n in ("lon", "lat")), 250.0), 5)
    each = []
    for number in range(5):
        learned, scored = (
            subset(series, np.flatnonzero(part)) for part in (fold != number, fold == number)
        )
        past = [a for a in learned.acquisitions if first <= a.time <= last]
        known, seen = (
            {"ndvi": tables(acquisitions, series.channels)["ndvi"]}
            for acquisitions in (past, scored.acquisitions)
        )
        held = rule.held(scored.acquisitions, series.channels)
        nowhere = np.zeros_like(seen["ndvi"].seen)
        smoothing = [one for one in BASELINES if one.smooth is not None]
        each.append(said(known, seen, held, (), nowhere, rule.every, baselines=smoothing))
    found = rows(pooled(each))
    body = [
        [name, *(f"{parts['smoothed']['ndvi'][key]:.4g}" for key in COLUMNS)]
        for name, parts in found.items()
    ]
    print(markdown(["withheld NDVI", *COLUMNS], body))
    for name in ("linear", "double_logistic"):
        alone = [rows(one)[name]["smoothed"]["ndvi"]["rmse"] for one in each]
        print(name, "RMSE by fold:", ", ".join(f"{value:.3f}" for value in alone))


if __name__ == "__main__":
    main()
