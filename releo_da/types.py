"""The records that flow round the loop, and the shape of the three things that act on them.

Monitoring is a fold over acquisitions: ``state, acquisition -> state``. This module names what is
folded (`State`), what it is folded over (`Acquisition`), what an analysis returns (`Analysis`) and
what the loop yields (`Step`), together with the protocols of the three functions of a `System`:

    forecast  p(x_t | x_s)       [pixel, member, latent] -> [pixel, member, latent]
    observe   H(x)               [pixel, member, latent] -> [pixel, member, channel]
    analyse   p(x | y)           the ensemble of the background -> the ensemble of the analysis

Times are float64 days since 1970-01-01 UTC (model time for toy models). Every field that holds
numbers is a plain tensor; what was not seen carries infinite error, that is precision 0, so that
clouds, gaps and withheld values never change a shape. The module imports torch and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

Noise = Callable[[Sequence[int]], Tensor]
"""``noise(shape)`` gives standard-normal numbers; the first axis of ``shape`` is the pixel axis."""

Observe = Callable[[Tensor], Tensor]
"""The operator bound to an acquisition: ``[pixel, member, latent] -> [pixel, member, channel]``."""


PER_SENSOR = "@"
"""Ends the keys of a memory that belong to the sensor of the acquisition, ``[pixel, channel]``; the
loop keeps one of each sensor (`releo_da.cycling.memory`)."""


class State(NamedTuple):
    """An ensemble at one time.

    Attributes:
        time: days since 1970-01-01 UTC.
        ensemble: ``[pixel, member, latent]``, in unconstrained coordinates.
        pixels: ``[pixel]`` int64, global ids; the order of the pixel axis.
        memory: what a scheme carries from cycle to cycle, each tensor with leading pixel axis.
    """

    time: float
    ensemble: Tensor
    pixels: Tensor
    memory: dict[str, Tensor] = {}

    @property
    def mean(self) -> Tensor:
        """Ensemble mean, ``[pixel, latent]``."""
        return self.ensemble.mean(1)

    @property
    def anomalies(self) -> Tensor:
        """Members minus their mean, ``[pixel, member, latent]``."""
        return self.ensemble - self.ensemble.mean(1, keepdim=True)

    @property
    def spread(self) -> Tensor:
        """Standard deviation over members (N - 1), ``[pixel, latent]``."""
        return self.ensemble.std(1)


class Acquisition(NamedTuple):
    """One pass of one sensor over the pixels of a run.

    Attributes:
        time: days since 1970-01-01 UTC.
        sensor: name of the sensor; its channels give the meaning of the channel axis.
        values: ``[pixel, channel]``, finite everywhere (what was not seen is 0 there).
        error: ``[pixel, channel]`` standard deviation; infinite where nothing was seen.
        angles: ``[pixel, 3]`` degrees: sun zenith, view zenith, relative azimuth in [0, 180].
        product: name of the product it was read from, for messages and provenance.
    """

    time: float
    sensor: str
    values: Tensor
    error: Tensor
    angles: Tensor
    product: str = ""

    @property
    def precision(self) -> Tensor:
        """1 / error**2, and 0 where nothing was seen, ``[pixel, channel]``."""
        return self.error.pow(-2)

    @property
    def seen(self) -> Tensor:
        """True where a value was seen, ``[pixel, channel]``."""
        return torch.isfinite(self.error)


class Analysis(NamedTuple):
    """What an assimilation scheme returns.

    Attributes:
        ensemble: ``[pixel, member, latent]`` after the update.
        predicted: ``[pixel, member, channel]``, H of the background.
        precision: ``[pixel, channel]`` as used, 0 where a value was screened out.
        memory: the scheme's memory for the next cycle.
    """

    ensemble: Tensor
    predicted: Tensor
    precision: Tensor
    memory: dict[str, Tensor]


class Step(NamedTuple):
    """One turn of the loop: what was seen, and the state before and after it was used.

    Attributes:
        acquisition: what was seen.
        background: the state before.
        analysis: the state after.
        predicted: ``[pixel, member, channel]``, H of the background.
        precision: ``[pixel, channel]`` as used.
        recovered: ``[pixel]`` where numbers that were not finite were replaced, by the codes of
            `releo_da.cycling.recovery`; None where nobody looked.
    """

    acquisition: Acquisition
    background: State
    analysis: State
    predicted: Tensor
    precision: Tensor
    recovered: Tensor | None = None


class Weather(NamedTuple):
    """Daily weather at sites, and the sites of each pixel: bound once, never copied per pixel.

    The value at a pixel is the mean over its k sites with their weights
    (`releo_da.dynamics.weather`).

    Attributes:
        first: the first day, since 1970-01-01; the others follow without a gap.
        elements: names along the axis of elements, units as in `releo_da.io.elements`.
        values: ``[day, site, element]`` float32, finite everywhere.
        pixels: ``[pixel]`` int64, global ids, ascending.
        site: ``[pixel, k]`` int64.
        weight: ``[pixel, k]``, each row sums to 1.
        latitude: ``[site]`` degrees north, NaN where unknown; None where all are.
        normal: of a scenario the record as it was, at the same sites; what is usual is told by it.
    """

    first: int
    elements: tuple[str, ...]
    values: Tensor
    pixels: Tensor
    site: Tensor
    weight: Tensor
    latitude: Tensor | None = None
    normal: Weather | None = None


class Forecaster(Protocol):
    """Carries a state to a later time; the only clock of the system."""

    def __call__(self, state: State, time: float, noise: Noise) -> State: ...


class ObservationOperator(Protocol):
    """Predicts what a sensor would see of each member: ``[pixel, member, channel]``."""

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor: ...


class Scheme(Protocol):
    """Turns a background ensemble and observations into an analysis ensemble."""

    def __call__(
        self,
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis: ...


class System(NamedTuple):
    """The three functions that make a data assimilation system."""

    forecast: Forecaster
    observe: ObservationOperator
    analyse: Scheme


class InputError(ValueError):
    """The input or the configuration is wrong; the message names the place and the remedy.

    Commands end with exit status 2 and print the message without a traceback.
    """
