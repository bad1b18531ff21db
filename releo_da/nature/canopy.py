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

SPOKEN = ("ala", "soil_moisture", "lai_green")
"""Variables that a truth has for comparison; its own canopy and soil are told by others."""

DRIFT = 300.0
"""Days in which an amplitude swings once."""

AMPLITUDE, PHASE = 200, 300
"""Tell the random numbers of the modes apart."""


def named(states: Tensor) -> dict[str, Tensor]:
    """The variables of a truth by name, ``[..., variable] -> [...]`` each, without modes."""
    return dict(zip(VARIABLES, states[..., : len(VARIABLES)].unbind(-1), strict=True))


def physical(states: Tensor) -> dict[str, Tensor]:
    """Those that its simulator takes."""
    return {name: value for name, value in named(states).items() if name not in SPOKEN}


def derived(
    names: tuple[str, ...], observe: ObservationOperator, channels: Mapping[str, tuple[str, ...]]
) -> Callable[[Tensor, Tensor], dict[str, Tensor]]:
    """Output variables of a truth: ``f(states, angles) -> {name: [pixel, member]}``."""
    rest = [name for name in names if name not in VARIABLES]
    compute = derive(rest, physical, observe, channels)

    def found(states: Tensor, angles: Tensor) -> dict[str, Tensor]:
        known = named(states) | compute(states, angles)
        return {name: known[name] for name in names}

    return found


def modes(seed: int, plot: Fields, size: float, time: float) -> NDArray[np.float64]:
    """Amplitudes of the discrepancy at a time, ``[pixel, mode]``: the last of a truth's states.

    Args:
        seed: of the landscape.
        plot: the field of each pixel.
        size: standard deviation of the discrepancy.
        time: days.
    """
    drawn = [normal(seed, plot.row, plot.column, AMPLITUDE + k) for k in range(MODES)]
    phase = [uniform(seed, plot.row, plot.column, PHASE + k) for k in range(MODES)]
    drift = np.cos(2.0 * math.pi * (time / DRIFT + np.stack(phase, -1)))
    scale = size * math.sqrt(4.0 / MODES)  # a cosine of wavelength and one of time: 1/2 each
    return scale * drift * np.stack(drawn, -1)


def waves(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """The modes at wavelengths (nm), ``[mode, channel]``."""
    place = (np.log(centres) - math.log(400.0)) / (math.log(2500.0) - math.log(400.0))
    found: NDArray[np.float64] = np.cos(math.pi * np.arange(1, MODES + 1)[:, None] * place)
    return found


def simulator(channels: Mapping[str, tuple[str, ...]]) -> ObservationOperator:
    """H of the truth: states ``[pixel, member, variable + mode]`` to ``[pixel, member, channel]``.

    Args:
        channels: for each sensor, the channels of its acquisitions, none of them an index.
    """
    bands = NodeBands(channels, TOLERANCE, "prospect_5")
    exact = ProsailOperator(physical, lambda states: states[..., :0], channels, bands=bands)
    shapes = {}
    for sensor, wanted in channels.items():
        described = load_sensor(sensor)
        centres = np.array([described.centres[k] for k in described.index(wanted)])
        shapes[sensor] = torch.from_numpy(waves(centres))

    def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        error = ensemble[..., len(VARIABLES) :] @ shapes[acquisition.sensor].to(ensemble)
        return exact(ensemble, acquisition) * (1.0 + error)

    return observe
