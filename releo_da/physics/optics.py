"""Wavelength tables of leaf and soil, and the transmissivity of the leaf's surface.

Everything that depends on wavelength alone is worked out once, in float64, when the tables are
read: the specific absorption coefficients, the soil spectra, and how much isotropic light passes
the interface between air and a medium of refractive index n (Stern 1964; Allen 1973),

    tav(a, n) = 1 / sin(a)^2  *  integral over sin^2 from 0 to sin(a)^2 of
                (transmissivity of both polarisations, averaged) d(sin^2)

for a cone of half-angle a = 40 degrees (light that enters the leaf) and 90 degrees (light that is
diffuse already). The integral has the closed form used below.

References:
    Stern F. (1964), Applied Optics 3(1), 111-113. Allen W.A. (1973), J. Opt. Soc. Am. 63(6),
    664-666. Jacquemoud S. and Baret F. (1990), Remote Sensing of Environment 34, 75-91. Sources of
    the coefficients stand in the head of each file in `tables/`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.types import InputError

FIRST, LAST = 400, 2500
"""The tables cover these wavelengths, in nm, in steps of 1 nm."""


class Optics(NamedTuple):
    """What leaf and soil need per wavelength; every field is ``[w]``.

    Attributes:
        wavelength: nm.
        refractive: refractive index of the leaf interior.
        k_cab: specific absorption of chlorophyll a+b, cm2/ug.
        k_car: of carotenoids, cm2/ug.
        k_ant: of anthocyanins, cm2/ug.
        k_brown: of brown pigments, per arbitrary unit.
        k_water: of water, 1/cm.
        k_dry: of dry matter, cm2/g.
        soil_dry: reflectance of a dry soil.
        soil_wet: reflectance of a wet soil.
        enter: transmissivity of the surface for light in a cone of 40 degrees.
        enter_diffuse: transmissivity from air to leaf for isotropic light.
        leave: transmissivity from leaf to air for isotropic light.
    """

    wavelength: Tensor
    refractive: Tensor
    k_cab: Tensor
    k_car: Tensor
    k_ant: Tensor
    k_brown: Tensor
    k_water: Tensor
    k_dry: Tensor
    soil_dry: Tensor
    soil_wet: Tensor
    enter: Tensor
    enter_diffuse: Tensor
    leave: Tensor


def interface_transmissivity(angle: float, refractive: Tensor) -> Tensor:
    """Average transmissivity of a plane interface for light within a cone.

    Args:
        angle: half-angle of the cone in degrees, in (0, 90].
        refractive: index of refraction n > 1 of the medium entered, any shape.

    Returns:
        Transmissivity (0-1), shaped as ``refractive``.
    """
    n2 = refractive**2
    plus, minus = n2 + 1.0, n2 - 1.0
    sine2 = math.sin(math.radians(angle)) ** 2
    k = -(minus**2) / 4.0
    # b runs from its value at normal incidence (b0) to that at the rim of the cone (b1).
    b0 = (refractive + 1.0) ** 2 / 2.0
    shift = sine2 - plus / 2.0
    b1 = (shift**2 + k).clamp_min(0.0).sqrt() - shift

    def perpendicular(b: Tensor) -> Tensor:
        return k**2 / (6.0 * b**3) + k / b - b / 2.0

    def parallel(b: Tensor) -> Tensor:
        c = 2.0 * plus * b - minus**2
        return (
            -2.0 * n2 * b / plus**2
            - 2.0 * n2 * plus * b.log() / minus**2
            + n2 / (2.0 * b)
            + 16.0 * n2**2 * (n2**2 + 1.0) * c.log() / (plus**3 * minus**2)
            + 16.0 * n2**3 / (plus**3 * c)
        )

    total = perpendicular(b1) - perpendicular(b0) + parallel(b1) - parallel(b0)
    return total / (2.0 * sine2)


@lru_cache(maxsize=1)
def _tables() -> Optics:
    """All wavelengths, float64."""
    folder = resources.files(__package__) / "tables"
    columns: list[Tensor] = []
    for name in ("leaf.csv", "soil.csv"):
        with (folder / name).open(encoding="utf-8") as file:
            rows = (line for line in file if not line.startswith(("#", "wavelength")))
            columns.extend(torch.from_numpy(np.loadtxt(rows, delimiter=",").T.copy()).unbind())
    del columns[8]  # the wavelengths of the soil table
    refractive = columns[1]
    diffuse = interface_transmissivity(90.0, refractive)
    enter = interface_transmissivity(40.0, refractive)
    columns += [enter, diffuse, diffuse / refractive**2]
    return Optics(*columns)


def load_optics(
    wavelengths: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Optics:
    """The coefficient tables at the wavelengths asked for.

    Args:
        wavelengths: whole nanometres within 400..2500, in any order; default all 2101.
        dtype: float32 or float64; derived quantities are worked out in float64 first.
        device: where the tensors live.

    Returns:
        `Optics` with fields ``[w]``.

    Raises:
        InputError: a wavelength is not a whole number of nm within 400..2500.
    """
    if wavelengths is None:
        wavelengths = range(FIRST, LAST + 1)
    wrong = [w for w in wavelengths if w != int(w) or not FIRST <= w <= LAST]
    if wrong:
        raise InputError(
            f"wavelength {wrong[0]} is not in the optical tables; "
            f"give whole nanometres from {FIRST} to {LAST}"
        )
    index = torch.tensor([int(w) - FIRST for w in wavelengths])
    return Optics(*(t[index].to(device=device, dtype=dtype) for t in _tables()))
