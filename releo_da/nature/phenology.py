r"""Forests, grassland and bare soil by a phenology of ours.

Models of crops know no trees. A canopy here rises and falls as a double logistic (Beck et al. 2006,
Remote Sensing of Environment 100, 321-334), and leaves that lose their green hang on for a while:

    lai(t)  = low + (high - low) [s((t - rise) / p) - s((t - fall) / q)],     s(x) = 1 / (1 + e^-x)
    dead(t) = (high - low) hang [s((t - fall) / q) - s((t - fall - drop) / q)]
    stage(t) = s((t - rise) / p) + s((t - fall) / q)

Every year has a shift of its own, that all cohorts of a kind share (a warm or a cold spring), and
every cohort one that it keeps (altitude, provenance). Grassland is cut: after a cut at c what stood
falls to a fifth and returns as 1 - exp(-((t - c) / 18)^2). Deciduous trees without leaves and bare
soil have stage -1; evergreens and grass stay at 0.5, before flowering. The topsoil is that of
`releo_da.nature.topsoil`, under given weather or a Markov chain of wet and dry days.

Days of the year, shapes ``[cohort, day]``. Nothing here needs a package beyond numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from releo_da.nature.growth import Growth
from releo_da.nature.landscape import rainfall
from releo_da.nature.topsoil import SOILS, moisture
from releo_da.types import InputError

Array = NDArray[np.float64]


class Kind(NamedTuple):
    """Phenology of a kind of cover: days of the year, durations in days, leaf areas in m2/m2.

    ``leaf`` is the dry matter of leaves (kg/m2), ``hang`` the share of leaves that stay on when
    they have died, ``drop`` for how long.
    """

    rise: float
    rise_days: float
    fall: float
    fall_days: float
    low: float
    high: float
    leaf: float
    hang: float
    drop: float
    cuts: int


KINDS: Mapping[str, Kind] = {
    "deciduous_forest": Kind(120, 6.0, 288, 8.0, 0.0, 5.0, 0.075, 0.6, 14.0, 0),
    "evergreen_forest": Kind(140, 15.0, 270, 25.0, 3.2, 4.0, 0.20, 0.1, 20.0, 0),
    "grassland": Kind(95, 12.0, 300, 20.0, 0.9, 4.2, 0.045, 0.1, 20.0, 3),
    "bare_soil": Kind(120, 6.0, 288, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0),
}
"""Temperate covers, loosely: leaf-out at the end of April, leaf fall in October, a cut in May."""

LEAST_STAGE = 0.02
"""Below this share of its leaves, in spring as in autumn, a tree counts as leafless."""


class Weather(NamedTuple):
    """Rain (mm) and evaporation of a wet bare soil (mm), ``[day]`` of some years from 1 January."""

    rain: Array
    evaporation: Array


def year_days(year: int) -> int:
    """Days of a calendar year."""
    start = np.datetime64(f"{year}-01-01", "D"), np.datetime64(f"{year + 1}-01-01", "D")
    return int((start[1] - start[0]).astype(int))


def invented_weather(years: Sequence[int], seed: int) -> Weather:
    """Rain of a Markov chain, and evaporation that follows the sun of a temperate latitude.

    Args:
        years: each with a generator of its own, so that a year is the same in any selection.
        seed: of the generators.
    """
    rain = [rainfall(year_days(y), np.random.default_rng((seed, y, 0))) for y in years]
    day = np.concatenate([np.arange(year_days(y)) for y in years])
    return Weather(np.concatenate(rain), 2.1 + 1.9 * np.cos(2 * np.pi * (day - 180) / 365.25))


def regrowth(day: Array, cuts: Array) -> Array:
    """Share of the canopy that stands, ``[cohort, day]``, after cuts ``[cohort, cut]``."""
    since = day - cuts[..., None]
    back = 1.0 - 0.8 * np.exp(-((since / 18.0) ** 2))
    return np.where(since >= 0.0, back, 1.0).min(axis=1, initial=1.0)


def one_year(name: str, year: int, own: Array, vigour: Array, seed: int) -> dict[str, Array]:
    """Canopy of a kind in a year, ``[cohort, day]`` each.

    Args:
        name: in `KINDS`.
        year: of the calendar; it decides the shifts of spring and autumn that all cohorts share.
        own: ``[cohort]`` shift of a cohort (days).
        vigour: ``[cohort]`` factor of its leaf area.
        seed: of what is random.
    """
    kind = KINDS[name]
    generator = np.random.default_rng((seed, year, 1 + list(KINDS).index(name)))
    spring, autumn = generator.normal(0.0, (5.0, 5.0))
    # Good and bad years differ in summer; at New Year canopies are continuous.
    rich = np.exp(generator.normal(0.0, 0.06)) * (kind.high - kind.low)
    first_cut = 135.0 + spring + own[:, None] + generator.normal(0.0, 3.0, (own.size, 1))
    cuts = first_cut + 45.0 * np.arange(kind.cuts) + generator.normal(0.0, 4.0, (1, kind.cuts))
    day = np.arange(year_days(year), dtype=np.float64)[None, :]
    rise = expit((day - kind.rise - spring - own[:, None]) / kind.rise_days)
    fall_day = kind.fall + autumn + 0.5 * own[:, None]
    fall = expit((day - fall_day) / kind.fall_days)
    gone = expit((day - fall_day - kind.drop) / kind.fall_days)
    lai = vigour[:, None] * (kind.low + rich * np.maximum(rise - fall, 0.0))
    dead = vigour[:, None] * rich * kind.hang * np.maximum(fall - gone, 0.0)
    stage = np.full(lai.shape, 0.5)
    if kind.low == 0.0:
        with_leaves = (rise > LEAST_STAGE) & (gone < 1.0 - LEAST_STAGE) & (kind.high > 0.0)
        stage = np.where(with_leaves, rise + fall, -1.0)
        lai, dead = (np.where(with_leaves, area, 0.0) for area in (lai, dead))
    stands = regrowth(day, cuts)
    lai, dead = lai * stands, dead * stands
    return {"lai": lai, "dead": dead, "stage": stage, "biomass": kind.leaf * (lai + dead)}


def phenology(
    crops: Sequence[str] = tuple(KINDS),
    years: Sequence[int] = (2020,),
    cohorts: int = 6,
    seed: int = 0,
    weather: Weather | None = None,
) -> Growth:
    """Growth of covers that are not crops, `Growth` with ``cohorts`` rows of each.

    Args:
        crops: names in `KINDS`.
        years: consecutive calendar years.
        cohorts: of each cover, with dates and soils of their own.
        seed: of all that is random.
        weather: ``[day]`` of these years; None invents it by ``seed``.

    Raises:
        InputError: for an unknown cover, years that do not follow each other, or weather of
            another length.
    """
    unknown = [name for name in crops if name not in KINDS]
    if unknown:
        raise InputError(f"no phenology of {', '.join(unknown)}; there is {', '.join(KINDS)}")
    years = list(years)
    if not years or years != list(range(years[0], years[0] + len(years))):
        raise InputError(f"the years {years} do not follow each other; write consecutive ones")
    weather = invented_weather(years, seed) if weather is None else weather
    days = sum(year_days(year) for year in years)
    if weather.rain.shape != (days,) or weather.evaporation.shape != (days,):
        raise InputError(f"weather holds {weather.rain.size} days, and {years} have {days}")
    parts: dict[str, list[Array]] = {name: [] for name in ("lai", "dead", "stage", "biomass")}
    for name in crops:
        generator = np.random.default_rng((seed, 0, 1 + list(KINDS).index(name)))
        own = generator.normal(0.0, 4.0, cohorts)
        vigour = np.exp(generator.normal(0.0, 0.08, cohorts))
        seasons = [one_year(name, year, own, vigour, seed) for year in years]
        for part, pieces in parts.items():
            pieces.append(np.concatenate([season[part] for season in seasons], axis=1))
    tables = {part: np.concatenate(pieces) for part, pieces in parts.items()}
    textures = list(SOILS)
    soil = [textures[row % len(textures)] for row in range(len(tables["lai"]))]
    wet = moisture(
        weather.rain,
        weather.evaporation,
        tables["lai"] + tables["dead"],
        [SOILS[name] for name in soil],
    )
    return Growth(
        crop=tuple(name for name in crops for _ in range(cohorts)),
        first=float(np.datetime64(f"{years[0]}-01-01", "D").astype(int)),
        moisture=wet,
        soil=tuple(soil),
        **tables,
    )
