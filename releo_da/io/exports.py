"""Copies of a product in other formats: a Zarr store and a table of text.

    analysis.nc  ->  analysis.zarr   the same variables, coordinates and attributes, in chunks
                 ->  analysis.csv    a row per time, place and variable; units in a column

Both are made from the netCDF file when it is whole, so that they hold its numbers and its
provenance. A map is copied strip by strip: memory holds `HELD` bytes, about, of one variable.

The store has version 2 of the format and consolidated metadata, which GDAL, QGIS, R and Julia
read. A chunk holds all dates of a tile, as series of a place are read more often than whole dates.

A table cannot say what its columns are; a file beside it, ``analysis.csv-metadata.json``, does, in
the form of CSV on the Web, with the global attributes of the product and those of each variable.

References: Zarr storage specification, version 2; W3C, Metadata Vocabulary for Tabular Data (2015).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import xarray as xr

from releo_da.io.archive import plain
from releo_da.io.atomic import replacing, replacing_folder, write_text_atomic
from releo_da.io.auxiliary import FIELDS
from releo_da.io.netcdf import opened
from releo_da.io.times import isoformat, to_days

HELD = 64 * 2**20
"""Bytes, about, of one variable that are in memory while a map is copied."""

TILE = 256
"""Columns of a chunk."""

PLACE = ("y", "x", "point")
"""Axes of space."""

SUFFIX = "-metadata.json"
"""What the description of a table is called, after the name of the table."""


def write_zarr(source: str | Path, target: str | Path) -> None:
    """Copy a product to a Zarr store, which takes its name when it is whole.

    Args:
        source: a netCDF file of `releo_da.io.products`.
        target: the folder.

    Raises:
        InputError: the file is missing or damaged.
    """
    # One thread: the netCDF library knows no other, and one strip is in memory at a time.
    with (
        opened(source) as dataset,
        replacing_folder(target) as aside,
        dask.config.set(scheduler="synchronous"),
    ):
        strip = _strip(dataset)
        encoding = {name: _encoding(array, strip) for name, array in dataset.variables.items()}
        dataset.drop_encoding().chunk(strip).to_zarr(
            aside, mode="w", zarr_format=2, consolidated=True, encoding=encoding
        )


def write_csv(source: str | Path, target: str | Path) -> None:
    """Copy a product to a long table and its description.

    Columns: time (ISO 8601, UTC), of points ``point`` and where they are known ``lon`` and ``lat``,
    of a map ``id`` (row x width + column), ``y`` and ``x``; static fields where there are some
    (`releo_da.io.auxiliary`); then ``variable``, ``unit``, ``mean``,
    ``spread`` and the quantiles, ``q05`` for 0.05. Numbers have nine digits, so that those of 32
    bits come back as they were. Pixels of a map that were not estimated have no rows.

    Args:
        source: a netCDF file of `releo_da.io.products`, small enough for memory.
        target: the table.

    Raises:
        InputError: the file is missing or damaged.
    """
    with opened(source) as dataset:
        held = dataset.load()
    with replacing(target) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        for number, part in enumerate(_tables(held)):
            part.to_csv(file, index=False, header=not number, float_format="%.9g")
    described = json.dumps(plain(_described(held, Path(target).name), finite=True), indent=2)
    write_text_atomic(f"{target}{SUFFIX}", described + "\n")


def remove(target: str | Path) -> None:
    """Remove a copy that an earlier run left, a table with its description."""
    target = Path(target)
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.with_name(target.name + SUFFIX).unlink(missing_ok=True)


def variables_of(dataset: xr.Dataset) -> list[str]:
    """The names of the output variables of a product, without spread, quantiles and vectors."""
    layers = {
        str(name)
        for name, array in dataset.data_vars.items()
        if "time" in array.dims and set(array.dims) <= {*PLACE, "time", "quantile"}
    }
    derived = {name + end for name in layers for end in ("_spread", "_quantile")}
    return [str(name) for name in dataset.data_vars if str(name) in layers - derived]


def _strip(dataset: xr.Dataset) -> dict[Hashable, int]:
    """What is read at once: whole rows, as many as a chunk of the file has, or so many points."""
    first = dataset[variables_of(dataset)[0]]
    layers = dataset.sizes["time"] * dataset.sizes.get("quantile", 1) * 4
    if "y" not in dataset.sizes:
        points = max(HELD // (layers * 16), 1)  # chunks of a few MiB
        return {"point": min(points, max(dataset.sizes["point"], 1))}
    fitting = max(HELD // (layers * dataset.sizes["x"]), 1)
    stored = int(first.encoding.get("preferred_chunks", {}).get("y", dataset.sizes["y"]))
    rows = fitting if stored > fitting else fitting // stored * stored
    return {"y": min(rows, dataset.sizes["y"]), "x": dataset.sizes["x"]}


def _encoding(array: xr.Variable, strip: dict[Hashable, int]) -> dict[str, Any]:
    """How an array is stored: types and units of the file, all dates of a tile in a chunk."""
    told: dict[str, Any] = {}
    if array.dtype.kind == "f":
        told["_FillValue"] = array.encoding.get("_FillValue")
    if array.dtype.kind == "M":
        told |= {key: array.encoding[key] for key in ("units", "calendar", "dtype")}
        told["_FillValue"] = None
    if {"y", "point"} & set(array.dims) and len(array.dims) > 1:
        sizes = dict(array.sizes) | strip
        most = {"x": TILE} | {d: 1 for d in array.dims if d not in (*PLACE, "time", "quantile")}
        told["chunks"] = tuple(min(sizes[d], most.get(d, sizes[d])) for d in array.dims)
    return told


def _tables(dataset: xr.Dataset) -> Iterator[pd.DataFrame]:
    """The rows of each date and variable."""
    place = _place(dataset) | _fields(dataset)
    of_map = "y" in dataset.sizes
    for number, time in enumerate(to_days(dataset["time"].values)):
        now = dataset.isel(time=number)
        for name in variables_of(dataset):
            columns: dict[str, Any] = {"time": isoformat(float(time)), **place}
            columns |= {"variable": name, "unit": dataset[name].attrs["units"]}
            columns |= {key: values.values.ravel() for key, values in _layers(now, name).items()}
            table = pd.DataFrame(columns)
            yield table[table["mean"].notna()] if of_map else table


def _layers(dataset: xr.Dataset, name: str) -> dict[str, xr.DataArray]:
    """Mean, spread and quantiles of a variable, by the names of their columns."""
    found = {"mean": dataset[name]}
    if f"{name}_spread" in dataset:
        found["spread"] = dataset[f"{name}_spread"]
    for level in dataset["quantile"].values if f"{name}_quantile" in dataset else ():
        per_cent = f"{100 * level:g}"
        found[f"q{per_cent:0>2}"] = dataset[f"{name}_quantile"].sel(quantile=level)
    return found


def _place(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """Columns that say where a row lies."""
    if "y" not in dataset.sizes:
        names = [n for n in ("point", "lon", "lat") if n in dataset.coords]
        return {name: dataset[name].values for name in names}
    y, x = np.meshgrid(dataset["y"].values, dataset["x"].values, indexing="ij")
    return {"id": np.arange(y.size), "y": y.ravel(), "x": x.ravel()}


def _fields(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """Columns of static fields."""
    return {name: dataset[name].values.ravel() for name in FIELDS if name in dataset.coords}


def _described(dataset: xr.Dataset, name: str) -> dict[str, Any]:
    """The description of a table, as CSV on the Web has it."""
    first = next(iter(_tables(dataset.isel(time=slice(0, 1)))))
    types = {"i": "integer", "f": "number"}
    columns = [
        {
            "name": column,
            "datatype": "dateTime" if column == "time" else types.get(values.dtype.kind, "string"),
            **_attributes(dataset, column),
        }
        for column, values in first.items()
    ]
    variables = {n: _attributes(dataset, n) for n in variables_of(dataset)}
    mapping = {"crs": _attributes(dataset, "crs")} if "crs" in dataset else {}
    return {
        "@context": "http://www.w3.org/ns/csvw",
        "url": name,
        "tableSchema": {"columns": columns},
        "notes": [{"attributes": dataset.attrs, "variables": variables, **mapping}],
    }


def _attributes(dataset: xr.Dataset, name: Hashable) -> dict[str, Any]:
    """Attributes of a variable or coordinate, nothing where the table has another of its own."""
    return dict(dataset[name].attrs) if name in dataset.variables else {}
