"""Whether numbers can be reflectances: percent, ten thousandths and forgotten scales by their size.

Reflectances of land lie mostly between 0.02 and 0.6, so three quarters of the distinct values of a
file lie near `USUAL` or below. Numbers whose third quartile is above the valid range, or whose 99th
percentile is darker than deep water, were written in another unit; the nearest power of ten says in
which. Distinct values are judged, so that a fill value that was not declared counts once, however
often it stands there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from releo_da.io.layout import Layout
from releo_da.types import InputError

USUAL = 0.3
"""Reflectance near which the third quartile of vegetation and soil lies over all channels."""

BRIGHTEST = 2.5
"""Third quartile that no surface reaches, sunlit snow slopes included."""

DARKEST = 2e-3
"""Reflectance that one value in a hundred exceeds over any surface, deep water included."""

JUDGED = 200_000
"""At most so many values are sorted, evenly spaced over the file."""

UNITS = {2: "percent", 3: "thousandths", 4: "ten thousandths"}
"""What numbers too large by a power of ten are written in."""


def check_magnitude(
    values: NDArray[np.floating],
    clear: NDArray[np.bool_],
    indices: Sequence[bool],
    valid: Sequence[float],
    scale: float | Mapping[str, float],
    layout: Layout,
) -> None:
    """Refuse numbers that are no reflectances of any land.

    Args:
        values: ``[time, pixel, channel]``, scaled, not yet screened.
        clear: broadcasts against `values`.
        indices: which channels are no reflectances, which are left alone.
        valid: the limits of reflectances that the configuration accepts.
        scale: the option that the values were multiplied by, for the remedy.
        layout: of the file, for messages.

    Raises:
        InputError: naming the likely unit and the scale that would be right.
    """
    plain = ~np.asarray(indices)
    known = np.broadcast_to(clear, values.shape)[..., plain] & np.isfinite(values[..., plain])
    found = values[..., plain][known]
    distinct = np.unique(found[:: -(-found.size // JUDGED) or 1])
    distinct = distinct[distinct > 0]
    if distinct.size == 0:
        return
    high, top = np.quantile(distinct, [0.75, 0.99])
    bright = high > max(valid[1], BRIGHTEST)
    if not bright and top >= DARKEST:
        return
    power = round(math.log10((high if bright else top) / USUAL))
    factor, where = 10.0**-power, layout.where("scale")
    if isinstance(scale, Mapping):
        remedy = f"multiply the numbers of {where} by {factor:.6g}"
    else:
        remedy = f"write {where}: {scale * factor:.6g}"
    if not bright:
        raise InputError(
            f"{layout.path}: reflectances are below {top:.2g}, darker than any surface: scaled "
            f"twice, or by too small a number; {remedy} (values of 0-1 need none)"
        )
    unit = UNITS.get(power, "another unit")
    raise InputError(
        f"{layout.path}: a quarter of the reflectances are above {high:.4g}, brighter than any "
        f"surface: they look like {unit}; {remedy} (a file may also pack its numbers: then "
        "'fill' or its own attributes name the missing ones)"
    )
