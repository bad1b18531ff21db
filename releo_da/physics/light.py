"""The light of sun and sky: how much is direct, how much diffuse, at each wavelength.

A clear sky is described by two spectra, of direct light Es and of diffuse light Ed, and one weight
that depends on the sun's elevation e = 90 - tts (Francois et al. 2002, as in PROSAIL),

    skyl = 0.847 - 1.61 sin e + 1.04 sin^2 e,
    diffuse share = skyl Ed / (skyl Ed + (1 - skyl) Es),

taken per wavelength, or of the sums over a band. The skies it stands for are hazy: the share of
diffuse light in 400-2500 nm is least, 0.20, with the sun 39 degrees from the zenith, 0.25 under it
and 0.47 at tts = 75.

The spectra cover 400-2500 nm. Of the sunlight that reaches the ground 5.4 % lies outside, 4.6 %
below and 0.8 % above (global irradiance of ASTM G173-03, 280-4000 nm).

References:
    Francois, Ottle, Olioso, Prevot, Bruguier and Ducros (2002), Agronomie 22, 611-618.
    Jacquemoud et al. (2009), Remote Sensing of Environment 113, S56-S66.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .published import FIRST, LAST, published


def sky_weight(tts: Tensor) -> Tensor:
    """skyl: the weight of the diffuse spectrum beside the direct one.

    Args:
        tts: sun zenith in degrees, any shape.

    Returns:
        0.22-0.85, shaped as ``tts``.
    """
    sine = torch.cos(torch.deg2rad(tts))
    return (1.04 * sine - 1.61) * sine + 0.847


def solar(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Spectra of direct and diffuse light at 400, 401, ..., 2500 nm, relative units, ``[2101]``."""
    table = published("light")
    return table["direct"].to(device, dtype), table["diffuse"].to(device, dtype)


def diffuse_share(tts: Tensor, wavelength: Tensor) -> Tensor:
    """Share of diffuse light at each wavelength under a clear sky.

    Args:
        tts: sun zenith in degrees, ``[...]``.
        wavelength: whole nm within 400-2500, ``[w]``.

    Returns:
        ``[..., w]``, 0-1.
    """
    index = wavelength.long() - FIRST
    direct, diffuse = (s[index] for s in solar(tts.dtype, tts.device))
    sky = sky_weight(tts).unsqueeze(-1)
    return sky * diffuse / (sky * diffuse + (1.0 - sky) * direct)


def band_diffuse_share(tts: Tensor, low: int = FIRST, high: int = LAST) -> Tensor:
    """Share of diffuse light in a band under a clear sky.

    Args:
        tts: sun zenith in degrees, any shape.
        low: first wavelength, nm.
        high: last wavelength, nm.

    Returns:
        0-1, shaped as ``tts``.
    """
    band = slice(low - FIRST, high - FIRST + 1)
    direct, diffuse = (s[band].sum() for s in solar(tts.dtype, tts.device))
    sky = sky_weight(tts)
    return sky * diffuse / (sky * diffuse + (1.0 - sky) * direct)
