r"""How far chi2 of an acquisition may lie from what is expected of it.

Under consistency chi2 = d'(S + R)^-1 d of n values has mean n and variance 2 n, so chi2 / n is 1,
between the quantiles of the chi2 distribution over n. Those are of independent pixels: a thousand
pixels of one field under one haze are nearer to one sample than to a thousand. ``alike`` says how
many pixels (or values) count as one, as the strides of `thinning` estimate it; the share of pixels
inside their own interval (`chi2_within` of the innovations) needs no such number.

An ensemble of N members knows S and its mean up to sampling: chi2 / n then has the mean
(N^2 - 1) / (N (N - 2 - p)) of Hotelling's T2 for p channels per pixel where S is large against R
(Anderson 2003, An Introduction to Multivariate Statistical Analysis, 3rd ed., section 5.2), and 1
where R is large against S.
"""

from __future__ import annotations

import math

from scipy import stats

from releo_da.types import InputError


def chi2_interval(values: float, level: float = 0.95, alike: float = 1.0) -> tuple[float, float]:
    """The central interval of chi2 / n under consistency.

    Args:
        values: n, how many were used; NaN bounds for 0.
        level: its probability, between 0 and 1.
        alike: how many values count as one, 1 or more.

    Raises:
        InputError: a level or a number that cannot be.
    """
    if not 0.0 < level < 1.0 or not alike >= 1.0:
        raise InputError(
            f"chi2 interval: level {level} must lie between 0 and 1, and alike {alike} be 1 or more"
        )
    if values < alike:
        return math.nan, math.nan
    number = values / alike
    low, high = stats.chi2.interval(level, number)
    return float(low / number), float(high / number)
