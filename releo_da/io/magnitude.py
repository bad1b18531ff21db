"""Whether numbers can be reflectances: percent, ten thousandths and forgotten scales by their size.

Reflectances of land lie mostly between 0.02 and 0.6, so three quarters of the distinct values of a
file lie near `USUAL` or below. Numbers whose third quartile is above the valid range, or whose 99th
percentile is darker than deep water, were written in another unit; the nearest power of ten says in
which. Distinct values are judged, so that a fill value that was not declared counts once, however
often it stands there.

An index or an estimate of a variable has limits of its own. Where most of its values are above
them, the few below would be taken for the whole series; the smallest power of ten that brings
nearly all within says the unit.
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

FEW = 3
"""Fewer distinct values of an index say nothing of its unit."""

JUDGED = 200_000
"""At most so many values are sorted, evenly spaced over the file."""

UNITS = {2: "percent", 3: "thousandths", 4: "ten thousandths"}
"""What numbers too large by a power of ten are written in."""


def check_magnitude(
    values: NDArray[np.floating],
    clear: NDArray[np.bool_],
    channels: Sequence[str],
    limits: Sequence[tuple[float, float] | None],
    valid: Sequence[float],
    scale: float | Mapping[str, float],
    layout: Layout,
) -> None:
    """Refuse numbers that are no reflectances of any land, and indices that are no indices.

    Args:
        values: ``[time, pixel, channel]``, scaled, not yet screened.
        clear: broadcasts against `values`.
        channels: their names, for messages.
        limits: per channel those of an index or estimate, None of a reflectance.
        valid: the limits of reflectances that the configuration accepts.
        scale: the option that the values were multiplied by, for the remedy.
        layout: of the file, for messages.

    Raises:
        InputError: naming the likely unit and the scale that would be right.
    """
    for k, (name, own) in enumerate(zip(channels, limits, strict=True)):
        if own is not None:
            _check_index(_distinct(values, clear, [k]), name, own, scale, layout)
    plain = [k for k, own in enumerate(limits) if own is None]
    distinct = _distinct(values, clear, plain)
    distinct = distinct[distinct > 0]
    if distinct.size == 0:
        return
    high, top = np.quantile(distinct, [0.75, 0.99])
    bright = high > max(valid[1], BRIGHTEST)
    if not bright and top >= DARKEST:
        return
    power = round(math.log10((high if bright else top) / USUAL))
    remedy = _remedy(power, scale, layout)
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


def _check_index(
    distinct: NDArray[np.floating],
    name: str,
    limits: tuple[float, float],
    scale: float | Mapping[str, float],
    layout: Layout,
) -> None:
    """Refuse an index or estimate of which most values are above its limits."""
    above = distinct > limits[1]
    if limits[1] <= 0 or distinct.size < FEW or above.sum() <= distinct.size / 2:
        return
    power = max(math.ceil(math.log10(np.quantile(distinct, 0.9) / limits[1])), 1)
    unit = UNITS.get(power, f"10^{power} times the values")
    raise InputError(
        f"{layout.path}: {100 * above.mean():.0f} % of the values of {name} are above "
        f"{limits[1]:g}, its upper limit: they look like {unit}; {_remedy(power, scale, layout)}"
    )


def _distinct(
    values: NDArray[np.floating], clear: NDArray[np.bool_], chosen: Sequence[int]
) -> NDArray[np.floating]:
    """The distinct clear numbers of some channels, at most `JUDGED` of them looked at."""
    known = np.broadcast_to(clear, values.shape)[..., chosen] & np.isfinite(values[..., chosen])
    found = values[..., chosen][known]
    return np.asarray(np.unique(found[:: -(-found.size // JUDGED) or 1]))


def _remedy(power: int, scale: float | Mapping[str, float], layout: Layout) -> str:
    """How to undo a power of ten."""
    factor, where = 10.0**-power, layout.where("scale")
    if isinstance(scale, Mapping):
        return f"multiply the numbers of {where} by {factor:.6g}"
    return f"write {where}: {scale * factor:.6g}"
