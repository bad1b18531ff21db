r"""Calibration as sums of fixed size: PIT, intervals at every level, spread against error.

**PIT.** An observation with r of N members below it has its probability integral transform
somewhere in [r, r + 1] / (N + 1). It adds a mass of 1, spread evenly over that interval, to 40
equal bins of [0, 1] (Czado, Gneiting and Held 2009, doi:10.1111/j.1541-0420.2009.01191.x, section
2.2): no random numbers, and flat in expectation under calibration whatever N is.

**Intervals.** The central interval of level p holds the mass between (1 - p) / 2 and (1 + p) / 2.
Both are edges of bins where p is a multiple of 0.05, so the coverage of all these intervals is read
off the same 40 numbers. It is the expectation of `calibration.reliability` over the random numbers
of `calibration.pit`. Members say nothing beyond the interval from the first to the last of them, of
level (N - 1) / (N + 1) (`calibration.widest`): coverage there would be that of mass spread evenly
to both ends of the PIT, and is NaN in `row`.

**Spread and error.** In bins of the predicted standard deviation s, four to a factor of ten between
1e-5 and 1e3 of the variable's unit (what lies outside counts in the first or last),

    n,  sum d^2,  sum s^2          d = prediction - observation

An ensemble of N members whose spread means what it says has E d^2 = (1 + 1/N) E s^2 in every bin
(Leutbecher and Palmer 2008, doi:10.1016/j.jcp.2007.02.014; Fortin et al. 2014,
doi:10.1175/JHM-D-14-0008.1).

All of it is additive: sums of blocks, dates and runs add up to the sums of the whole, 136 numbers
per channel however long the run. Members must include the observation error where values are
observed ones. Cost: O(values + channels N).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from releo_da.diagnostics.calibration import LEVELS, Histogram, counted, whole_ranks, widest
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS

BINS = 40
"""Equal bins of the PIT."""

EDGES = 10.0 ** np.arange(-4.75, 3.0, 0.25)
"""Inner edges of the bins of the spread."""

SPREADS = len(EDGES) + 1
TERMS = BINS + 3 * SPREADS

DIGITS = 4
"""Digits of a number in `row`, decimals of a share: scores.json holds thousands of them, and the
sampling error of a map of 128 x 128 pixels and 30 acquisitions is ten times as large."""

TOLD = (0.5, 0.8, 0.9, 0.95)
"""Levels of the intervals in scores.json."""


class SpreadSkill(NamedTuple):
    """Error by predicted spread, bins with values only.

    Attributes:
        spread: ``[bin]`` root of the mean predicted variance.
        rmse: ``[bin]`` root of the mean squared error.
        n: ``[bin]`` number of values.
    """

    spread: Array
    rmse: Array
    n: Array


def sums(numbers: Array, members: int) -> Array:
    """The sums of the records of one acquisition.

    Args:
        numbers: ``[pixel, channel, field]`` by `releo_da.diagnostics.verification.FIELDS`, NaN
            where nothing was compared.
        members: size of the ensemble that gave the ranks.

    Returns:
        ``[channel, 136]`` float64: mass in the bins of the PIT; n, sum d^2 and sum s^2 in the bins
        of the spread.
    """
    found = dict(zip(FIELDS, np.moveaxis(np.asarray(numbers, np.float64), -1, 0), strict=True))
    rank, sd, d = found["rank"], found["sd"], found["mean"] - found["observed"]
    good = np.isfinite(rank) & np.isfinite(sd) & np.isfinite(d)
    channels = good.shape[1]
    channel = np.broadcast_to(np.arange(channels), good.shape)[good]
    counts = counted(
        channel * (members + 1) + whole_ranks(rank[good], members), (channels, members + 1)
    )
    place = channel * SPREADS + np.searchsorted(EDGES, sd[good], side="right")
    shape = (channels, SPREADS)
    spread = [counted(place, shape, w) for w in (None, d[good] ** 2, sd[good] ** 2)]
    return np.concatenate([counts @ masses(members), *spread], 1)


def masses(members: int) -> Array:
    """Share of each rank's interval in each bin of the PIT, ``[rank, bin]``; rows sum to 1."""
    rank = np.arange(members + 1)[:, None] / (members + 1)
    edges = np.arange(BINS) / BINS
    low = np.maximum(rank, edges)
    high = np.minimum(rank + 1 / (members + 1), edges + 1 / BINS)
    return np.maximum(high - low, 0.0) * (members + 1)


def pit_histogram(terms: Array) -> Histogram:
    """The histogram of the PIT of a channel, with its 95 % band for independent values.

    Args:
        terms: ``[136]`` as `sums` adds them up.
    """
    mass = np.asarray(terms, float)[:BINS]
    expected = np.full(BINS, mass.sum() / BINS)
    half = 1.96 * np.sqrt(expected * (1 - 1 / BINS))
    band = np.stack([np.maximum(expected - half, 0), expected + half])
    return Histogram(np.linspace(0, 1, BINS + 1), mass, expected, band)


def intervals(terms: Array, levels: tuple[float, ...] = LEVELS) -> tuple[Array, Array]:
    """Nominal and observed coverage of central intervals.

    Args:
        terms: ``[136]`` as `sums` adds them up.
        levels: nominal coverages, multiples of 0.05.

    Returns:
        nominal ``[level]`` and observed ``[level]`` (NaN without values).

    Raises:
        ValueError: a level that is no multiple of 0.05.
    """
    nominal = np.array(levels, float)
    wide = np.round(nominal * BINS / 2).astype(int)
    if not np.allclose(wide * 2 / BINS, nominal):
        raise ValueError(f"levels of intervals are multiples of {2 / BINS:g}, got {levels}")
    mass = np.asarray(terms, float)[:BINS]
    total = mass.sum()
    if not total:
        return nominal, np.full(len(nominal), np.nan)
    middle = BINS // 2
    return nominal, np.array([mass[middle - w : middle + w].sum() / total for w in wide])


def spread_skill(terms: Array) -> SpreadSkill:
    """Error by predicted spread, from ``[136]`` sums of a channel."""
    n, square, variance = np.asarray(terms, float)[BINS:].reshape(3, SPREADS)
    some = n > 0
    n, square, variance = n[some], square[some], variance[some]
    return SpreadSkill(np.sqrt(variance / n), np.sqrt(square / n), n.astype(int))


def slope(found: SpreadSkill) -> float:
    """How the error grows with the predicted spread: slope of log rmse on log spread.

    1 where the spread tells large errors from small ones, 0 where it tells nothing. Bins weigh as
    their numbers of values; NaN with fewer than two bins, or where a bin has no spread or no error.
    """
    with np.errstate(divide="ignore"):
        x, y, weight = np.log(found.spread), np.log(found.rmse), found.n / max(found.n.sum(), 1)
    if len(x) < 2 or not np.isfinite([x, y]).all():
        return float("nan")
    x, y = x - weight @ x, y - weight @ y
    return float((weight * x) @ y / ((weight * x) @ x))


def row(terms: Array, members: int) -> dict[str, Any]:
    """What scores.json says of the calibration of a channel.

    Args:
        terms: ``[136]`` as `sums` adds them up.
        members: size of the ensemble.

    Returns:
        ``intervals``: coverage by nominal level in percent, NaN for levels above
        `calibration.widest`; ``pit``: share of values in each of the 40 bins; ``spread_skill``:
        ``spread`` and ``rmse``, and ``n`` by bin; ``spread_skill_slope``; ``n``, the number of
        values. Shares to four decimals, other numbers to four digits.
    """
    histogram, found = pit_histogram(terms), spread_skill(terms)
    nominal, observed = intervals(terms, TOLD)
    observed = np.where(nominal > widest(members) + 1e-9, np.nan, observed.round(DIGITS))
    total = int(found.n.sum())
    return {
        "intervals": {f"{100 * p:g}": float(c) for p, c in zip(nominal, observed, strict=True)},
        "pit": (histogram.counts / total).round(DIGITS).tolist() if total else [],
        "spread_skill": {
            name: [shortened(value) for value in part.tolist()]
            for name, part in found._asdict().items()
        },
        "spread_skill_slope": shortened(slope(found)),
        "n": total,
    }


def shortened(value: float) -> float:
    """A number to `DIGITS` digits; a whole one as it is."""
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
