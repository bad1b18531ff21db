r"""A check of each acquisition against its neighbours in time for a constant offset.

Processing faults shift all channels of a product by the same amount: a Sentinel-2 product of
baseline 04.00 or later whose -1000 digital counts were not applied reads +0.100 in every channel.
Clouds, soils and growth do not: they change channels differently. With y the values of a pixel and
e their linear interpolation between the clear acquisitions before and after,

    d[channel] = median over pixels of (y - e),        o = mean over channels of d

an acquisition carries a constant offset when ``|o| >= least`` and what remains of d about a named
fault (or, failing that, about o itself) is small: ``sum (d - o)^2 <= unexplained sum d^2``.
A faulty acquisition makes its neighbours look faulty too, with the opposite sign and half the size;
so the strongest finding is taken, is no longer a neighbour of any other, and the rest is looked at
again until nothing is found.
Shapes: stacked ``[time, pixel, channel]``; cost O(T P C) per finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.types import Acquisition

FAULTS = {
    0.1: "the offset of -1000 digital counts (processing baseline 04.00) was not applied",
    -0.1: "the offset of -1000 digital counts (processing baseline 04.00) was applied twice",
}
"""Known faults by the constant reflectance they add."""


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
    unexplained: float = 0.25,
    within_days: float = 30.0,
) -> list[Offset]:
    """Acquisitions that differ from their neighbours by a constant over all channels.

    Args:
        acquisitions: in time order, reflectances.
        channels: channel names of each sensor; sensors with the same names are compared.
        least: smallest offset that is looked for (reflectance).
        unexplained: largest share of the squared difference that may remain.
        within_days: neighbours farther away are not used.
    """
    found: list[Offset] = []
    for names in dict.fromkeys(channels.values()):
        index = [k for k, a in enumerate(acquisitions) if channels.get(a.sensor) == names]
        if len(names) >= 3 and len(index) >= 3:
            found += _find([acquisitions[k] for k in index], index, least, unexplained, within_days)
    return sorted(found)


def corrected(acquisitions: Sequence[Acquisition], offsets: Sequence[Offset]) -> list[Acquisition]:
    """Acquisitions with known faults undone and unexplained offsets rejected (infinite error)."""
    mended = list(acquisitions)
    for o in offsets:
        a = mended[o.position]
        if o.known:
            a = a._replace(values=torch.where(a.seen, a.values - o.offset, a.values))
        else:
            a = a._replace(error=torch.full_like(a.error, torch.inf))
        mended[o.position] = a
    return mended


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
    faulty: dict[int, Offset] = {}
    usable = whole.clone()
    while True:
        strongest: tuple[float, int, float] | None = None
        for k in sorted(set(range(len(series))) - set(faulty)):
            difference = _difference(k, times, values, whole, usable, within_days)
            offset = _constant(difference, least, unexplained)
            if offset is not None and difference is not None:
                size = float(difference.mean().abs())
                strongest = max(strongest or (0.0, k, offset), (size, k, offset))
        if strongest is None:
            return list(faulty.values())
        _, k, offset = strongest
        known = offset in FAULTS
        cause = FAULTS.get(offset, "no known cause; the acquisition is rejected")
        faulty[k] = Offset(index[k], series[k].time, series[k].product, offset, cause, known)
        usable[k] = False


def _difference(
    k: int, times: Tensor, values: Tensor, whole: Tensor, usable: Tensor, within_days: float
) -> Tensor | None:
    """Median over pixels of values minus their neighbours in time, ``[channel]``."""
    apart = times - times[k]
    before = usable & ((apart < -0.25) & (apart >= -within_days))[:, None]
    after = usable & ((apart > 0.25) & (apart <= within_days))[:, None]
    has = whole[k] & before.any(0) & after.any(0)
    if not has.any():
        return None
    count = torch.arange(len(times), device=whole.device)[:, None]
    last = torch.where(before, count, -1).amax(0).clamp_min(0)
    first = torch.where(after, count, len(times)).amin(0).clamp_max(len(times) - 1)
    pixel = torch.arange(values.shape[1], device=values.device)
    weight = ((times[k] - times[last]) / (times[first] - times[last])).to(values)[:, None]
    expected = (1.0 - weight) * values[last, pixel] + weight * values[first, pixel]
    return (values[k] - expected)[has].median(0).values


def _constant(difference: Tensor | None, least: float, unexplained: float) -> float | None:
    """The constant that explains a difference over channels, a named fault first."""
    if difference is None:
        return None
    whole = float(difference.square().sum())
    mean = float(difference.mean())
    for offset in (*FAULTS, mean):
        rest = float((difference - offset).square().sum())
        limit = unexplained if offset in FAULTS else unexplained / 5.0
        if abs(mean) >= least and rest <= limit * whole:
            return offset
    return None
