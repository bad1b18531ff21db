r"""Is a rank histogram flat? An index, what chance alone would give it, and a test.

With the share f_k of n values in bin k, and the share w_k of ranks that the bin holds (1 / (N + 1)
where every rank is a bin of its own),

    index     = sum_k |f_k - w_k|                            0 flat, towards 2 all in one bin
    expected  = sum_k E|B(n, w_k) / n - w_k|                 of a calibrated ensemble
    chi2      = sum_k (n f_k - n w_k)^2 / (n w_k)            chi2 with bins - 1 degrees of freedom

The index (Delle Monache et al. 2006, doi:10.1029/2005JD006917) says how far the ensemble is from
calibrated, the p-value whether that could be chance: a long run makes any index significant, a
short one none. Each count is binomial, whose mean absolute deviation is de Moivre's

    E|B - n w| = 2 v (1 - w) b(v; n, w),   v = floor(n w) + 1,   b the probability of v

Both hold for independent values, so count the ranks of a thinned sample (`thinning`). Counts are
additive and of fixed size: at most 17 numbers per channel, however long the run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from releo_da.diagnostics.calibration import Histogram, counted, rank_places, whole_ranks
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS


class Flatness(NamedTuple):
    """How flat a histogram is.

    Attributes:
        reliability_index: sum of the departures of the shares.
        expected: that of a calibrated ensemble with as many independent values.
        chi2: test statistic.
        p_value: probability of a chi2 as large under calibration.
        n: number of values.
    """

    reliability_index: float
    expected: float
    chi2: float
    p_value: float
    n: int


def rank_sums(numbers: Array, members: int, kept: Array | None = None) -> Array:
    """Counts of the ranks of one acquisition, ``[channel, bin]``; they add up.

    Args:
        numbers: ``[pixel, channel, field]`` by `releo_da.diagnostics.verification.FIELDS`, NaN
            where nothing was compared.
        members: size of the ensemble.
        kept: ``[pixel]`` bool, the thinned sample; all where None.
    """
    rank = np.asarray(numbers)[..., FIELDS.index("rank")]
    good = np.isfinite(rank)
    if kept is not None:
        good = good & np.asarray(kept, bool)[:, None]
    place = rank_places(members)
    bins = int(place[-1]) + 1
    channel = np.broadcast_to(np.arange(rank.shape[1]), rank.shape)[good]
    return counted(channel * bins + place[whole_ranks(rank[good], members)], (rank.shape[1], bins))


def flatness(histogram: Histogram) -> Flatness:
    """How flat a histogram of ranks is, as `calibration.histogram` makes it; NaN without values."""
    n, width = int(np.sum(histogram.counts)), np.diff(histogram.edges)
    if n == 0:
        return Flatness(np.nan, np.nan, np.nan, np.nan, 0)
    share = histogram.counts / n
    above = np.floor(n * width) + 1
    deviation = 2 * above * (1 - width) * stats.binom.pmf(above, n, width)
    chi2 = float(n * np.sum((share - width) ** 2 / width))
    return Flatness(
        float(np.abs(share - width).sum()),
        float(deviation.sum() / n),
        chi2,
        float(stats.chi2.sf(chi2, len(width) - 1)),
        n,
    )
