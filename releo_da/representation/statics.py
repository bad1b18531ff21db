"""What is known of a place whatever the date: numbers of the encoder, each with a flag.

    statics [P, S] = for each field its number, scaled, 0 where it is unknown; then 1 where known

Longitude is an angle and enters as sine and cosine. Scales bring the land of the Earth to numbers
of about 1. A field that nobody gives is unknown everywhere; the encoder then goes without it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from releo_da.types import InputError

SCALES = {
    "elevation": 1000.0,
    "slope": 30.0,
    "latitude": 45.0,
    "longitude": 180.0,
    "temperature": 15.0,
    "precipitation": 1000.0,
}
"""Fields and what they are divided by: m, degrees, degrees north, degrees east, and of the climate
the mean temperature (degC) and the precipitation of a year (mm)."""

SIZE = 2 * len(SCALES) + 1
"""S, numbers of a place."""


def statics_of(pixels: int, fields: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """Static covariates of pixels, ``[P, S]``.

    Args:
        pixels: number of pixels.
        fields: any of `SCALES`, ``[P]`` each; what is not finite is unknown.
        like: a tensor whose dtype and device they take.

    Raises:
        InputError: a field is none of these.
    """
    for name in fields:
        if name not in SCALES:
            raise InputError(
                f"'{name}' is no static field of the encoder; it has {', '.join(SCALES)}"
            )
    unknown = torch.full((pixels,), torch.nan, dtype=torch.float64)
    numbers: list[Tensor] = []
    flags: list[Tensor] = []
    for name, scale in SCALES.items():
        given = fields.get(name, unknown).to(torch.float64).cpu()
        known = torch.isfinite(given)
        value = torch.where(known, given, 0.0) / scale
        turned = (torch.sin(torch.pi * value), torch.cos(torch.pi * value) * known)
        numbers += turned if name == "longitude" else [value]
        flags.append(known.to(value))
    return torch.stack([*numbers, *flags], -1).to(like)
