"""What a unit of a study is fitted on and what it is scored on; what baselines say of that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from releo_da.config import hindcast as hindcasts
from releo_da.config.document import Document, load
from releo_da.config.sections import Score, field_tables, section
from releo_da.config.sections import score as score_section
from releo_da.config.sources import read_sources
from releo_da.config.study import Folds
from releo_da.config.train_section import train as train_section
from releo_da.io.series import Series
from releo_da.runs.baselines import Said, tables
from releo_da.runs.block import Task
from releo_da.runs.folds import clusters, folds
from releo_da.runs.hindcast import Outcome
from releo_da.runs.model import on
from releo_da.runs.scoring import score_baselines


def subset(series: Series, rows: np.ndarray) -> Series:
    """A series on some of its pixels."""
    index = torch.as_tensor(rows)
    acquisitions = [on(a, torch.device("cpu"), index) for a in series.acquisitions]
    return series._replace(acquisitions=acquisitions, pixels=series.pixels.isel(pixel=rows))


def thinned(document: Document, series: Series, every: int) -> np.ndarray:
    """Positions of one pixel of so many, and of all that were measured in the field."""
    kept = np.arange(series.pixels.sizes["pixel"]) % every == 0
    for measured in field_tables(document, section(document, "score", score_section), series):
        kept[measured.pixel_index] = True
    return np.flatnonzero(kept)


class Learned(NamedTuple):
    """What a unit is fitted on.

    Attributes:
        document: its configuration.
        series: it is a part of.
        rows: positions of its pixels in that series.
    """

    document: Document
    series: Series
    rows: list[int]


def parts_of(
    document: Document,
    series: Series,
    parts: Folds | None,
    number: int,
    fitted_on: Path | None,
    settings: Sequence[str],
) -> tuple[Learned, np.ndarray]:
    """What a unit is fitted on, and positions of the pixels that it is scored on.

    Args:
        document: the configuration of the unit.
        series: of that.
        parts: folds, of which one is scored after a fit on the others; None for no folds.
        number: of that fold.
        fitted_on: another configuration that is fitted; without it and folds all is both.
        settings: of that, as ``--set`` gives them.
    """
    everything = np.arange(series.pixels.sizes["pixel"])
    if parts is not None:
        lon, lat = (series.pixels[name].values for name in ("lon", "lat"))
        fold = folds(clusters(lon, lat, parts.within_metres), parts.count)
        rest = np.flatnonzero(fold != number).tolist()
        return Learned(document, series, rest), np.flatnonzero(fold == number)
    if fitted_on is not None:
        other = load(fitted_on, settings)
        source = read_sources(other)
        rest = list(range(source.pixels.sizes["pixel"]))
        return Learned(other, source, rest), everything
    return Learned(document, series, everything.tolist()), everything


def said_by_baselines(
    document: Document,
    learned: Learned,
    wanted: Score,
    scored: Series,
    outcome: Outcome,
    task: Task,
) -> Said:
    """What baselines say of the values that a unit is scored on, fitted on what it is fitted on."""
    part = subset(learned.series, np.array(learned.rows))
    if wanted.withhold is not None:  # a withheld sensor takes no part in fits
        kept = [a for a in part.acquisitions if a.sensor != wanted.withhold.sensor]
        part = part._replace(acquisitions=kept)
    return score_baselines(
        scored.acquisitions,
        scored.channels,
        outcome,
        task,
        tables(part.acquisitions, part.channels),
        section(learned.document, "train", train_section).period,
        hindcasts.every_of(document),
        wanted.baselines,
    )
