"""Transmissivity of the smooth surface between air and a medium, averaged over directions.

For light within a cone of half-angle a that enters a medium of refractive index n (Stern 1964;
Allen 1973),

    tav(a, n) = 1 / sin(a)^2  *  integral over sin^2 from 0 to sin(a)^2 of
                (transmissivity of both polarisations, averaged) d(sin^2).

The integral of Fresnel's formulae has the closed form used below. a = 90 degrees is isotropic
light. From inside to outside isotropic light passes by tav(90, n) / n^2, because what meets the
surface beyond the critical angle is reflected totally.

References:
    Stern F. (1964), Applied Optics 3(1), 111-113. Allen W.A. (1973), J. Opt. Soc. Am. 63(6),
    664-666.
"""

from __future__ import annotations

import math

from torch import Tensor


def interface_transmissivity(angle: float, refractive: Tensor) -> Tensor:
    """Average transmissivity of a plane interface for light within a cone.

    Args:
        angle: half-angle of the cone in degrees, in (0, 90].
        refractive: index of refraction n > 1 of the medium entered, any shape.

    Returns:
        Transmissivity (0-1), shaped as ``refractive``.
    """
    n2 = refractive**2
    plus, minus = n2 + 1.0, n2 - 1.0
    sine2 = math.sin(math.radians(angle)) ** 2
    k = -(minus**2) / 4.0
    # b runs from its value at normal incidence (b0) to that at the rim of the cone (b1).
    b0 = (refractive + 1.0) ** 2 / 2.0
    shift = sine2 - plus / 2.0
    b1 = (shift**2 + k).clamp_min(0.0).sqrt() - shift

    def perpendicular(b: Tensor) -> Tensor:
        return k**2 / (6.0 * b**3) + k / b - b / 2.0

    def parallel(b: Tensor) -> Tensor:
        c = 2.0 * plus * b - minus**2
        return (
            -2.0 * n2 * b / plus**2
            - 2.0 * n2 * plus * b.log() / minus**2
            + n2 / (2.0 * b)
            + 16.0 * n2**2 * (n2**2 + 1.0) * c.log() / (plus**3 * minus**2)
            + 16.0 * n2**3 / (plus**3 * c)
        )

    total = perpendicular(b1) - perpendicular(b0) + parallel(b1) - parallel(b0)
    return total / (2.0 * sine2)
