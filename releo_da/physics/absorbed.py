"""Light absorbed by the canopy, and the ground it covers.

Of the direct light that falls on the canopy a part D reaches the soil (after any number of
reflections between soil and canopy), of which the soil keeps (1 - r_soil) D, and a part DHR leaves
upwards. The rest is absorbed by the canopy:

    absorbed = 1 - DHR - (1 - r_soil) D,    fAPAR = its mean over 400-700 nm,

all wavelengths weighing the same. What the soil sees from straight above is the gap fraction
exp(-k L), and its complement is the fraction of ground covered.

Reference: Verhoef, Jia, Xiao and Su (2007), IEEE Trans. Geosci. Remote Sensing 45, 1808-1822.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from releo_da.types import InputError

from .leaf_angles import steeper_than
from .optics import Optics
from .prosail import Angle, canopy
from .scattering import class_scattering, extinction
from .soil import soil_reflectance

PAR = (400, 700)
"""Limits of photosynthetically active radiation, nm."""


def absorptance(variables: Mapping[str, Tensor], tts: Angle, optics: Optics) -> Tensor:
    """Fraction of direct sunlight that the canopy absorbs, per wavelength.

    Args:
        variables: as for `prosail`, broadcastable to ``[...]``.
        tts: sun zenith in degrees, below 90, broadcastable to ``[...]``.
        optics: coefficient tables ``[w]``.

    Returns:
        ``[..., w]``, 0-1.

    Raises:
        InputError: a variable is missing.
    """
    light = canopy(variables, tts, 0.0, 0.0, optics)
    soil = soil_reflectance(variables, optics)
    return 1.0 - light.dhr - (1.0 - soil) * light.down_direct


def fapar(variables: Mapping[str, Tensor], tts: Angle, optics: Optics) -> Tensor:
    """Fraction of direct photosynthetically active radiation that the canopy absorbs.

    Args:
        variables: as for `prosail`, broadcastable to ``[...]``.
        tts: sun zenith in degrees, below 90, broadcastable to ``[...]``.
        optics: tables at wavelengths within 400-700 nm, which weigh the same; 405, 415, ...,
            695 nm give the mean of every 1 nm to 0.001.

    Returns:
        ``[...]``, 0-1.

    Raises:
        InputError: a variable is missing, or a wavelength lies outside 400-700 nm.
    """
    low, high = float(optics.wavelength.min()), float(optics.wavelength.max())
    if low < PAR[0] or high > PAR[1]:
        raise InputError(
            f"fapar averages {PAR[0]}-{PAR[1]} nm, but its optics cover {low:g}-{high:g} nm; "
            f"use load_optics(range({PAR[0] + 5}, {PAR[1]}, 10))"
        )
    return absorptance(variables, tts, optics).mean(-1)


def fcover(variables: Mapping[str, Tensor]) -> Tensor:
    """Fraction of ground covered by leaves, seen from straight above.

    Args:
        variables: lai, and ala (degrees) or lidfa and lidfb, broadcastable to ``[...]``; others
            are ignored.

    Returns:
        1 - exp(-k lai) with k the extinction at nadir, ``[...]``, 0-1.

    Raises:
        InputError: leaf angles are given by both distributions, or by none.
    """
    steeper = steeper_than(variables)
    nadir = torch.zeros(1, dtype=steeper.dtype, device=steeper.device)
    k = extinction(steeper.reshape(len(steeper), 1, -1), class_scattering(nadir, nadir, nadir)).ko
    return -torch.expm1(-k.reshape(steeper.shape[1:]) * variables["lai"])
