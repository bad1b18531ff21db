"""Campbell's ellipsoidal distribution of leaf inclination, by its mean.

Leaves are oriented like the surface of an ellipsoid with axis ratio e, a cubic-exponential function
of the mean leaf angle (e = 1 is a sphere, near 58.4351 degrees). The fraction of leaves steeper
than theta is R(theta) = F(theta) / F(0) with

    F(theta) = cos(theta) [ e / (cos^2 + e^2 sin^2)  +  arc((1 / e^2 - 1) cos^2(theta)) / e ]

where arc(z) = arctan(sqrt z) / sqrt z continues analytically through z = 0. This is Campbell's
integral with its common factor taken out: the published form divides 0 by 0 at the sphere and
needs one branch on each side of it; here both and the sphere are one smooth function.

Reference: Campbell (1986), Agricultural and Forest Meteorology 36, 317-321; (1990) 49, 173-176.
"""

from __future__ import annotations

from torch import Tensor

from .special import arc


def axis_ratio(ala: Tensor) -> Tensor:
    """Ratio e of the horizontal to the vertical axis of the ellipsoid.

    Args:
        ala: mean leaf angle in degrees, ``[...]``.
    """
    return (((-1.6184e-5 * ala + 2.1145e-3) * ala - 1.2390e-1) * ala + 3.2491).exp()


def steeper(ala: Tensor, edges: Tensor) -> Tensor:
    """Fraction of leaves steeper than given inclinations.

    Args:
        ala: mean leaf angle in degrees, ``[...]``.
        edges: inclinations in radians, float64 ``[e]``.

    Returns:
        ``[e, ...]``, of the dtype of ``ala``.
    """
    e = axis_ratio(ala)
    cosine = edges.cos().to(e).view(-1, *[1] * e.dim())
    cosine2 = cosine * cosine
    e2 = e * e
    ratio = 1.0 / e2 - 1.0
    below = e2 + (1.0 - e2) * cosine2
    unnormalised = cosine * (e / below + arc(ratio * cosine2) / e)
    return unnormalised / (e + arc(ratio) / e)
