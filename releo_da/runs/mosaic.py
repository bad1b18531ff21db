"""The last product of every tile of a run as one map that fits in memory, however large the grid.

    step    every so many-th row and column of the part of the grid in use, so that at most about
            `releo_da.io.products.DRAWN` pixels are left; the same rows and columns for all tiles
    cost    one product of each tile is opened, and one layer of it read at a time

Tiles stand at different dates where the last acquisitions did not see all of them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.cycling.ledger import Ledger
from releo_da.io import read_products
from releo_da.io.netcdf import opened
from releo_da.io.products import DRAWN
from releo_da.io.tile_plan import read_plan
from releo_da.io.tiles import Tile
from releo_da.io.times import from_days
from releo_da.runs.axis import PIXELS
from releo_da.runs.verify import LEDGER
from releo_da.types import InputError


class Mosaic(NamedTuple):
    """The last products of the tiles of a run.

    Attributes:
        found: variables along time (the latest date), y and x, or None before the first product.
        times: of the earliest and the latest of the products, days since 1970-01-01.
        damaged: what is wrong with products that could not be read, and were left out.
    """

    found: xr.Dataset | None
    times: tuple[float, float]
    damaged: list[str]


class Last(NamedTuple):
    """The last product of a tile: its file, its time, and the run directory of the tile."""

    tile: Tile
    path: Path
    time: float
    root: Path


def mosaic(root: Path, most: int = DRAWN) -> Mosaic:
    """The last products of the tiles of a run as one map.

    Args:
        root: the run directory.
        most: pixels, about, beyond which the map is thinned.

    Raises:
        InputError: the directory holds no run in tiles.
    """
    parts = _last(root)
    if not parts:
        return Mosaic(None, (math.nan, math.nan), [])
    spans = [[getattr(one.tile, axis) for one in parts] for axis in ("rows", "columns")]
    firsts = [min(first for first, _ in span) for span in spans]
    sizes = [max(last for _, last in span) + 1 for span in spans]
    area = math.prod(size - first for first, size in zip(firsts, sizes, strict=True))
    step = max(1, math.ceil(math.sqrt(area / most)))
    rows, columns = (np.arange(f, s, step) for f, s in zip(firsts, sizes, strict=True))
    times = [one.time for one in parts]
    layers: dict[str, NDArray[np.float32]] = {}
    about: dict[str, dict[str, object]] = {}
    damaged: list[str] = []
    for one in parts:
        try:
            _place(one, rows, columns, layers, about)
        except InputError as error:
            damaged.append(str(error))
    if not layers:
        return Mosaic(None, (min(times), max(times)), damaged)
    found = xr.Dataset(
        {name: (("time", "y", "x"), layer[None], about[name]) for name, layer in layers.items()},
        {
            "time": from_days(np.array([max(times)])).astype("datetime64[ns]"),
            **_coordinates(parts, rows, columns, about),
        },
    )
    return Mosaic(found, (min(times), max(times)), damaged)


def _last(root: Path) -> list[Last]:
    """The last products, row after row of tiles."""
    plan, found = read_plan(root), []
    for tile in plan.tiles:
        folder = plan.folder(root, tile)
        if not (folder / LEDGER).is_file():
            continue
        with Ledger(folder / LEDGER, reads=True) as ledger:
            last = ledger.last()
        if last is not None:
            found.append(Last(tile, folder / last.product, last.arrival.time, folder))
    return found


def _place(
    one: Last,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    layers: dict[str, NDArray[np.float32]],
    about: dict[str, dict[str, object]],
) -> None:
    """Write the chosen pixels of a product to their places; layers are made as they are met."""
    down, across = (
        np.flatnonzero((axis >= first) & (axis <= last))
        for axis, (first, last) in zip((rows, columns), one.tile[:2], strict=True)
    )
    with opened(one.path) as file:
        for name, array in file.data_vars.items():
            if array.dims != ("time", "y", "x"):  # quantiles are not drawn
                continue
            if str(name) not in layers:
                layers[str(name)] = np.full((rows.size, columns.size), np.nan, np.float32)
                about[str(name)] = dict(array.attrs)
            inside = rows[down] - one.tile.rows[0], columns[across] - one.tile.columns[0]
            values = array.values[0]  # whole, as chunks are decompressed whole
            if values.shape != one.tile.shape:
                raise InputError(
                    f"{one.path}: has the shape {values.shape}, its tile {one.tile.shape}; restore "
                    "it from a backup"
                )
            layers[str(name)][np.ix_(down, across)] = values[np.ix_(*inside)]
        for axis in "yx":
            about.setdefault(axis, dict(file[axis].attrs))


def _coordinates(
    parts: list[Last],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    about: dict[str, dict[str, object]],
) -> dict[str, tuple[str, NDArray[np.float64], dict[str, object]]]:
    """Coordinates of the chosen rows and columns; their numbers where the grid has none."""
    pixels = read_products(parts[0].root / PIXELS)
    found = {}
    for axis, chosen in (("y", rows), ("x", columns)):
        known = f"grid_{axis}" in pixels.coords
        numbers = pixels[f"grid_{axis}"].values[chosen] if known else chosen.astype(np.float64)
        found[axis] = (axis, numbers, about.get(axis, {}))
    return found
