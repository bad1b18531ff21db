"""Reflectance of bare soil: a mixture of a dry and a wet spectrum, or a background under water.

Mixture. `psoil` is the dry fraction (0 wet, 1 dry) and `rsoil` a brightness factor; they are easily
exchanged by mistake, which is why they go by name:

    r = rsoil (psoil dry + (1 - psoil) wet)

Moisture. Where the volumetric water content `soil_moisture` is given as well, r is the background
on which water lies in thin films. Between water and a particle the index of refraction changes less
than between air and a particle, so less light returns from the soil (Lekner and Dorf 1988, as used
by Bach and Mauser 1994), its reflectance below water being

    r_b = 1 - (1 - r) (r tav(90, n_soil / n_water) / tav(90, n_soil) + 1 - r).

k films let 1 - p = tav(90, n_water) / n_water^2 of the light from below out and absorb on the way
down and up, t^k = exp(-2 k_water k d), so that a soil under k films reflects

    r_k = 1 - e + e (1 - p) t^k r_b / (1 - p t^k r_b),     e = tav(40, n_water).

The number of films is a Poisson variable of mean mu = (soil_moisture - 0.05) / 0.25, at least 0:

    r_soil = P(0) r + sum over k = 1 .. 6 of P(k) r_k,

with P(6) standing for 6 films or more, so that a soil that absorbs nothing loses nothing. Up to
5 % of water the soil is dry: r_soil = r, and does not change with soil_moisture.

References:
    Jacquemoud et al. (2009), Remote Sensing of Environment 113, S56-S66: mixture and spectra.
    Lekner and Dorf (1988), Applied Optics 27, 1278-1280. Bach and Mauser (1994), Proc. IGARSS '94.
    Verhoef, van der Tol and Middleton (2018), Remote Sensing of Environment 204, 942-963, and Yang,
    van der Tol, Yin and Verhoef (2020), Remote Sensing of Environment 247, 111870: the composition
    of films, and its constants.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from releo_da.types import InputError

from .optics import Optics

FILMS = 6
"""Largest number of films that is told apart."""
DRY = 0.05
"""Water content up to which soil is dry, m3 m-3."""
CAPACITY = 0.25
"""Water content that adds one film in the mean, m3 m-3."""


def soil_names(given: Collection[str]) -> tuple[str, ...]:
    """The variables that describe soil among those given: psoil, rsoil, perhaps soil_moisture."""
    return ("psoil", "rsoil", *(("soil_moisture",) if "soil_moisture" in given else ()))


def surface(variables: Mapping[str, Tensor], optics: Optics) -> Tensor:
    """Reflectance of soil, for variables and tables that are shaped to broadcast already."""
    dry, wet, rsoil = optics.soil_dry, optics.soil_wet, variables["rsoil"]
    background = torch.addcmul(rsoil * wet, rsoil * variables["psoil"], dry - wet)
    if "soil_moisture" not in variables:
        return background
    return moistened(background, variables["soil_moisture"], optics)


def moistened(background: Tensor, soil_moisture: Tensor, optics: Optics) -> Tensor:
    """Reflectance of a background with films of water on it.

    Args:
        background: reflectance without water, shaped to broadcast against the other two.
        soil_moisture: volumetric water content, m3 m-3.
        optics: coefficient tables.

    Returns:
        Reflectance, 0-1 where the background is.
    """
    mean = ((soil_moisture - DRY) / CAPACITY).clamp_min(0.0)
    below = 1.0 - (1.0 - background) * (1.0 + background * (optics.soak - 1.0))
    trapped = below * (1.0 - optics.film_leave)
    chance, covered = torch.exp(-mean), -torch.expm1(-mean)
    left = covered
    total = background * chance
    passed = torch.ones_like(optics.film_pass)
    inside = torch.zeros_like(total)
    for k in range(1, FILMS + 1):
        chance = chance * mean / k
        left = left - chance
        passed = passed * optics.film_pass
        share = chance if k < FILMS else chance + left
        inside = torch.addcdiv(inside, share * passed, 1.0 - trapped * passed)
    seen = (optics.film_enter * optics.film_leave) * below
    return total + (1.0 - optics.film_enter) * covered + seen * inside


def soil_reflectance(variables: Mapping[str, Tensor], optics: Optics) -> Tensor:
    """Lambertian reflectance of soil.

    Args:
        variables: psoil (dry fraction, 0-1), rsoil (brightness, > 0) and, where it is given,
            soil_moisture (m3 m-3), broadcastable to ``[...]``; others are ignored.
        optics: coefficient tables ``[w]``.

    Returns:
        Reflectance, ``[..., w]``; above 1 only where ``rsoil`` is unphysically large.

    Raises:
        InputError: psoil or rsoil is missing.
    """
    missing = [name for name in ("psoil", "rsoil") if name not in variables]
    if missing:
        raise InputError(f"soil needs psoil and rsoil; missing: {missing}")
    return surface({k: variables[k].unsqueeze(-1) for k in soil_names(variables)}, optics)
