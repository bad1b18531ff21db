"""Campbell's ellipsoidal distribution of leaf inclination on 18 classes of 5 degrees.

Leaves are oriented like the surface of an ellipsoid with axis ratio e, a cubic-exponential function
of the mean leaf angle (e = 1 is a sphere, near 58.4351 degrees). The fraction of leaves steeper
than theta is R(theta) = F(theta) / F(0) with

    F(theta) = cos(theta) [ e / (cos^2 + e^2 sin^2)  +  arc((1 / e^2 - 1) cos^2(theta)) / e ]

where arc(z) = arctan(sqrt z) / sqrt z continues analytically through z = 0. This is Campbell's
integral with its common factor taken out: the published form divides 0 by 0 at the sphere and
needs one branch on each side of it; here both and the sphere are one smooth function.

A class has the weight R(lower edge) - R(upper edge), and a mean over leaves follows by summation by
parts, without differences of nearly equal numbers:

    sum_i w_i g_i = g_0 + sum over i >= 1 of R_i (g_i - g_{i-1}).

Reference: Campbell (1986), Agricultural and Forest Meteorology 36, 317-321; (1990) 49, 173-176.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .special import arc

CLASSES = 18
"""Number of inclination classes between 0 and 90 degrees; their centres are 2.5, 7.5, ..."""


def steeper_than(ala: Tensor) -> Tensor:
    """Fraction of leaves steeper than 5, 10, ..., 85 degrees.

    Args:
        ala: mean leaf angle in degrees, ``[...]``.

    Returns:
        ``[17, ...]``, decreasing along the first axis.
    """
    e = torch.exp(((-1.6184e-5 * ala + 2.1145e-3) * ala - 1.2390e-1) * ala + 3.2491)
    edges = torch.arange(1, CLASSES, dtype=torch.float64) * (math.pi / 2.0 / CLASSES)
    cosine = edges.cos().to(e).view(-1, *[1] * e.dim())
    cosine2 = cosine * cosine
    e2 = e * e
    ratio = 1.0 / e2 - 1.0
    below = e2 + (1.0 - e2) * cosine2
    unnormalised = cosine * (e / below + arc(ratio * cosine2) / e)
    return unnormalised / (e + arc(ratio) / e)


def campbell(ala: Tensor) -> Tensor:
    """Weights of the 18 inclination classes.

    Args:
        ala: mean leaf angle in degrees, ``[...]``.

    Returns:
        ``[..., 18]``, non-negative, summing to 1.
    """
    steeper = steeper_than(ala).movedim(0, -1)
    one, zero = torch.ones_like(ala).unsqueeze(-1), torch.zeros_like(ala).unsqueeze(-1)
    return torch.cat((one, steeper), -1) - torch.cat((steeper, zero), -1)
