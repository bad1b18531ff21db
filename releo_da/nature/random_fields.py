r"""Smooth random fields that are worked out at the places where they are asked for.

    g(x) = sqrt(2 / M) sum_m cos(k_m . x + p_m),     k_m ~ N(0, 1 / length^2),  p_m ~ U(0, 2 pi)

Mean 0, variance 1, correlation exp(-distance^2 / (2 length^2)) over draws of the waves; close to
Gaussian for many of them (Rahimi and Recht 2007, Proc. NIPS 20). No neighbour is needed, so part of
a map is the map there, whatever else is asked for, and nothing is held. Cost: M cosines per pixel.
Shapes: ``[pixel]``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

MODES = 96
"""Waves of a field."""


def field(
    seed: int | Sequence[int], row: ArrayLike, column: ArrayLike, length: float, modes: int = MODES
) -> NDArray[np.float64]:
    """A smooth random field at some places, ``[pixel]``.

    Args:
        seed: of the waves, not negative; a sequence tells fields of one seed apart.
        row: ``[pixel]`` in any unit of length.
        column: ``[pixel]`` in the same.
        length: distance at which the correlation is exp(-1/2).
        modes: number of waves.
    """
    generator = np.random.default_rng(seed)
    down, across = generator.standard_normal((2, modes)) / length
    phase = generator.uniform(0.0, 2.0 * np.pi, modes)
    y, x = np.asarray(row, np.float64), np.asarray(column, np.float64)
    waves = np.cos(y[..., None] * down + x[..., None] * across + phase)
    found: NDArray[np.float64] = np.sqrt(2.0 / modes) * waves.sum(-1)
    return found
