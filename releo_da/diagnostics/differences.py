r"""Differences of the losses of two runs, with intervals: how sure is it that one is better?

With the losses l_a and l_b of the same values the difference is

    d = mean(l_a) / mean(l_b) - 1,        of RMSE  sqrt(mean e_a^2 / mean e_b^2) - 1,

below 0 where a is better. Its 95 % interval redraws whole units (`paired`), because values of one
pixel, and of its neighbours, are not independent: square blocks of neighbouring pixels of a grid,
points, replicates of a toy model. Crop, sowing date and soil are those of a field, and so are most
errors: of a landscape whose fields are known blocks are never smaller than `FIELDS` times their
width, and where fewer than `FEWEST` are left there is no interval. Where both runs were repeated
over the same seeds, the unit is the seed, with Student's interval of the ratios of single seeds
(`repeats`). An interval over pixels says how sure the difference is for this truth; only one over
seeds says so of other truths.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from releo_da.diagnostics.paired import paired_intervals
from releo_da.diagnostics.repeats import interval_of_ratios, rows_of
from releo_da.diagnostics.scores import Array

SCORES = ("rmse", "crps")
BETTER, WORSE, ALIKE, UNSURE = "better", "worse", "no difference shown", "no interval"
BLOCKS = 30
"""Blocks that a grid is divided into, where its fields leave so many."""

FIELDS = 1.5
"""Width of a block by that of a field, beyond which errors have nothing of a field in common."""

FEWEST = 8
"""With fewer blocks a redrawn sample does not show how much a mean varies."""


class Units(NamedTuple):
    """What is redrawn.

    Attributes:
        label: ``[pixel]`` unit of each pixel, 0, 1, ...
        words: what a unit is.
        fewest: with fewer units there is no interval.
    """

    label: Array
    words: str
    fewest: int = 2


class Difference(NamedTuple):
    """One score of a run as a share of that of another, minus 1.

    Attributes:
        case: "products", "analysis", "forecast_10", ...
        variable: or channel.
        score: "rmse" or "crps".
        change: negative where the run is better.
        lower: of the 95 % interval; NaN with too few units.
        upper: of the 95 % interval.
        units: number of units that were redrawn.
        over: what a unit is.
        n: number of values; NaN for seeds.
    """

    case: str
    variable: str
    score: str
    change: float
    lower: float
    upper: float
    units: int
    over: str
    n: float

    @property
    def verdict(self) -> str:
        """In words: an interval that holds 0 shows nothing."""
        if not np.isfinite([self.lower, self.upper]).all():
            return UNSURE
        if self.upper < 0.0:
            return BETTER
        return WORSE if self.lower > 0.0 else ALIKE


def grid_units(row: Array, column: Array, field: float = 0.0) -> Units:
    """Square blocks of neighbouring pixels, `BLOCKS` of them unless fields ask for larger ones.

    Args:
        row: ``[pixel]`` of the grid, of which every so many rows may be there.
        column: ``[pixel]`` likewise.
        field: mean width of a field in pixels of the grid; 0 where it is not known.
    """
    held = [np.unique(one, return_inverse=True) for one in (row, column)]
    apart = max(float(np.median(np.diff(values))) if len(values) > 1 else 1.0 for values, _ in held)
    side = max(1, int(np.sqrt(len(row) / BLOCKS)), math.ceil(FIELDS * field / apart))
    corner = np.stack([at // side for _, at in held], 1)
    label = np.unique(corner, axis=0, return_inverse=True)[1].reshape(-1)
    if side == 1:
        return Units(label, "pixels")
    return Units(label, f"blocks of {side} × {side} pixels", FEWEST)


def part(units: Units, kept: Array) -> Units:
    """The units of some of the pixels; ``kept`` are their positions."""
    return units._replace(label=np.unique(units.label[kept], return_inverse=True)[1])


class Losses(NamedTuple):
    """Losses of two runs on the same values.

    Attributes:
        ours: ``[date, pixel, column]``, NaN where a value is not compared.
        theirs: the same of the rival.
        root: ``[column]`` whether the root of the mean is the score.
        names: ``[column]`` variable and score.
    """

    ours: Array
    theirs: Array
    root: Array
    names: Sequence[tuple[str, str]]


def differences(
    case: str, losses: Losses, units: Units, generator: np.random.Generator
) -> list[Difference]:
    """One difference per column that has values."""
    both = np.isfinite(losses.ours) & np.isfinite(losses.theirs)
    n = both.sum((0, 1))
    held = both.any((0, 2))
    if not held.any():
        return []
    kept = part(units, np.flatnonzero(held))
    size = int(kept.label.max()) + 1
    sums = [summed(np.where(both, a, 0.0)[:, held], kept.label, size) for a in losses[:2]]
    found = paired_intervals(sums[0], sums[1], generator, losses.root)
    counted = summed(both[:, held].astype(float), kept.label, size) > 0
    result = []
    for k, (name, score) in enumerate(losses.names):
        if not n[k] or not np.isfinite(found.change[k]):
            continue
        several = int(counted[:, k].sum())
        low, high = (found.lower[k], found.upper[k])
        if several < kept.fewest:
            low = high = np.nan
        numbers = (float(found.change[k]), float(low), float(high))
        result.append(Difference(case, name, score, *numbers, several, kept.words, int(n[k])))
    return result


def summed(loss: Array, label: Array, size: int) -> Array:
    """Losses ``[date, pixel, column]`` summed over dates and the pixels of a unit."""
    total = np.zeros((size, loss.shape[2]))
    np.add.at(total, label, loss.sum(0, dtype=float))
    return total


def paired_seeds(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], other: Collection[str] = ()
) -> list[Difference]:
    """Differences over the seeds that both runs were repeated with; none with fewer than two.

    Runs of which a seed is not the same truth must not be given: a ratio would be that of two
    landscapes.

    Args:
        ours: scores.json.
        theirs: of the rival.
        other: variables and channels that are left out, since their truths differ.
    """
    tables = [
        {one["seed"]: dict(rows_of(one)) for one in run.get("repeats", {}).get("per_seed", [])}
        for run in (ours, theirs)
    ]
    seeds = [seed for seed in tables[0] if seed in tables[1]]
    if len(seeds) < 2:
        return []
    pairs = [(tables[0][seed], tables[1][seed]) for seed in seeds]
    found = []
    for place in pairs[0][1]:
        if place[0] == "seen" or place[-1] in other:
            continue
        if not all(place in table for pair in pairs for table in pair):
            continue
        case = "_".join(place[:-1])
        for score in SCORES:
            ratios = [ratio(a[place].get(score), b[place].get(score)) for a, b in pairs]
            if all(np.isfinite(ratios)):
                change, low, high = (bound - 1.0 for bound in interval_of_ratios(ratios))
                numbers = (change, low, high, len(seeds), "seeds", float("nan"))
                found.append(Difference(case, place[-1], score, *numbers))
    return found


def ratio(ours: float | None, theirs: float | None) -> float:
    """One score as a share of another, NaN where one of them is missing or the other is 0."""
    return ours / theirs if ours is not None and theirs else float("nan")


def paired_replicates(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], generator: np.random.Generator
) -> list[Difference]:
    """Differences of the RMSE of a toy model over its replicates, which must be of one truth."""
    found = []
    for case, row in theirs.get("replicates", {}).items():
        other = ours.get("replicates", {}).get(case)
        if other is None or len(other["rmse"]) != len(row["rmse"]):
            continue
        pair = [np.array(one["rmse"], float)[None, :, None] for one in (other, row)]
        losses = Losses(pair[0], pair[1], np.array([False]), [("state", "rmse")])
        units = Units(np.arange(len(row["rmse"])), "replicates")
        found += differences(case, losses, units, generator)
    return found
