"""The entry ``source.twin.nature``: which land is true in a twin experiment.

Crops of WOFOST or AquaCrop from packaged tables, or forests, grass and bare soil by a phenology, on
a landscape of fields (`releo_da.nature.scene`). None shares leaves, soil, canopy or dynamics with a
filter. Without an entry the truth is a draw of a forecaster (an identical twin, a check only).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.config.registry import Registry
from releo_da.config.twin_pixels import places
from releo_da.nature import canopy, scene, tables
from releo_da.nature.growth import Growth, join, select
from releo_da.nature.phenology import KINDS
from releo_da.nature.phenology import phenology as covers
from releo_da.runs.acquire import Truth
from releo_da.types import InputError

Years = Literal["test", "tuning"] | Sequence[int]

LATEST = 60.0
"""Days by which a table's seasons may be shifted; beyond, they would leave the year."""


class Land(NamedTuple):
    """What grows in a twin experiment.

    Attributes:
        seasons: one per calendar year of the period.
        field_size: mean width of a field, in pixels.
        discrepancy: relative standard deviation of what the truth's simulator leaves unexplained.
        seed: of the landscape.
        variety: how much leaves and soils of fields differ beyond their usual (`releo_da.nature.
            scene`).
        later: days by which all development comes later than in the table.
    """

    seasons: tuple[Growth, ...]
    field_size: float
    discrepancy: float
    seed: int
    variety: float = 0.0
    later: float = 0.0


def wofost(
    calendar: Sequence[int],
    seed: int,
    crops: Sequence[str] | None = None,
    years: Years = "test",
    field_size: float = 14.0,
    discrepancy: float = 0.05,
    variety: float = 0.0,
    later: float = 0.0,
) -> Land:
    """Crops of WOFOST under the weather of Wageningen.

    Args:
        calendar: years of the period.
        seed: of the landscape.
        crops: of the table, and covers of `phenology`; all crops of the table unless given.
        years: of weather, one per calendar year; or ``test`` or ``tuning``: those years of the
            table, beginning with another one for each seed.
        field_size: mean width of a field, in pixels.
        discrepancy: relative standard deviation of reflectance that no setting of a canopy model
            explains.
        variety: how much more leaves, leaf angles and soils differ from field to field; 1 for as
            much as the ranges of leaf databases, 0 for the plants of the table.
        later: days by which the development of all fields comes later than in the table.
    """
    land = _tabled("wofost", calendar, seed, crops, years, field_size, discrepancy)
    return _varied(land, variety, later)


def aquacrop(
    calendar: Sequence[int],
    seed: int,
    climate: Literal["brussels", "champion"] = "brussels",
    crops: Sequence[str] | None = None,
    years: Years = "test",
    field_size: float = 14.0,
    discrepancy: float = 0.05,
    variety: float = 0.0,
    later: float = 0.0,
) -> Land:
    """Crops of AquaCrop under the weather of one of two places.

    Args:
        calendar: years of the period.
        seed: of the landscape.
        climate: ``brussels`` (humid) or ``champion`` (Nebraska, dry).
        crops: as in `wofost`.
        years: as in `wofost`.
        field_size: as in `wofost`.
        discrepancy: as in `wofost`.
        variety: as in `wofost`.
        later: as in `wofost`.
    """
    name = f"aquacrop_{climate}"
    land = _tabled(name, calendar, seed, crops, years, field_size, discrepancy)
    return _varied(land, variety, later)


def phenology(
    calendar: Sequence[int],
    seed: int,
    crops: Sequence[str] = tuple(KINDS),
    field_size: float = 14.0,
    discrepancy: float = 0.05,
    variety: float = 0.0,
    later: float = 0.0,
) -> Land:
    """Forests, grassland and bare soil.

    Args:
        calendar: years of the period.
        seed: of the landscape and its weather.
        crops: which covers.
        field_size: as in `wofost`.
        discrepancy: as in `wofost`.
        variety: as in `wofost`.
        later: as in `wofost`.
    """
    _check_named(crops, f"name covers, of {', '.join(KINDS)}")
    _check(field_size, discrepancy)
    seasons = tuple(covers(tuple(crops), (year,), seed=seed) for year in calendar)
    return _varied(Land(seasons, field_size, discrepancy, seed), variety, later)


NATURES = Registry(
    "nature run",
    {"wofost": wofost, "aquacrop": aquacrop, "phenology": phenology},
    supplied=("calendar", "seed"),
)


def _tabled(
    name: str,
    calendar: Sequence[int],
    seed: int,
    crops: Sequence[str] | None,
    years: Years,
    field_size: float,
    discrepancy: float,
) -> Land:
    """The seasons of a packaged table, with covers beside its crops where they are named."""
    _check(field_size, discrepancy)
    if crops is not None:
        _check_named(crops, "name crops, or leave it out for all of the table")
    if isinstance(years, str):
        listed = getattr(tables.SOURCES[name], years)
        chosen = [listed[(seed + k) % len(listed)] for k in range(len(calendar))]
    else:
        chosen = list(years)
    if len(chosen) != len(calendar):
        raise InputError(
            f"years: {len(chosen)} years of weather for the {len(calendar)} "
            f"calendar years {calendar[0]} to {calendar[-1]}; give one for each"
        )
    wanted = [crop for crop in crops or () if crop not in KINDS]
    others = tuple(crop for crop in crops or () if crop in KINDS)
    seasons = []
    for year, weather in zip(calendar, chosen, strict=True):
        grown = tables.growth(name, (weather,), year)
        missing = [crop for crop in wanted if crop not in grown.crop]
        if missing:
            raise InputError(_unknown(name, missing, grown.crop))
        parts = [select(grown, wanted) if wanted else grown] if wanted or not others else []
        if others:
            under = tables.weather(name, (weather,), year)
            parts.append(covers(others, (year,), seed=seed, weather=under))
        seasons.append(join(parts))
    return Land(tuple(seasons), field_size, discrepancy, seed)


def _unknown(name: str, missing: Sequence[str], have: Sequence[str]) -> str:
    """What to say of crops that a table lacks: what it has, and which other table has them."""
    elsewhere = []
    for other in tables.SOURCES:
        year = tables.SOURCES[other].test[0]
        if other != name and set(missing) <= set(tables.growth(other, (year,), None).crop):
            elsewhere.append(other.replace("_", " of climate "))
    return (
        f"crops: no growth of {', '.join(missing)}; there is {', '.join(dict.fromkeys(have))}, and "
        f"beside crops {', '.join(KINDS)}"
        + (f"; {' and '.join(elsewhere)} would have it" if elsewhere else "")
    )


def _varied(land: Land, variety: float, later: float) -> Land:
    """A land whose fields differ more, or develop later."""
    if not 0.0 <= variety < math.inf:
        raise InputError(f"variety is {variety}; give 0 or a positive number")
    if not abs(later) <= LATEST:
        raise InputError(f"later is {later}; give -{LATEST:g} to {LATEST:g} days")
    return land._replace(variety=variety, later=later)


def _check_named(crops: Sequence[str], remedy: str) -> None:
    """Refuse an empty list."""
    if not crops:
        raise InputError(f"crops: the list is empty; {remedy}")


def _check(field_size: float, discrepancy: float) -> None:
    """Refuse a land that cannot be."""
    if not 0.0 < field_size < math.inf:
        raise InputError(f"field_size is {field_size}; give a positive number of pixels")
    if not 0.0 <= discrepancy < 1.0:
        raise InputError(f"discrepancy is {discrepancy}; give a share from 0 to below 1")


def field_size_of(entry: Mapping[str, Any] | str | None) -> float:
    """Mean width of a field of a land, in pixels; 0 where nothing is said of a land.

    Args:
        entry: ``source.twin.nature`` of a configuration, which may be another version's.
    """
    name = entry.get("name") if isinstance(entry, Mapping) else entry
    if not isinstance(name, str) or name not in NATURES.entries:
        return 0.0
    usual = signature(NATURES.entries[name]).parameters["field_size"].default
    told = entry.get("field_size", usual) if isinstance(entry, Mapping) else usual
    return float(told) if isinstance(told, int | float) else float(usual)


def tuned(entry: Mapping[str, Any] | str, where: str) -> dict[str, Any]:
    """An entry whose years of weather are those for tuning, for what must not meet a test.

    Args:
        entry: of a nature run.
        where: its key, for messages.

    Raises:
        InputError: it asks for test years, or names no nature run.
    """
    _, options = NATURES.find(entry, where)
    name = entry if isinstance(entry, str) else entry["name"]
    told = {"name": name, **options}
    if name not in ("wofost", "aquacrop"):
        return told  # its weather is made by the seed
    table = "wofost" if name == "wofost" else f"aquacrop_{options.get('climate', 'brussels')}"
    years = options.get("years") or "tuning"
    test = tables.SOURCES[table].test if table in tables.SOURCES else ()
    listed = [] if isinstance(years, str) else [year for year in years if year in test]
    if years == "test" or listed:
        asked = f"{', '.join(map(str, listed))} of the test years" if listed else "test years"
        raise InputError(
            f"{where}.years asks for {asked}, on which nothing is trained; write tuning, or leave "
            "it out"
        )
    return {**told, "years": years}


def years_of(period: tuple[float, float]) -> list[int]:
    """The calendar years that a period (days since 1970-01-01) touches."""
    first, last = (np.datetime64(int(np.floor(t)), "D").astype(object).year for t in _ends(period))
    return list(range(first, last + 1))


def _ends(period: tuple[float, float]) -> tuple[float, float]:
    """A period without the instant at which it ends."""
    return period[0], period[1] - 1e-6


def truth_of(
    land: Land,
    shape: Sequence[int],
    names: tuple[str, ...],
    channels: dict[str, tuple[str, ...]],
    like: Tensor,
) -> Truth:
    """The truth that a land is.

    Args:
        land: what grows.
        shape: rows and columns of the map, or a number of points, each in a field of its own.
        names: output variables that are wanted of it.
        channels: for each sensor, the channels of its acquisitions.
        like: a tensor whose dtype and device the states take.
    """
    observe = canopy.simulator(channels)

    def states(times: Sequence[float], pixels: Tensor) -> dict[float, Tensor]:
        row, column = places(pixels.cpu().numpy(), shape)
        here = scene.ground(
            land.seed, land.seasons, row, column, land.field_size, land.variety, land.later
        )
        found = {}
        for time in times:
            values = scene.states(land.seed, land.seasons, here, time, land.discrepancy)
            found[time] = torch.from_numpy(values)[:, None].to(like)
        return found

    return Truth(states, canopy.named, canopy.derived(names, observe, channels), observe)
