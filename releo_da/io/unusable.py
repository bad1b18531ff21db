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
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Reject values without angles or with the sun or sensor at or below the horizon.

    Angles of rejected values become the mean over the pixel's other dates (0 if there are none), so
    that they are finite and harmless, and the same whichever pixels are read together.
    """
    unknown = ~np.all(np.isfinite(geometry), axis=-1)
    zeniths = geometry[..., :2]
    low = np.any((zeniths >= 90) | (zeniths < 0), axis=-1)
    for reason, wrong in (("angles unknown", unknown), ("angles beyond the horizon", low)):
        count = int((seen & wrong[..., None]).sum())
        if count:
            counts["rejected"][reason] = count
        seen = seen & ~wrong[..., None]
    good = ~(unknown | low)[..., None]
    known = np.maximum(good.sum(0, keepdims=True), 1)
    mean = np.where(good, geometry, 0.0).sum(0, keepdims=True) / known
    return seen, np.where(good, geometry, mean)


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
