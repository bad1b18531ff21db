"""PROSPECT: reflectance and transmittance of a leaf from its contents.

The leaf is a pile of n plates (Jacquemoud and Baret 1990). One plate absorbs the fraction
A0 = 1 - 2 E3(k), k = sum of content x specific absorption / n, of the light that crosses it, and
reflects internally at its two surfaces. With tau = 1 - A0, and t12, t21, r21 = 1 - t21 the
transmissivities and reflectivity of the surface for isotropic light, x = r21 tau, it has

    t = t12 t21 tau / (1 - x^2),    A = t12 A0 / (1 - x),    r = 1 - t - A.

The first plate is lit from a cone instead, which only exchanges t12 for t_cone. The n - 1 plates
below obey Stokes' equations (1862): with D^2 = A (2 - A)(A + 2 r)(A + 2 t),

    a - 1 = (A (A + 2 t) + D) / 2 r,    b - 1 = (A (A + 2 r) + D) / 2 t,    y = b^(1 - n),
    R = a (1 - y^2) / (a^2 - y^2),      T = y (a^2 - 1) / (a^2 - y^2).

Written with A, a - 1 and 1 - y as primary quantities (instead of differences of r, t, a and y)
nothing cancels as absorption goes to 0, so float32 suffices, and the absorptance of the leaf comes
out with full relative accuracy, which the canopy needs.

PROSPECT-5 and PROSPECT-D have these equations in common and differ in their tables of coefficients
(`load_optics`).

Shapes: variables and wavelengths meet by broadcasting; 1 exp, 1 log, 1 expm1 and about 70 cheap
operations per wavelength.

References:
    Jacquemoud and Baret (1990), Remote Sensing of Environment 34, 75-91.
    Feret et al. (2008), Remote Sensing of Environment 112, 3030-3043: PROSPECT-5.
    Feret, Gitelson, Noble and Jacquemoud (2017), same journal 193, 204-215: PROSPECT-D.
    Stokes (1862), Proc. Royal Society of London 11, 545-556.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .optics import Optics
from .special import absorbed

LEAST_DEPTH = {torch.float32: 3e-8, torch.float64: 1e-12}
"""Optical depth of a plate without any absorber; 0 would make the plate equations singular."""


class Leaf(NamedTuple):
    """Reflectance, transmittance and absorptance of a leaf; they sum to 1. ``[..., w]`` each."""

    rho: Tensor
    tau: Tensor
    absorbed: Tensor


def absorption(optics: Optics) -> Tensor:
    """Specific absorption of (cab, car, ant, cbrown, cw, cm), ``[6, w]``."""
    o = optics
    return torch.stack((o.k_cab, o.k_car, o.k_ant, o.k_brown, o.k_water, o.k_dry)).flatten(1)


def pile(depth: Tensor, n: Tensor, optics: Optics) -> Leaf:
    """A pile of n plates, the first lit from a cone of 40 degrees.

    Args:
        depth: optical depth of one plate, > 0.
        n: number of plates, >= 1, shaped to broadcast against ``depth``.
        optics: its fields shaped to broadcast against ``depth``.

    Returns:
        `Leaf`, shaped as ``depth``.
    """
    o = optics
    part = absorbed(depth)
    inner, pass_both = 1.0 - o.leave, o.enter_diffuse * o.leave
    x = torch.addcmul(inner, inner, part, value=-1.0)
    again = (1.0 - x).reciprocal()
    lost = o.enter_diffuse * part * again
    t = torch.addcmul(pass_both, pass_both, part, value=-1.0) * again / (1.0 + x)
    r = torch.addcmul(1.0 - o.enter_diffuse, x, t)

    lost_t = torch.add(lost, t, alpha=2.0)
    lost_r = torch.add(lost, r, alpha=2.0)
    u = lost * lost_t
    root = (u * lost_r * (2.0 - lost)).sqrt()
    above = (u + root) / (2.0 * r)  # a - 1
    beyond = torch.addcmul(root, lost, lost_r) / (2.0 * t)  # b - 1
    drop = torch.expm1((1.0 - n) * beyond.log1p())  # y - 1, from 0 down to -1
    y = 1.0 + drop
    a = 1.0 + above
    gap = above - drop
    # Numerators of T and -R over their common denominator (a - y)(a + y).
    t_below = y * above * (1.0 + a)
    r_below = a * drop * (1.0 + y)

    ratio = o.enter / o.enter_diffuse
    t_first = ratio * t
    r_first = torch.addcmul(1.0 - o.enter, x, t_first)
    share = t_first / torch.addcmul(gap * (a + y), r_below, r)
    rho = torch.addcmul(r_first, share * r_below, t, value=-1.0)
    tau = share * t_below
    kept = torch.addcmul(above * drop * gap, r_below, lost)
    return Leaf(rho, tau, torch.addcmul(ratio * lost, share, kept, value=-1.0))


def prospect(
    n: Tensor,
    cab: Tensor,
    car: Tensor,
    ant: Tensor,
    cbrown: Tensor,
    cw: Tensor,
    cm: Tensor,
    optics: Optics,
) -> tuple[Tensor, Tensor]:
    """Reflectance and transmittance of a leaf.

    Args:
        n: structure parameter, the number of plates, >= 1; all variables broadcast to ``[...]``.
        cab: chlorophyll a+b, ug/cm2.
        car: carotenoids, ug/cm2.
        ant: anthocyanins, ug/cm2; without effect by the tables of PROSPECT-5.
        cbrown: brown pigments, arbitrary units.
        cw: equivalent water thickness, cm.
        cm: dry matter, g/cm2.
        optics: coefficient tables ``[w]``.

    Returns:
        (rho, tau), ``[..., w]`` each, 0-1.
    """
    n, *contents = torch.broadcast_tensors(n, cab, car, ant, cbrown, cw, cm)
    column = n.unsqueeze(-1)
    depth = torch.stack(contents, -1) / column @ absorption(optics) + LEAST_DEPTH[n.dtype]
    leaf = pile(depth, column, optics)
    return leaf.rho, leaf.tau
