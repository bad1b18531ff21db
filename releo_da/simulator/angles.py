"""Angles of a simulation under the names in use, brought to those of the canopy model.

    sun_zenith  -> tts          view_zenith -> tto
    sun_azimuth and view_azimuth, or relative_azimuth -> psi in [0, 180]
    time, lon and lat -> where the sun stands, if no sun zenith is given

The sun's place and the fold of the azimuth are those of `releo_da.io.geometry`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from releo_da.io.geometry import fold, relative_azimuth, sun_position
from releo_da.io.names import nearest
from releo_da.simulator.validity import ANGLES, Place, check
from releo_da.types import InputError

SYNONYMS = {"sun_zenith": "tts", "view_zenith": "tto", "relative_azimuth": "psi"}
AZIMUTHS = ("sun_azimuth", "view_azimuth")
MOMENT = ("time", "lon", "lat")
KNOWN = (*ANGLES, *SYNONYMS, *AZIMUTHS, *MOMENT)
WHERE = "simulate: geometry"


def together(*arrays: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Arrays broadcast against each other by the names of their dimensions.

    Raises:
        InputError: they have coordinates or lengths of one dimension that differ.
    """
    try:
        return xr.broadcast(*xr.align(*arrays, join="exact"))
    except ValueError as error:
        raise InputError(f"simulate: arrays do not fit together: {error}") from None


def place(array: xr.DataArray) -> Place:
    """Beginnings of messages about the values of an array."""

    def say(name: str, position: int) -> str:
        index = np.unravel_index(position, array.shape)
        at = ", ".join(f"{dim}={k}" for dim, k in zip(array.dims, index, strict=True))
        return f"simulate: '{name}'" + (f" at {at}" if at else "")

    return say


def angles_of(given: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Sun zenith ``tts``, view zenith ``tto`` and relative azimuth ``psi`` in degrees.

    Args:
        given: arrays by name; ``time`` in days since 1970-01-01, ``lon`` and ``lat`` in degrees.
            Without a view zenith the sensor looks straight down.

    Raises:
        InputError: a name is unknown or given twice, the sun zenith is missing, a view zenith
            comes without its azimuth, or an azimuth is not finite.
    """
    found = _named(given)
    if "tts" not in found and set(MOMENT) <= set(found):
        moment = together(*(found[name] for name in MOMENT))
        zenith, azimuth = sun_position(*(array.values for array in moment))
        found["tts"] = moment[0].copy(data=zenith)
        found.setdefault("sun_azimuth", moment[0].copy(data=azimuth))
    if "tts" not in found:
        raise InputError(
            f"{WHERE}: the sun zenith is missing; give sun_zenith or tts in degrees, or time, lon "
            "and lat"
        )
    if "psi" not in found and "view_azimuth" in found:
        found["psi"] = _relative(found)
    if "tto" in found and "psi" not in found:
        raise InputError(
            f"{WHERE}: the view zenith comes without its azimuth; add relative_azimuth (psi), or "
            "sun_azimuth and view_azimuth"
        )
    nadir = {name: xr.DataArray(0.0) for name in ("tto", "psi")}
    chosen = nadir | {name: found[name] for name in ANGLES if name in found}
    check("psi", chosen["psi"].values, place(chosen["psi"]))
    chosen["psi"] = chosen["psi"].copy(data=fold(chosen["psi"].values))
    return {name: chosen[name] for name in ANGLES}


def _named(given: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """The arrays under the names of the canopy model."""
    found: dict[str, xr.DataArray] = {}
    for name, array in given.items():
        if name not in KNOWN:
            raise InputError(
                f"{WHERE}: unknown angle '{name}'{nearest(name, KNOWN)} Known: {', '.join(KNOWN)}"
            )
        short = SYNONYMS.get(name, name)
        if short in found:
            raise InputError(f"{WHERE}: '{name}' and '{short}' are the same angle; keep one")
        found[short] = array
    return found


def _relative(found: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """The angle between the two azimuths."""
    if "sun_azimuth" not in found:
        raise InputError(f"{WHERE}: view_azimuth is alone; add sun_azimuth")
    azimuths = together(*(found[name] for name in AZIMUTHS))
    for name, array in zip(AZIMUTHS, azimuths, strict=True):
        check(name, array.values, place(array))
    return azimuths[0].copy(data=relative_azimuth(*(array.values for array in azimuths)))
