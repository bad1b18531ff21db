r"""Forecasts by bins of lead: every acquisition is an origin, all later ones are its targets.

A horizon takes the latest observation that is old enough (`releo_da.runs.block`). A bin takes every
pair of a pixel's clear dates,

    origin s < target t,    low < t - s <= high  (calendar days),    t in the scored period,

so that a forecast is judged from wherever it could have been made, after long gaps and short ones
alike, and one target counts once per origin. Pairs are found for all pixels at once: with the clear
dates of all pixels in one list, pixel by pixel, the k-th later date of every origin is a shift by
k; the loop over k ends when no shift is left within the longest lead. Memory: a pixel that is clear
every d days has ``high / d`` pairs per origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS, meaning, summary

Bin = tuple[float, float]
"""A lead of more than the first and at most the second number of days."""


class Pairs(NamedTuple):
    """Origins and targets, ordered by pixel, then origin, then target; each ``[pair]``.

    Attributes:
        pixel: position on the pixel axis.
        origin: position of the acquisition that is the last one used.
        target: position of the acquisition that is predicted.
        bin: position of the bin of the lead.
    """

    pixel: Array
    origin: Array
    target: Array
    bin: Array


class Leads(NamedTuple):
    """What a run forecast by bins of lead.

    Attributes:
        pairs: origins and targets.
        bins: of their leads.
        told: what was predicted of them, see `leads_dataset`.
    """

    pairs: Pairs
    bins: tuple[Bin, ...]
    told: xr.Dataset


def label(bin: Bin) -> str:
    """The name of a bin, as in ``10-30``."""
    return f"{bin[0]:g}-{bin[1]:g}"


def middle(name: str) -> float:
    """Days for the name of a bin (its middle) or of a horizon, to sort and to draw by."""
    ends = [float(part) for part in name.split("-")]
    return sum(ends) / len(ends)


def pairs_of(
    times: Array,
    seen: Array,
    bins: Sequence[Bin],
    period: tuple[float, float] = (-np.inf, np.inf),
    origins: Array | None = None,
) -> Pairs:
    """All pairs of clear dates of each pixel whose lead falls into a bin.

    Args:
        times: ``[date]`` days, ascending.
        seen: ``[pixel, date]`` bool, the values that may be predicted.
        bins: that do not overlap.
        period: first and last time of targets.
        origins: ``[pixel, date]`` bool, dates that forecasts may start from; ``seen`` unless given.
    """
    starts = seen if origins is None else np.asarray(origins, bool)
    pixel, date = np.nonzero(np.asarray(seen, bool) | starts)
    day = np.floor(times)
    longest = max((high for _, high in bins), default=0.0)
    found: list[Array] = []
    for shift in range(1, len(date)):
        first, second = slice(None, -shift), slice(shift, None)
        lead = day[date[second]] - day[date[first]]
        near = (pixel[first] == pixel[second]) & (lead <= longest)
        if not near.any():
            break
        origin, target, row = date[first][near], date[second][near], pixel[first][near]
        inside = (times[target] >= period[0]) & (times[target] <= period[1])
        inside &= starts[row, origin] & seen[row, target]
        for number, (low, high) in enumerate(bins):
            kept = inside & (lead[near] > low) & (lead[near] <= high)
            chosen = [row[kept], origin[kept], target[kept], np.full(kept.sum(), number)]
            found.append(np.stack(chosen))
    whole = np.concatenate(found, 1) if found else np.zeros((4, 0), int)
    return Pairs(*whole[:, np.lexsort(whole[2::-1])])


def of_pixels(pairs: Pairs, rows: Array) -> tuple[Pairs, Array]:
    """The pairs of some pixels, with positions among these, and which pairs they are.

    Args:
        pairs: of all pixels.
        rows: ``[row]`` positions on the pixel axis.
    """
    place = np.full(max(pairs.pixel.max(initial=-1), rows.max(initial=-1)) + 1, -1)
    place[rows] = np.arange(len(rows))
    chosen = np.flatnonzero(place[pairs.pixel] >= 0)
    part = Pairs(*(column[chosen] for column in pairs))
    return part._replace(pixel=place[part.pixel]), chosen


def leads_dataset(
    pairs: Pairs, numbers: Array, times: Array, ids: Array, bins: Sequence[Bin]
) -> xr.Dataset:
    """What was predicted of each pair, as a data set along ``pair``.

    Args:
        pairs: of the run.
        numbers: ``[pair, field]`` by `releo_da.diagnostics.verification.FIELDS`.
        times: ``[date]`` days since 1970-01-01.
        ids: ``[pixel]``.
        bins: of the pairs.
    """
    instants = np.round(np.asarray(times, float) * 86_400e3).astype("datetime64[ms]")
    instants = instants.astype("datetime64[ns]")
    variables: dict[str, Any] = {
        name: ("pair", column.astype(np.float32), {"long_name": meaning(name)})
        for name, column in zip(FIELDS, np.moveaxis(numbers, -1, 0), strict=True)
    }
    names = np.array([label(bin) for bin in bins], str)
    coordinates = {
        "place": ("pair", pairs.pixel, {"long_name": "position on the pixel axis"}),
        "pixel": ("pair", np.asarray(ids)[pairs.pixel]),
        "origin": ("pair", instants[pairs.origin], {"long_name": "last acquisition used"}),
        "target": ("pair", instants[pairs.target], {"long_name": "acquisition predicted"}),
        "lead": ("pair", names[pairs.bin], {"long_name": "bin of the lead, days"}),
    }
    title = "NDVI and what was forecast of it, for every origin and target"
    return xr.Dataset(variables, coordinates, {"title": title, "bins": list(names)})


def lead_summaries(found: xr.Dataset, variable: str = "ndvi") -> dict[str, Any]:
    """Rows of scores.json by bin, ``{bin: {variable: row}}``; bins without pairs are left out."""
    rows = {}
    for name in bins_of(found):
        one = of_bin(found, name)
        row = summary(one)
        if row["n"]:
            rows[name] = {variable: row}
    return rows


def bins_of(found: xr.Dataset) -> list[str]:
    """Names of the bins of a data set, in order; netCDF gives a list of one back as a text."""
    names = found.attrs["bins"]
    return [names] if isinstance(names, str) else [str(name) for name in names]


def of_bin(found: xr.Dataset, name: str) -> xr.Dataset:
    """The pairs of one bin, in the order of the run."""
    return found.isel(pair=np.flatnonzero(found["lead"].values == name))


def lead_losses(found: xr.Dataset, squared: bool) -> Array:
    """Squared error of the mean, or CRPS, of each pair, ``[pair]``."""
    loss = (found["mean"] - found["observed"]) ** 2 if squared else found["crps"]
    return loss.values.astype(float)


def pooled_leads(parts: Sequence[tuple[xr.Dataset | None, int]]) -> xr.Dataset | None:
    """Pairs of several runs on one pixel axis; None where the runs have none.

    Args:
        parts: the data set of each run, and where its pixels begin on the common axis.
    """
    moved = [one.assign_coords(place=one["place"] + k) for one, k in parts if one is not None]
    return xr.concat(moved, "pair") if moved else None
