r"""What a sensor would see of the truth: a simulator that no filter has.

    leaves            PROSPECT-5 absorption instead of PROSPECT-D
    leaf angles       two parameters (Verhoef) instead of a mean angle (Campbell)
    soil              a mixture that darkens exponentially with moisture, instead of films of water
    bands             a finer quadrature than a run's
    the rest          r (1 + e(wavelength, field, day)), what no setting of it explains

e is a smooth function of the logarithm of wavelength: MODES cosines whose amplitudes differ from
field to field and drift through the season; ``size`` is its standard deviation. It stands for what
a turbid medium of plates lacks: rows, clumps, stems, flowers, slopes. Cost: one spectrum per pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from releo_da.nature.chemistry import VARIABLES
from releo_da.nature.fields import Fields, normal, uniform
from releo_da.observation.derived import derive
from releo_da.observation.prosail import NodeBands, ProsailOperator
from releo_da.sensors import load_sensor
from releo_da.types import Acquisition, ObservationOperator

MODES = 4
"""Smooth functions of wavelength that the discrepancy is made of."""

TOLERANCE = 5.0e-5
"""Quadrature error (reflectance) of the truth."""

SPOKEN = ("ala", "soil_moisture")
"""Variables that a truth has for comparison; its own canopy and soil are told by others."""

AMPLITUDE, PHASE = 200, 300
"""Tell the random numbers of the modes apart."""


def decode(states: Tensor) -> dict[str, Tensor]:
    """All variables of a truth by name, ``[..., variable] -> [...]`` each."""
    return dict(zip(VARIABLES, states.unbind(-1), strict=True))


def physical(states: Tensor) -> dict[str, Tensor]:
    """Those that its simulator takes."""
    return {name: value for name, value in decode(states).items() if name not in SPOKEN}


def simulator(channels: Mapping[str, tuple[str, ...]]) -> ObservationOperator:
    """H of the truth without the discrepancy: states ``[pixel, member, variable]`` to channels."""
    bands = NodeBands(channels, TOLERANCE, "prospect_5")
    return ProsailOperator(physical, lambda states: states[..., :0], channels, bands=bands)


def derived(
    names: tuple[str, ...], observe: ObservationOperator, channels: Mapping[str, tuple[str, ...]]
) -> Callable[[Tensor, Tensor], dict[str, Tensor]]:
    """Output variables of a truth: ``f(states, angles) -> {name: [pixel, member]}``."""
    rest = [name for name in names if name not in VARIABLES]
    compute = derive(rest, physical, observe, channels)

    def found(states: Tensor, angles: Tensor) -> dict[str, Tensor]:
        known = decode(states) | compute(states, angles)
        return {name: known[name] for name in names}

    return found


class Discrepancy(NamedTuple):
    """The spectral error of the truth at some pixels.

    Attributes:
        amplitude: ``[pixel, mode]``.
        phase: ``[pixel, mode]``.
    """

    amplitude: NDArray[np.float64]
    phase: NDArray[np.float64]


def discrepancy(seed: int, plot: Fields, size: float) -> Discrepancy:
    """The spectral error of the fields of some pixels, of standard deviation ``size``."""
    modes = range(MODES)
    drawn = [normal(seed, plot.row, plot.column, AMPLITUDE + k) for k in modes]
    phases = [uniform(seed, plot.row, plot.column, PHASE + k) for k in modes]
    scale = size * math.sqrt(4.0 / MODES)  # a cosine of wavelength and one of time: 1/2 each
    return Discrepancy(scale * np.stack(drawn, -1), 2.0 * math.pi * np.stack(phases, -1))


def factor(error: Discrepancy, centres: NDArray[np.float64], day: float) -> NDArray[np.float64]:
    """1 + e of each pixel and channel, ``[pixel, channel]``; ``centres`` in nm, ``day`` in days."""
    place = (np.log(centres) - math.log(400.0)) / (math.log(2500.0) - math.log(400.0))
    waves = np.cos(math.pi * np.arange(1, MODES + 1)[:, None] * place)
    drift = np.cos(2.0 * math.pi * day / 300.0 + error.phase)
    found: NDArray[np.float64] = 1.0 + (error.amplitude * drift) @ waves
    return found


def seen(
    observe: ObservationOperator,
    error: Discrepancy,
    channels: tuple[str, ...],
    states: Tensor,
    acquisition: Acquisition,
) -> Tensor:
    """Exact reflectances of the truth, its discrepancy included, ``[pixel, channel]``."""
    described = load_sensor(acquisition.sensor)
    centres = np.array([described.centres[k] for k in described.index(channels)])
    exact = observe(states, acquisition)[:, 0]
    return exact * torch.from_numpy(factor(error, centres, acquisition.time)).to(exact)
