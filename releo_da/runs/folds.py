"""Splits without leakage: clusters of neighbouring points, dealt to folds, and blocks of maps.

Points linked by steps of at most ``within`` metres form a cluster (single linkage); a cluster is in
one fold as a whole, so that no scored point has a neighbour among the fitted ones. Clusters are
dealt, largest first and ties by a seeded shuffle, to the fold that holds fewest points.

Neighbouring pixels of a map share field, weather and processing, so a bootstrap that redraws single
pixels gives intervals that are far too narrow. It redraws square blocks instead (Künsch 1989, Ann.
Statist. 17, 1217-1241), which are nearly independent where they are larger than a field.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.sparse.csgraph import connected_components

from releo_da.diagnostics.scores import Array
from releo_da.types import InputError

EARTH = 6_371_008.8
"""Mean radius of the Earth (m)."""


SIDE = 10
"""Pixels along a block of a map that a bootstrap redraws as one."""


class Units(NamedTuple):
    """What a bootstrap redraws.

    Attributes:
        label: ``[pixel]`` int64, equal within a unit.
        words: what a unit is, in the plural.
    """

    label: Array
    words: str


def units(pixels: xr.Dataset, side: int = SIDE) -> Units:
    """Points each by itself, pixels of a grid in square blocks.

    Args:
        pixels: the pixel axis, `releo_da.io.series.Series`.
        side: pixels along a block.
    """
    if pixels.attrs["kind"] != "grid":
        return Units(np.arange(pixels.sizes["pixel"]), "points")
    across = -(-int(pixels.attrs["width"]) // side)
    label = pixels["row"].values // side * across + pixels["col"].values // side
    return Units(label, f"blocks of {side} x {side} pixels")


def distances(lon: Array, lat: Array) -> Array:
    """Great-circle distances between points in degrees, ``[point, point]`` metres (haversine)."""
    lam, phi = np.radians(lon), np.radians(lat)
    across = np.sin((phi[:, None] - phi) / 2) ** 2
    along = np.cos(phi[:, None]) * np.cos(phi) * np.sin((lam[:, None] - lam) / 2) ** 2
    return 2.0 * EARTH * np.arcsin(np.sqrt(np.clip(across + along, 0.0, 1.0)))


def clusters(lon: Array, lat: Array, within: float) -> Array:
    """Label of the cluster of each point, ``[point]``."""
    _, label = connected_components(distances(lon, lat) <= within, directed=False)
    return np.asarray(label)


def folds(label: Array, count: int, seed: int = 0) -> Array:
    """The fold of each point, ``[point]``, from the label of its cluster.

    Raises:
        InputError: fewer clusters than folds, or fewer than two folds.
    """
    sizes = np.bincount(label)
    if not 2 <= count <= len(sizes):
        raise InputError(f"folds: {count} folds of {len(sizes)} clusters; give 2 to {len(sizes)}")
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, load = np.empty(len(sizes), int), np.zeros(count, int)
    for cluster in order:
        least = int(load.argmin())
        fold[cluster] = least
        load[least] += sizes[cluster]
    return fold[label]
