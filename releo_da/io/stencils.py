"""From places to places: which cells or sites a pixel takes its value from, and with which weights.

A value at a pixel is a weighted mean of values at few places known beforehand,

    v[..., p] = sum_k weight[p, k] v[..., cell[p, k]],        sum_k weight[p, k] = 1

so that cell and weight are found once per pixel, and values along time are never copied per pixel.

    grid, nearest    k = 1, the cell that the pixel lies in
    grid, linear     k = 4, bilinear between centres of cells; constant in the outer half cell
    sites, nearest   k = 1
    sites, inverse   k <= 4, weights 1 / distance^2 of the nearest ones (Shepard 1968)

Cost: a binary search per pixel and axis of a grid, a k-d tree of sites.

Reference: Shepard (1968), A two-dimensional interpolation function for irregularly-spaced data,
Proc. 23rd ACM National Conference, 517-524.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

SITES = 4
"""Sites that an inverse-distance mean takes at most."""


class Stencil(NamedTuple):
    """Where pixels take their values from.

    Attributes:
        cell: ``[pixel, k]`` position on the axis of cells or sites.
        weight: ``[pixel, k]``, each row sums to 1.
    """

    cell: NDArray[np.intp]
    weight: Array


def outside(axis: Array, at: Array) -> NDArray[np.bool_]:
    """Which coordinates lie in no cell of an axis, or are no numbers, ``[n], [pixel] -> [pixel]``.

    Args:
        axis: centres of cells, ascending or descending; one centre alone has no borders.
        at: coordinates of pixels.
    """
    if axis.size < 2:
        return ~np.isfinite(at)
    up = np.sort(axis)
    low, high = up[0] - (up[1] - up[0]) / 2, up[-1] + (up[-1] - up[-2]) / 2
    slack = 1e-9 * max(abs(low), abs(high))
    return ~((at >= low - slack) & (at <= high + slack))


def grid_stencil(x_axis: Array, y_axis: Array, x: Array, y: Array, linear: bool) -> Stencil:
    """Cells of a grid for pixels inside it (`outside`); cells are row * columns + column.

    Args:
        x_axis: ``[column]`` centres, ascending or descending, at equal steps or not.
        y_axis: ``[row]`` centres, likewise.
        x: ``[pixel]``.
        y: ``[pixel]``.
        linear: bilinear, else the nearest centre.
    """
    (left, right, across), (upper, lower, down) = _between(x_axis, x), _between(y_axis, y)
    width = x_axis.size
    if not linear:
        column = np.where(across < 0.5, left, right)
        row = np.where(down < 0.5, upper, lower)
        return Stencil((row * width + column)[:, None], np.ones((x.size, 1)))
    corners = [
        (row * width + column, vertical * horizontal)
        for row, vertical in ((upper, 1 - down), (lower, down))
        for column, horizontal in ((left, 1 - across), (right, across))
    ]
    return Stencil(*(np.stack(part, -1) for part in zip(*corners, strict=True)))


def site_stencil(sites: Array, places: Array, inverse: bool) -> tuple[Stencil, Array]:
    """Sites for pixels, and how far the nearest one is.

    Args:
        sites: ``[site, dimension]`` places of sites.
        places: ``[pixel, dimension]``, all finite.
        inverse: inverse-distance weights, else the nearest site; a pixel at a site has its value.

    Returns:
        The stencil, and ``[pixel]`` distance to the nearest site.
    """
    count = min(SITES, len(sites)) if inverse else 1
    distance, index = cKDTree(sites).query(places, k=list(range(1, count + 1)))
    # Relative to the nearest: the largest weight is 1 before they are scaled, so none overflows.
    nearest = distance[:, :1]
    ratio = np.where(nearest > 0, nearest / np.where(distance > 0, distance, 1.0), distance == 0)
    weight = ratio**2
    return Stencil(index, weight / weight.sum(1, keepdims=True)), distance[:, 0]


def applied(values: Array, stencil: Stencil) -> Array:
    """Values at pixels, ``[..., cell] -> [..., pixel]``; cells without a number are left out.

    NaN where no cell with weight has a number.
    """
    found = values[..., stencil.cell]
    weight = np.where(np.isfinite(found), stencil.weight, 0.0)
    total = weight.sum(-1)
    mean = np.where(weight > 0, weight * found, 0.0).sum(-1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mean, np.nan)


def _between(axis: Array, at: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Positions of the two centres about each coordinate, and the share of the way between them."""
    if axis.size < 2:
        nothing = np.zeros(at.size, dtype=np.intp)
        return nothing, nothing, np.zeros(at.size)
    order = np.argsort(axis)
    up = axis[order]
    low = np.clip(np.searchsorted(up, at, side="right") - 1, 0, up.size - 2)
    share = np.clip((at - up[low]) / (up[low + 1] - up[low]), 0.0, 1.0)
    return order[low], order[low + 1], share
