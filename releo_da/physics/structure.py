"""Architecture of a canopy under one geometry: all of it that has no wavelength.

Leaf area and leaf angles give the extinction of the solar and the viewing beam and the gaps each of
them finds; the hot spot ties the two together. About 60 numbers per spectrum are worked out here,
once for all wavelengths.

Reference: Verhoef, Jia, Xiao and Su (2007), IEEE Trans. Geosci. Remote Sensing 45, 1808-1822.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .hotspot import distance, sunlit_and_seen
from .leaf_angles import steeper_than
from .scattering import class_scattering, extinction
from .special import phi


class Structure(NamedTuple):
    """Canopy architecture under one geometry: everything that has no wavelength.

    Attributes:
        lai: leaf area index.
        ks: extinction of the solar beam per unit of leaf area.
        ko: extinction of the viewing beam.
        bf: mean squared cosine of leaf inclination.
        once_rho: light scattered once from sun to observer, per unit of leaf reflectance.
        once_tau: the same per unit of leaf transmittance.
        gap_s: fraction of the solar beam that reaches the soil.
        gap_o: fraction of the soil that is seen.
        gap_so: fraction of the soil that is sunlit and seen.
        apart: int exp(-(ks + ko) x) dx over the depth of the canopy.
    """

    lai: Tensor
    ks: Tensor
    ko: Tensor
    bf: Tensor
    once_rho: Tensor
    once_tau: Tensor
    gap_s: Tensor
    gap_o: Tensor
    gap_so: Tensor
    apart: Tensor


def structure(variables: Mapping[str, Tensor], tts: Tensor, tto: Tensor, psi: Tensor) -> Structure:
    """Architecture of canopies under given geometries.

    Args:
        variables: lai, hspot, and ala or lidfa and lidfb, ``[g, m]``; others are ignored.
        tts: sun zenith in degrees, ``[g]``.
        tto: view zenith in degrees, ``[g]``.
        psi: relative azimuth in degrees, 0-180, ``[g]``.

    Returns:
        `Structure` with fields ``[g, m]``.

    Raises:
        InputError: leaf angles are given by both distributions, or by none.
    """
    # Nothing changes beyond a leaf area of 80, where exp(m L) would soon overflow.
    lai = variables["lai"].clamp(max=80.0)
    mean = extinction(steeper_than(variables), class_scattering(tts, tto, psi))
    ks, ko = mean.ks, mean.ko
    between = distance(tts, tto, psi).to(lai).unsqueeze(-1)
    gap_so, chance = sunlit_and_seen(lai, variables["hspot"], ks, ko, between)
    once = lai * chance
    return Structure(
        lai=lai,
        ks=ks,
        ko=ko,
        bf=mean.bf,
        once_rho=mean.sob * once,
        once_tau=mean.sof * once,
        gap_s=torch.exp(-ks * lai),
        gap_o=torch.exp(-ko * lai),
        gap_so=gap_so,
        apart=lai * phi(-(ks + ko) * lai),
    )
