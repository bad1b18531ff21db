"""Dates of seasons of a block of pixels, from the members of its output variables.

Members of a block are held for all product dates while the block is worked on; what is kept of them
here are some numbers per season. In a twin experiment the truth's own curve has dates as well, and
so have two curves that know nothing of an ensemble, both of the NDVI that was seen: Whittaker
smoothing with the roughness that best predicts withheld dates, and double logistics. They are
scored beside the estimate, whatever its variable: NDVI saturates, so its seasons start earlier and
end later than those of leaf area.

The axis of seasons is ``year x per_year``; files have ``[number in the year, year, pixel]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from releo_da.diagnostics.baselines import Series
from releo_da.diagnostics.baselines.double_logistic import at_times, fit_double_logistic
from releo_da.diagnostics.baselines.whittaker import daily_curves, fit_whittaker
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.seasons import (
    KINDS,
    Dates,
    Scored,
    Seasons,
    Windows,
    aligned,
    dates_in,
    scored,
    statistics,
    windows,
)
from releo_da.diagnostics.seasons.windows import years
from releo_da.runs.baselines import tables
from releo_da.types import Acquisition

OURS, TRUTH = "assimilation", "truth"
RIVALS = ("whittaker", "double_logistic")
"""Curves of NDVI whose seasons are scored beside those of a twin experiment."""

NDVI = 0.1
"""Amplitude of a season of NDVI, for the rivals of an estimate of another variable."""


class Told(NamedTuple):
    """Seasons of some pixels of a twin experiment.

    Attributes:
        layers: for the file, ``{name: [number, year, pixel]}``.
        scored: sums by `OURS` and `RIVALS`.
    """

    layers: dict[str, Array]
    scored: dict[str, Scored]


def of_members(times: ArrayLike, members: Array, wanted: Seasons) -> Dates:
    """The dates of an ensemble.

    Args:
        times: ``[time]`` days since 1970-01-01.
        members: ``[time, pixel, member]`` of the variable.
        wanted: what counts as a season.
    """
    days, curves = np.asarray(times, float), np.moveaxis(members, 0, -1).astype(float)
    return dates_in(days, curves, windows(days, curves.mean(1), wanted), wanted)


def of_curves(days: Array, curves: Array, wanted: Seasons, spanned: Array) -> Dates:
    """The dates of one curve per pixel, ``[pixel, day]``; NaN in a curve leaves no season."""
    whole = np.where(np.isfinite(curves).all(1, keepdims=True), curves, 0.0)
    return dates_in(days, whole[:, None], windows(days, whole, wanted, spanned), wanted)


def joined(parts: Sequence[Dates]) -> Dates:
    """The dates of several portions of pixels, in their order."""

    def one(values: Sequence[Array]) -> Array:
        return np.concatenate(values, 1)

    inside = Windows(*(one(held) for held in zip(*(p.windows for p in parts), strict=True)))
    start, peak, end, high = (one(held) for held in zip(*(p[:4] for p in parts), strict=True))
    return Dates(start, peak, end, high, inside, parts[0].period)


def kept(found: Dates, wanted: Seasons) -> dict[str, Array]:
    """What the file holds of an ensemble, ``{name: [number, year, pixel]}`` float32."""
    named = {"probability": f"{wanted.variable}_season_probability"}
    return {
        named.get(name, f"{wanted.variable}_{name.removesuffix('_median')}"): folded(values, wanted)
        for name, values in statistics(found).items()
    }


def folded(values: Array, wanted: Seasons) -> Array:
    """``[year x number, pixel]`` as ``[number, year, pixel]`` float32."""
    parts = values.reshape(-1, wanted.per_year, values.shape[1]).astype(np.float32)
    return np.moveaxis(parts, 1, 0)


def rivals(
    acquisitions: Sequence[Acquisition],
    channels: Mapping[str, tuple[str, ...]],
    times: Array,
    wanted: Seasons,
) -> dict[str, Dates]:
    """The dates that curves of the observed NDVI say, from the first to the last product date.

    None where no sensor has the channels of NDVI, or nothing was seen.
    """
    table = tables(acquisitions, channels).get("ndvi")
    if table is None:
        return {}
    own = wanted._replace(variable="ndvi")
    own = own if wanted.variable == "ndvi" else own._replace(amplitude=NDVI)
    days = np.arange(np.floor(times[0]), np.floor(times[-1]) + 1.0)
    curves = whittaker_curves(table, days), logistic_curves(table, days)
    spanned = years(times)
    return {
        name: of_curves(days, curve, own, spanned)
        for name, curve in zip(RIVALS, curves, strict=True)
    }


def whittaker_curves(table: Series, days: Array) -> Array:
    """Whittaker's curves at days, ``[pixel, day]``; as at the ends beyond what was seen."""
    axis, curve = daily_curves(fit_whittaker(table), table)
    at = np.clip((days - axis[0]).astype(int), 0, len(axis) - 1)
    return curve[at].T


def logistic_curves(table: Series, days: Array) -> Array:
    """Double logistics at days, ``[pixel, day]``; NaN for pixels seen on fewer than two days."""
    found = np.full((len(table.values), len(days)), np.nan)
    known = np.array([np.unique(np.floor(table.times[seen])).size > 1 for seen in table.seen])
    if known.any():
        some = table._replace(values=table.values[known], seen=table.seen[known])
        found[known] = at_times(fit_double_logistic(table), some, days)
    return found


def beside_truth(
    estimate: Dates,
    truth: Array,
    times: ArrayLike,
    others: Mapping[str, Dates],
    wanted: Seasons,
) -> Told:
    """The dates of an ensemble and of its rivals beside those of the truth.

    Args:
        estimate: ``[season, pixel, member]``.
        truth: ``[time, pixel]``, the variable as it was.
        times: ``[time]`` days since 1970-01-01.
        others: `rivals`.
        wanted: what counts as a season.
    """
    true = of_members(times, truth[..., None], wanted)
    layers = kept(estimate, wanted)
    for name, one in {TRUTH: true, **others}.items():
        mine = aligned(estimate.windows, one)
        for kind in KINDS:
            dates = getattr(mine, kind)[..., 0]
            known = np.where(np.isfinite(dates), dates, np.nan)
            layers[f"{wanted.variable}_{kind}_{name}"] = folded(known, wanted)
    sums = {name: scored(one, true) for name, one in {OURS: estimate, **others}.items()}
    return Told(layers, sums)


def rows(sums: Mapping[str, Scored], wanted: Seasons) -> dict[str, object]:
    """The entry ``phenology`` of scores.json; rivals have dates and no distribution."""
    ours = sums[OURS].rows()
    beside = {
        name: {
            kind: {k: row[k] for k in ("rmse", "bias", "mae", "n")} if kind in KINDS else row
            for kind, row in one.rows().items()
        }
        for name, one in sums.items()
        if name != OURS
    }
    return {"variable": wanted.variable, **ours, "baselines": beside}
