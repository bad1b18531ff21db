"""Does an ensemble mean what it says? Ranks, PIT and reliability of central intervals.

If the observation is one more draw from the ensemble's distribution, its rank among N members is
uniform on 0..N, its probability integral transform (PIT) is uniform on [0, 1], and a central
interval of nominal level p covers a share p. A U shape says that the ensemble is too narrow, a
dome that it is too wide, a slope that it is biased (Hamill 2001,
doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2). Members must include the observation error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array, chunks

LEVELS = tuple(round(0.1 * k, 1) for k in range(1, 10)) + (0.95,)


class Histogram(NamedTuple):
    """Counts of ranks in equal bins.

    Attributes:
        edges: ``[bin + 1]`` on the scale of the PIT, 0 to 1.
        counts: ``[bin]``.
        expected: ``[bin]`` count under calibration; bins hold unequal numbers of ranks where
            their number does not divide N + 1.
        band: ``[2, bin]`` 95 % range of a calibrated ensemble with independent samples.
    """

    edges: Array
    counts: Array
    expected: Array
    band: Array


def ranks(observed: Array, ensemble: Array, generator: np.random.Generator) -> Array:
    """Number of members below the observation, ties broken at random.

    Args:
        observed: ``[sample]``.
        ensemble: ``[sample, member]``.
        generator: breaks ties (values at a bound, rounded values).

    Returns:
        ``[sample]`` float, 0..N; NaN where observation or ensemble is not finite.
    """
    observed, ensemble = np.asarray(observed), np.asarray(ensemble)
    result = np.full(len(observed), np.nan)
    for rows in chunks(len(observed), ensemble.shape[1]):
        y, x = observed[rows, None], ensemble[rows]
        rank = (x < y).sum(1) + generator.integers(0, (x == y).sum(1) + 1)
        good = np.isfinite(y[:, 0]) & np.isfinite(x).all(1)
        result[rows] = np.where(good, rank, np.nan)
    return result


def pit(rank: Array, members: int, generator: np.random.Generator) -> Array:
    """The randomised PIT, uniform on [0, 1] under calibration: (rank + U) / (N + 1)."""
    rank = np.asarray(rank, float)
    return (rank + generator.random(rank.shape)) / (members + 1)


def rank_histogram(rank: Array, members: int, bins: int = 17) -> Histogram:
    """Ranks 0..N counted in at most `bins` bins, of equal width where possible; NaN is absent.

    Equal are the most bins, from `bins` down to half of it, whose number divides N + 1.
    """
    rank = np.asarray(rank, float)
    rank = rank[np.isfinite(rank)].astype(int)
    place = rank_places(members, bins)
    return histogram(counted(place[rank], (int(place[-1]) + 1,)), members, bins)


def rank_places(members: int, bins: int = 17) -> Array:
    """The bin of each rank in a histogram of at most `bins` bins, ``[N + 1]``, see there."""
    even = [b for b in range(bins, bins // 2, -1) if (members + 1) % b == 0]
    bins = min([*even[:1], bins, members + 1])
    return np.arange(members + 1) * bins // (members + 1)


def widest(members: int) -> float:
    """The level of the interval from the first to the last member: (N - 1) / (N + 1)."""
    return (members - 1) / (members + 1)


def histogram(counts: Array, members: int, bins: int = 17) -> Histogram:
    """The histogram of counted ranks: what is expected of them, and its band.

    Args:
        counts: ``[bin]`` by `rank_places` of the same members and bins.
        members: size of the ensemble.
        bins: most bins.
    """
    place = rank_places(members, bins)
    width = counted(place, (int(place[-1]) + 1,)) / (members + 1)
    expected = np.sum(counts) * width
    half = 1.96 * np.sqrt(expected * (1 - width))
    edges = np.concatenate([[0.0], np.cumsum(width)])
    return Histogram(
        edges, counts, expected, np.stack([np.maximum(expected - half, 0), expected + half])
    )


def coarser(found: Histogram, fewest: float = 5.0) -> Histogram:
    """Neighbouring bins joined until a calibrated ensemble has so many values in each, or one bin.

    Args:
        found: counts of a sample.
        fewest: expected values of a bin; with less, chance alone makes any histogram ragged.
    """
    bins = len(found.counts)
    for groups in range(bins, 0, -1):
        starts = -(-np.arange(groups) * bins // groups)
        expected = np.add.reduceat(found.expected, starts)
        if expected.min() >= fewest:
            break
    width = np.add.reduceat(np.diff(found.edges), starts)
    half = 1.96 * np.sqrt(expected * (1 - width).clip(0))  # of one bin, rounding
    band = np.stack([np.maximum(expected - half, 0), expected + half])
    edges = np.append(found.edges[starts], found.edges[-1])
    return Histogram(edges, np.add.reduceat(found.counts, starts), expected, band)


def whole_ranks(rank: Array, members: int) -> Array:
    """Finite ranks as integers.

    Raises:
        ValueError: one above the number of members: the ranks are those of a larger ensemble.
    """
    found = np.asarray(rank).astype(int)
    if found.size and found.max() > members:
        raise ValueError(f"a rank of {found.max()} among {members} members")
    return found


def counted(place: Array, shape: tuple[int, ...], weights: Array | None = None) -> Array:
    """How often each flat index occurs, or the sum of its weights, ``shape``."""
    return np.bincount(place, weights, int(np.prod(shape))).reshape(shape)


def reliability(transform: Array, levels: tuple[float, ...] = LEVELS) -> tuple[Array, Array]:
    """Nominal and observed coverage of central intervals.

    Args:
        transform: PIT of any shape; NaN is absent.
        levels: nominal coverages.

    Returns:
        nominal ``[level]`` and observed ``[level]`` (NaN without samples).
    """
    transform = np.asarray(transform, float)
    distance = 2 * np.abs(transform[np.isfinite(transform)] - 0.5)
    nominal = np.array(levels)
    if not distance.size:
        return nominal, np.full(len(nominal), np.nan)
    return nominal, (distance[:, None] <= nominal).mean(0)
