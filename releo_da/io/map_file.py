"""The output variables of a large map, written strip by strip into one netCDF file.

The file is the one that `releo_da.io.products.write_products` writes of a map in memory: the same
variables, attributes and numbers. Pixels arrive block by block in ascending order of their ids; a
strip of whole rows is held until it is complete and then written, so that every chunk of the file
is compressed once. HDF5 would hold what is written as well, 64 MiB of each variable; its cache is
made as small as a chunk. The file is written aside and takes its name when it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from releo_da.io.atomic import replacing
from releo_da.io.netcdf import NETCDF
from releo_da.io.products import PACKED, Layer, Product, field_layers, products_dataset, store

HELD = 64 * 2**20
"""Bytes, about, of the strip that is held."""

CHUNK = 2**18
"""Bytes, at most, of a chunk of the file, which holds whole rows of one date."""

Array = NDArray[np.float32]


@contextmanager
def writing_map(
    path: str | Path,
    times: ArrayLike,
    pixels: xr.Dataset,
    described: Mapping[str, tuple[str, str]],
    levels: Sequence[float],
    attributes: Mapping[str, str],
    spread: bool = True,
    layers: Mapping[str, Layer] | None = None,
) -> Iterator[Callable[[NDArray[np.int64], Mapping[str, Array]], None]]:
    """A function that takes the output variables of pixels, for as long as the block lasts.

    Args:
        path: of the file.
        times: ``[time]`` days since 1970-01-01.
        pixels: the pixel axis of the map, whose static fields are written at once.
        described: unit and long name of each output variable.
        levels: probabilities of the quantiles.
        attributes: global ones.
        spread: whether the file holds the spread; a truth has none, and no quantiles.
        layers: variables beside them, that are no ensembles.

    Yields:
        ``write(ids, {variable: [statistic, time, pixel]})``; statistics are the mean, the spread
        and the quantiles, as far as the file holds them, or the ``size`` of a layer; ids ascend
        from call to call.
    """
    bare = pixels.isel(pixel=slice(0, 0))
    corner = bare.drop_vars(["grid_x", "grid_y"], errors="ignore").assign_attrs(height=1, width=1)
    days = np.asarray(times, dtype=np.float64)
    empty = np.empty((days.size, 0))
    products = {
        name: Product(empty, unit, text, empty if spread else None, dict.fromkeys(levels, empty))
        for name, (unit, text) in described.items()
    }
    beside = layers or {}
    nothing = {n: (one, np.empty((one.size, days.size, 0))) for n, one in beside.items()}
    described_all = products_dataset(days, corner, products, attributes, nothing)
    fields = field_layers(pixels)
    axes = products_dataset(days, bare, {}, attributes).assign_coords(fields)
    for axis in ("quantile", *dict.fromkeys(one.axis for one in beside.values() if one.axis)):
        if axis in described_all:
            axes = axes.assign_coords({axis: described_all[axis]})
    with replacing(path) as aside:
        with NETCDF:
            store(aside, axes)
            file = netCDF4.Dataset(aside, "a")
        try:
            strips = _Strips(file, described_all, list(described), list(fields), beside)
            yield strips.write
            strips.flush()
        finally:
            with NETCDF:
                file.close()


class _Strips:
    """Rows of the map that are gathered and, when they are complete, written.

    Args:
        file: with the axes of the whole map.
        layers: the output variables of one pixel, for their dimensions and attributes.
        names: of the output variables.
        fields: names of coordinates along rows and columns.
        beside: variables that are no ensembles.
    """

    def __init__(
        self,
        file: netCDF4.Dataset,
        layers: xr.Dataset,
        names: Sequence[str],
        fields: Sequence[str],
        beside: Mapping[str, Layer],
    ) -> None:
        self.file, self.beside = file, beside
        times, self.height, self.width = (len(file.dimensions[d]) for d in ("time", "y", "x"))
        spread = any(str(name).endswith("_spread") for name in layers)
        statistics = 1 + spread + layers.sizes.get("quantile", 0)
        row = 4 * self.width
        sizes = dict.fromkeys(names, statistics) | {n: one.size for n, one in beside.items()}
        fitting = HELD // max(row * times * sum(sizes.values()), 1)
        self.rows = min(max(min(fitting, CHUNK // row), 1), self.height)
        shape = (times, self.rows * self.width)
        self.held = {n: np.full((size, *shape), np.nan, np.float32) for n, size in sizes.items()}
        self.strip = 0
        with NETCDF:
            for name, array in layers.data_vars.items():
                if "y" not in array.dims:
                    continue
                chunks = {"y": self.rows, "x": self.width}
                made = file.createVariable(
                    str(name),
                    "f4",
                    [str(d) for d in array.dims],
                    chunksizes=[chunks.get(str(d), 1) for d in array.dims],
                    fill_value=np.float32(np.nan),
                    **PACKED,
                )
                made.set_var_chunk_cache(self.rows * row)
                made.setncatts(array.attrs)
                if fields:
                    made.setncattr("coordinates", " ".join(fields))

    def write(self, ids: NDArray[np.int64], values: Mapping[str, Array]) -> None:
        """Take the output variables of some pixels."""
        size = self.rows * self.width
        for strip in np.unique(ids // size):
            if strip != self.strip:
                self.flush()
                self.strip = int(strip)
            inside = ids // size == strip
            for name, held in self.held.items():
                held[..., ids[inside] - strip * size] = values[name][..., inside]

    def flush(self) -> None:
        """Write the strip that is held."""
        first = self.strip * self.rows
        last = min(first + self.rows, self.height)
        with NETCDF:
            for name, held in self.held.items():
                rows = held.reshape(*held.shape[:2], self.rows, self.width)[:, :, : last - first]
                if name in self.beside and self.beside[name].axis:
                    self.file[name][:, :, first:last] = rows
                    held.fill(np.nan)
                    continue
                self.file[name][:, first:last] = rows[0]
                if len(rows) > 1:
                    self.file[f"{name}_spread"][:, first:last] = rows[1]
                if len(rows) > 2:
                    self.file[f"{name}_quantile"][:, :, first:last] = rows[2:]
                held.fill(np.nan)
