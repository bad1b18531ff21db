"""The option ``fill``: numbers that stand for a missing value.

A number of a configuration is compared as precisely as the file holds its numbers: 25.4 is written
there in float32 as 25.399999619, and -0.3 unpacked from whole numbers may be off by a rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDINGS = 4
"""Units in the last place that packing and unpacking a number may cost."""


def fills(option: float | Sequence[float] | None) -> list[float]:
    """The option as a list: one number, several, or none."""
    return [option] if isinstance(option, int | float) else list(option or [])


def without_fill(numbers: NDArray, fill: Sequence[float]) -> NDArray[np.float64]:
    """Numbers in float64, NaN where one stands for a missing value.

    Args:
        numbers: of any shape and precision, as read.
        fill: what stands for a missing value; none where it is empty.
    """
    found = numbers.astype(np.float64)
    rounding = float(np.finfo(numbers.dtype).eps) if numbers.dtype.kind == "f" else 0.0
    for one in fill:
        missing = np.abs(found - one) <= ROUNDINGS * rounding * abs(one)
        found = np.where(missing, np.nan, found)
    return found
