r"""A landscape of fields, worked out where it is asked for: no map is ever held.

The plane is cut into squares of the size of a field; each square holds one seed at a random place,
and a pixel belongs to the nearest seed (Worley 1996, Proc. SIGGRAPH 96, 291-294). Random numbers
of a square are a hash of its place and of the seed, so a pixel knows its field and that field's
traits from its own place, in any order and in any part of any map.

    mixed = hash(seed, row, column, what)  ->  uniform in (0, 1)

Cost: 9 distances per pixel. Shapes: all ``[pixel]``.

Reference: Steele, Lea and Flood (2014), Proc. OOPSLA 14, 453-472: the mixing function SplitMix64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Fields(NamedTuple):
    """The square of the field of each pixel, by which its traits are drawn.

    Attributes:
        row: ``[pixel]``.
        column: ``[pixel]``.
    """

    row: Whole
    column: Whole


def uniform(seed: int, row: Whole, column: Whole, what: int) -> Array:
    """A number in (0, 1) that depends on nothing but the arguments.

    Args:
        seed: of the landscape.
        row: ``[...]`` whole numbers of either sign.
        column: ``[...]``.
        what: tells numbers of one place apart.
    """
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        mixed = np.full(np.shape(row), np.uint64(seed % 2**64))
        for part in (row, column, np.full_like(row, what)):
            mixed = (mixed ^ part.astype(np.int64).view(np.uint64)) + _GOLDEN
            mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
            mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
            mixed = mixed ^ (mixed >> np.uint64(31))
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def normal(seed: int, row: Whole, column: Whole, what: int) -> Array:
    """The same, standard normal."""
    found: Array = ndtri(uniform(seed, row, column, what))
    return found


def fields(seed: int, row: Array, column: Array, size: float) -> Fields:
    """The field of each pixel.

    Args:
        seed: of the landscape.
        row: ``[pixel]`` in pixels.
        column: ``[pixel]``.
        size: mean width of a field, in pixels.
    """
    down, across = np.asarray(row, np.float64) / size, np.asarray(column, np.float64) / size
    best = np.full(down.shape, np.inf)
    found = Fields(np.zeros(down.shape, np.int64), np.zeros(down.shape, np.int64))
    for step_down in (-1, 0, 1):
        for step_across in (-1, 0, 1):
            r = np.floor(down).astype(np.int64) + step_down
            c = np.floor(across).astype(np.int64) + step_across
            y = r + 0.15 + 0.7 * uniform(seed, r, c, 0)
            x = c + 0.15 + 0.7 * uniform(seed, r, c, 1)
            far = np.abs(down - y) + 0.3 * np.hypot(down - y, across - x) + np.abs(across - x)
            nearer = far < best
            best = np.where(nearer, far, best)
            found = Fields(np.where(nearer, r, found.row), np.where(nearer, c, found.column))
    return found
