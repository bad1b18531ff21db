r"""Where latents and channels lie, and how far an observation reaches.

Localization keeps observations from acting where only sampling noise of a small ensemble connects
them. With r the distance in units of R, the coefficients are

    gaspari_cohn   1 - 5/3 r^2 + 5/8 r^3 + 1/2 r^4 - 1/4 r^5                    r <= 1
                   4 - 5 r + 5/3 r^2 + 5/8 r^3 - 1/2 r^4 + 1/12 r^5 - 2/(3r)    1 < r <= 2
    step           1                                                            r <= 1

with R = 1.82 ``radius`` for the first, so that it falls like a Gaussian of standard deviation
``radius``, and R = ``radius`` for the second. Coefficients below 0.001 count as 0.

Reference: Gaspari and Cohn (1999), Construction of correlation functions in two and three
dimensions, Q. J. R. Meteorol. Soc. 125, 723-757, eq. 4.10; Sakov and Bertino (2011), Relation
between two common localisation methods for the EnKF, Comput. Geosci. 15, 225-237.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from releo_da.types import InputError

Taper = Literal["gaspari_cohn", "step"]
"""Names of the functions of distance."""

GASPARI_COHN_SCALE = 1.82
"""Half of the support of a Gaspari-Cohn function in units of the matching Gaussian's deviation."""
SMALLEST = 1e-3
"""Coefficients below count as 0."""


class Places(NamedTuple):
    """Where the latents of a state and the channels of a sensor lie, in one space.

    Attributes:
        latents: ``[latent, dimension]``.
        channels: ``[channel, dimension]``.
        period: ``[dimension]``, the length after which a dimension repeats; infinite if it does
            not. None where none does.
        single: how many of the last latents are no neighbours of those before them along the axis,
            such as biases of sensors: each is a group of its own.
    """

    latents: Tensor
    channels: Tensor
    period: Tensor | None = None
    single: int = 0


def known(places: Places | None, who: str) -> Places:
    """The places, where there are any.

    Raises:
        InputError: the state has none.
    """
    if places is None:
        raise InputError(
            f"{who}: nothing says where latents and channels lie, as a toy model does; between "
            "pixels use 'neighbours'"
        )
    return places


def distances(left: Tensor, right: Tensor, period: Tensor | None = None) -> Tensor:
    """Euclidean distances ``[left, right]`` of points ``[.., dimension]``, the short way round."""
    apart = (left[..., :, None, :] - right[..., None, :, :]).abs()
    if period is not None:
        apart = torch.minimum(apart, period.to(apart) - apart)
    return apart.square().sum(-1).sqrt()


def coefficients(distance: Tensor, radius: float, taper: Taper = "gaspari_cohn") -> Tensor:
    """Coefficients in [0, 1] for distances of any shape.

    Args:
        distance: 0 or more.
        radius: in the unit of the distances.
        taper: ``gaspari_cohn`` or ``step``.

    Raises:
        InputError: ``radius`` is not positive.
    """
    if not radius > 0.0:
        raise InputError(f"localization: radius must be positive, got {radius}")
    if taper == "step":
        return (distance <= radius).to(distance)
    r = distance / (GASPARI_COHN_SCALE * radius)
    near = 1.0 + r**2 * (-5.0 / 3.0 + r * (5.0 / 8.0 + r * (0.5 - 0.25 * r)))
    outer = r.clamp(min=1.0)
    far = outer**2 * (5.0 / 3.0 + outer * (5.0 / 8.0 + outer * (-0.5 + outer / 12.0)))
    far = far + 4.0 - 5.0 * outer - 2.0 / (3.0 * outer)
    coefficient = torch.where(r <= 1.0, near, torch.where(r <= 2.0, far, 0.0))
    return torch.where(coefficient > SMALLEST, coefficient, 0.0)
