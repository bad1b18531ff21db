"""Bands of any sensor by the emulator, in the place of the canopy model at band-quadrature nodes.

A sensor is read from its file and becomes a linear head of the network (`Emulator.head`): nothing
is fitted to it, and a sensor that is written tomorrow needs nothing else. The emulator's own error
is that of each band; that of an index follows from the covariance of its two bands by propagation
of error (`releo_da.observation.error.gain_moments`). Angles beyond its limits are taken at the
limit, and what was seen under them has no weight in R.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

import torch
from torch import Tensor

from releo_da.observation.draws import LIMITS
from releo_da.observation.emulator import Emulator, Head
from releo_da.observation.error import gain_moments
from releo_da.physics.prosail import VARIABLES
from releo_da.sensors import load_sensor
from releo_da.types import InputError


class EmulatedBands:
    """Bands by an emulator; see `releo_da.observation.prosail.Bands`.

    Args:
        channels: for each sensor, the channels in the order of its acquisitions.
        emulator: on the device of the variables; its weights do not change from here on.
        names: the variables of the state.

    Raises:
        InputError: the state lacks a variable of the emulator or has one that it does not know.
    """

    zeniths = LIMITS["tts"][1], LIMITS["tto"][1]

    def __init__(
        self,
        channels: Mapping[str, tuple[str, ...]],
        emulator: Emulator,
        names: Collection[str] = VARIABLES,
    ) -> None:
        odd = ", ".join(sorted(set(names) ^ set(VARIABLES)))
        if odd:
            raise InputError(
                f"the emulator was made for {', '.join(VARIABLES)}, and the state differs in "
                f"{odd}; use {{name: prosail}}"
            )
        self.emulator = emulator
        errors: dict[str, Tensor] = {}
        self.heads: dict[str, Head] = {}
        for sensor, seen in channels.items():
            described = load_sensor(sensor)
            response = described.response[list(described.behind(seen)[0])]
            self.heads[sensor] = emulator.head(response)
            covariance, moments = emulator.band_covariance(response), gain_moments(sensor, seen)
            variance = (
                covariance.diagonal() if moments is None else (moments * covariance).sum((1, 2))
            )
            errors[sensor] = variance.sqrt()
        self.error: Mapping[str, Tensor] = errors
        self._head = cache(self._load)

    def _load(self, sensor: str, dtype: torch.dtype, device: torch.device) -> Head:
        return Head(*(t.to(device, dtype) for t in self.heads[sensor]))

    def __call__(
        self, sensor: str, variables: Mapping[str, Tensor], tts: Tensor, tto: Tensor, psi: Tensor
    ) -> Tensor:
        """Reflectances ``[..., band]`` of variables ``[...]`` under angles in degrees."""
        like = variables["lai"]
        head = self._head(sensor, like.dtype, like.device)
        sun, view = self.zeniths
        return self.emulator.bands(variables, tts.clamp(max=sun), tto.clamp(max=view), psi, head)
