r"""A check of each acquisition against its neighbours in time for a constant offset.

Processing faults shift all channels of a product by the same amount: a Sentinel-2 product of
baseline 04.00 or later whose -1000 digital counts were not applied reads +0.100 in every channel.
Clouds, soils and growth do not: they change channels differently. With y the values of a pixel and
e their linear interpolation between the clear acquisitions before and after,

    d[channel] = median over pixels of (y - e),        o = mean over channels of d

an acquisition carries a constant offset when ``|o| >= least`` and what remains of d about a named
fault (or, failing that, about o itself) is small: ``sum (d - o)^2 <= unexplained sum d^2``. Bare
soil that is wetted or dries comes near to that (faulty products of two farms left 0.04 to 0.06,
soils from 0.05 upwards) but by a factor and not by a sum; so a constant must also explain d better
than the spectrum itself does, ``sum (d - o)^2 < min_a sum (d - a e)^2``. And the constant must be
seen against each neighbour, at least half of it: a date that agrees with the one before it is not
faulty because the one after it is brighter, nor is the first date of bright straw after a harvest,
which agrees with the one after it. The date of a product does not exclude a fault: collections that
were processed anew carry the offset back to 2015.

A faulty acquisition makes its neighbours look faulty too, with the opposite sign, and two faulty
ones that are neighbours hide each other. So a first pass suspects whatever differs from neighbours
at any of several distances (`GAPS`); the check proper then takes its neighbours among what is not
suspected, and is repeated with what it found until nothing changes.

Shapes: stacked ``[time, pixel, channel]``; cost O(T^2 P C) per round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.sensors import labels, load_sensor
from releo_da.types import Acquisition

FAULTS = {
    0.1: "the offset of -1000 digital counts (processing baseline 04.00) was not applied",
    -0.1: "the offset of -1000 digital counts (processing baseline 04.00) was applied twice",
}
"""Known faults of Sentinel-2 products by the constant reflectance they add."""

GAPS = (0.25, 4.0, 8.0, 12.0)
"""Least distances (days) of neighbours; the first leaves out other products of the same pass."""


class Offset(NamedTuple):
    """A constant offset found in one acquisition.

    Attributes:
        position: of the acquisition in the series that was checked.
        time: days since 1970-01-01 UTC.
        product: name of the product.
        offset: the constant (reflectance).
        cause: what is known to add it, in words.
        known: whether it is a named fault, which `corrected` undoes.
    """

    position: int
    time: float
    product: str
    offset: float
    cause: str
    known: bool

    def __str__(self) -> str:
        return f"{self.product}: all channels {self.offset:+.3f}; {self.cause}"


def find_offsets(
    acquisitions: Sequence[Acquisition],
    channels: Mapping[str, tuple[str, ...]],
    least: float = 0.06,
    unexplained: float = 0.12,
    within_days: float = 30.0,
) -> list[Offset]:
    """Acquisitions that differ from their neighbours by a constant over all channels.

    Args:
        acquisitions: in time order, reflectances.
        channels: channel names of each sensor; sensors with the same channels are compared.
        least: smallest offset that is looked for (reflectance).
        unexplained: largest share of the squared difference that may remain about a named fault;
            about another constant a third of it.
        within_days: neighbours farther away are not used.
    """
    found: list[Offset] = []
    named = labels(channels)
    for shared in dict.fromkeys(named.values()):
        index = [k for k, a in enumerate(acquisitions) if named.get(a.sensor) == shared]
        if not index:
            continue
        names = channels[acquisitions[index[0]].sensor]
        # A constant added to reflectances is no constant of an index or of an estimate.
        plain = [own is None for own in load_sensor(acquisitions[index[0]].sensor).limits(names)]
        if sum(plain) >= 3 and len(index) >= 3:
            series = [_only(acquisitions[k], plain) for k in index]
            found += _find(series, index, least, unexplained, within_days)
    return sorted(found)


def corrected(
    acquisitions: Sequence[Acquisition],
    offsets: Sequence[Offset],
    channels: Mapping[str, tuple[str, ...]],
) -> list[Acquisition]:
    """Acquisitions with known faults undone and unexplained offsets rejected (infinite error).

    Indices of an acquisition with a known fault are rejected: they were made of faulty bands.

    Args:
        acquisitions: those that were checked.
        offsets: what was found.
        channels: channel names of each sensor.
    """
    mended = list(acquisitions)
    for o in offsets:
        a = mended[o.position]
        if o.known:
            index = torch.tensor(load_sensor(a.sensor).are_indices(channels[a.sensor]))
            index = index.to(a.values.device)
            moved = torch.where(a.seen & ~index, a.values - o.offset, a.values)
            a = a._replace(values=moved, error=a.error.masked_fill(index, torch.inf))
        else:
            a = a._replace(error=torch.full_like(a.error, torch.inf))
        mended[o.position] = a
    return mended


def _only(a: Acquisition, kept: Sequence[bool]) -> Acquisition:
    """The acquisition with some of its channels."""
    mask = torch.tensor(kept, device=a.values.device)
    return a._replace(values=a.values[:, mask], error=a.error[:, mask])


def _find(
    series: list[Acquisition],
    index: list[int],
    least: float,
    unexplained: float,
    within_days: float,
) -> list[Offset]:
    times = torch.tensor([a.time for a in series], dtype=torch.float64)
    values = torch.stack([a.values for a in series])
    whole = torch.stack([a.seen.all(-1) for a in series])

    def constants(suspected: set[int], gaps: tuple[float, float]) -> dict[int, float]:
        usable = whole.clone()
        usable[list(suspected)] = False
        found = {}
        for k in range(len(series)):
            compared = _compared(k, times, values, whole, usable, gaps, within_days)
            named = tuple(FAULTS) if series[k].sensor.startswith("sentinel2") else ()
            if compared is None:
                continue
            difference, expected, sides = compared
            offset = _constant(difference, expected, named, least, unexplained)
            if offset is not None and min(side / offset for side in sides) >= 0.5:
                found[k] = offset
        return found

    suspected = {k for gaps in product(GAPS, GAPS) for k in constants(set(), gaps)}
    faulty: dict[int, float] = {}
    for _ in range(5):
        faulty = constants(suspected, (GAPS[0], GAPS[0]))
        if faulty.keys() == suspected:
            break
        suspected = set(faulty)
    return [_described(index[k], series[k], offset) for k, offset in faulty.items()]


def _described(position: int, a: Acquisition, offset: float) -> Offset:
    cause = FAULTS.get(offset, "no known cause; the acquisition is rejected")
    return Offset(position, a.time, a.product, offset, cause, offset in FAULTS)


def _compared(
    k: int,
    times: Tensor,
    values: Tensor,
    whole: Tensor,
    usable: Tensor,
    gaps: tuple[float, float],
    within_days: float,
) -> tuple[Tensor, Tensor, list[float]] | None:
    """Medians over pixels: values minus their neighbours in time, the neighbours; ``[channel]``.

    And the difference from the neighbour before and from the one after, means over channels.
    """
    apart = times - times[k]
    before = usable & ((apart < -gaps[0]) & (apart >= -within_days))[:, None]
    after = usable & ((apart > gaps[1]) & (apart <= within_days))[:, None]
    has = whole[k] & before.any(0) & after.any(0)
    if not has.any():
        return None
    count = torch.arange(len(times), device=whole.device)[:, None]
    last = torch.where(before, count, -1).amax(0).clamp_min(0)
    first = torch.where(after, count, len(times)).amin(0).clamp_max(len(times) - 1)
    pixel = torch.arange(values.shape[1], device=values.device)
    weight = ((times[k] - times[last]) / (times[first] - times[last])).to(values)[:, None]
    expected = (1.0 - weight) * values[last, pixel] + weight * values[first, pixel]
    interpolated, known = values[k] - expected, expected[has].median(0).values
    alone = [values[k] - values[side, pixel] for side in (last, first)]
    difference, *sides = (d[has].median(0).values for d in (interpolated, *alone))
    return difference, known, [float(d.mean()) for d in sides]


def _constant(
    difference: Tensor,
    expected: Tensor,
    named: tuple[float, ...],
    least: float,
    unexplained: float,
) -> float | None:
    """The constant that explains a difference over channels, a named fault first."""
    whole = float(difference.square().sum())
    mean = float(difference.mean())
    factor = (difference @ expected) / expected.square().sum()
    brighter = float((difference - factor * expected).square().sum())
    for offset in (*named, mean):
        rest = float((difference - offset).square().sum())
        limit = unexplained if offset in named else unexplained / 3.0
        if abs(mean) >= least and rest <= limit * whole and rest < brighter:
            return offset
    return None
