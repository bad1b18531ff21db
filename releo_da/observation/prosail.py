r"""The observation operator: latents -> variables -> radiative transfer -> channels of any sensor.

    r(x)[pixel, member, band] = sum_k w[band, k] SDR(variables(x), angles, wavelength_k)
                                + residual(x)[nearest knot of band]
    H(x)[pixel, member, channel] = r[band],  or  (r[high] - r[low]) / (r[high] + r[low])

with the K band-quadrature nodes and weights of `releo_da.observation.quadrature`; the second form
is that of a channel which is an index. Angles are those of the acquisition, per pixel. Cost: K
nodes of radiative transfer per member, most of a run. Another predictor of bands may take the place
of the nodes, such as the emulator (`releo_da.observation.emulated`); the rest is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from releo_da.observation.quadrature import Quadrature, band_quadrature
from releo_da.physics.optics import LeafModel, Optics, load_optics
from releo_da.physics.prosail import prosail
from releo_da.sensors import load_sensor
from releo_da.sensors.indices import combine
from releo_da.types import Acquisition

Decode = Callable[[Tensor], Mapping[str, Tensor]]


def nearest_knots(sensor: str, channels: tuple[str, ...], knots: tuple[float, ...]) -> Tensor:
    """Index of the residual knot nearest to the centre of each band behind channels, ``[band]``."""
    described = load_sensor(sensor)
    centres = [described.band_centres[row] for row in described.behind(channels)[0]]
    distance = torch.tensor(centres)[:, None] - torch.tensor(knots)
    return distance.abs().argmin(1)


class Bands(Protocol):
    """Predicts the bands behind the channels of some sensors, from variables and angles.

    Attributes:
        error: for each sensor, the rms error of its channels, ``[channel]``; it enters R.
        zeniths: largest zenith angles of sun and view (degrees) under which they mean something.
    """

    error: Mapping[str, Tensor]
    zeniths: tuple[float, float]

    def __call__(
        self, sensor: str, variables: Mapping[str, Tensor], tts: Tensor, tto: Tensor, psi: Tensor
    ) -> Tensor:
        """Reflectances ``[..., band]`` of variables ``[...]`` under angles in degrees."""
        ...


class NodeBands:
    """Bands by the canopy model at band-quadrature nodes.

    Args:
        channels: for each sensor, the channels in the order of its acquisitions.
        tolerance: rms reflectance error allowed to the quadrature; 0 for the full response at every
            wavelength, some hundred times slower.
        leaf: whose absorption coefficients.
    """

    zeniths = 90.0, 90.0

    def __init__(
        self,
        channels: Mapping[str, tuple[str, ...]],
        tolerance: float = 3.0e-4,
        leaf: LeafModel = "prospect_d",
    ) -> None:
        self.leaf = leaf
        self.quadratures: dict[str, Quadrature] = {
            sensor: band_quadrature(load_sensor(sensor), names, tolerance)
            for sensor, names in channels.items()
        }
        self.error: Mapping[str, Tensor] = {
            sensor: rule.error for sensor, rule in self.quadratures.items()
        }
        self._optics = cache(self._load)

    def _load(self, sensor: str, dtype: torch.dtype, device: torch.device) -> tuple[Optics, Tensor]:
        rule = self.quadratures[sensor]
        return load_optics(rule.wavelengths, dtype, device, self.leaf), rule.weights.to(
            device, dtype
        )

    def __call__(
        self, sensor: str, variables: Mapping[str, Tensor], tts: Tensor, tto: Tensor, psi: Tensor
    ) -> Tensor:
        """Reflectances ``[..., band]``; see `Bands`."""
        like = variables["lai"]
        optics, weights = self._optics(sensor, like.dtype, like.device)
        return prosail(variables, tts, tto, psi, optics) @ weights.T


class ProsailOperator:
    """Predicts the channels of any sensor from an ensemble of latents.

    Args:
        decode: latents ``[..., latent]`` to physical variables by name, each ``[...]``.
        residual: latents to residual reflectances ``[..., knot]``.
        channels: for each sensor, the channels in the order of its acquisitions.
        knots: centre wavelengths (nm) of the residuals; empty for none.
        bands: what predicts bands; the canopy model at band-quadrature nodes unless given.
    """

    def __init__(
        self,
        decode: Decode,
        residual: Callable[[Tensor], Tensor],
        channels: Mapping[str, tuple[str, ...]],
        knots: tuple[float, ...] = (),
        bands: Bands | None = None,
    ) -> None:
        self.decode, self.residual, self.channels = decode, residual, dict(channels)
        self.bands = NodeBands(channels) if bands is None else bands
        self.parts = {
            sensor: load_sensor(sensor).behind(names)[1] for sensor, names in channels.items()
        }
        self.knots = {
            sensor: nearest_knots(sensor, names, knots) if knots else None
            for sensor, names in self.channels.items()
        }

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """H of every member, ``[pixel, member, channel]``."""
        if not acquisition.sensor:
            return ensemble.new_zeros((*ensemble.shape[:2], 0))
        sensor = acquisition.sensor
        angles = acquisition.angles.to(ensemble).unsqueeze(1).unbind(-1)
        predicted = self.bands(sensor, self.decode(ensemble), *angles)
        knots = self.knots[sensor]
        if knots is not None:
            predicted = predicted + self.residual(ensemble)[..., knots]
        return combine(predicted, self.parts[sensor])
