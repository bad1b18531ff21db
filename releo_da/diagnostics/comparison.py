"""What two runs said of the same values: records of verification.nc, products of twins.

Two runs are compared where both said something of the same value: the same case, variable, pixel
and date, and the same truth or observation there (equal up to 1e-5 of it). Two truths agree by
chance where a variable stands at a bound or is a constant of its crop, so of twins a variable is
compared whole or not at all (`of_one_truth`). `differences` makes intervals of their losses.

Runs with other acquisitions have few dates of verification.nc in common, and these are dates on
which both saw something. Products stand on dates that do not depend on acquisitions, so twins are
compared there as well: case `products`, the estimates of analysis.nc against truth.nc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from releo_da.diagnostics.differences import SCORES, Difference, Losses, Units, differences, part
from releo_da.diagnostics.plots.products import variables
from releo_da.diagnostics.scores import Array

PRODUCTS = "products"
"""Case of the estimates in analysis.nc against truth.nc, on product dates."""

USED = ("observed", "mean", "sd", "crps")
"""Fields of verification.nc that are needed."""

SAME, TINY = 1e-5, 1e-7
"""Up to which share of it, and how much, two values are the same."""

WHOLE = 0.99
"""Share of its values from which on a variable of two runs has one truth."""

NEAR = 0.05
"""Share of its deviation by which a truth may move with the angles of the acquisitions."""


def same_values(first: Array, second: Array) -> Array:
    """Where two arrays hold the same value; never where one of them is missing."""
    with np.errstate(invalid="ignore"):
        return np.abs(first - second) <= SAME * np.abs(second) + TINY


def of_one_truth(alike: Array, known: Array, names: Sequence[str]) -> Array:
    """Which variables and channels of two twins have one truth, ``[channel]`` bool.

    Those of which `WHOLE` of the values are the same; and none where this holds for less than half
    of the variables, since what agrees then is a constant of both.

    Args:
        alike: ``[time, pixel, channel]`` bool, where the values are the same.
        known: likewise, where both have one.
        names: ``[channel]``.
    """
    number = known.sum((0, 1))
    same = (alike & known).sum((0, 1)) >= WHOLE * number
    some = number > 0
    decide = some & np.array([not name[:1].isupper() for name in names], bool)
    if not decide.any():
        decide = some
    one = decide.any() and same[decide].mean() >= 0.5
    return some & same & one


class PairedRecords(NamedTuple):
    """What two runs say of the same values.

    Attributes:
        differences: of all cases and variables.
        share: of the values at common dates and pixels that are compared, NaN where there is none.
        other: variables and channels of which nothing is, since their truths differ.
    """

    differences: list[Difference]
    share: float
    other: tuple[str, ...] = ()


def paired_records(
    ours: xr.Dataset,
    theirs: xr.Dataset,
    units: Units,
    generator: np.random.Generator,
    truths: bool = False,
) -> PairedRecords:
    """Differences of all cases and variables that two runs have records of.

    Args:
        ours: `USED` of verification.nc.
        theirs: of the rival.
        units: of the pixels of ``theirs``.
        generator: of the draws.
        truths: what was observed is the truth of a twin (`of_one_truth`), and not an observation.
    """
    axes = ("case", "time", "pixel", "channel")
    held = {x: np.intersect1d(ours[x], theirs[x], return_indices=True) for x in axes}
    if not all(len(values) for values, *_ in held.values()):
        return PairedRecords([], float("nan"))
    a = ours.isel({axis: at for axis, (_, at, _) in held.items()})
    b = theirs.isel({axis: at for axis, (_, _, at) in held.items()})
    kept = part(units, held["pixel"][2])
    seen = a.observed.values, b.observed.values
    alike = same_values(*seen)
    known = np.isfinite(seen[0]) & np.isfinite(seen[1])
    names = [str(name) for name in a.channel.values]
    other: tuple[str, ...] = ()
    if truths:
        one_truth = of_one_truth(alike, known, names)
        alike = known & one_truth
        other = tuple(n for n, same in zip(names, one_truth, strict=True) if not same)
    share = float(alike[known].mean()) if known.any() else float("nan")
    columns = [(name, score) for score in SCORES for name in names]
    root = np.repeat([True, False], len(names))
    found = []
    for case in a.case.values:
        pair = [losses_of(one.sel(case=case), alike) for one in (a, b)]
        one = Losses(pair[0], pair[1], root, columns)
        found += differences(str(case), one, kept, generator)
    return PairedRecords(found, share, other)


def losses_of(said: xr.Dataset, kept: Array) -> Array:
    """Squared errors and CRPS of one case, ``[time, pixel, 2 x channel]``, NaN elsewhere."""
    error = (said["mean"] - said["observed"]).values.astype(float)
    both = np.concatenate([error**2, said["crps"].values.astype(float)], -1)
    return np.where(np.concatenate([kept, kept], -1), both, np.nan)


def same_truth(first: Array, second: Array) -> bool:
    """Whether two arrays are one truth: they differ by less than `NEAR` of its deviation.

    NDVI and fAPAR are those under the sun and the view of the nearest acquisition, so that the same
    land has slightly different ones where other satellites pass; each run keeps its own.
    """
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return False
    moved = np.sqrt(np.mean((first - second)[known] ** 2))
    return bool(moved <= NEAR * second[known].std())


class Estimates(NamedTuple):
    """Output variables of a twin beside the truth.

    Attributes:
        analysis: analysis.nc.
        truth: truth.nc.
    """

    analysis: xr.Dataset
    truth: xr.Dataset


def common_dates(runs: Sequence[Estimates]) -> list[Estimates]:
    """The same runs on the product dates that all of them have."""
    dates = set(runs[0].analysis.time.values)
    for one in runs:
        dates &= set(one.analysis.time.values) & set(one.truth.time.values)
    when = np.array(sorted(dates), "datetime64[ns]")
    return [Estimates(one.analysis.sel(time=when), one.truth.sel(time=when)) for one in runs]


def paired_products(
    ours: Estimates, theirs: Estimates, units: Units, generator: np.random.Generator
) -> list[Difference]:
    """Differences of RMSE on product dates, which both have (`common_dates`).

    Args:
        ours: estimates and truth.
        theirs: of the rival.
        units: of the places of analysis.nc, in its order.
        generator: of the draws.
    """
    names = [
        name
        for name in variables(theirs.analysis)
        if all(name in one for run in (ours, theirs) for one in run)
    ]
    if not names or not theirs.analysis.sizes["time"]:
        return []
    held = {name: [flat(run.truth[name]) for run in (ours, theirs)] for name in names}
    names = [name for name, true in held.items() if same_truth(*true)]
    if len(names) < 0.5 * len(held):  # constants of two truths
        return []
    columns = []
    for name in names:
        true = held[name]
        error = [flat(run.analysis[name]) - true[k] for k, run in enumerate((ours, theirs))]
        columns.append([e**2 for e in error])
    stacked = [np.stack(one, -1) for one in zip(*columns, strict=True)]
    titles = [(name, "rmse") for name in names]
    losses = Losses(stacked[0], stacked[1], np.ones(len(names), bool), titles)
    return differences(PRODUCTS, losses, units, generator)


def flat(array: xr.DataArray) -> Array:
    """``[time, place]`` in double precision."""
    values = array.transpose("time", ...).values.astype(float)
    return values.reshape(len(values), -1)


def product_rows(run: Estimates) -> dict[str, dict[str, float]]:
    """Scores of the products against the truth by variable."""
    rows = {}
    for name in (n for n in variables(run.analysis) if n in run.truth):
        error = flat(run.analysis[name]) - flat(run.truth[name])
        known = np.isfinite(error)
        if not known.any():
            continue
        row = {
            "rmse": float(np.sqrt(np.mean(error[known] ** 2))),
            "bias": float(error[known].mean()),
        }
        levels = run.analysis.get(f"{name}_quantile")
        if levels is not None and {0.05, 0.95} <= set(np.round(levels["quantile"].values, 4)):
            low, high = (flat(levels.sel(quantile=q, method="nearest")) for q in (0.05, 0.95))
            true = flat(run.truth[name])
            row["coverage_90"] = float(np.mean(((low <= true) & (true <= high))[known]))
        rows[name] = row | {"n": int(known.sum())}
    return rows
