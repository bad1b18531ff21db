r"""What a canopy model leaves open of leaf area, whatever is seen and however often.

Rows and clumps, stems and ears, the leaf model and the distribution of leaf angles shift the leaf
area that fits a spectrum, by about the same factor on every date of a field. No date tells of it,
so an ensemble that has seen many is too sure. The output carries the factor beside the ensemble:

    x'_i = x_i f_i,     f_i = exp(s e_i) / mean_j exp(s e_j),     e_i normal scores of member i

for leaf area and what scales with it (`SCALED`). s is the standard deviation of its logarithm. The
mean of the factors is 1 and they are the same at every pixel and date: a member is one canopy model
among those that could be right. The state, forecasts and analyses know nothing of it; what is
observed (reflectances, indices) has errors of its own.

s is a property of the canopy model and of how a run is set up, not of a place: it is found in a
twin whose truth has another canopy model, as that which makes intervals hold the truth as often as
they say (docs/how-to/hindcast.md).

Cost: a sort of the members. Reference: Kennedy and O'Hagan (2001), J. R. Stat. Soc. B 63, 425-464:
model inadequacy as a part of the prediction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

SCALED = ("lai", "lai_green", "ccc", "cwc")
"""Output variables that are proportional to leaf area."""

ORDER = 1
"""Seed of the order of the scores among members."""


def factors(members: int, spread: float, like: Tensor) -> Tensor:
    """One factor for each member, ``[member]``, of mean 1; all 1 of a single member.

    Args:
        members: their number.
        spread: standard deviation of the logarithm.
        like: a tensor whose dtype and device the result has.
    """
    place = (torch.arange(members, dtype=torch.float64) + 0.5) / members
    scores = math.sqrt(2.0) * torch.erfinv(2.0 * place - 1.0)
    scores = scores / scores.square().mean().sqrt().clamp_min(1e-12)
    order = torch.randperm(members, generator=torch.Generator().manual_seed(ORDER))
    found = (spread * scores[order]).exp()
    return (found / found.mean()).to(like)


def widened(values: Mapping[str, Tensor], spread: float) -> dict[str, Tensor]:
    """Output variables with what the canopy model leaves open of them.

    Args:
        values: by name, ``[..., member]`` each.
        spread: standard deviation of the logarithm of leaf area; 0 changes nothing.
    """
    if spread == 0.0:
        return dict(values)
    return {
        name: value * factors(value.shape[-1], spread, value) if name in SCALED else value
        for name, value in values.items()
    }
