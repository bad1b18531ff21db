"""4SAIL: a homogeneous canopy of randomly placed leaves over a Lambertian soil.

Four streams cross the canopy: the solar beam s, the viewing beam o, and diffuse light down and up.
Scattering turns them into each other with, for S = (rho + tau) / 2 and B = bf (rho - tau) / 2,

    backward: k S + B,    forward: k S - B,    k = ks or ko for a beam, 1 for diffuse light,

and diffuse light decays at the rate m = sqrt((1 - rho - tau)(1 + 2 B)), towards the reflectance of
an infinitely deep canopy r_inf = (S + B) / (1 - S + B + m). The layer's reflectances and
transmittances follow from the two integrals (L the leaf area index)

    J1(k) = int_0^L exp(-k x - m (L - x)) dx = exp(-m L) L phi((k - m) L),
    J2(k) = int_0^L exp(-(k + m) x) dx       = (1 - exp(-(k + m) L)) / (k + m),

and `ground` adds the soil by summing all reflections between it and the canopy. The leaf's
absorptance, 1 - r_inf and 1 - exp(-m L) are carried as such, so that nothing cancels when leaves
absorb little.

Shapes: `Structure` holds what has no wavelength. Its fields and the leaf's meet by broadcasting, so
the wavelength axis may stand first or last. 4 expensive and about 100 cheap operations per
wavelength.

Reference: Verhoef, Jia, Xiao and Su (2007), Unified optical-thermal four-stream radiative transfer
theory for homogeneous vegetation canopies, IEEE Trans. Geosci. Remote Sensing 45, 1808-1822.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .hotspot import distance, sunlit_and_seen
from .prospect import Leaf
from .scattering import class_scattering, extinction
from .special import phi


class Structure(NamedTuple):
    """Canopy architecture under one geometry: everything that has no wavelength.

    Attributes:
        lai: leaf area index.
        ks: extinction of the solar beam per unit of leaf area.
        ko: extinction of the viewing beam.
        bf: mean squared cosine of leaf inclination.
        sob: factor of leaf reflectance in bidirectional scattering.
        sof: factor of leaf transmittance in bidirectional scattering.
        gap_s: fraction of the solar beam that reaches the soil.
        gap_o: fraction of the soil that is seen.
        gap_so: fraction of the soil that is sunlit and seen.
        once: ``lai`` times the mean over depth of the chance to be sunlit and seen.
        apart: the same without hot spot, int exp(-(ks + ko) x) dx.
    """

    lai: Tensor
    ks: Tensor
    ko: Tensor
    bf: Tensor
    sob: Tensor
    sof: Tensor
    gap_s: Tensor
    gap_o: Tensor
    gap_so: Tensor
    once: Tensor
    apart: Tensor


class Layer(NamedTuple):
    """Reflectances r and transmittances t of the canopy alone, from stream to stream.

    The first letter is the stream that comes in, the second that which leaves: s sun, o observer,
    d diffuse. `rso` includes the hot spot.
    """

    rdd: Tensor
    tdd: Tensor
    rsd: Tensor
    tsd: Tensor
    rdo: Tensor
    tdo: Tensor
    rso: Tensor


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


def structure(
    lai: Tensor, ala: Tensor, hspot: Tensor, tts: Tensor, tto: Tensor, psi: Tensor
) -> Structure:
    """Architecture of canopies under given geometries.

    Args:
        lai: leaf area index, ``[g, m]``.
        ala: mean leaf angle in degrees, ``[g, m]``.
        hspot: hot-spot size parameter, ``[g, m]``.
        tts: sun zenith in degrees, ``[g]``.
        tto: view zenith in degrees, ``[g]``.
        psi: relative azimuth in degrees, 0-180, ``[g]``.

    Returns:
        `Structure` with fields ``[g, m]``.
    """
    mean = extinction(ala, class_scattering(tts, tto, psi))
    ks, ko = mean.ks, mean.ko
    between = distance(tts, tto, psi).to(lai).unsqueeze(-1)
    gap_so, chance = sunlit_and_seen(lai, hspot, ks, ko, between)
    apart = lai * phi((ks + ko) * lai)
    gaps = torch.exp(-ks * lai), torch.exp(-ko * lai)
    return Structure(lai, *mean, *gaps, gap_so, lai * chance, apart)


def scatter(leaf: Leaf, c: Structure) -> Layer:
    """Solves the four-stream equations for the canopy alone.

    Args:
        leaf: reflectance, transmittance and absorptance of leaves.
        c: architecture, shaped to broadcast against the leaf.

    Returns:
        `Layer`, shaped as the leaf.
    """
    half = 0.5 * (leaf.rho + leaf.tau)
    b = (0.5 * c.bf) * (leaf.rho - leaf.tau)
    back = half + b
    m = (leaf.absorbed * (1.0 + 2.0 * b)).sqrt()
    x = leaf.absorbed + m
    inverse = (x + back).reciprocal()
    rinf, deficit = back * inverse, x * inverse  # r_inf and 1 - r_inf
    drop = torch.expm1(-c.lai * m)
    e = 1.0 + drop
    re = rinf * e
    inverse = ((1.0 + re) * torch.addcmul(deficit, rinf, drop, value=-1.0)).reciprocal()

    def beam(k: Tensor, gap: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """For one beam: J1, 1 / (k + m), the two source strengths and their integrals."""
        # The bound matters beyond a leaf area of 80, where exp(-m L) is 0 and phi would overflow.
        j1 = e * (c.lai * phi((c.lai * (k - m)).clamp_min(-80.0)))
        rate = (k + m).reciprocal()
        mean = k * half
        forward, backward = mean - b, mean + b
        p = torch.addcmul(forward, backward, rinf)
        q = torch.addcmul(backward, forward, rinf)
        return j1, rate, p, q, p * j1, q * (rate * (1.0 - gap * e))

    j1s, rate_s, ps, qs, down_s, up_s = beam(c.ks, c.gap_s)
    j1o, rate_o, po, qo, down_o, up_o = beam(c.ko, c.gap_o)
    tsd = torch.addcmul(down_s, re, up_s, value=-1.0) * inverse
    rsd = torch.addcmul(up_s, re, down_s, value=-1.0) * inverse
    tdo = torch.addcmul(down_o, re, up_o, value=-1.0) * inverse
    rdo = torch.addcmul(up_o, re, down_o, value=-1.0) * inverse

    many = qo * ps * (rate_o * torch.addcmul(c.apart, j1s, c.gap_o, value=-1.0))
    many = torch.addcmul(many, po * qs, rate_s * torch.addcmul(c.apart, j1o, c.gap_s, value=-1.0))
    many = torch.addcmul(many, rinf, torch.addcmul(rdo * up_s, tdo, down_s), value=-1.0)
    bright = 1.0 + rinf
    many = many / (deficit * bright)
    single = torch.addcmul(c.sob * leaf.rho, c.sof, leaf.tau)
    rdd = -rinf * drop * (1.0 + e) * inverse
    tdd = deficit * bright * e * inverse
    return Layer(rdd, tdd, rsd, tsd, rdo, tdo, torch.addcmul(many, single, c.once))


def seen(layer: Layer, soil: Tensor, c: Structure) -> Tensor:
    """Bidirectional reflectance factor of canopy and soil; shapes as in `scatter`."""
    trapped = soil / (1.0 - soil * layer.rdd)
    diffuse = torch.addcmul(layer.tsd, c.gap_s, soil * layer.rdd)
    sky = (c.gap_s + layer.tsd) * layer.tdo
    many = torch.addcmul(sky, c.gap_o, diffuse)
    return torch.addcmul(layer.rso, c.gap_so, soil) + trapped * many


def ground(layer: Layer, soil: Tensor, c: Structure) -> Canopy:
    """All reflectance factors of canopy and soil; shapes as in `scatter`."""
    amplify = 1.0 / (1.0 - soil * layer.rdd)
    direct, diffuse = (c.gap_s + layer.tsd) * amplify, layer.tdd * amplify
    return Canopy(
        sdr=seen(layer, soil, c),
        bhr=layer.rdd + layer.tdd * soil * diffuse,
        dhr=layer.rsd + layer.tdd * soil * direct,
        hdr=layer.rdo + (c.gap_o + layer.tdo) * soil * diffuse,
        down_direct=direct,
        down_diffuse=diffuse,
    )


def four_sail(
    rho: Tensor,
    tau: Tensor,
    soil: Tensor,
    lai: Tensor,
    ala: Tensor,
    hspot: Tensor,
    tts: Tensor | float,
    tto: Tensor | float,
    psi: Tensor | float,
) -> Canopy:
    """Reflectance factors of a canopy of given leaves on a given soil.

    Args:
        rho: leaf reflectance, ``[..., w]``.
        tau: leaf transmittance, ``[..., w]``; rho + tau at most 1.
        soil: soil reflectance, ``[..., w]``.
        lai: leaf area index, ``[...]``.
        ala: mean leaf angle in degrees, ``[...]``.
        hspot: hot-spot size parameter, ``[...]``.
        tts: sun zenith in degrees, below 90, broadcastable to ``[...]``.
        tto: view zenith in degrees, below 90.
        psi: relative azimuth in degrees, 0-180.

    Returns:
        `Canopy` with fields ``[..., w]``. In float32 ``1 - rho - tau`` cancels where leaves hardly
        absorb; `prosail` avoids that by carrying the leaf's absorptance.
    """
    angles = [torch.as_tensor(a, dtype=lai.dtype, device=lai.device) for a in (tts, tto, psi)]
    shape = torch.broadcast_shapes(*(t.shape for t in (lai, ala, hspot, *angles)))
    flat = (t.expand(shape).reshape(-1, 1) for t in (lai, ala, hspot))
    frame = structure(*flat, *(a.expand(shape).reshape(-1) for a in angles))
    frame = Structure(*(t.reshape(shape).unsqueeze(-1) for t in frame))
    leaf = Leaf(rho, tau, (1.0 - rho - tau).clamp_min(torch.finfo(rho.dtype).eps))
    return ground(scatter(leaf, frame), soil, frame)
