"""The section ``observe``: which operator, and what it adds to R."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from releo_da.config.bias import Wanted
from releo_da.config.document import Document
from releo_da.config.emulator_weights import packaged, read_emulator
from releo_da.config.registry import Registry
from releo_da.config.weight_paths import weights_at
from releo_da.observation.emulated import EmulatedBands
from releo_da.observation.prosail import Bands, NodeBands
from releo_da.state.bias import DAYS

Make = Callable[
    [Mapping[str, tuple[str, ...]], Collection[str], torch.device | str],
    Bands,
]
"""From the channels of each sensor, the variables of the state and a device, a predictor."""


@dataclass(frozen=True)
class Observation:
    """What predicts bands, and what the operator holds beside them.

    Attributes:
        bands: makes what predicts bands.
        representativeness: the error that R holds beside the instrument's and the operator's own.
        bias: the biases of sensors that are estimated.
    """

    bands: Make
    representativeness: float
    bias: Wanted


def prosail(
    quadrature_error: float = 3.0e-4,
    representativeness: float = 0.01,
    bias: Mapping[str, float | Mapping[str, float]] | None = None,
    bias_days: float = DAYS,
) -> Observation:
    """PROSAIL at band-quadrature nodes with the data's own angles.

    Args:
        quadrature_error: rms reflectance error allowed to the quadrature; it enters R. 0 for every
            wavelength of the response, some hundred times slower.
        representativeness: standard deviation (reflectance) that R holds beside the instrument's,
            where no fitted weights give it.
        bias: sensors whose bias is estimated, with its prior standard deviation (reflectance), one
            number for all channels or ``{channel: number}`` for some.
        bias_days: time (days) over which a bias forgets; .inf for a constant.
    """

    def bands(
        channels: Mapping[str, tuple[str, ...]], names: Collection[str], device: torch.device | str
    ) -> Bands:
        return NodeBands(channels, quadrature_error)

    return Observation(bands, representativeness, Wanted(bias or {}, bias_days))


def emulator(
    weights: Path | None = None,
    representativeness: float = 0.01,
    bias: Mapping[str, float | Mapping[str, float]] | None = None,
    bias_days: float = DAYS,
) -> Observation:
    """A neural stand-in for PROSAIL with the data's own angles; its error enters R.

    Args:
        weights: file made by `releo-da train`; those of the package unless given.
        representativeness: standard deviation (reflectance) that R holds beside the instrument's,
            where no fitted weights give it.
        bias: sensors whose bias is estimated, with its prior standard deviation (reflectance), one
            number for all channels or ``{channel: number}`` for some.
        bias_days: time (days) over which a bias forgets; .inf for a constant.
    """
    network = packaged() if weights is None else read_emulator(weights)

    def bands(
        channels: Mapping[str, tuple[str, ...]], names: Collection[str], device: torch.device | str
    ) -> Bands:
        return EmulatedBands(channels, network.to(device), names)

    return Observation(bands, representativeness, Wanted(bias or {}, bias_days))


OPERATORS = Registry("observation operator", {"prosail": prosail, "emulator": emulator})


def observation_of(document: Document) -> Observation:
    """The operator of a configuration.

    Raises:
        InputError: an unknown name or option, or a file of weights that cannot be used.
    """
    spec = document.values.get("observe", "prosail")
    weights = weights_at(document, "observe.weights")
    if weights is not None:
        spec = {**spec, "weights": str(weights)}
    made: Observation = OPERATORS.build(spec, "observe")
    return made
