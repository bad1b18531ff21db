r"""Intervals of figures that are no means: whole places are redrawn, and the figure made anew.

A figure of many samples is often a function of sums: macro-F1 of a confusion matrix, RMSE and r2 of
moments. With s_u the sums over the samples of unit u (a place, a cluster of fields, a site),

    figure = f(sum_u s_u),      redrawn: f(sum_u w_u s_u),  w ~ multinomial(U, 1/U)

so a draw costs a row of weights times the sums, ``O(U x size)``, and never looks at samples again.
The interval is that of the percentiles of the draws. Samples of one unit are not independent; units
are taken to be, so a unit has to be as large as what its samples share.

Reference: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 8 and 13.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.types import InputError


class Interval(NamedTuple):
    """A figure and where it may lie.

    Attributes:
        value: of all units.
        lower: of the 95 % interval.
        upper: of the 95 % interval.
    """

    value: float
    lower: float
    upper: float


def redrawn(
    sums: Array,
    figure: Callable[[Array], Array],
    generator: np.random.Generator,
    rival: Array | None = None,
    draws: int = 2000,
) -> Interval:
    """The 95 % interval of a figure, or of its difference from a rival's on the same samples.

    Args:
        sums: ``[unit, ...]`` sums over the samples of each unit.
        figure: ``[..., of the sums]`` to ``[...]``, for any leading axes.
        generator: where the draws come from.
        rival: ``[unit, ...]`` sums of another method over the same samples; the result is then
            ``figure(sums) - figure(rival)``, both redrawn with the same weights.
        draws: number of redraws.

    Raises:
        InputError: no units, or other units for the rival.
    """
    units = len(sums)
    if not units or (rival is not None and rival.shape != sums.shape):
        other = "" if rival is None else f", those of the rival {rival.shape}"
        raise InputError(f"redrawn: sums are {sums.shape}{other}; give one row per unit, 1 or more")
    weights = generator.multinomial(units, np.full(units, 1.0 / units), size=draws)
    weights = np.concatenate([np.ones((1, units)), weights])

    def made(of: Array) -> Array:
        total = weights @ of.reshape(units, -1)
        return figure(total.reshape(len(weights), *of.shape[1:]))

    found = made(np.asarray(sums, float))
    if rival is not None:
        found = found - made(np.asarray(rival, float))
    known = found[1:][np.isfinite(found[1:])]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return Interval(float(found[0]), float(low), float(high))
