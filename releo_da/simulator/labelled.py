"""The simulator on labelled arrays: `simulate`, and how its arguments are read.

Variables broadcast by the names of their dimensions, as in xarray: a leaf area along ``time`` and a
soil along ``point`` give reflectances along both. A plain list or array of one dimension is one row
of a table each (dimension ``row``); a number holds everywhere.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from releo_da.io.times import to_days
from releo_da.observation.derived import described
from releo_da.physics.optics import LeafModel
from releo_da.sensors import FIRST_NM, LAST_NM
from releo_da.simulator.angles import angles_of, place, together
from releo_da.simulator.rows import FACTORS, Factor, Plan, plan, simulated
from releo_da.simulator.validity import ANGLES, PLAIN, check, check_together, settle
from releo_da.types import InputError

ROW = "row"
"""Dimension of values that come without names of dimensions."""


def simulate(
    variables: xr.Dataset | pd.DataFrame | Mapping[str, Any],
    sensor: str | Path | None = None,
    geometry: xr.Dataset | pd.DataFrame | Mapping[str, Any] | None = None,
    derived: Sequence[str] = (),
    leaf: LeafModel = PLAIN,
    soil: str | Path | None = None,
    factor: Factor = "sdr",
) -> xr.Dataset:
    """Reflectances of canopies as a sensor sees them.

    Args:
        variables: by name, each a number, an array of one dimension or a DataArray: n (-), cab,
            car, ant (ug/cm2), cbrown (-), cw (cm), cm (g/cm2), lai (m2/m2), ala (degrees), hspot
            (-), psoil (dry fraction, 0-1), rsoil (-); lidfa and lidfb may take the place of ala,
            and soil_moisture (m3 m-3) puts water on the soil. Without ``geometry`` they hold the
            angles.
        sensor: name or path of a file; None gives the spectrum at 400, 401, ..., 2500 nm.
        geometry: angles in degrees, by name: ``tts``, ``tto``, ``psi``, or ``sun_zenith``,
            ``view_zenith``, and ``sun_azimuth`` with ``view_azimuth`` or ``relative_azimuth``. Any
            real azimuth is accepted. Without a view the sensor looks straight down. What is
            missing of the sun follows from ``time``, ``lon`` and ``lat``. With ``slope`` and
            ``aspect`` (the azimuth that the ground faces) and both azimuths, the angles are taken
            about the normal of the ground.
        derived: further variables: fapar, fcover, ccc, cwc, and indices of the sensor's channels
            such as ndvi, nbr or nd_B08_B11; one that is repeated counts once.
        leaf: leaf model, ``prospect_d`` or ``prospect_5``, which takes no anthocyanins.
        soil: path of a CSV of soil spectra, with the columns wavelength, dry and perhaps wet.
        factor: the light that comes and the light that is seen: ``sdr`` direct sunlight and the
            sensor's direction, ``dhr`` direct sunlight and all directions (black-sky albedo),
            ``bhr`` diffuse light and all directions (white-sky albedo), ``hdr`` diffuse light and
            the sensor's direction. Indices are formed of channels of this factor.

    Returns:
        A data set with ``reflectance[..., channel]`` (0-1, float64), or ``[..., wavelength]``, and
        one array ``[...]`` for each derived variable, with units and long names. ``channel`` has
        coordinates ``centre`` and ``width`` in nm.

    Raises:
        InputError: names are unknown, missing, twice or taken by the result, values are unphysical
            or not finite, or arrays do not fit together.
    """
    made = plan(None if sensor is None else str(sensor), derived, leaf, soil, factor)
    reserved = ("channel", "wavelength", "centre", "width", "reflectance", *made.derived)
    held = _arrays(variables, "variables", reserved)
    if geometry is None:
        angles = {name: held.pop(name) for name in ANGLES if name in held}
    else:
        angles = _arrays(geometry, "geometry", reserved)
    names = settle(held, "simulate: variables", "variable", leaf=leaf)
    columns = {name: held[name] for name in names} | angles_of(angles)
    for name, array in columns.items():
        check(name, array.values, place(array))
    whole = together(*columns.values())
    frame = whole[0]
    # What is one number for all rows stays one number: less memory, and less work in the geometry.
    flat = {
        name: array.values.reshape(-1) if array.size == 1 else one.values.reshape(-1)
        for (name, array), one in zip(columns.items(), whole, strict=True)
    }
    check_together(flat, place(frame), leaf, made.soil)
    values = np.empty((frame.size, len(made.names)))
    for part, block in simulated(made, flat, frame.size, place(frame)):
        values[part] = block
    coords: dict[Hashable, Any] = {}
    for array in whole:
        # A scalar left over from a selection gives way to the dimension of its name.
        kept = {k: c for k, c in array.coords.items() if c.dims or k not in frame.dims}
        coords = kept | coords
    return _labelled(made, frame, coords, values)


def _arrays(given: Any, which: str, reserved: Sequence[str]) -> dict[str, xr.DataArray]:
    """Each entry as a DataArray of float64, without names that the result needs."""
    if not isinstance(given, xr.Dataset | pd.DataFrame | Mapping):
        raise InputError(
            f"simulate: {which}: wants a Dataset, a table or a mapping by name, "
            f"got {type(given).__name__}"
        )
    items = given.data_vars.items() if isinstance(given, xr.Dataset) else given.items()
    arrays = {
        str(name): _array(value, f"simulate: {which}: '{name}'", name) for name, value in items
    }
    for name, array in arrays.items():
        taken = next((x for x in (*array.dims, *array.coords) if x in reserved), None)
        if taken is not None:
            raise InputError(
                f"simulate: {which}: '{name}' has a dimension or coordinate '{taken}', which is a "
                "name of the result; rename or drop it"
            )
    return arrays


def _array(value: Any, where: str, name: Hashable) -> xr.DataArray:
    """One entry as a DataArray of float64; dates as days since 1970-01-01."""
    if isinstance(value, pd.Series):
        # Rows of a table are those of a list, unless the table says what they are.
        named = value.index.nlevels > 1 or value.index.name is not None
        value = (value if named else value.rename_axis(ROW)).to_xarray()
    numbers = value.values if isinstance(value, xr.DataArray) else value
    try:
        numbers = np.asarray(numbers)
        dates = numbers.dtype.kind == "M"
        numbers = to_days(numbers) if dates else numbers.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"{where} is not an array of numbers; for tensors with gradients call "
            "releo_da.physics.prosail.prosail"
        ) from None
    if isinstance(value, xr.DataArray):
        return value.copy(data=numbers).rename(name)
    if numbers.ndim > 1:
        raise InputError(
            f"{where} has {numbers.ndim} dimensions without names; give a DataArray with dims"
        )
    return xr.DataArray(numbers, dims=[ROW] * numbers.ndim, name=name)


def _labelled(
    made: Plan, frame: xr.DataArray, coords: dict[Hashable, Any], values: np.ndarray
) -> xr.Dataset:
    """The result with its dimensions, coordinates and units."""
    count = len(made.names) - len(made.derived)
    shape, dims = frame.shape, frame.dims
    if made.sensor is None:
        axis = "wavelength"
        coords[axis] = (axis, np.arange(FIRST_NM, LAST_NM + 1), {"units": "nm"})
    else:
        axis = "channel"
        coords[axis] = (axis, list(made.sensor.channels), {"long_name": "channel of the sensor"})
        for name, numbers in (("centre", made.sensor.centres), ("width", made.sensor.widths)):
            told = {"units": "nm", "long_name": f"{name} of the spectral response"}
            coords[name] = (axis, list(numbers), told)
    told = {"units": "1", "long_name": FACTORS[made.factor]}
    held = {"reflectance": ((*dims, axis), values[:, :count].reshape(*shape, count), told)}
    for position, (name, (unit, long_name)) in enumerate(described(made.derived).items(), count):
        told = {"units": unit, "long_name": long_name}
        held[name] = (dims, values[:, position].reshape(shape), told)
    source = {} if made.sensor is None else {"sensor": made.sensor.name}
    return xr.Dataset(held, coords, source)
