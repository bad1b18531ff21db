"""The four-stream equations of a homogeneous layer of leaves, solved for the layer alone.

Four streams cross the canopy: the solar beam s, the viewing beam o, and diffuse light down and up.
With S = rho + tau and B = bf (rho - tau), leaves scatter a beam of extinction k

    backward by g = (k S + B) / 2    and forward by f = (k S - B) / 2

per unit of leaf area, and diffuse light likewise with k = 1. With A = 1 - rho - tau diffuse light
decays at the rate m = sqrt(A (1 + B)), and an infinitely deep canopy reflects it by the fraction
r_inf = (S + B) / (S + B + 2 A + 2 m). The layer's reflectances and transmittances follow from the
integrals (L the leaf area index)

    J1(k) = int_0^L exp(-k x - m (L - x)) dx = exp(-m L) L phi((m - k) L),
    J2(k) = int_0^L exp(-(k + m) x) dx       = (1 - exp(-(k + m) L)) / (k + m).

A, 1 - r_inf and 1 - exp(-m L) are carried as such, and the sum and the difference of transmittance
and reflectance instead of each, so that nothing cancels when leaves absorb little and m goes to 0.

Shapes: `Structure` holds what has no wavelength. Its fields and the leaf's meet by broadcasting, so
the wavelength axis may stand first or last. 4 expensive and about 110 cheap operations per
wavelength.

Reference: Verhoef, Jia, Xiao and Su (2007), Unified optical-thermal four-stream radiative transfer
theory for homogeneous vegetation canopies, IEEE Trans. Geosci. Remote Sensing 45, 1808-1822.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .prospect import Leaf
from .special import phi
from .structure import Structure


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


class Fluxes(NamedTuple):
    """What an observer does not see of `Layer`: hemispherical reflectances and transmittances."""

    rdd: Tensor
    tdd: Tensor
    rsd: Tensor
    tsd: Tensor


class Diffuse(NamedTuple):
    """The diffuse streams; symbols as in the module's equations.

    Attributes:
        albedo: S.
        b: B.
        m2: m^2.
        m: decay rate of diffuse light.
        depth: m L.
        drop: exp(-m L) - 1.
        e: exp(-m L).
        rinf: reflectance of an infinitely deep canopy.
        deficit: 1 - r_inf.
        bright: 1 + r_inf.
        plus: 1 / (2 + 2 r_inf e).
        minus: 1 / (2 - 2 r_inf e).
        faint: 1 where m is below half of both beam extinctions (so k - m is far from 0), else 0.
    """

    albedo: Tensor
    b: Tensor
    m2: Tensor
    m: Tensor
    depth: Tensor
    drop: Tensor
    e: Tensor
    rinf: Tensor
    deficit: Tensor
    bright: Tensor
    plus: Tensor
    minus: Tensor
    faint: Tensor


class Beam(NamedTuple):
    """From one beam to the diffuse streams.

    Attributes:
        j1: J1(k).
        rate: 1 / (k + m).
        far: k^2 - m^2, wherever that is far from 0.
        p: f + g r_inf.
        q: g + f r_inf.
        sum: p J1 + q J2.
        difference: p J1 - q J2.
        t: transmittance.
        r: reflectance.
    """

    j1: Tensor
    rate: Tensor
    far: Tensor
    p: Tensor
    q: Tensor
    sum: Tensor
    difference: Tensor
    t: Tensor
    r: Tensor


def _diffuse(leaf: Leaf, c: Structure) -> Diffuse:
    """Solves for diffuse light."""
    half = torch.full_like(c.lai, 0.5)
    albedo, b = leaf.rho + leaf.tau, c.bf * (leaf.rho - leaf.tau)
    m2 = torch.addcmul(leaf.absorbed, leaf.absorbed, b)
    m = m2.sqrt()
    x = leaf.absorbed + m
    back = 0.5 * (albedo + b)
    inverse = (x + back).reciprocal()
    rinf, deficit = back * inverse, x * inverse
    depth = c.lai * m
    drop = torch.expm1(-depth)
    e, bright = 1.0 + drop, 1.0 + rinf
    plus = half / torch.addcmul(bright, rinf, drop)
    minus = half / torch.addcmul(deficit, rinf, drop, value=-1.0)
    faint = (m2 < 0.25 * torch.minimum(c.ks, c.ko).square()).to(m2)
    return Diffuse(albedo, b, m2, m, depth, drop, e, rinf, deficit, bright, plus, minus, faint)


def _beam(k: Tensor, gap: Tensor, lai: Tensor, d: Diffuse) -> Beam:
    """Light from a beam of extinction k into the diffuse streams.

    p + q = k S (1 + r_inf) and p - q = -B (1 - r_inf). J1 - J2 is of order m: where m is small it
    comes from its closed form, which is singular at k = m only, elsewhere from the difference.
    """
    j1 = d.e * (lai * phi(d.depth - k * lai))
    rate = (k + d.m).reciprocal()
    j2 = rate * (1.0 - gap * d.e)
    far = torch.maximum(k * k - d.m2, 0.7 * k * k)
    closed = d.m * ((1.0 - gap) * (1.0 + d.e))
    closed = torch.addcmul(closed, k * (1.0 + gap), d.drop) / far
    total, contrast = j1 + j2, torch.lerp(j1 - j2, closed, d.faint)
    mean, tilt = (0.5 * k) * (d.albedo * d.bright), 0.5 * (d.b * d.deficit)
    both = torch.addcmul(mean * total, tilt, contrast, value=-1.0)
    difference = torch.addcmul(mean * contrast, tilt, total, value=-1.0)
    even, odd = both * d.plus, difference * d.minus
    return Beam(j1, rate, far, mean - tilt, mean + tilt, both, difference, even + odd, even - odd)


def _between(d: Diffuse) -> tuple[Tensor, Tensor]:
    """Rdd and tdd."""
    even, odd = (d.e + d.rinf) * d.plus, (d.drop + d.deficit) * d.minus
    return even - odd, even + odd


def _multiple(leaf: Leaf, c: Structure, d: Diffuse, s: Beam, o: Beam) -> Tensor:
    """Light from the sun to the observer by way of diffuse light.

    Where m is small, the moments of diffuse light against exp(-ko x) follow from its differential
    equations and boundary values alone; elsewhere, from the modes exp(-m x) and exp(-m (L - x)).
    """
    t_seen = c.gap_o * s.t
    up = torch.addcmul(s.r - t_seen, c.apart, d.b, value=-1.0)
    down = torch.addcmul(s.r + t_seen, c.ks * c.apart, d.albedo, value=-1.0)
    to_up = torch.addcmul((0.5 * c.ko * c.ko) * d.albedo, leaf.absorbed, d.b, value=-0.5)
    to_down = (0.5 * c.ko) * torch.addcmul(d.albedo - d.b, d.albedo, d.b)
    moments = torch.addcmul(to_up * up, to_down, down) / o.far

    modes = o.q * s.p * (o.rate * torch.addcmul(c.apart, c.gap_o, s.j1, value=-1.0))
    late = s.rate * torch.addcmul(c.apart, c.gap_s, o.j1, value=-1.0)
    modes = torch.addcmul(modes, o.p * s.q, late)
    returned = torch.addcmul((o.t + o.r) * s.sum, o.t - o.r, s.difference)
    modes = torch.addcmul(modes, d.rinf, returned, value=-0.5) / (d.deficit * d.bright)
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
    rso = torch.addcmul(_multiple(leaf, c, d, s, o), c.once_rho, leaf.rho)
    rso = torch.addcmul(rso, c.once_tau, leaf.tau)
    return Layer(*_between(d), s.r, s.t, o.r, o.t, rso)


def fluxes(leaf: Leaf, c: Structure) -> Fluxes:
    """Hemispherical fluxes alone, at less than half of the cost of `scatter`.

    Takes what `scatter` does.
    """
    d = _diffuse(leaf, c)
    s = _beam(c.ks, c.gap_s, c.lai, d)
    return Fluxes(*_between(d), s.r, s.t)
