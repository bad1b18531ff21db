r"""Where a curve turns: peaks and troughs that stand out by a height, of many curves at once.

One pass in time with hysteresis. While a curve rises the highest point so far is remembered; it is
a peak as soon as the curve has fallen by ``height`` below it. While it falls the lowest point is
remembered; it is a trough as soon as the curve has risen by ``height`` above it. So peaks and
troughs alternate, neighbours differ by at least ``height``, and smaller wiggles are none. A curve
begins without a direction: whichever of its extremes it leaves by ``height`` first is its first
turning point.

A trough between two peaks parts two seasons. Vectorised over curves, one loop over dates; cost
O(curve x date).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RISING, FALLING = 1, -1


class Turns(NamedTuple):
    """Turning points of curves.

    Attributes:
        peak: ``[curve, date]`` bool.
        trough: ``[curve, date]`` bool, troughs between two peaks.
    """

    peak: Array
    trough: Array


def turns(curve: Array, height: Array | float) -> Turns:
    """Peaks and the troughs between them.

    Args:
        curve: ``[curve, date]``, finite.
        height: ``[curve]`` or one number, above 0: by how much neighbouring turning points differ.

    Returns:
        A rise that has not ended has no peak yet: the last peak is one that the curve has left.
    """
    count, dates = curve.shape
    height = np.broadcast_to(np.asarray(height, float), (count,))
    row = np.arange(count)
    way = np.zeros(count, int)
    high, low = np.zeros(count, int), np.zeros(count, int)  # dates of the extremes so far
    peak, trough = np.zeros(curve.shape, bool), np.zeros(curve.shape, bool)
    for date in range(1, dates):
        now = curve[:, date]
        high = np.where((way >= 0) & (now > curve[row, high]), date, high)
        low = np.where((way <= 0) & (now < curve[row, low]), date, low)
        fell = (way >= 0) & (curve[row, high] - now >= height)
        rose = (way <= 0) & (now - curve[row, low] >= height) & ~fell
        peak[row[fell], high[fell]] = True
        parting = rose & (way == FALLING)
        trough[row[parting], low[parting]] = True
        low, high = np.where(fell, date, low), np.where(rose, date, high)
        way = np.where(fell, FALLING, np.where(rose, RISING, way))
    # A trough before the end of which no peak follows parts nothing.
    later = np.cumsum(peak[:, ::-1], 1)[:, ::-1] > 0
    return Turns(peak, trough & later)


def spans(parting: Array) -> tuple[Array, Array]:
    """First and last date of the season of each date, ``[curve, date]`` int each.

    Args:
        parting: ``[curve, date]`` bool, troughs; one belongs to the season before and after it, and
            as a date of its own to the one after.
    """
    count = parting.shape[1]
    dates = np.arange(count)
    first = np.maximum.accumulate(np.where(parting, dates, 0), axis=1)
    after = np.concatenate([parting[:, 1:], np.zeros_like(parting[:, :1])], 1)
    last = np.where(after, dates + 1, count - 1)
    return first, np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
