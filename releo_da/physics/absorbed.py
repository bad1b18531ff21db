"""Light absorbed by the canopy, and the ground it covers.

Of the direct light that falls on the canopy a part D reaches the soil (after any number of
reflections between soil and canopy), of which the soil keeps (1 - r_soil) D, and a part DHR leaves
upwards. The rest is absorbed by the canopy:

    absorbed = 1 - DHR - (1 - r_soil) D,    fAPAR = its mean over 400-700 nm,

all wavelengths weighing the same. Diffuse light obeys the same with BHR for DHR, and

    total fAPAR = (1 - d) direct fAPAR + d diffuse fAPAR,

d being the diffuse share of light in 400-700 nm (`light`: of a clear sky, unless it is given). What
the soil sees from straight above is the gap fraction exp(-k L), and its complement is the fraction
of ground covered.

Reference: Verhoef, Jia, Xiao and Su (2007), IEEE Trans. Geosci. Remote Sensing 45, 1808-1822.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from releo_da.types import InputError

from .layer import fluxes
from .leaf_angles import steeper_than
from .light import band_diffuse_share
from .optics import Optics
from .prosail import Angle, evaluate
from .prospect import Leaf
from .sail import balance
from .scattering import class_scattering, extinction
from .structure import Structure

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
    return evaluate(_direct, variables, (tts, 0.0, 0.0), optics)[0]


def absorptance_diffuse(variables: Mapping[str, Tensor], optics: Optics) -> Tensor:
    """Fraction of diffuse light that the canopy absorbs, per wavelength.

    Takes, returns and raises what `absorptance` does, without a sun.
    """
    return evaluate(_diffuse, variables, (0.0, 0.0, 0.0), optics)[0]


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
    return evaluate(_direct, variables, (tts, 0.0, 0.0), optics, _mean(optics))[0].squeeze(-1)


def fapar_diffuse(variables: Mapping[str, Tensor], optics: Optics) -> Tensor:
    """Fraction of diffuse photosynthetically active radiation that the canopy absorbs.

    Takes, returns and raises what `fapar` does, without a sun.
    """
    return evaluate(_diffuse, variables, (0.0, 0.0, 0.0), optics, _mean(optics))[0].squeeze(-1)


def fapar_total(
    variables: Mapping[str, Tensor], tts: Angle, optics: Optics, share: Angle | None = None
) -> Tensor:
    """Fraction of all photosynthetically active radiation that the canopy absorbs.

    Takes, returns and raises what `fapar` does.

    Args:
        variables: see `fapar`.
        tts: see `fapar`.
        optics: see `fapar`.
        share: diffuse share of the light in 400-700 nm, 0-1, broadcastable to ``[...]``; default
            that of a clear sky under this sun, `band_diffuse_share`.
    """
    weights = _mean(optics)
    direct, diffuse = (
        part.squeeze(-1) for part in evaluate(_both, variables, (tts, 0.0, 0.0), optics, weights)
    )
    if share is None:
        share = band_diffuse_share(torch.as_tensor(tts).to(direct), *PAR)
    return torch.lerp(direct, diffuse, torch.as_tensor(share).to(direct))


def _both(leaf: Leaf, soil: Tensor, frame: Structure) -> tuple[Tensor, Tensor]:
    """Absorbed fractions of direct and of diffuse light."""
    light = balance(fluxes(leaf, frame), soil, frame)
    kept = 1.0 - soil
    return (
        1.0 - light.dhr - kept * light.down_direct,
        1.0 - light.bhr - kept * light.down_diffuse,
    )


def _direct(leaf: Leaf, soil: Tensor, frame: Structure) -> tuple[Tensor]:
    return _both(leaf, soil, frame)[:1]


def _diffuse(leaf: Leaf, soil: Tensor, frame: Structure) -> tuple[Tensor]:
    return _both(leaf, soil, frame)[1:]


def _mean(optics: Optics) -> Tensor:
    """Equal weights of wavelengths that lie within 400-700 nm, ``[1, w]``."""
    wavelength = optics.wavelength
    low, high = float(wavelength.min()), float(wavelength.max())
    if low < PAR[0] or high > PAR[1]:
        raise InputError(
            f"fapar averages {PAR[0]}-{PAR[1]} nm, but its optics cover {low:g}-{high:g} nm; "
            f"use load_optics(range({PAR[0] + 5}, {PAR[1]}, 10))"
        )
    return torch.full_like(wavelength, 1.0 / len(wavelength)).unsqueeze(0)


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
