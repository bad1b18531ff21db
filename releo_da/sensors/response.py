r"""Spectral responses on the grid of the canopy model: 400 ... 2500 nm every 1 nm, ``[2101]``.

A response is non-negative and sums to one, so that ``response @ rho`` is the band average of a
spectrum rho. Its centre is the response-weighted mean wavelength, its width the full width at half
maximum. Where an agency gives only these two, the response is taken as Gaussian,

    response(w)  ~  exp(-4 ln 2 ((w - centre) / width)^2),

which has that centre and that width. What of it lies outside the grid is cut off; a channel of
which more than `OUTSIDE` is cut off is refused, since its band average would be another channel's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from releo_da.types import InputError

FIRST_NM, LAST_NM = 400, 2500
OUTSIDE = 0.02
"""Largest share of a response that may lie outside the grid."""


def grid() -> Tensor:
    """The wavelengths in nm, ``[2101]`` float64."""
    return torch.arange(FIRST_NM, LAST_NM + 1, dtype=torch.float64)


def gaussian(centre: float, width: float, where: str) -> Tensor:
    """Normalised Gaussian response ``[2101]`` float64.

    Args:
        centre: nm.
        width: full width at half maximum, nm.
        where: place in the file, for messages.

    Raises:
        InputError: the width is 0, or more than 2 % of the response is outside 400-2500 nm.
    """
    if not width > 0:
        raise InputError(f"{where}: the width is {width:g} nm; give the full width at half maximum")
    if centre < 10:
        raise InputError(f"{where}: a centre of {centre:g} is in micrometres; give nanometres")
    scale = 2.0 * math.sqrt(math.log(2.0)) / width
    below = 0.5 * math.erfc(scale * (centre - FIRST_NM))
    above = 0.5 * math.erfc(scale * (LAST_NM - centre))
    refuse_outside(below + above, where)
    distance = grid() - centre
    # Relative to the nearest grid point: a line narrower than the grid keeps its place.
    exponent = -((scale * distance).square())
    return normalised((exponent - exponent.max()).exp())


def refuse_outside(share: float, where: str) -> None:
    """Raise where more than `OUTSIDE` of a response lies outside the grid.

    Raises:
        InputError: as said, with the share.
    """
    if share > OUTSIDE:
        raise InputError(
            f"{where}: {min(share, 1.0):.0%} of the response lies outside {FIRST_NM} to {LAST_NM} "
            "nm, which the canopy model does not cover; leave the channel out"
        )


def normalised(response: Tensor) -> Tensor:
    """A response that sums to one."""
    return response / response.sum()


def centre_of(response: Tensor) -> float:
    """Response-weighted mean wavelength in nm of a normalised response ``[2101]``."""
    return float(response @ grid().to(response))


def width_of(response: Tensor) -> float:
    """Distance in nm of the outermost crossings of half the maximum, linear between samples."""
    half = float(response.max()) / 2
    padded = torch.nn.functional.pad(response, (1, 1))
    above = torch.nonzero(padded >= half).flatten()
    left, right = int(above[0]), int(above[-1])
    inner, outer = padded[left], padded[left - 1]
    rise = float((inner - half) / (inner - outer))
    inner, outer = padded[right], padded[right + 1]
    fall = float((inner - half) / (inner - outer))
    return right - left + rise + fall
