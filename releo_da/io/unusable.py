"""Clear values that cannot be used all the same: without angles, by night, or without an error.

    sun and view zenith in [0, 90) degrees        stated error > 0 and finite

They are rejected and counted, like those of `releo_da.io.values.screened`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def illuminated(
    seen: NDArray[np.bool_], geometry: NDArray[np.float64], counts: dict[str, Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Reject values without angles or with the sun or sensor at or below the horizon.

    Returns:
        What may be used, ``[time, pixel, channel]``, and where the angles are some, ``[time,
        pixel, 1]``.
    """
    unknown = ~np.all(np.isfinite(geometry), axis=-1)
    zeniths = geometry[..., :2]
    low = np.any((zeniths >= 90) | (zeniths < 0), axis=-1)
    for reason, wrong in (("angles unknown", unknown), ("angles beyond the horizon", low)):
        count = int((seen & wrong[..., None]).sum())
        if count:
            counts["rejected"][reason] = count
        seen = seen & ~wrong[..., None]
    return seen, ~(unknown | low)[..., None]


class UsualAngles:
    """Mean angles of each pixel over the dates that have some, added up date by date.

    They stand where a date has none, so that all angles are finite and harmless, and the same
    whichever pixels are read together.
    """

    def __init__(self) -> None:
        self.total: NDArray[np.float64] | None = None
        self.known: NDArray[np.int64] | None = None

    def add(self, geometry: NDArray[np.float64], good: NDArray[np.bool_]) -> None:
        """Count some dates more: their angles ``[time, pixel, 3]``, and where these are some."""
        for angles, some in zip(np.where(good, geometry, 0.0), good, strict=True):
            self.total = angles if self.total is None else self.total + angles
            self.known = some.astype(np.int64) if self.known is None else self.known + some

    def filled(self, geometry: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Angles with the mean in the place of those that are none; 0 where there are none."""
        if self.total is None or self.known is None:
            return geometry
        return np.where(good, geometry, self.total / np.maximum(self.known, 1))


def with_error(
    seen: NDArray[np.bool_],
    stated: NDArray[np.float64],
    ruled: Sequence[bool],
    counts: dict[str, Any],
) -> NDArray[np.bool_]:
    """Reject values whose stated error is no positive number."""
    wrong = seen & np.asarray(ruled) & ~((stated > 0) & np.isfinite(stated))
    if wrong.any():
        counts["rejected"]["error unknown"] = int(wrong.sum())
    return seen & ~wrong
