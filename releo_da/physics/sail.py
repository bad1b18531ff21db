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


class Diffuse(NamedTuple):
    """The diffuse streams of a canopy; lower case as in the module's equations.

    Attributes:
        half: S, half the leaf's albedo.
        b: B.
        m2: m^2.
        m: decay rate of diffuse light.
        drop: exp(-m L) - 1.
        e: exp(-m L).
        rinf: reflectance of an infinitely deep canopy.
        bright: 1 + r_inf.
        deficit: 1 - r_inf.
        over_plus: 1 / (1 + r_inf e).
        over_minus: 1 / (1 - r_inf e).
        faint: where m is below half of both beam extinctions, so that k - m is far from 0.
    """

    half: Tensor
    b: Tensor
    m2: Tensor
    m: Tensor
    drop: Tensor
    e: Tensor
    rinf: Tensor
    bright: Tensor
    deficit: Tensor
    over_plus: Tensor
    over_minus: Tensor
    faint: Tensor


class Beam(NamedTuple):
    """What one beam needs: J1, 1 / (k + m), sources p and q, and t + r and t - r to diffuse."""

    j1: Tensor
    rate: Tensor
    p: Tensor
    q: Tensor
    plus: Tensor
    minus: Tensor


def _diffuse(leaf: Leaf, c: Structure) -> Diffuse:
    """Solves for diffuse light, without differences of nearly equal numbers."""
    half = 0.5 * (leaf.rho + leaf.tau)
    b = (0.5 * c.bf) * (leaf.rho - leaf.tau)
    back = half + b
    m2 = leaf.absorbed * (1.0 + 2.0 * b)
    m = m2.sqrt()
    x = leaf.absorbed + m
    inverse = (x + back).reciprocal()
    rinf, deficit = back * inverse, x * inverse
    drop = torch.expm1(-c.lai * m)
    e = 1.0 + drop
    over_plus = torch.addcmul(torch.ones_like(c.lai), rinf, e).reciprocal()
    over_minus = torch.addcmul(deficit, rinf, drop, value=-1.0).reciprocal()
    faint = (m2 < 0.25 * torch.minimum(c.ks, c.ko).square()).to(m2)
    return Diffuse(half, b, m2, m, drop, e, rinf, 1.0 + rinf, deficit, over_plus, over_minus, faint)


def _beam(k: Tensor, gap: Tensor, lai: Tensor, d: Diffuse) -> Beam:
    """Light from a beam of extinction k into the diffuse streams.

    J1 - J2 is of order m. Where m is small it comes from its closed form, which is singular at
    k = m only, and elsewhere from the difference, so that t - r keeps its accuracy as m goes to 0.
    """
    # The bound matters beyond a leaf area of 80, where exp(-m L) is 0 and phi would overflow.
    j1 = d.e * (lai * phi((lai * (k - d.m)).clamp_min(-80.0)))
    rate = (k + d.m).reciprocal()
    j2 = rate * (1.0 - gap * d.e)
    closed = d.m * ((1.0 - gap) * (1.0 + d.e)) + (k * (1.0 + gap)) * d.drop
    closed = closed / torch.maximum(k * k - d.m2, 0.7 * k * k)
    total, contrast = j1 + j2, torch.lerp(j1 - j2, closed, d.faint)
    mean, tilt = k * (d.half * d.bright), d.b * d.deficit
    plus = (mean * total - tilt * contrast) * d.over_plus
    minus = (mean * contrast - tilt * total) * d.over_minus
    return Beam(j1, rate, mean - tilt, mean + tilt, plus, minus)


def _multiple(
    leaf: Leaf, c: Structure, d: Diffuse, s: Beam, o: Beam, r: Tensor, t: Tensor
) -> Tensor:
    """Light from the sun to the observer by way of diffuse light; r, t are rsd and tsd.

    Where m is small, the moments of diffuse light against exp(-ko x) follow from its differential
    equations and boundary values alone; elsewhere, from the modes exp(-m x) and exp(-m (L - x)).
    """
    t_seen = c.gap_o * t
    up = r - t_seen - 2.0 * c.apart * d.b
    down = (2.0 * c.ks * c.apart) * d.half - r - t_seen
    k2 = c.ko * c.ko
    moments = (k2 * d.half - d.b * leaf.absorbed) * up
    moments = moments + (c.ko * (d.b - d.half - 2.0 * d.b * d.half)) * down
    moments = moments / torch.maximum(k2 - d.m2, 0.7 * k2)

    modes = o.q * s.p * (o.rate * (c.apart - c.gap_o * s.j1))
    modes = modes + o.p * s.q * (s.rate * (c.apart - c.gap_s * o.j1))
    returned = o.plus * s.plus / d.over_plus + o.minus * s.minus / d.over_minus
    modes = (modes - 0.5 * d.rinf * returned) / (d.deficit * d.bright)
    return torch.lerp(modes, moments, d.faint)


def scatter(leaf: Leaf, c: Structure) -> Layer:
    """Solves the four-stream equations for the canopy alone.

    Args:
        leaf: reflectance, transmittance and absorptance of leaves.
        c: architecture, shaped to broadcast against the leaf.

    Returns:
        `Layer`, shaped as the leaf.
    """
    d = _diffuse(leaf, c)
    s, o = _beam(c.ks, c.gap_s, c.lai, d), _beam(c.ko, c.gap_o, c.lai, d)
    tsd, rsd = 0.5 * (s.plus + s.minus), 0.5 * (s.plus - s.minus)
    tdo, rdo = 0.5 * (o.plus + o.minus), 0.5 * (o.plus - o.minus)
    single = c.sob * leaf.rho + c.sof * leaf.tau
    rso = single * c.once + _multiple(leaf, c, d, s, o, rsd, tsd)
    both = d.over_plus * d.over_minus
    rdd = -d.rinf * d.drop * (1.0 + d.e) * both
    tdd = d.deficit * d.bright * d.e * both
    return Layer(rdd, tdd, rsd, tsd, rdo, tdo, rso)


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
