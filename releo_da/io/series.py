"""A series of acquisitions over one pixel axis, and how series are joined and thinned.

Several sources (a Sentinel-2 and a Landsat file, say) become one series by `merge`; several
products of one pass (another processing baseline, a neighbouring tile) become one acquisition by
`drop_duplicates`. Both are pure: they build new series and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.io.auxiliary import joined_fields
from releo_da.io.names import require
from releo_da.io.times import isoformat
from releo_da.types import Acquisition, InputError

MINUTE = 1 / 1440
KEEP = ("best", "first", "last", "all")


class Series(NamedTuple):
    """Acquisitions in time order and the pixels they lie on.

    Attributes:
        acquisitions: in time order (equal times allowed), CPU float32, one pixel axis for all.
        pixels: data set with the dimension ``pixel`` and the coordinates ``id`` (int64, global),
            ``x``, ``y``, and ``lon``, ``lat`` in degrees where they can be derived, ``label`` where
            a table names its pixels, and the static fields of the option ``auxiliary``
            (`releo_da.io.auxiliary.FIELDS`, NaN where unknown); for a grid also ``row``, ``col``
            and the full axes ``grid_x``, ``grid_y``. Attributes ``kind`` ("point" or
            "grid"), ``crs`` and, for a grid, ``height`` and ``width``.
        log: facts found while reading, one dictionary each, ``kind`` says which.
        channels: per sensor the names along the channel axis of its acquisitions.
        duplicates: which of several products of one pass `drop_duplicates` keeps.
    """

    acquisitions: list[Acquisition]
    pixels: xr.Dataset
    log: list[dict[str, Any]]
    channels: dict[str, tuple[str, ...]]
    duplicates: str = "best"


def merge(series: Sequence[Series]) -> Series:
    """One series of several sources, in time order, over the union of their pixels.

    A pixel that a source does not hold is unseen in its acquisitions. Points are the same when
    their ids are; grids must be the same grid.

    Raises:
        InputError: there is no source, kinds, grids, coordinate systems or static fields differ,
            one sensor comes with different channels, or the rules for duplicates differ.
    """
    if not series:
        raise InputError("source: the list is empty; name at least one source")
    first = series[0]
    channels = dict(first.channels)
    for other in series[1:]:
        _same_pixels(first.pixels, other.pixels)
        for sensor, names in other.channels.items():
            if channels.setdefault(sensor, names) != names:
                raise InputError(
                    f"source: {sensor} comes with the channels {', '.join(names)} and, in another "
                    f"source, {', '.join(channels[sensor])}; name the same channels in both"
                )
        if other.duplicates != first.duplicates:
            raise InputError(
                f"source: duplicates is '{first.duplicates}' in one source and "
                f"'{other.duplicates}' in another; give the same to all"
            )
    pixels = joined_fields(_union([item.pixels for item in series]), [i.pixels for i in series])
    ids = pixels["id"].values
    acquisitions = [
        padded
        for item in series
        for padded in _padded(item.acquisitions, np.searchsorted(ids, item.pixels["id"]), ids.size)
    ]
    log = [entry for item in series for entry in item.log]
    return Series(in_time_order(acquisitions), pixels, log, channels, first.duplicates)


def in_time_order(acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
    """Sorted by time; equal times keep their order."""
    return sorted(acquisitions, key=lambda acquisition: acquisition.time)


def clear_values(acquisition: Acquisition) -> int:
    """Number of values that were seen."""
    return int(acquisition.seen.sum())


def drop_duplicates(
    series: Series,
    suspicious: Collection[str] = frozenset(),
    clear: Callable[[Acquisition], int] = clear_values,
) -> Series:
    """Keep one product of each pass: same sensor, within a minute.

    A pass is delivered twice when it was processed again with another baseline or cut into tiles
    that overlap. `Series.duplicates` says which product stays: the ``best`` (most clear values,
    then the earlier in the series), the ``first``, the ``last``, or ``all`` of them. A suspicious
    product stays only where all products of its pass are suspicious.

    Args:
        series: as read or merged.
        suspicious: names of products found faulty, as by the check against neighbours in time.
        clear: number of clear values of a product; of a series that is a sample, those of the
            whole.

    Returns:
        A series whose log names each dropped product and the one kept in its stead.
    """
    if series.duplicates == "all":
        return series
    kept: list[Acquisition] = []
    log = list(series.log)
    for group in passes(series.acquisitions):
        sound = [item for item in group if item.product not in suspicious] or group
        chosen = chosen_of(sound, series.duplicates, clear)
        kept.append(chosen)
        log += [
            {
                "kind": "duplicate",
                "product": item.product,
                "time": isoformat(item.time),
                "sensor": item.sensor,
                "kept": chosen.product,
                "reason": "suspicious" if item.product in suspicious else series.duplicates,
            }
            for item in group
            if item is not chosen
        ]
    return series._replace(acquisitions=in_time_order(kept), log=log)


def check_duplicates_rule(rule: str, where: str) -> None:
    """Refuse a rule that `drop_duplicates` does not know.

    Raises:
        InputError: naming the valid ones.
    """
    require(rule, KEEP, where, "rule")


class Dated(Protocol):
    """What belongs to a pass: an acquisition, or a note of one."""

    @property
    def time(self) -> float:
        """Days since 1970-01-01 UTC."""
        ...

    @property
    def sensor(self) -> str:
        """Name of the sensor."""
        ...


Item = TypeVar("Item", bound=Dated)


def passes(items: Sequence[Item]) -> list[list[Item]]:
    """Groups of one sensor, each linked by steps of at most a minute; items in time order."""
    groups: list[list[Item]] = []
    latest: dict[str, list[Item]] = {}
    for item in items:
        group = latest.get(item.sensor)
        if group is not None and item.time - group[-1].time <= MINUTE:
            group.append(item)
        else:
            latest[item.sensor] = [item]
            groups.append(latest[item.sensor])
    return groups


def chosen_of(group: Sequence[Item], rule: str, clear: Callable[[Item], int]) -> Item:
    """The product of a pass that the rule keeps; of equals in clear values the first."""
    if rule == "first":
        return group[0]
    if rule == "last":
        return group[-1]
    return max(group, key=clear)


def _same_pixels(one: xr.Dataset, other: xr.Dataset) -> None:
    """Refuse to merge series whose pixel ids do not mean the same places."""
    for key in ("kind", "crs", "height", "width"):
        if one.attrs.get(key) != other.attrs.get(key):
            raise InputError(
                f"source: the sources lie on different pixels ({key} is {one.attrs.get(key)} and "
                f"{other.attrs.get(key)}); bring them to the same points or grid first"
            )
    for axis in ("grid_x", "grid_y"):
        if axis in one and not np.allclose(one[axis], other[axis], rtol=0, atol=1e-6):
            raise InputError(
                f"source: the sources lie on different grids ({axis} differs); "
                "resample them to one grid first"
            )
    _, mine, theirs = np.intersect1d(one["id"], other["id"], return_indices=True)
    named = "label" in one and "label" in other
    if named and np.any(one["label"].values[mine] != other["label"].values[theirs]):
        raise InputError(
            "source: pixels of the same number have different names in two sources; "
            "give the pixels whole numbers in both"
        )
    for axis in ("x", "y"):
        if axis in one and axis in other:
            here, there = one[axis].values[mine], other[axis].values[theirs]
            if not np.allclose(here, there, rtol=0, atol=1e-6, equal_nan=True):
                raise InputError(
                    f"source: points of the same id lie at different places ({axis} differs); "
                    "give the files the same points in the same order"
                )


def _union(pixels: Sequence[xr.Dataset]) -> xr.Dataset:
    """Pixels of all data sets, each once, by ascending id."""
    same = all(np.array_equal(pixels[0]["id"], other["id"]) for other in pixels[1:])
    if same and np.all(np.diff(pixels[0]["id"]) > 0):
        return pixels[0]
    fixed = [name for name in ("grid_x", "grid_y") if name in pixels[0]]
    shared = [name for name in pixels[0].coords if all(name in item.coords for item in pixels)]
    parts = [item.reset_coords()[shared].set_coords(shared).drop_vars(fixed) for item in pixels]
    joined = xr.concat(parts, dim="pixel", join="exact")
    _, first = np.unique(joined["id"].values, return_index=True)
    union = joined.isel(pixel=first).assign_coords({name: pixels[0][name] for name in fixed})
    return union.assign_attrs(pixels[0].attrs)


def _padded(acquisitions: Sequence[Acquisition], place: np.ndarray, size: int) -> list[Acquisition]:
    """Acquisitions carried to a longer pixel axis, on which `place` holds their pixels."""
    if np.array_equal(place, np.arange(size)):
        return list(acquisitions)
    index = torch.as_tensor(place)

    def spread(values: Tensor, fill: float) -> Tensor:
        return values.new_full((size, values.shape[1]), fill).index_copy(0, index, values)

    return [
        item._replace(
            values=spread(item.values, 0.0),
            error=spread(item.error, float("inf")),
            angles=item.angles.mean(0).expand(size, -1).index_copy(0, index, item.angles),
        )
        for item in acquisitions
    ]
