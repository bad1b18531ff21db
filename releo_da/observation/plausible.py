r"""Whether the channels of a series can be what they are said to be.

The prior of the state under the geometries that imagers meet makes a population of spectra with
mean m and covariance C. A spectrum y [channel] lies at the squared distance

    d(y) = (y - m)' (C + s^2 I)^-1 (y - m),      s = 0.02, what instruments and models leave open

from it, and a series at the median of d over its spectra. Faults are looked for by undoing them:

    two channels in each other's place    d of the spectra with both exchanged, for every pair
    a constant in every channel           d of the spectra less a named constant

Undoing goes on with what was found while each step divides the distance by `STEP`, so several
exchanged pairs are found in turn. It is believed where it leads to where spectra of canopies and
soils lie (the 99th percentile of the population). It is sure where, besides, it is an offset or
pairs without a channel in common, divides the distance by `RATIO`, lowers it by `DROP`, brings
`MOST_OF` all spectra nearer, and either the spectra lay `FAR` times as far as the 99th percentile
or the undone ones vary as a season does (deciles of NDVI `SEASON` apart). A surface that is always
the same may be a rare one, such as burnt ground, a roof or lichen, and is only told. Channels that
nearly always agree, such as B07, B08 and B8A, or blue, green and red of a wood, cannot be told
apart. Snow and cloud lie far from the population in any order; spectra without a channel above
`DARK` are water or shade and not judged.

Shapes: spectra [spectrum, channel]; cost O(channel^2) distances of at most `MOST` spectra.
Reference: Mahalanobis (1936), Proc. Natl. Inst. Sci. India 2, 49-55, for the distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.observation.canopies import of_the_prior
from releo_da.observation.offset import FAULTS
from releo_da.observation.prosail import NodeBands
from releo_da.sensors import load_sensor
from releo_da.sensors.indices import find_index, of_channels

GEOMETRY = {"tts": (20.0, 70.0), "tto": (0.0, 15.0), "psi": (0.0, 180.0)}
"""Angles (degrees) of the population."""

POPULATION, LEAST, MOST = 2000, 30, 2000
"""Spectra of the population; least and most of a series that are judged."""

OPEN = 0.02
"""Standard deviation of what instruments and models leave open (reflectance)."""

DARK = 0.1
"""Reflectance that some channel of a judged spectrum exceeds."""

STEP, RATIO, DROP = 1.15, 1.6, 1.5
"""Least division of the distance by a step; least division and fall by all, of a sure fault."""

MOST_OF, SEASON, FAR = 0.8, 0.25, 2.5
"""Share of spectra that a sure fault brings nearer; distance of the deciles of NDVI of a season;
multiple of the 99th percentile beyond which no season is asked for."""


class Fault(NamedTuple):
    """What was found wrong with the spectra of a series.

    Attributes:
        exchanged: pairs of channels that stand in each other's place.
        offset: a constant in every channel, 0 where there is none.
        before: the median distance as it is.
        after: the median distance with the fault undone.
        sure: whether nothing else explains it. With nothing exchanged and no offset the spectra
            are those of no land, and nothing simple explains them.
    """

    exchanged: tuple[tuple[str, str], ...]
    offset: float
    before: float
    after: float
    sure: bool

    def __str__(self) -> str:
        said = [f"{a} and {b} stand in each other's place" for a, b in self.exchanged]
        if self.offset:
            said.append(f"all channels {self.offset:+.3f}: {FAULTS[self.offset]}")
        if not said:
            return (
                f"spectra are unlike any of land (distance {self.before:.0f}); snow, cloud, or "
                "several channels in wrong places"
            )
        told = f"distance from spectra of land {self.before:.1f}, undone {self.after:.1f}"
        return f"{'; '.join(said)} ({told})"


class Population(NamedTuple):
    """The spectra of land.

    Attributes:
        spectra: ``[spectrum, channel]``.
        mean: ``[channel]``.
        precision: ``[channel, channel]``.
        far: the 99th percentile of their own distances.
    """

    spectra: Tensor
    mean: Tensor
    precision: Tensor
    far: float

    def distances(self, spectra: Tensor) -> Tensor:
        """Squared distance of each of the spectra ``[spectrum, channel]``."""
        apart = spectra - self.mean
        return torch.einsum("ni,ij,nj->n", apart, self.precision, apart)

    def distance(self, spectra: Tensor) -> float:
        """Median squared distance of spectra ``[spectrum, channel]``."""
        return float(self.distances(spectra).median())


@lru_cache(maxsize=32)
def population(sensor: str, channels: tuple[str, ...]) -> Population:
    """The spectra of land that a sensor sees; the same at every call."""
    generator = torch.Generator().manual_seed(0)
    drawn = of_the_prior(POPULATION, generator, GEOMETRY)
    inputs = {name: values.float() for name, values in drawn.items()}
    angles = (inputs[name] for name in GEOMETRY)
    spectra = NodeBands({sensor: channels}, 0.0)(sensor, inputs, *angles).double()
    mean = spectra.mean(0)
    open_ = OPEN**2 * torch.eye(len(channels), dtype=spectra.dtype)
    precision = torch.linalg.inv(torch.cov(spectra.T) + open_)
    apart = spectra - mean
    own = torch.einsum("ni,ij,nj->n", apart, precision, apart)
    return Population(spectra, mean, precision, float(own.quantile(0.99)))


def find_fault(
    spectra: Tensor,
    sensor: str,
    channels: Sequence[str],
    offsets: Mapping[float, str] | None = None,
) -> Fault | None:
    """What is wrong with the spectra of a whole series, or None.

    Args:
        spectra: ``[spectrum, channel]`` reflectances as the series has them; fewer than `LEAST`
            are not judged, nor fewer than three channels.
        sensor: whose they are.
        channels: their names, none of them an index.
        offsets: constants that are looked for; those known of Sentinel-2 for its sensors.
    """
    spectra = spectra[spectra.amax(-1) > DARK]
    if len(spectra) < LEAST or len(channels) < 3:
        return None
    spectra = spectra[:: -(-len(spectra) // MOST)].double()
    known = population(sensor, tuple(channels))
    if offsets is None:
        offsets = FAULTS if sensor.startswith("sentinel2") else {}
    given = spectra
    before = best = known.distance(spectra)
    order, offset = list(range(len(channels))), 0.0
    exchanged: list[tuple[str, str]] = []
    while True:
        tried: list[tuple[float, float, tuple[int, int] | None]] = [
            (known.distance(spectra - c), c, None) for c in offsets if not offset
        ]
        for i, j in combinations(range(len(channels)), 2):
            tried.append((known.distance(spectra[:, _swapped(order, i, j)]), 0.0, (i, j)))
        least, constant, pair = min(tried, key=lambda found: found[0])
        if best < STEP * least:
            break
        best = least
        if pair is None:
            offset, spectra = constant, spectra - constant
        else:
            exchanged.append((channels[pair[0]], channels[pair[1]]))
            spectra = spectra[:, _swapped(order, *pair)]
    if best > known.far:
        exchanged, offset, best = [], 0.0, before
    if not (exchanged or offset) and before <= 2 * known.far:
        return None
    nearer = known.distances(spectra) < known.distances(given)
    touched = [name for pair in exchanged for name in pair]
    sure = (
        len(set(touched)) == len(touched)
        and not (exchanged and offset)
        and before >= RATIO * best
        and before - best >= DROP
        and float(nearer.double().mean()) >= MOST_OF
        and (before > FAR * known.far or _varied(spectra, sensor, channels))
    )
    return Fault(tuple(exchanged), offset, before, best, sure)


def _varied(spectra: Tensor, sensor: str, channels: Sequence[str]) -> bool:
    """Whether spectra vary as those of a season do; not where NDVI cannot be formed."""
    index = find_index("ndvi", load_sensor(sensor), channels)
    if index is None:
        return False
    low, high = of_channels(spectra, index).quantile(torch.tensor([0.1, 0.9]).to(spectra))
    return bool(high - low >= SEASON)


def _swapped(order: Sequence[int], i: int, j: int) -> list[int]:
    """An order of channels with two of them exchanged."""
    new = list(order)
    new[i], new[j] = new[j], new[i]
    return new
