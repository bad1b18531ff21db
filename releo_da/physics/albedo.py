"""Albedo: the light that a canopy on its soil sends back into all directions.

Of direct light it is DHR ("black sky"), of diffuse light BHR ("white sky"), and under a real sky
("blue sky"), with the diffuse share d of what arrives,

    blue = (1 - d) DHR + d BHR.

Broadband albedo is the mean over 400-2500 nm, wavelengths weighing as the sunlight does: direct
light for black, diffuse light for white (`light`, which also says what lies outside: 5.4 % of the
sunlight at the ground). Between the wavelengths of the tables given, reflectance is taken as linear
and integrated exactly against the light,

    albedo = sum over k of w_k r(lambda_k),    w_k = sum over lambda of hat_k(lambda) E(lambda),

so that few wavelengths suffice where they stand well. `NODES` has 24: over 400 random canopies on
dry and wet soils the rms error of blue-sky albedo against every nm is 1.7e-4 for PROSPECT-D and
2.3e-4 for PROSPECT-5; of white-sky albedo 2.5e-4 and 3.3e-4, the largest error of all being 3e-3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.types import InputError

from .layer import fluxes
from .light import band_diffuse_share, diffuse_share, solar
from .optics import Optics
from .prosail import Angle, evaluate
from .prospect import Leaf
from .published import FIRST, LAST
from .sail import balance
from .structure import Structure

NODES = (
    400, 460, 510, 550, 625, 675, 700, 715, 740, 785, 840, 905, 995, 1040, 1110, 1130, 1185, 1260,
    1475, 1550, 1670, 1775, 2215, 2500,
)  # fmt: skip
"""Wavelengths for broadband albedo, nm: between them the spectra of canopies are nearly linear."""


class Albedo(NamedTuple):
    """Albedo under direct light, diffuse light, and both; 0-1.

    Attributes:
        black: of direct light, DHR.
        white: of diffuse light, BHR.
        blue: of direct and diffuse light together.
    """

    black: Tensor
    white: Tensor
    blue: Tensor


def _reflected(leaf: Leaf, soil: Tensor, frame: Structure) -> tuple[Tensor, Tensor]:
    light = balance(fluxes(leaf, frame), soil, frame)
    return light.dhr, light.bhr


def spectral_albedo(
    variables: Mapping[str, Tensor], tts: Angle, optics: Optics, share: Tensor | None = None
) -> Albedo:
    """Albedo at each wavelength.

    Args:
        variables: as for `prosail`, broadcastable to ``[...]``.
        tts: sun zenith in degrees, below 90, broadcastable to ``[...]``.
        optics: coefficient tables ``[w]``.
        share: diffuse share of the light, 0-1, broadcastable to ``[..., w]``; default that of a
            clear sky under this sun, `diffuse_share`.

    Returns:
        `Albedo` with fields ``[..., w]``.

    Raises:
        InputError: a variable is missing, or leaf angles are given in two ways.
    """
    black, white = evaluate(_reflected, variables, (tts, 0.0, 0.0), optics)
    if share is None:
        share = diffuse_share(torch.as_tensor(tts).to(black), optics.wavelength)
    return Albedo(black, white, torch.lerp(black, white, share))


def broadband_albedo(
    variables: Mapping[str, Tensor], tts: Angle, optics: Optics, share: Angle | None = None
) -> Albedo:
    """Albedo of all light in 400-2500 nm.

    Args:
        variables: as for `prosail`, broadcastable to ``[...]``.
        tts: sun zenith in degrees, below 90, broadcastable to ``[...]``.
        optics: tables of ``load_optics(NODES)``, or at any ascending wavelengths from 400 to
            2500 nm, both included.
        share: diffuse share of the light in 400-2500 nm, 0-1, broadcastable to ``[...]``; default
            that of a clear sky under this sun, `band_diffuse_share`.

    Returns:
        `Albedo` with fields ``[...]``.

    Raises:
        InputError: a variable is missing, or the wavelengths do not go from 400 to 2500 nm.
    """
    weights = solar_weights(optics.wavelength)
    black, white = evaluate(_reflected, variables, (tts, 0.0, 0.0), optics, weights)
    black, white = black[..., 0], white[..., 1]
    if share is None:
        share = band_diffuse_share(torch.as_tensor(tts).to(black))
    return Albedo(black, white, torch.lerp(black, white, torch.as_tensor(share).to(black)))


def solar_weights(wavelength: Tensor) -> Tensor:
    """Weights of wavelengths in the mean over sunlight of a function linear between them.

    Args:
        wavelength: whole nm, ascending from 400 to 2500, ``[w]``.

    Returns:
        Of direct and of diffuse light, ``[2, w]``, each summing to 1.

    Raises:
        InputError: the wavelengths do not ascend from 400 to 2500 nm.
    """
    node = wavelength.double()
    if node[0] != FIRST or node[-1] != LAST or (node.diff() <= 0.0).any():
        raise InputError(
            f"broadband albedo needs ascending wavelengths from {FIRST} to {LAST} nm; "
            "use load_optics(albedo.NODES)"
        )
    every = torch.arange(FIRST, LAST + 1, dtype=torch.float64, device=node.device)
    left = torch.searchsorted(node, every, right=True).clamp(max=len(node) - 1) - 1
    part = (every - node[left]) / (node[left + 1] - node[left])
    light = torch.stack(solar(torch.float64, node.device))
    weights = torch.zeros(2, len(node), dtype=torch.float64, device=node.device)
    weights.index_add_(1, left, light * (1.0 - part)).index_add_(1, left + 1, light * part)
    return (weights / light.sum(1, keepdim=True)).to(wavelength)
