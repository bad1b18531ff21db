"""Distributions of leaf inclination on 18 classes of 5 degrees.

A distribution is known by the fraction of leaves R steeper than each edge between two classes:
Campbell's from the mean angle `ala`, Verhoef's from `lidfa` and `lidfb`. Which one is meant follows
from the names of the variables at hand.

A class has the weight R(lower edge) - R(upper edge), and a mean over leaves follows by summation by
parts, without differences of nearly equal numbers:

    sum_i w_i g_i = g_0 + sum over i >= 1 of R_i (g_i - g_{i-1}).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from releo_da.types import InputError

from . import campbell, verhoef

CLASSES = 18
"""Number of inclination classes between 0 and 90 degrees; their centres are 2.5, 7.5, ..."""

CAMPBELL = ("ala",)
VERHOEF = ("lidfa", "lidfb")


def angle_names(given: Collection[str]) -> tuple[str, ...]:
    """The variables that describe leaf angles among those given.

    Returns:
        `CAMPBELL` or `VERHOEF`.

    Raises:
        InputError: both distributions are named, none, or half of Verhoef's.
    """
    ellipsoidal, slopes = "ala" in given, [name for name in VERHOEF if name in given]
    if ellipsoidal and not slopes:
        return CAMPBELL
    if len(slopes) == 2 and not ellipsoidal:
        return VERHOEF
    found = ", ".join((*CAMPBELL[: int(ellipsoidal)], *slopes)) or "neither"
    raise InputError(
        f"leaf angles: give either ala (Campbell) or lidfa and lidfb (Verhoef); found {found}"
    )


def steeper_than(variables: Mapping[str, Tensor]) -> Tensor:
    """Fraction of leaves steeper than 5, 10, ..., 85 degrees.

    Args:
        variables: ``ala``, mean leaf angle in degrees, or ``lidfa`` and ``lidfb``, with
            ``|lidfa| + |lidfb|`` at most 1; ``[...]``. Other names are ignored.

    Returns:
        ``[17, ...]``, decreasing along the first axis.

    Raises:
        InputError: both distributions are named, or none.
    """
    edges = torch.arange(1, CLASSES, dtype=torch.float64) * (math.pi / 2.0 / CLASSES)
    if angle_names(variables) == CAMPBELL:
        return campbell.steeper(variables["ala"], edges)
    return verhoef.steeper(variables["lidfa"], variables["lidfb"], edges)


def class_weights(steeper: Tensor) -> Tensor:
    """Weights of the 18 inclination classes.

    Args:
        steeper: `steeper_than`, ``[17, ...]``.

    Returns:
        ``[..., 18]``, summing to 1.
    """
    steeper = steeper.movedim(0, -1)
    one = torch.ones_like(steeper[..., :1])
    return torch.cat((one, steeper), -1) - torch.cat((steeper, torch.zeros_like(one)), -1)
