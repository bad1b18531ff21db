"""The hot spot: sun and viewer share the gaps they look through.

The probability that a point at relative depth x is both sunlit and seen is exp(y(x)),

    y(x) = -(ks + ko) L x + sqrt(ks ko) L l (1 - exp(-x / l)),     l = q (ks + ko) / (2 d),

with q the ratio of leaf size to canopy height, d the distance between the two directions and l the
correlation length in units of canopy height (Kuusk 1985, as used by Verhoef 2007 with Breon's
factor). Wanted are exp(y(1)) and its integral over x. As in the published model the integral is
taken on 20 steps of equal change of 1 - exp(-x / l), with y linear in each; here a step is

    dx exp(y_i) phi(y_{i+1} - y_i),     phi(z) = (exp(z) - 1) / z,

which has no singularity: not at the exact hot spot (l huge), not without one (q = 0), not at L = 0.

Reference: Kuusk (1985), Soviet Journal of Remote Sensing 3, 645-658.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .special import phi

STEPS = 20


def distance(tts: Tensor, tto: Tensor, psi: Tensor) -> Tensor:
    """Distance between sun and view directions projected on a plane, at least 1e-12.

    Args:
        tts: sun zenith in degrees, any shape.
        tto: view zenith in degrees.
        psi: relative azimuth in degrees.

    Returns:
        sqrt(tan^2 s + tan^2 o - 2 tan s tan o cos psi), float64, without its cancellation.
    """
    s, o, psi = (torch.deg2rad(a.double()) for a in (tts, tto, psi))
    s, o = s.tan(), o.tan()
    return ((s - o).square() + 4.0 * s * o * (psi / 2.0).sin().square() + 1e-24).sqrt()


def sunlit_and_seen(
    lai: Tensor, hspot: Tensor, ks: Tensor, ko: Tensor, apart: Tensor
) -> tuple[Tensor, Tensor]:
    """Joint gap probability at the soil, and its mean over the depth of the canopy.

    Args:
        lai: leaf area index, ``[g, m]``.
        hspot: hot-spot size parameter, >= 0.
        ks: extinction of the solar beam.
        ko: extinction of the viewing beam.
        apart: `distance`, broadcastable.

    Returns:
        (probability, mean), both 0-1, shaped by broadcasting.
    """
    both = ks + ko
    length = hspot * both / (2.0 * apart)
    # Below 0.005, exp(-1 / length) is 0 in float64 too; the clamp only keeps gradients finite.
    share = -torch.expm1(-1.0 / length.clamp_min(0.005)) / STEPS
    step = torch.arange(STEPS + 1, dtype=lai.dtype, device=lai.device)
    step = step.view(-1, *[1] * share.dim()) * share
    x = torch.cat((-length * torch.log1p(-step[:-1]), torch.ones_like(step[:1])))
    y = ((ks * ko).sqrt() * lai * length) * step - (both * lai) * x
    chance = y.exp()
    mean = (x.diff(dim=0) * chance[:-1] * phi(y.diff(dim=0))).sum(0)
    return chance[-1], mean
