r"""Estimates of variables as observations: leaf area of a product, fAPAR of a campaign.

    H(x)[pixel, member, channel] = variable(x)           of the state, or derived from it

A product of level 2 or 3 says of a variable what a sensor says of a reflectance, with an error of
its own: R is that of the product (the option ``error`` of its source, or the noise that its sensor
file states), and neither representativeness nor the band rule adds to it. Derived variables are
those of `releo_da.observation.derived`, under the sun of the acquisition.

A product was itself made of reflectances, often of the same satellite and always with a prior.
Where a run assimilates both, its two errors are not independent and the estimate is too sure.

`SplitOperator` sends each acquisition to the operator of its sensor, so a run may hold bands only,
estimates only, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from releo_da.observation.derived import DERIVED, quantities
from releo_da.physics.optics import load_optics
from releo_da.sensors import load_sensor
from releo_da.types import Acquisition, InputError, ObservationOperator

Decode = Callable[[Tensor], Mapping[str, Tensor]]
Channels = Mapping[str, tuple[str, ...]]


def split(channels: Channels) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The sensors with bands, and those that estimate variables.

    Args:
        channels: for each sensor, its channels.

    Raises:
        InputError: an unknown sensor or channel.
    """
    estimated = {s: names for s, names in channels.items() if load_sensor(s).estimated(names)}
    return {s: names for s, names in channels.items() if s not in estimated}, estimated


class EstimateOperator:
    """Predicts estimates of variables from an ensemble of latents.

    Args:
        decode: latents ``[..., latent]`` to physical variables by name, each ``[...]``.
        channels: for each sensor, the channels in the order of its acquisitions.
        known: the variables of the state.

    Raises:
        InputError: a sensor estimates what is no variable of the state and not derived from it.
    """

    def __init__(self, decode: Decode, channels: Channels, known: tuple[str, ...]) -> None:
        self.decode = decode
        self.names = {s: load_sensor(s).estimated(names) for s, names in channels.items()}
        for sensor, names in self.names.items():
            for name in names:
                if name not in known and name not in DERIVED:
                    raise InputError(
                        f"sensor {sensor}: it estimates '{name}', which is no variable of this "
                        f"state; it may estimate {', '.join((*known, *DERIVED))} (soil_moisture "
                        "with state: {name: prosail, add: [soil_moisture]}; an index such as ndvi "
                        "is a normalised_difference of bands)"
                    )

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """H of every member, ``[pixel, member, channel]``."""
        names = self.names[acquisition.sensor]
        state = dict(self.decode(ensemble))
        at = partial(load_optics, dtype=ensemble.dtype, device=ensemble.device)
        sun = acquisition.angles[:, None, 0].to(ensemble)
        derived = [name for name in names if name not in state]
        found = state | quantities(derived, state, sun, at)
        return torch.stack([found[name].expand(ensemble.shape[:-1]) for name in names], -1)


class SplitOperator:
    """The operator of each sensor: estimates of variables by theirs, all else by another.

    Args:
        bands: the operator of sensors with bands, and of requests without a sensor.
        estimates: that of the others.
    """

    def __init__(self, bands: ObservationOperator, estimates: EstimateOperator) -> None:
        self.bands, self.estimates = bands, estimates

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """H of every member, ``[pixel, member, channel]``."""
        chosen = self.estimates if acquisition.sensor in self.estimates.names else self.bands
        return chosen(ensemble, acquisition)
