"""What a canopy may be: names and limits, refused at one place for the command and for Python.

Only the unphysical is refused: negative contents, fewer than one leaf layer, fractions outside 0-1,
angles outside 0-90 degrees, a soil that reflects more light than it gets, what is not finite.
Bounds of priors say what is likely and are no limits here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from releo_da.io.names import nearest
from releo_da.physics.leaf_angles import CAMPBELL, VERHOEF, angle_names
from releo_da.physics.optics import LeafModel
from releo_da.physics.prosail import VARIABLES, variable_names
from releo_da.physics.soil_spectra import SoilSpectra
from releo_da.types import InputError

ANGLES = ("tts", "tto", "psi")
"""Sun zenith, view zenith, relative azimuth, in degrees."""

CANOPY = {
    "n": 1.5, "cab": 40.0, "car": 8.0, "ant": 0.0, "cbrown": 0.0, "cw": 0.015, "cm": 0.006,
    "lai": 3.0, "ala": 57.0, "hspot": 0.2, "psoil": 0.5, "rsoil": 1.0,
}  # fmt: skip
"""A green canopy with half of the variables' range on either side: a place to start from."""

KNOWN = (*VARIABLES, *VERHOEF, "soil_moisture")
"""Every variable that a simulation may take."""

PLAIN: LeafModel = "prospect_d"
"""The leaf model unless another is asked for."""

WITHOUT = ("ant",)
"""Variables that the other one, PROSPECT-5, does not know."""

INFINITE = float("inf")
LIMITS = {
    **dict.fromkeys(("cab", "car", "ant", "cbrown", "cw", "cm", "lai", "hspot"), (0.0, INFINITE)),
    "n": (1.0, INFINITE),
    "ala": (0.0, 90.0),
    **dict.fromkeys(VERHOEF, (-1.0, 1.0)),
    **dict.fromkeys(("psoil", "soil_moisture"), (0.0, 1.0)),
    "rsoil": (0.0, INFINITE),
    "tts": (0.0, 90.0),
    "tto": (0.0, 90.0),
    "slope": (0.0, 90.0),
    "lon": (-180.0, 360.0),
    "lat": (-90.0, 90.0),
}
"""Least and largest value; a zenith angle of exactly 90 degrees is refused as well."""

Place = Callable[[str, int], str]
"""``place(name, position)`` begins a message about one value of a flat array."""


def settle(
    given: Iterable[str],
    where: str,
    what: str,
    angles: tuple[str, ...] = (),
    leaf: LeafModel = PLAIN,
) -> tuple[str, ...]:
    """Names of what a simulation takes from the names given.

    Args:
        given: names of variables.
        where: file or function, the beginning of a message.
        what: the kind of thing named, as in "column".
        angles: those that must be among them.
        leaf: the leaf model; anthocyanins may be left out of one that knows none.

    Raises:
        InputError: a name is unknown, one is missing, or leaf angles are given in two ways.
    """
    names, known = tuple(given), (*KNOWN, *angles)
    for name in names:
        if name not in known:
            raise InputError(
                f"{where}: unknown {what} '{name}'{nearest(name, known)} Correct or remove it; "
                f"known are {', '.join(known)}"
            )
    spare = CAMPBELL if leaf == PLAIN else (*CAMPBELL, *WITHOUT)
    needed = [name for name in (*VARIABLES, *angles) if name not in spare]
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(
            f"{where}: lacks the {what} {', '.join(missing)}; give all of {', '.join(needed)}, and "
            "ala or lidfa and lidfb"
        )
    try:
        angle_names(names)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return tuple(n for n in (*variable_names((*names, *WITHOUT)), *angles) if n in names)


def check(name: str, values: NDArray[np.float64], place: Place) -> None:
    """Refuse values that are not finite or not physical.

    Args:
        name: of the variable or angle.
        values: any shape; positions are those of the flat array.
        place: begins the message.

    Raises:
        InputError: the first such value, named by its place, and what is accepted instead.
    """
    least, largest = LIMITS.get(name, (-INFINITE, INFINITE))
    fits = np.isfinite(values) & (values >= least) & (values <= largest)
    if name in ANGLES:
        fits &= values < largest
    if not fits.all():
        position = int(np.flatnonzero(~fits)[0])
        raise InputError(
            f"{place(name, position)}: {values.flat[position]:g} is unphysical; "
            f"give {_range(name, least, largest)}"
        )


def check_together(
    columns: Mapping[str, NDArray[np.float64]],
    place: Place,
    leaf: LeafModel,
    soil: SoilSpectra,
) -> None:
    """Refuse values that are physical alone and not together.

    Args:
        columns: variables by name, each ``[row]`` or of one value.
        place: begins the message.
        leaf: the leaf model.
        soil: the spectra that psoil mixes.

    Raises:
        InputError: the first row in which ``|lidfa| + |lidfb|`` exceeds 1, in which there are
            pigments that the leaf model does not know, or whose soil reflects more than 1.
    """
    if leaf != PLAIN and "ant" in columns and columns["ant"].any():
        raise InputError(
            f"{place('ant', int(np.flatnonzero(columns['ant'])[0]))}: PROSPECT-5 knows no "
            "anthocyanins; give 0, or use the leaf model prospect_d"
        )
    if set(VERHOEF) <= set(columns):
        size = np.abs(columns["lidfa"]) + np.abs(columns["lidfb"])
        # Two decimal fractions that add up to 1 may differ from it in the last bit.
        wrong = np.flatnonzero(size > 1.0 + 1e-12)
        if wrong.size:
            raise InputError(
                f"{place('lidfa', int(wrong[0]))}: |lidfa| + |lidfb| is {size[wrong[0]]:g}; "
                "give at most 1"
            )
    mixed = brightest(soil, columns["psoil"])
    brightness = columns["rsoil"] * mixed
    bright = np.flatnonzero(brightness > 1.0 + 1e-12)
    if bright.size:
        row = int(bright[0])
        limit = 1.0 / np.broadcast_to(mixed, brightness.shape)[row]
        raise InputError(
            f"{place('rsoil', row)}: the soil reflects up to {brightness[row]:.3g} of the light it "
            f"gets, which is unphysical; give an rsoil of at most {math.floor(limit * 1e3) / 1e3:g}"
        )


def brightest(soil: SoilSpectra, psoil: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest reflectance over wavelengths of ``psoil dry + (1 - psoil) wet``.

    A wavelength at which another one is brighter in both spectra is never the brightest; of the
    published soils ten are left.

    Args:
        soil: the two spectra.
        psoil: dry fraction, any shape.

    Returns:
        Reflectance before the factor rsoil, in the shape of `psoil`.
    """
    dry, wet = soil.dry.numpy(), soil.wet.numpy()
    order = np.lexsort((-wet, -dry))
    rises = np.diff(np.maximum.accumulate(wet[order]), prepend=-1.0) > 0.0
    most = np.zeros(psoil.shape)
    for at in order[rises]:
        np.maximum(most, psoil * dry[at] + (1.0 - psoil) * wet[at], out=most)
    return most


def check_result(values: NDArray[np.float64], start: int, place: Place) -> None:
    """Refuse rows without a finite result, ``[row, column]``, the first of which is `start`.

    Raises:
        InputError: the first such row.
    """
    wrong = np.flatnonzero(~np.isfinite(values).all(1))
    if wrong.size:
        raise InputError(
            f"{place('lai', start + int(wrong[0]))} and the other variables there: no finite "
            "reflectance; their values are too extreme"
        )


def _range(name: str, least: float, largest: float) -> str:
    """What a variable accepts, in words."""
    if least == -INFINITE:
        return "a finite number"
    if largest == INFINITE:
        return f"a finite number of at least {least:g}"
    return f"a number from {least:g} to {'below ' * (name in ANGLES)}{largest:g}"


def repeated(names: Sequence[str]) -> str | None:
    """The first name that appears twice, if one does."""
    return next((name for name in names if names.count(name) > 1), None)
