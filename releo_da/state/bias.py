"""Latents for what an instrument adds: the bias of a sensor's channels.

    latent axis = [ the state of the surface | bias of B channels of some sensors ]

A bias is in the unit of its channel (reflectance) and has mean 0 under the prior. It belongs to a
sensor, so only that sensor's acquisitions hold it, while what the physics cannot explain of a field
(`releo_da.state.layout`, residuals) is seen by all. Every pixel estimates its own. The observations
tell the biases of two sensors apart only as far as a third thing is known of the surface, which is
what a sensor without bias is; between sensors that are all biased, only their difference shows, and
the prior deviations say how it is shared out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

import torch
from torch import Tensor

DAYS = 1000.0
"""Default e-folding time of a bias."""


def bias_name(sensor: str, channel: str) -> str:
    """Name of the bias of a channel as an output variable, ``bias_landsat8_B4``."""
    return f"bias_{PurePath(sensor).stem}_{channel}"


@dataclass(frozen=True)
class Biases:
    """The bias latents of a run, the last ones of its latent axis.

    Attributes:
        sensors: ``[B]`` the sensor of each.
        channels: ``[B]`` and its channel.
        deviations: ``[B]`` prior standard deviation.
        days: e-folding time (days, or model time); infinite for a bias that never changes.
    """

    sensors: tuple[str, ...]
    channels: tuple[str, ...]
    deviations: tuple[float, ...]
    days: float = DAYS

    def __len__(self) -> int:
        return len(self.sensors)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the latents as output variables (`bias_name`)."""
        return tuple(map(bias_name, self.sensors, self.channels))

    def of(self, ensemble: Tensor) -> Tensor:
        """The biases of an ensemble ``[..., latent]``, ``[..., B]``."""
        return ensemble[..., ensemble.shape[-1] - len(self) :]

    def selection(self, sensor: str, channels: tuple[str, ...]) -> Tensor | None:
        """Which bias is in which channel of a sensor, ``[B, channel]`` of 0 and 1, or None."""
        found = torch.zeros(len(self), len(channels), dtype=torch.float64)
        for row, (name, channel) in enumerate(zip(self.sensors, self.channels, strict=True)):
            if name == sensor:
                found[row, channels.index(channel)] = 1.0
        return found if bool(found.any()) else None

    def decode(self, ensemble: Tensor) -> dict[str, Tensor]:
        """Biases by name, each ``[...]`` for an ensemble ``[..., latent]``."""
        return dict(zip(self.names, self.of(ensemble).unbind(-1), strict=True))

    @property
    def described(self) -> dict[str, tuple[str, str]]:
        """Unit and long name of each."""
        pairs = zip(self.names, self.channels, self.sensors, strict=True)
        return {name: ("1", f"bias of {c} of {PurePath(s).stem}") for name, c, s in pairs}


def bias_rows(
    biases: Biases, ensemble: Tensor, truth: Mapping[str, float] | None = None
) -> dict[str, dict[str, dict[str, float]]]:
    """What an ensemble says of the biases, over its pixels.

    Args:
        biases: of the run.
        ensemble: ``[pixel, member, latent]``.
        truth: by `Biases.names`, where it is known.

    Returns:
        Per sensor and channel ``prior``, the deviation before any observation, ``mean`` over pixels
        and members, ``spread``, the root of the mean variance of the members of a pixel,
        ``between``, the deviation of pixels' means, and ``truth`` where it is known.
    """
    return rows_of(biases, *moments(biases, ensemble), truth)


def moments(biases: Biases, ensemble: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over members of each bias, ``[pixel, B]`` float64 each.

    Args:
        biases: of the run.
        ensemble: ``[pixel, member, latent]``; of all pixels or of a part of them.
    """
    held = biases.of(ensemble.detach().double())
    return held.mean(1), held.var(1)


def rows_of(
    biases: Biases, means: Tensor, variances: Tensor, truth: Mapping[str, float] | None = None
) -> dict[str, dict[str, dict[str, float]]]:
    """`bias_rows` of the `moments` of all pixels.

    Args:
        biases: of the run.
        means: ``[pixel, B]``, over members.
        variances: the same.
        truth: by `Biases.names`, where it is known.
    """
    mean, spread = means.mean(0), variances.mean(0).sqrt()
    between = means.std(0, correction=0)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for k, (sensor, channel) in enumerate(zip(biases.sensors, biases.channels, strict=True)):
        row = {
            "prior": biases.deviations[k],
            "mean": float(mean[k]),
            "spread": float(spread[k]),
            "between": float(between[k]),
        }
        if truth is not None:
            row["truth"] = truth.get(biases.names[k], 0.0)
        found.setdefault(sensor, {})[channel] = row
    return found
