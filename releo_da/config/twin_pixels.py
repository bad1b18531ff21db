"""The pixels of a twin experiment over a landscape: a grid, or points, and where they lie.

Where a land is true its fields and clouds lie where `places` says, and so do the pixels of the
system that assimilates. A truth that is drawn from a forecaster knows of no place but those that it
is told: its points are scattered, near enough for correlations to matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from releo_da.io.location import METRES

APART = 100.0
"""Pixels between points of a land: fields of their own under the same weather."""

KEPT = 2**22
"""Comparisons (pixels, dates, channels and variables, cases) whose records a run keeps, at most."""


def pixels_of(shape: Sequence[int]) -> xr.Dataset:
    """The pixel axis, in the form of `releo_da.io.series.Series`.

    Args:
        shape: number of points, or rows and columns of a grid.
    """
    number = int(np.prod(shape))
    found = xr.Dataset(coords={"id": ("pixel", np.arange(number))})
    if len(shape) == 1:
        return found.assign_attrs(kind="point")
    row, column = np.divmod(np.arange(number), shape[1])
    return found.assign_coords(row=("pixel", row), col=("pixel", column)).assign_attrs(
        kind="grid", height=shape[0], width=shape[1]
    )


def places(
    ids: NDArray[np.int64], shape: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of the pixels of a land, ``[pixel]``; points lie `APART` from each other.

    Args:
        ids: ``[pixel]``.
        shape: number of points, or rows and columns of a grid.
    """
    if len(shape) == 1:
        return APART * ids.astype(np.float64), np.zeros(len(ids))
    row, column = np.divmod(ids, shape[1])
    return row.astype(np.float64), column.astype(np.float64)


def ground_of(shape: Sequence[int], spacing: float, seed: int, land: bool) -> xr.Dataset:
    """The pixel axis with places in metres.

    Args:
        shape: number of points, or rows and columns of a grid.
        spacing: metres between rows and columns; points without a land lie at random in a square
            in which each has a square of that side on average.
        seed: of the truth; it scatters points.
        land: whether a land is true, so that points lie where it has them.
    """
    pixels = pixels_of(shape).assign_attrs(unit=METRES)
    if len(shape) == 2:
        axes = zip(("grid_y", "grid_x"), shape, strict=True)
        return pixels.assign_coords({name: (name, spacing * np.arange(n)) for name, n in axes})
    if land:
        y, x = (spacing * place for place in places(pixels["id"].values, shape))
    else:
        side = spacing * shape[0] ** 0.5
        x, y = side * np.random.default_rng(seed).random((2, shape[0]))
    return pixels.assign_coords(x=("pixel", x), y=("pixel", y))


def sample_of(shape: Sequence[int], each: int) -> Tensor | None:
    """Ids of the pixels whose records are kept; None where they are all.

    Every s-th row and column, or point, with s the least step that leaves at most `KEPT`
    comparisons.

    Args:
        shape: number of points, or rows and columns of a grid.
        each: comparisons of one pixel.
    """
    step = 1
    while step < max(shape) and each * int(np.prod([-(-n // step) for n in shape])) > KEPT:
        step += 1
    if step == 1:
        return None
    ids = torch.arange(int(np.prod(shape))).reshape(*shape)
    return ids[(slice(None, None, step),) * len(shape)].flatten()
