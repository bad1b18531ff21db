"""Output variables as a CF netCDF file: mean, spread and quantiles over time and space.

    lai(time, y, x)  lai_spread(time, y, x)  lai_quantile(quantile, time, y, x)     of a grid
    lai(time, point) lai_spread(time, point) lai_quantile(quantile, time, point)    of points

An estimate holds at the instant of its time (cell method ``time: point``), so times have no bounds.
Pixels of a grid that were not estimated are missing. Every variable is compressed and carries a
Fletcher-32 checksum, because an uncompressed netCDF file hides flipped bits.

Reference: CF Metadata Conventions 1.10, chapters 4 (coordinates), 5.6 (grid mappings),
7.3 (cell methods) and appendices C, E and F.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from releo_da.io.atomic import replacing
from releo_da.io.auxiliary import FIELDS
from releo_da.io.crs import DEGREES, axis_attributes, grid_mapping
from releo_da.io.netcdf import NETCDF, opened
from releo_da.io.times import from_days

STANDARD_NAMES = {
    "lai": "leaf_area_index",
    "fapar": "fraction_of_surface_downwelling_photosynthetic_radiative_flux_absorbed_by_vegetation",
    "fcover": "vegetation_area_fraction",
    "albedo": "surface_albedo",
    "ndvi": "normalized_difference_vegetation_index",
}

DRAWN = 2**18
"""Pixels of a map, about, that are enough to draw it."""

PACKED: dict[str, Any] = {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}


class Product(NamedTuple):
    """One output variable.

    Attributes:
        mean: ``[time, pixel]``.
        unit: as UDUNITS writes it, "1" where there is none.
        long_name: for people.
        spread: ``[time, pixel]`` standard deviation of the ensemble, or None.
        quantiles: ``{probability: [time, pixel]}``, the same probabilities for all variables.
    """

    mean: ArrayLike
    unit: str
    long_name: str
    spread: ArrayLike | None = None
    quantiles: Mapping[float, ArrayLike] = {}


class Layer(NamedTuple):
    """A variable of a product that is no ensemble: a number, or a vector, per date and place.

    Attributes:
        attributes: units, long_name and others of CF.
        axis: name of the axis along a vector, "" of a number.
        size: length of the vector, 1 of a number.
    """

    attributes: Mapping[str, Any]
    axis: str = ""
    size: int = 1


def products_dataset(
    times: ArrayLike,
    pixels: xr.Dataset,
    products: Mapping[str, Product],
    attributes: Mapping[str, str] | None = None,
    layers: Mapping[str, tuple[Layer, ArrayLike]] | None = None,
) -> xr.Dataset:
    """The output variables as a CF data set, a grid unfolded to y and x.

    Args:
        times: ``[time]`` days since 1970-01-01.
        pixels: the pixel axis, `Series.pixels`.
        products: by variable name.
        attributes: global ones, as in ``title``, ``source``, ``history``.
        layers: others by name, with their values ``[size, time, pixel]``.

    Raises:
        ValueError: an array is not ``[time, pixel]``.
    """
    days = np.asarray(times, dtype=np.float64)
    size = (days.size, pixels.sizes["pixel"])
    coords = _coordinates(days, pixels)
    variables: dict[str, tuple] = {}
    for name, product in products.items():
        standard = {"standard_name": STANDARD_NAMES[name]} if name in STANDARD_NAMES else {}
        written = {name: (product.mean, "mean", product.long_name, standard)}
        if product.spread is not None:
            text = f"ensemble standard deviation of {product.long_name}"
            written[f"{name}_spread"] = (product.spread, "standard_deviation", text, {})
            standard["ancillary_variables"] = f"{name}_spread"
        for key, (values, method, text, more) in written.items():
            attrs = {"long_name": text, "units": product.unit, **more}
            attrs["cell_methods"] = f"time: point realization: {method}"
            variables[key] = (*_unfolded(values, pixels, size), attrs | _mapping(pixels))
        if product.quantiles:
            stacked = [_unfolded(values, pixels, size) for values in product.quantiles.values()]
            attrs = {"long_name": f"quantiles of {product.long_name}", "units": product.unit}
            attrs["cell_methods"] = "time: point"
            array = np.stack([layer for _, layer in stacked])
            variables[f"{name}_quantile"] = (
                ("quantile", *stacked[0][0]),
                array,
                attrs | _mapping(pixels),
            )
            coords["quantile"] = (
                "quantile",
                np.array(list(product.quantiles), dtype=np.float64),
                {"long_name": "probability below the quantile", "units": "1"},
            )
    for name, (layer, given) in (layers or {}).items():
        parts = [_unfolded(part, pixels, size) for part in np.asarray(given)]
        attrs = {**layer.attributes, "cell_methods": "time: point", **_mapping(pixels)}
        array = np.stack([part for _, part in parts]) if layer.axis else parts[0][1]
        axes = (layer.axis,) if layer.axis else ()
        variables[name] = ((*axes, *parts[0][0]), array, attrs)
        if layer.axis:
            told = {"long_name": f"position along {layer.axis}", "units": "1"}
            coords[layer.axis] = (layer.axis, np.arange(layer.size), told)
    if "crs" in pixels.attrs:
        # Points are given by longitude and latitude, whatever they were read in.
        crs = DEGREES if pixels.attrs["kind"] == "point" else pixels.attrs["crs"]
        variables["crs"] = ((), np.int32(0), grid_mapping(crs) | _geotransform(pixels))
    return xr.Dataset(variables, coords, {"Conventions": "CF-1.10", **(attributes or {})})


def write_products(path: str | Path, dataset: xr.Dataset) -> None:
    """Write a data set as netCDF-4, compressed and with checksums, whole or not at all."""
    with replacing(path) as aside:
        store(aside, dataset)


def store(path: str | Path, dataset: xr.Dataset) -> None:
    """Write a data set as netCDF-4, compressed and with checksums, in place.

    Texts are written as arrays of characters. Of strings of any length HDF5 (2.2.0) keeps where
    their file lay in memory, and a process that opens many such files in turn dies of it.
    """
    encoding: dict[str, dict[str, object]] = {
        str(name): dict(PACKED) for name, array in dataset.variables.items() if array.ndim
    }
    for name in encoding:
        kind = dataset[name].dtype.kind
        if kind == "f" and name in dataset.data_vars:
            encoding[name] |= {"dtype": "float32", "_FillValue": np.float32(np.nan)}
        elif kind == "f":
            encoding[name]["_FillValue"] = None
        elif kind == "M":
            units = "days since 1970-01-01 00:00:00"
            encoding[name] |= {"units": units, "calendar": "standard", "dtype": "float64"}
            encoding[name]["_FillValue"] = None
        elif kind in "OU":
            encoding[name]["dtype"] = "S1"
    with NETCDF:
        dataset.to_netcdf(path, engine="netcdf4", format="NETCDF4", encoding=encoding)


def read_products(path: str | Path) -> xr.Dataset:
    """The data set that `write_products` wrote, in memory.

    Raises:
        InputError: the file is missing, is not netCDF, or a checksum of it fails.
    """
    with opened(path) as dataset:
        return dataset.load()


def read_thinned(path: str | Path, ids: ArrayLike = (), most: int = DRAWN) -> xr.Dataset:
    """As `read_products`; of a large map, every so many-th row and column of the part in use.

    Args:
        path: of the file.
        ids: pixels of a regular sample of the map (`releo_da.io.strips`); where there are some,
            rows and columns are chosen so that theirs are among them, and none beyond them.
        most: pixels, about, beyond which a map is thinned.

    Returns:
        The data set in memory. A thinned one has the coordinate ``id``, ``[y, x]``.

    Raises:
        InputError: as `read_products`.
    """
    with opened(path) as dataset:
        if not {"y", "x"} <= set(dataset.sizes):
            return dataset.load()
        height, width = dataset.sizes["y"], dataset.sizes["x"]
        if height * width <= most:
            return dataset.load()
        wanted = [np.unique(axis) for axis in np.divmod(np.asarray(ids, dtype=np.int64), width)]
        spans = [_span(*one) for one in zip(wanted, (height, width), strict=True)]
        step = math.ceil(math.sqrt(math.prod(last - first for first, last in spans) / most))
        rows, columns = (_every(*one, step) for one in zip(wanted, spans, strict=True))
        small = dataset.isel(y=rows, x=columns)
        for name, array in dataset.data_vars.items():
            if "y" in array.dims:
                # Date by date, as whole chunks are decompressed and most of them thrown away.
                layers = [
                    array.isel(time=[t]).values[..., rows, :][..., columns]
                    for t in range(array.sizes["time"])
                ]
                small[name] = (
                    array.dims,
                    np.concatenate(layers, array.dims.index("time")),
                    array.attrs,
                )
        identity = rows[:, None] * width + columns
        return small.assign_coords(id=(("y", "x"), identity)).load()


def _span(wanted: NDArray[np.int64], size: int) -> tuple[int, int]:
    """First and last, exclusive, of the positions that a sample stands for; all without one."""
    if wanted.size < 2:
        return 0, size
    return int(wanted[0]), min(int(wanted[-1] + np.diff(wanted).min()), size)


def _every(wanted: NDArray[np.int64], span: tuple[int, int], step: int) -> NDArray[np.int64]:
    """Positions at a step of at least `step`, or a divisor of that of `wanted`, which they hold."""
    if wanted.size < 2:
        return np.arange(*span, step)
    apart = int(np.diff(wanted).min())
    step = next(k for k in range(step, apart + 1) if apart % k == 0) if step < apart else apart
    return np.arange(*span, step)


def _unfolded(
    values: ArrayLike, pixels: xr.Dataset, size: tuple[int, int]
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Dimensions and values of ``[time, pixel]`` on the grid, missing where no pixel is."""
    array = np.asarray(values, dtype=np.float32)
    if array.shape != size:
        raise ValueError(f"values of shape {array.shape} do not fit [time, pixel] = {size}")
    if pixels.attrs["kind"] == "point":
        return ("time", "point"), array
    height, width = pixels.attrs["height"], pixels.attrs["width"]
    grid = np.full((size[0], height * width), np.nan, dtype=np.float32)
    grid[:, pixels["id"].values] = array
    return ("time", "y", "x"), grid.reshape(size[0], height, width)


def _coordinates(days: NDArray[np.float64], pixels: xr.Dataset) -> dict[str, tuple]:
    """Coordinate variables of time and space."""
    time = from_days(days).astype("datetime64[ns]")
    coords: dict[str, tuple] = {
        "time": ("time", time, {"standard_name": "time", "long_name": "time (UTC)", "axis": "T"})
    }
    degrees = {
        "lon": {"standard_name": "longitude", "units": "degrees_east"},
        "lat": {"standard_name": "latitude", "units": "degrees_north"},
    }
    if pixels.attrs["kind"] == "point":
        coords["point"] = ("point", pixels["id"].values, {"long_name": "pixel id"})
        if "label" in pixels.coords:
            names = pixels["label"].values.astype(str).astype(object)
            coords["label"] = ("point", names, {"long_name": "name of the pixel in its source"})
        for name, told in degrees.items():
            if name in pixels.coords:
                coords[name] = ("point", pixels[name].values, told)
        return coords | field_layers(pixels)
    described = axis_attributes(pixels.attrs["crs"]) if "crs" in pixels.attrs else {}
    for axis, length in (("y", "height"), ("x", "width")):
        if f"grid_{axis}" in pixels.coords:
            numbers = pixels[f"grid_{axis}"].values
            attrs: dict[str, object] = described.get(axis, {"long_name": f"{axis} coordinate"})
        else:
            numbers = np.arange(pixels.attrs[length], dtype=np.float64)
            attrs = {"long_name": f"position along {axis}", "units": "1"}
        coords[axis] = (axis, numbers, {**attrs, "axis": axis.upper()})
    return coords | field_layers(pixels)


def field_layers(pixels: xr.Dataset) -> dict[str, tuple]:
    """Static fields of a pixel axis as coordinates of products, missing where no pixel is."""
    found = {}
    for name, field in FIELDS.items():
        if name in pixels.coords:
            values = pixels[name].values[None]
            (_, *dims), (layer, *_) = _unfolded(values, pixels, values.shape)
            found[name] = (tuple(dims), layer, field.attributes)
    return found


def _geotransform(pixels: xr.Dataset) -> dict[str, str]:
    """The corner and the steps of a grid as GDAL reads them: x0 dx 0 y0 0 dy."""
    if pixels.attrs["kind"] == "point" or not {"grid_x", "grid_y"} <= set(pixels.coords):
        return {}
    parts = []
    for axis in ("grid_x", "grid_y"):
        centres = pixels[axis].values
        if centres.size < 2:
            return {}  # one row or column does not say how wide it is
        step = (centres[-1] - centres[0]) / (centres.size - 1)
        parts.append((centres[0] - step / 2, step))
    (x, dx), (y, dy) = parts
    return {"GeoTransform": f"{float(x)!r} {float(dx)!r} 0.0 {float(y)!r} 0.0 {float(dy)!r}"}


def _mapping(pixels: xr.Dataset) -> dict[str, str]:
    """The attribute that points to the coordinate system, where it is known."""
    return {"grid_mapping": "crs"} if "crs" in pixels.attrs else {}
