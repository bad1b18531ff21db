"""What depends on wavelength alone: absorption of leaf and water, soil spectra, surfaces.

All of it is worked out once, in float64, when the tables are read: the specific absorption
coefficients of the leaf model asked for, the soil spectra (published, or a user's own), and how
much light passes the surfaces of leaves and of water films on soil (`interface`). The equations
that use them are those of `prospect` and `soil`.

References:
    Jacquemoud S. and Baret F. (1990), Remote Sensing of Environment 34, 75-91. Sources of the
    coefficients stand in the head of each file in `tables/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from releo_da.types import InputError

from .interface import interface_transmissivity
from .published import FIRST, LAST, published
from .soil_spectra import SoilSpectra

LeafModel = Literal["prospect_d", "prospect_5"]

FILM = 0.015
"""Thickness of a film of water on soil, cm (Verhoef, van der Tol and Middleton 2018)."""

SOIL_INDEX = 2.0
"""Refractive index of soil particles (Bach and Mauser 1994)."""


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
        enter: transmissivity of the leaf's surface for light in a cone of 40 degrees.
        enter_diffuse: transmissivity from air to leaf for isotropic light.
        leave: transmissivity from leaf to air for isotropic light.
        soak: transmissivity from water to soil particles over that from air to soil particles,
            isotropic light.
        film_enter: transmissivity from air to water for light in a cone of 40 degrees.
        film_leave: transmissivity from water to air for isotropic light.
        film_pass: transmittance of a film of water, down and up again.
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
    soak: Tensor
    film_enter: Tensor
    film_leave: Tensor
    film_pass: Tensor


@lru_cache
def _tables(leaf: LeafModel) -> Optics:
    """All wavelengths, float64, with the published soils."""
    table, soil, water = published(leaf), published("soil"), published("water")
    wavelength, refractive = table["wavelength"], table["refractive"]
    diffuse = interface_transmissivity(90.0, refractive)
    index = torch.from_numpy(np.interp(wavelength, water["wavelength"], water["refractive"]))
    particles = torch.full_like(index, SOIL_INDEX)
    return Optics(
        wavelength=wavelength,
        refractive=refractive,
        k_cab=table["cab"],
        k_car=table["car"],
        k_ant=table.get("ant", torch.zeros_like(wavelength)),
        k_brown=table["brown"],
        k_water=table["water"],
        k_dry=table["dry"],
        soil_dry=soil["dry"],
        soil_wet=soil["wet"],
        enter=interface_transmissivity(40.0, refractive),
        enter_diffuse=diffuse,
        leave=diffuse / refractive**2,
        soak=interface_transmissivity(90.0, particles / index)
        / interface_transmissivity(90.0, particles),
        film_enter=interface_transmissivity(40.0, index),
        film_leave=interface_transmissivity(90.0, index) / index**2,
        film_pass=torch.exp(-2.0 * FILM * table["water"]),
    )


def load_optics(
    wavelengths: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    leaf: LeafModel = "prospect_d",
    soil: SoilSpectra | None = None,
) -> Optics:
    """The coefficient tables at the wavelengths asked for.

    Args:
        wavelengths: whole nanometres within 400..2500, in any order; default all 2101.
        dtype: float32 or float64; derived quantities are worked out in float64 first.
        device: where the tensors live.
        leaf: whose absorption coefficients; those of PROSPECT-5 know no anthocyanins.
        soil: soil spectra instead of the published ones, for instance of `read_soil`.

    Returns:
        `Optics` with fields ``[w]``.

    Raises:
        InputError: a wavelength is not a whole number of nm within 400..2500; no such leaf model;
            soil spectra of another length than 2101.
    """
    if wavelengths is None:
        wavelengths = range(FIRST, LAST + 1)
    wrong = [w for w in wavelengths if w != int(w) or not FIRST <= w <= LAST]
    if wrong:
        raise InputError(
            f"wavelength {wrong[0]} is not in the optical tables; "
            f"give whole nanometres from {FIRST} to {LAST}"
        )
    if leaf not in get_args(LeafModel):
        raise InputError(
            f"leaf model '{leaf}' is unknown; choose {' or '.join(get_args(LeafModel))}"
        )
    tables = _tables(leaf)
    if soil is not None:
        if any(s.shape != tables.wavelength.shape for s in soil):
            raise InputError(
                f"soil spectra need {LAST - FIRST + 1} values, one for each nm from {FIRST} to "
                f"{LAST}; read_soil makes them from a CSV file"
            )
        tables = tables._replace(soil_dry=soil.dry.cpu().double(), soil_wet=soil.wet.cpu().double())
    index = torch.tensor([int(w) - FIRST for w in wavelengths])
    return Optics(*(t[index].to(device=device, dtype=dtype) for t in tables))
