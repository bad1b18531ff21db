"""4SAIL: a homogeneous canopy of randomly placed leaves over a Lambertian soil.

`layer` gives the reflectances and transmittances of the leaves alone. Light then goes back and
forth between leaves and soil, each time losing 1 - r_soil r_dd, and a geometric series sums that:

    irradiance of the soil  D = (t_ss + t_sd) / (1 - r_soil r_dd)    per unit of direct sunlight,
                            D = t_dd / (1 - r_soil r_dd)             per unit of diffuse light,

so that, for instance, the black-sky albedo is r_sd + t_dd r_soil D. The light that goes straight to
the soil and straight back to the observer has a probability of its own, because of the hot spot.

Reference: Verhoef, Jia, Xiao and Su (2007), Unified optical-thermal four-stream radiative transfer
theory for homogeneous vegetation canopies, IEEE Trans. Geosci. Remote Sensing 45, 1808-1822.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .layer import Fluxes, Layer, scatter
from .leaf_angles import angle_names
from .prospect import Leaf
from .structure import Structure, structure


class Canopy(NamedTuple):
    """Reflectance factors of canopy and soil together, and the light at the soil.

    Attributes:
        sdr: bidirectional reflectance factor (what a sensor sees under direct sun).
        bhr: bihemispherical reflectance (white-sky albedo).
        dhr: directional-hemispherical reflectance (black-sky albedo).
        hdr: hemispherical-directional reflectance factor (seen under diffuse sky).
        down_direct: irradiance of the soil per unit of direct irradiance above the canopy.
        down_diffuse: irradiance of the soil per unit of diffuse irradiance above the canopy.
    """

    sdr: Tensor
    bhr: Tensor
    dhr: Tensor
    hdr: Tensor
    down_direct: Tensor
    down_diffuse: Tensor


def seen(layer: Layer, soil: Tensor, c: Structure) -> Tensor:
    """Bidirectional reflectance factor of canopy and soil; shapes as in `scatter`."""
    again = soil * layer.rdd
    diffuse = torch.addcmul(layer.tsd, c.gap_s, again)
    seen_again = torch.addcmul((c.gap_s + layer.tsd) * layer.tdo, c.gap_o, diffuse)
    once = torch.addcmul(layer.rso, c.gap_so, soil)
    return torch.addcmul(once, soil / (1.0 - again), seen_again)


class Balance(NamedTuple):
    """What becomes of direct and of diffuse light; the fields are those of `Canopy`."""

    bhr: Tensor
    dhr: Tensor
    down_direct: Tensor
    down_diffuse: Tensor


def balance(layer: Layer | Fluxes, soil: Tensor, c: Structure) -> Balance:
    """Light that leaves upwards and light at the soil; shapes as in `scatter`."""
    amplify = 1.0 / (1.0 - soil * layer.rdd)
    direct, diffuse = (c.gap_s + layer.tsd) * amplify, layer.tdd * amplify
    returned = layer.tdd * soil
    return Balance(layer.rdd + returned * diffuse, layer.rsd + returned * direct, direct, diffuse)


def ground(layer: Layer, soil: Tensor, c: Structure) -> Canopy:
    """All reflectance factors of canopy and soil; shapes as in `scatter`."""
    light = balance(layer, soil, c)
    return Canopy(
        sdr=seen(layer, soil, c),
        hdr=layer.rdo + (c.gap_o + layer.tdo) * soil * light.down_diffuse,
        **light._asdict(),
    )


def four_sail(
    rho: Tensor,
    tau: Tensor,
    soil: Tensor,
    variables: Mapping[str, Tensor],
    tts: Tensor | float,
    tto: Tensor | float,
    psi: Tensor | float,
) -> Canopy:
    """Reflectance factors of a canopy of given leaves on a given soil.

    Args:
        rho: leaf reflectance, ``[..., w]``.
        tau: leaf transmittance, ``[..., w]``; rho + tau at most 1.
        soil: soil reflectance, ``[..., w]``.
        variables: lai, hspot, and ala (degrees) or lidfa and lidfb, broadcastable to ``[...]``;
            others are ignored.
        tts: sun zenith in degrees, below 90, broadcastable to ``[...]``.
        tto: view zenith in degrees, below 90.
        psi: relative azimuth in degrees, 0-180.

    Returns:
        `Canopy` with fields ``[..., w]``. In float32 ``1 - rho - tau`` cancels where leaves hardly
        absorb; `prosail` avoids that by carrying the leaf's absorptance.

    Raises:
        InputError: leaf angles are given by both distributions, or by none.
    """
    names = ("lai", "hspot", *angle_names(variables))
    lai = variables["lai"]
    angles = [torch.as_tensor(a, dtype=lai.dtype, device=lai.device) for a in (tts, tto, psi)]
    shape = torch.broadcast_shapes(*(variables[k].shape for k in names), *(a.shape for a in angles))
    flat = {k: variables[k].expand(shape).reshape(-1, 1) for k in names}
    frame = structure(flat, *(a.expand(shape).reshape(-1) for a in angles))
    frame = Structure(*(t.reshape(shape).unsqueeze(-1) for t in frame))
    leaf = Leaf(rho, tau, (1.0 - rho - tau).clamp_min(torch.finfo(rho.dtype).eps))
    return ground(scatter(leaf, frame), soil, frame)
