"""Interception and scattering by leaves of one inclination, and their means over inclinations.

For a leaf inclined by t, a direction at zenith angle s is intercepted with (Verhoef 1984)

    chi = 2/pi [ (b - pi/2) cos t cos s + sin b sin t sin s ],   cos b = -1 / (tan t tan s),

b = pi where the direction meets only the upper side of the leaves. For a pair of directions the
bidirectional volume scattering gives the factors frho of leaf reflectance and ftau of leaf
transmittance. None of this depends on anything but geometry, so it is worked out once per geometry
in float64, on the 18 inclination classes, and what depends on members is one small matrix product
(`extinction`).

References:
    Verhoef (1984), Remote Sensing of Environment 16, 125-141.
    Verhoef, Jia, Xiao and Su (2007), IEEE Trans. Geoscience and Remote Sensing 45, 1808-1822.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .leaf_angles import CLASSES


class Extinction(NamedTuple):
    """Means over leaf inclinations, per unit of leaf area index.

    Attributes:
        ks: extinction of the solar beam.
        ko: extinction of the viewing beam.
        bf: mean squared cosine of leaf inclination.
        sob: factor of leaf reflectance in bidirectional scattering.
        sof: factor of leaf transmittance in bidirectional scattering.
    """

    ks: Tensor
    ko: Tensor
    bf: Tensor
    sob: Tensor
    sof: Tensor


def _interception(cc: Tensor, ss: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """chi, b and the amplitude that multiplies in `_bidirectional`."""
    partly = ss > cc
    # acos has no finite slope at -1, so b = pi is put in after it and not as acos(-1).
    cosine = torch.where(partly, -cc / torch.where(partly, ss, torch.ones_like(ss)), 0.0)
    b = torch.where(partly, torch.acos(cosine), math.pi)
    chi = 2.0 / math.pi * ((b - math.pi / 2.0) * cc + b.sin() * ss)
    return chi, b, torch.where(partly, ss, cc)


def class_scattering(tts: Tensor, tto: Tensor, psi: Tensor) -> Tensor:
    """The five quantities of `Extinction` for each inclination class.

    Args:
        tts: sun zenith in degrees, ``[g]``, below 90.
        tto: view zenith in degrees, ``[g]``, below 90.
        psi: relative azimuth in degrees, 0-180, ``[g]``.

    Returns:
        ``[g, 5, 18]`` float64, in the order of `Extinction`.
    """
    s, o, psi = (torch.deg2rad(a.double()).unsqueeze(-1) for a in (tts, tto, psi))
    step = math.pi / 2.0 / CLASSES
    t = (torch.arange(CLASSES, dtype=torch.float64, device=s.device) + 0.5) * step
    cs, ss = t.cos() * s.cos(), t.sin() * s.sin()
    co, so = t.cos() * o.cos(), t.sin() * o.sin()
    chi_s, bs, ds = _interception(cs, ss)
    chi_o, bo, do = _interception(co, so)

    # Azimuths at which the two directions change from the same to opposite sides of a leaf.
    first, second = (bs - bo).abs(), math.pi - (bs + bo - math.pi).abs()
    low, high = torch.minimum(psi, first), torch.maximum(psi, second)
    middle = torch.minimum(torch.maximum(psi, first), second)
    same = 2.0 * cs * co + ss * so * psi.cos()
    cross = middle.sin() * (2.0 * ds * do + ss * so * low.cos() * high.cos())
    frho = ((math.pi - middle) * same + cross).clamp_min(0.0)
    ftau = (cross - middle * same).clamp_min(0.0)

    scale = 1.0 / (2.0 * math.pi * s.cos() * o.cos())
    square = t.cos().square().expand_as(frho)
    return torch.stack((chi_s / s.cos(), chi_o / o.cos(), square, frho * scale, ftau * scale), -2)


def extinction(steeper: Tensor, classes: Tensor) -> Extinction:
    """Means over a distribution of leaf inclinations.

    Args:
        steeper: `steeper_than` of the leaf angles, ``[17, g, m]``.
        classes: `class_scattering` of the geometries, ``[g, 5, 18]``.

    Returns:
        `Extinction` with fields ``[g, m]``.
    """
    least, change = classes[..., :1].to(steeper), classes.diff(dim=-1).to(steeper)
    means = torch.baddbmm(least, change, steeper.movedim(0, 1))
    return Extinction(*means.unbind(1))
