"""``vary``: what is drawn anew for every block that an encoder is trained on.

    crops:
      vary: {latitude: [40, 56], discrepancy: [0.02, 0.12], variety: [0, 2], satellites: [1, 4]}
      source: {twin: {nature: wofost, place: [6.8, 52.0], satellites: [...]}}

A number is drawn between the two that stand there and takes the place of that of the source. An
encoder that has met one kind of soil, leaf, gain or sky takes what they have in common for a law;
one that has met many has to be content with less (Tobin et al. 2017, arXiv:1703.06907, domain
randomisation).

    latitude      degrees north; the sun and the passes are those of there
    elevation     m
    cover         mean share of values that clouds hide, ``cloud.cover``
    undetected    share of the clear ones that lie under cloud, ``cloud.undetected``
    calibration, spectral, atmosphere, haze, noise      of ``instrument``
    discrepancy, variety, field_size                    of ``nature``
    satellites    how many of the source's look, chosen at random; of Sentinel-2A and 2B where it
                  names none

Where a land is true and latitude or elevation vary, its seasons come later by Hopkins' law, four
days per degree of latitude and per 122 m (Hopkins 1920, J. Washington Acad. Sci. 10, 34-40), and
by `SCATTER` more or less, at most as much as a land may be late: of these two fields of a place
alone simulations have something to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releo_da.config.natures import LATEST
from releo_da.config.twin_source import SATELLITES
from releo_da.types import InputError

PLACES = ("latitude", "elevation")
RANGES = {
    **dict.fromkeys(("cover", "undetected"), "cloud"),
    **dict.fromkeys(("calibration", "spectral", "atmosphere", "haze", "noise"), "instrument"),
    **dict.fromkeys(("discrepancy", "variety", "field_size"), "nature"),
}
"""Where of a source what is drawn belongs to."""

PER_DEGREE, PER_METRE = 4.0, 4.0 / 122.0
"""Days by which spring is later."""

SCATTER = 7.0
"""Standard deviation (days) of what neither latitude nor height says of a season."""


def checked(vary: Any, where: str) -> dict[str, tuple[float, float]]:
    """The ranges of an entry.

    Raises:
        InputError: a name is not known, or what stands there is no range.
    """
    known = (*PLACES, *RANGES, "satellites")
    if not isinstance(vary, Mapping) or not set(vary) <= set(known):
        raise InputError(
            f"{where}: wants {{name: [least, most]}} of {', '.join(known)}, got {vary}"
        )
    found = {}
    for name, given in vary.items():
        pair = list(given) if isinstance(given, list | tuple) else []
        numbers = all(isinstance(n, int | float) and np.isfinite(n) for n in pair)
        if len(pair) != 2 or not numbers or not pair[0] <= pair[1]:
            raise InputError(f"{where}.{name} is {given}; give [least, most]")
        found[name] = (float(pair[0]), float(pair[1]))
    return found


def varied(
    twin: Mapping[str, Any],
    ranges: Mapping[str, tuple[float, float]],
    generator: np.random.Generator,
) -> tuple[dict[str, Any], dict[str, float]]:
    """A source with what was drawn, and what it says of the place.

    Args:
        twin: the section ``source.twin``.
        ranges: of `checked`.
        generator: of all randomness.
    """
    told = {key: value for key, value in twin.items()}
    number = {name: float(generator.uniform(*ranges[name])) for name in sorted(ranges)}
    scatter = SCATTER * float(generator.standard_normal())
    for name, part in RANGES.items():
        if name in number:
            told[part] = {**_options(told.get(part)), name: number[name]}
    if "satellites" in number:
        those = told.get("satellites", SATELLITES)
        told["satellites"] = chosen(those, ranges["satellites"], generator)
    place = {name: number[name] for name in PLACES if name in number}
    if place:
        home = list(told.get("place", (0.0, 45.0)))
        north = place.get("latitude", home[1])
        told["place"] = [home[0], north]
        if told.get("nature") is not None:
            later = PER_DEGREE * (north - home[1]) + PER_METRE * place.get("elevation", 0.0)
            within = float(np.clip(later + scatter, -LATEST, LATEST))
            told["nature"] = {**_options(told["nature"]), "later": within}
    return told, place


def chosen(
    satellites: Sequence[Any], number: tuple[float, float], generator: np.random.Generator
) -> list[Any]:
    """Some of the satellites, in their order."""
    least, most = (int(np.clip(round(n), 1, len(satellites))) for n in number)
    kept: NDArray[np.int64] = generator.permutation(len(satellites))
    return [satellites[k] for k in sorted(kept[: generator.integers(least, most + 1)])]


def _options(entry: Any) -> dict[str, Any]:
    """An entry of a configuration as a mapping."""
    if isinstance(entry, str):
        return {"name": entry}
    return dict(entry) if isinstance(entry, Mapping) else {}
