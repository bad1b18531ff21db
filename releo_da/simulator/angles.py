"""Angles of a simulation under the names in use, brought to those of the canopy model.

    sun_zenith  -> tts          view_zenith -> tto
    sun_azimuth and view_azimuth, or relative_azimuth -> psi in [0, 180]
    time, lon and lat -> where the sun stands, as far as it is needed and not given
    slope and aspect -> all three about the normal of the ground, from both azimuths

The sun's place, the fold of the azimuth and the slope are those of `releo_da.io.geometry`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from releo_da.io.geometry import fold, relative_azimuth, sun_position, viewing_on_slope
from releo_da.io.names import nearest
from releo_da.simulator.validity import ANGLES, Place, check
from releo_da.types import InputError

SYNONYMS = {"sun_zenith": "tts", "view_zenith": "tto", "relative_azimuth": "psi"}
AZIMUTHS = ("sun_azimuth", "view_azimuth")
MOMENT = ("time", "lon", "lat")
SLOPE = ("slope", "aspect")
KNOWN = (*ANGLES, *SYNONYMS, *AZIMUTHS, *MOMENT, *SLOPE)
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
        InputError: a name is unknown, given twice or in two ways, the sun zenith is missing, a view
            zenith comes without its azimuth, a slope without its aspect or both azimuths, a place
            is not on Earth, an angle is not finite, or the sun or the sensor is behind the slope.
    """
    found = _named(given)
    _refuse_contradictions(found)
    by_azimuths = "slope" in found or "view_azimuth" in found
    sun_is_known = "tts" in found and ("sun_azimuth" in found or not by_azimuths)
    if not sun_is_known and set(MOMENT) <= set(found):
        found = _sun(found) | found
    if "tts" not in found:
        raise InputError(
            f"{WHERE}: the sun zenith is missing; give sun_zenith or tts in degrees, or time, lon "
            "and lat"
        )
    if "tto" in found and not {"psi", "view_azimuth"} & set(found):
        raise InputError(
            f"{WHERE}: the view zenith comes without its azimuth; add relative_azimuth (psi), or "
            "sun_azimuth and view_azimuth"
        )
    if by_azimuths and "sun_azimuth" not in found:
        raise InputError(
            f"{WHERE}: the azimuth of the sun is missing; add sun_azimuth, or time, lon and lat"
        )
    if "slope" in found:
        return _on_slope(found)
    if by_azimuths:
        azimuths = _checked(found, AZIMUTHS)
        relative = relative_azimuth(*(array.values for array in azimuths))
        found["psi"] = azimuths[0].copy(data=relative)
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


def _refuse_contradictions(found: Mapping[str, xr.DataArray]) -> None:
    """Refuse angles that say the same in two ways, or half of what they should."""
    if {"psi", "view_azimuth"} <= set(found):
        raise InputError(
            f"{WHERE}: relative_azimuth (psi) and view_azimuth both say where the sensor stands; "
            "keep one"
        )
    if ("slope" in found) != ("aspect" in found):
        raise InputError(f"{WHERE}: slope and aspect need each other; give both or neither")
    if {"slope", "psi"} <= set(found):
        raise InputError(
            f"{WHERE}: on a slope it matters where sun and sensor stand, not only the angle "
            "between them; give sun_azimuth and view_azimuth in place of relative_azimuth (psi)"
        )


def _checked(found: Mapping[str, xr.DataArray], names: tuple[str, ...]) -> tuple[xr.DataArray, ...]:
    """Arrays by name, checked and brought to one shape."""
    for name in names:
        check(name, found[name].values, place(found[name]))
    return together(*(found[name] for name in names))


def _sun(found: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Where the sun stands at a time and place."""
    moment = _checked(found, MOMENT)
    angles = sun_position(*(array.values for array in moment))
    return {
        name: moment[0].copy(data=angle)
        for name, angle in zip(("tts", "sun_azimuth"), angles, strict=True)
    }


def _on_slope(found: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """The three angles about the normal of the ground."""
    nadir = {name: xr.DataArray(0.0) for name in ("tto", "view_azimuth")}
    names = ("tts", "sun_azimuth", "tto", "view_azimuth", *SLOPE)
    arrays = _checked(nadir | dict(found), names)
    frame = arrays[0]
    local = viewing_on_slope(*(array.values for array in arrays))
    for position, who in enumerate(("sun", "sensor")):
        zenith = local[..., position]
        behind = np.flatnonzero(zenith >= 90.0)
        if behind.size:
            raise InputError(
                f"{place(frame)('slope', int(behind[0]))}: the {who} is behind the slope, "
                f"{zenith.flat[behind[0]]:.1f} degrees from its normal; leave such ground out"
            )
    return {name: frame.copy(data=local[..., k]) for k, name in enumerate(ANGLES)}
