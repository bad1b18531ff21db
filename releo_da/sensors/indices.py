"""Normalised differences of two channels, for any sensor that has channels near the wavelengths.

    index = (high - low) / (high + low),   within [-1, 1]

An index of the table `INDICES` is named by what it measures, and a sensor's channels are found by
their centres: of those within the limits of a role, the one nearest to the wavelength that the
source of the index gives. Any other pair is written ``nd_HIGH_LOW`` with the sensor's own channel
names, as in ``nd_B08_B11``. The same formula serves scores, products and the simulator, and the
channels of a sensor that reports an index itself.

References: Tucker (1979), Remote Sens. Environ. 8, 127-150 (ndvi); Gitelson, Kaufman and Merzlyak
(1996), Remote Sens. Environ. 58, 289-298 (gndvi); Barnes et al. (2000), Proc. 5th Int. Conf.
Precision Agriculture (ndre); Wilson and Sader (2002), Remote Sens. Environ. 80, 385-396 (ndmi);
Gao (1996), Remote Sens. Environ. 58, 257-266 (ndwi); Key and Benson (2006), USDA RMRS-GTR-164-CD,
LA 1-51 (nbr); van Deventer, Ward, Gowda and Lyon (1997), Photogramm. Eng. Remote Sens. 63, 87-93
(ndti).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.sensors.sensor import Parts, Sensor

DARK = 0.02
"""Smallest sum of the two channels of which an index is formed (reflectance)."""

PAIR = "nd_"


class Index(NamedTuple):
    """A normalised difference of two channels, by position.

    ``low`` is None where the channel at ``high`` is the index itself.
    """

    high: int
    low: int | None


class Role(NamedTuple):
    """A channel wanted near a wavelength, with its centre within limits, all in nm."""

    wavelength: float
    least: float
    most: float


class Recipe(NamedTuple):
    """The two channels of an index, and what it is called."""

    high: Role
    low: Role
    long_name: str


GREEN, RED = Role(560, 520, 600), Role(660, 620, 690)
NEAR = Role(840, 800, 900)
SHORT, FAR = Role(1610, 1550, 1700), Role(2200, 2050, 2350)

INDICES = {
    "ndvi": Recipe(NEAR, RED, "normalised difference vegetation index"),
    "gndvi": Recipe(NEAR, GREEN, "green normalised difference vegetation index"),
    "ndre": Recipe(
        Role(790, 770, 900), Role(720, 695, 745), "normalised difference red edge index"
    ),
    "ndmi": Recipe(NEAR, SHORT, "normalised difference moisture index"),
    "ndwi": Recipe(NEAR, Role(1240, 1200, 1280), "normalised difference water index (Gao)"),
    "nbr": Recipe(NEAR, FAR, "normalised burn ratio"),
    "ndti": Recipe(SHORT, FAR, "normalised difference tillage index"),
}
"""Indices by name; wavelengths from the references of this module."""


def is_index(name: str) -> bool:
    """Whether a name stands for a normalised difference, of the table or of two channels."""
    return name in INDICES or (name.startswith(PAIR) and name.count("_") > 1)


def index_long_name(name: str) -> str:
    """What an index is, in words."""
    if name in INDICES:
        return INDICES[name].long_name
    return f"normalised difference of {name.removeprefix(PAIR).replace('_', ' and ')}"


def find_index(name: str, sensor: Sensor, channels: Sequence[str] | None = None) -> Index | None:
    """Positions of an index's channels, or None where they are not there.

    Args:
        name: of `INDICES`, or ``nd_HIGH_LOW``.
        sensor: whose channels they are.
        channels: those that may be used, positions refer to them; all of the sensor by default.
    """
    names = sensor.channels if channels is None else tuple(channels)
    for position, reported in enumerate(sensor.are_indices(names)):
        if reported and names[position].lower() == name:
            return Index(position, None)
    if name in INDICES:
        centres = [sensor.centres[position] for position in sensor.index(names)]
        high, low = (_nearest(role, centres) for role in INDICES[name][:2])
        return None if high is None or low is None else Index(high, low)
    words = name.removeprefix(PAIR).split("_")
    # A channel's name may itself hold an underscore, so every place to cut is tried.
    for cut in range(1, len(words)):
        pair = "_".join(words[:cut]), "_".join(words[cut:])
        if set(pair) <= set(names):
            return Index(names.index(pair[0]), names.index(pair[1]))
    return None


def index_names(sensor: Sensor, channels: Sequence[str] | None = None) -> tuple[str, ...]:
    """Indices of the table that the channels allow, in the table's order."""
    return tuple(name for name in INDICES if find_index(name, sensor, channels) is not None)


def normalised_difference(high: Tensor, low: Tensor) -> Tensor:
    """(high - low) / (high + low) within [-1, 1]; nearly black surfaces count as `DARK`."""
    return ((high - low) / (high + low).clamp_min(DARK)).clamp(-1.0, 1.0)


def of_channels(values: Tensor, index: Index) -> Tensor:
    """The index ``[...]`` of values ``[..., channel]``."""
    high = values[..., index.high]
    return high if index.low is None else normalised_difference(high, values[..., index.low])


def combine(bands: Tensor, parts: Parts) -> Tensor:
    """Channels of bands: a band as it is, or the index of two.

    Args:
        bands: reflectance ``[..., band]``.
        parts: per channel the positions of its bands.

    Returns:
        ``[..., channel]``.
    """
    if parts == tuple((k,) for k in range(bands.shape[-1])):
        return bands
    channels = [of_channels(bands, Index(part[0], *(part[1:] or (None,)))) for part in parts]
    return torch.stack(channels, -1)


def _nearest(role: Role, centres: Sequence[float]) -> int | None:
    """Position of the centre that plays a role best."""
    fits = [k for k, centre in enumerate(centres) if role.least <= centre <= role.most]
    return min(fits, key=lambda k: abs(centres[k] - role.wavelength), default=None)
