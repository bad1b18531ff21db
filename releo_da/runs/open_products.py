"""The products of a cycling run as one data set, whether it is in tiles or not.

    lai(time, y, x)  lai_spread(time, y, x)  lai_quantile(quantile, time, y, x)

Nothing but axes is read when it opens. A chunk is one product of one tile; it is read when its
numbers are asked for, and so is the part of a tile by a part of the map. Where no tile lies, or a
tile saw nothing of an acquisition, values are missing. Which products count is what the ledgers
say, so files of cycles that were undone are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.cycling.ledger import Ledger
from releo_da.io import read_products
from releo_da.io.netcdf import opened
from releo_da.io.tile_plan import PLAN, read_plan
from releo_da.io.times import from_days
from releo_da.runs.axis import PIXELS
from releo_da.types import InputError

LEDGER = "ledger.sqlite"
Key = tuple[float, str, str, int]
"""Time, sensor and product of an acquisition, and how many came before that have all three."""

Corner = tuple[int, int, int]
"""Position in time, first row and first column of a chunk."""


class Part(NamedTuple):
    """A tile, or a whole map.

    Attributes:
        root: its run directory.
        rows: first and last.
        columns: first and last.
        products: file of each acquisition.
        alarms: that stood when an acquisition was analysed, of those where any did.
    """

    root: Path
    rows: tuple[int, int]
    columns: tuple[int, int]
    products: dict[Key, Path]
    alarms: dict[Key, list[str]]


def open_products(run: str | Path) -> xr.Dataset:
    """All products of a cycling run as one lazily opened data set.

    Args:
        run: its run directory, in tiles or not.

    Returns:
        Variables along time, y and x (of points: time and point) as in each product, as dask arrays
        of one chunk per product; with the coordinates ``sensor`` and ``alarms`` along time, the
        latter what was wrong when the product was made (in any tile), empty where nothing was. A
        map has the size of its whole grid. Static fields of the pixels are left out.

    Raises:
        InputError: the directory holds no cycling run, or one without a product.
    """
    root = Path(run)
    plan = read_plan(root) if (root / PLAN).is_file() else None
    if plan is None:
        if not (root / LEDGER).is_file():
            raise InputError(f"{root}: holds no {LEDGER}, so no cycling run; give its directory")
        parts = [Part(root, (0, 0), (0, 0), *_products(root))]
    else:
        folders = [(tile, plan.folder(root, tile)) for tile in plan.tiles]
        parts = [
            Part(folder, tile.rows, tile.columns, *_products(folder))
            for tile, folder in folders
            if (folder / LEDGER).is_file()
        ]
    parts = [part for part in parts if part.products]
    if not parts:
        raise InputError(f"{root}: no acquisition is assimilated yet, so there is no product")
    keys = sorted({key for part in parts for key in part.products})
    stood = [sorted({one for part in parts for one in part.alarms.get(k, ())}) for k in keys]
    told = {
        "sensor": ("time", [key[1] for key in keys], {"long_name": "sensor"}),
        "alarms": ("time", ["; ".join(one) for one in stood], {"long_name": "alarms that stood"}),
    }
    pixels = read_products(parts[0].root / PIXELS)
    if pixels.attrs["kind"] == "point":
        return _points([parts[0].products[key] for key in keys]).assign_coords(told)
    size = int(pixels.attrs["height"]), int(pixels.attrs["width"])
    if plan is None:
        parts = [parts[0]._replace(rows=(0, size[0] - 1), columns=(0, size[1] - 1))]
    return _map(parts, keys, pixels, size).assign_coords(told)


def _products(root: Path) -> tuple[dict[Key, Path], dict[Key, list[str]]]:
    """The products of the current cycles of a run directory, and the alarms that stood."""
    found: dict[Key, Path] = {}
    stood: dict[Key, list[str]] = {}
    last, alike = None, 0
    with Ledger(root / LEDGER, reads=True) as ledger:
        for cycle in ledger.cycles():
            told = cycle.arrival.key[:3]
            alike = alike + 1 if told == last else 0
            last = told
            found[(*told, alike)] = root / cycle.product
            if alarms := cycle.scores.get("alarms"):
                stood[(*told, alike)] = [str(one) for one in alarms]
    return found, stood


def _points(paths: Sequence[Path]) -> xr.Dataset:
    """Products of points; those that joined later are missing before."""
    found = xr.open_mfdataset(
        [str(path) for path in paths],
        combine="nested",
        concat_dim="time",
        data_vars="minimal",
        coords="minimal",
        compat="no_conflicts",
        join="outer",
        combine_attrs="drop_conflicts",
    )
    found.attrs.pop("alarms", None)  # of some of them; a coordinate tells of each
    return found


def _map(
    parts: Sequence[Part], keys: Sequence[Key], pixels: xr.Dataset, size: tuple[int, int]
) -> xr.Dataset:
    """Products of a map, chunk by chunk."""
    places = {key: place for place, key in enumerate(keys)}
    files = {
        (places[key], part.rows[0], part.columns[0]): str(path)
        for part in parts
        for key, path in part.products.items()
    }
    rows = _chunks([part.rows for part in parts], size[0])
    columns = _chunks([part.columns for part in parts], size[1])
    with opened(next(iter(files.values()))) as first:
        sample = first.isel(time=slice(0, 0), y=slice(0, 0), x=slice(0, 0)).load()
    found: dict[str, Any] = {}
    for name, array in sample.data_vars.items():
        if "y" not in array.dims:
            found[str(name)] = array
            continue
        extra = [(sample.sizes[d],) for d in array.dims if d not in ("time", "y", "x")]
        chunks = (*extra, (1,) * len(keys), rows, columns)
        load = partial(_load, name=str(name), files=files)
        data = da.map_blocks(load, chunks=chunks, dtype=np.float32, meta=np.empty((0,) * 4, "f4"))
        found[str(name)] = (array.dims, data, array.attrs)
    coords: dict[str, Any] = {
        "time": ("time", from_days(np.array([k[0] for k in keys])).astype("datetime64[ns]")),
    }
    coords["time"] = (*coords["time"], sample["time"].attrs)
    for axis, length in zip("yx", size, strict=True):
        known = f"grid_{axis}" in pixels.coords
        numbers = pixels[f"grid_{axis}"].values if known else np.arange(length, dtype=np.float64)
        coords[axis] = (axis, numbers, sample[axis].attrs)
    if "quantile" in sample.coords:
        coords["quantile"] = sample["quantile"]
    kept = {k: v for k, v in sample.attrs.items() if k not in ("sensor", "product", "alarms")}
    return xr.Dataset(found, coords, kept)


def _chunks(spans: Sequence[tuple[int, int]], length: int) -> tuple[int, ...]:
    """Sizes of chunks along an axis, with the borders of all tiles among theirs."""
    borders = {0, length} | {first for first, _ in spans} | {last + 1 for _, last in spans}
    return tuple(int(step) for step in np.diff(sorted(borders)))


def _load(block_info: dict[Any, Any], name: str, files: dict[Corner, str]) -> NDArray[np.float32]:
    """The numbers of one chunk; missing where there is no product."""
    about = block_info[None]
    *_, (time, _), (row, _), (column, _) = about["array-location"]
    shape = tuple(about["chunk-shape"])
    path = files.get((time, row, column))
    if path is None:
        return np.full(shape, np.nan, np.float32)
    with opened(path) as file:
        values = np.asarray(file[name].values, dtype=np.float32)
    if values.shape != shape:
        raise InputError(f"{path}: has the shape {values.shape}, its tile {shape}; restore it")
    return values
