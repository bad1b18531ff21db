r"""Growth of vegetation through the seasons, as a table that is read at any time.

A nature run needs, for every pixel and any instant, what grows there. It comes from a model of
growth that the filter does not share: `releo_da.nature.wofost`, `releo_da.nature.aquacrop` or
`releo_da.nature.phenology`. A model is run for a few *cohorts* (a crop with its sowing date, soil
and cultivar) and leaves one number a day; pixels are spread over cohorts and read between the days:

    x(p, t) = (1 - f) x[k, i] + f x[k, i + 1],     i + f = t - shift(p) - first,   k = cohort(p)

A shift moves the development of a pixel, sown or emerged some days later than its cohort. Rain
falls on the day it falls, so soil moisture is not shifted. The number of a day, which holds all of
that day's rain, stands at its 0 h and is linear until the next: a pass at noon sees half of the way
to what the next day's rain makes of the surface. Development jumps where a crop emerges
or is harvested, and is not interpolated across that day: the day inside the crop counts.

Shapes: tables ``[cohort, day]``, results ``[pixel]``. Cost: ten gathers of ``[pixel]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from releo_da.types import InputError

Array = NDArray[np.floating]
Float64 = NDArray[np.float64]

BETWEEN = ("lai", "dead", "biomass")
"""What moves with a pixel's development and is linear between days."""


class Growth(NamedTuple):
    """What grows, day by day.

    Attributes:
        crop: ``[cohort]`` its name.
        first: time of the first column (days since 1970-01-01).
        lai: ``[cohort, day]`` green leaf area (m2/m2).
        dead: ``[cohort, day]`` standing dead leaf area (m2/m2); after harvest, stubble that decays.
        stage: ``[cohort, day]`` development: below 0 not emerged or harvested, 0 emergence, 1
            flowering, 2 maturity.
        moisture: ``[cohort, day]`` of the soil's surface, from 0 (air dry) to 1 (saturated).
        biomass: ``[cohort, day]`` above-ground dry matter (kg/m2); of forests, the leaves.
        soil: ``[cohort]`` its texture, where the model knows one.
    """

    crop: tuple[str, ...]
    first: float
    lai: Array
    dead: Array
    stage: Array
    moisture: Array
    biomass: Array
    soil: tuple[str, ...] = ()


def read_between(table: Array, cohort: NDArray[np.integer], position: Float64) -> Float64:
    """Linear interpolation along the days, ``[pixel]``; the ends are held.

    Args:
        table: ``[cohort, day]``.
        cohort: ``[pixel]`` rows.
        position: ``[pixel]`` days after the first column, with fraction.
    """
    before = np.clip(np.floor(position), 0, table.shape[1] - 1).astype(np.int64)
    after = np.minimum(before + 1, table.shape[1] - 1)
    share = np.clip(position - before, 0.0, 1.0)
    rows = table[cohort, before].astype(np.float64), table[cohort, after].astype(np.float64)
    return (1.0 - share) * rows[0] + share * rows[1]


def read_stage(table: Array, cohort: NDArray[np.integer], position: Float64) -> Float64:
    """Development between the days, ``[pixel]``: linear, but not across emergence or harvest."""
    before = np.clip(np.floor(position), 0, table.shape[1] - 1).astype(np.int64)
    after = np.minimum(before + 1, table.shape[1] - 1)
    low = np.minimum(table[cohort, before], table[cohort, after])
    high = np.maximum(table[cohort, before], table[cohort, after])
    jumps = (low < 0.0) & (position > before)
    return np.where(jumps, high, read_between(table, cohort, position))


def at(
    growth: Growth,
    cohort: NDArray[np.integer],
    time: ArrayLike,
    shift: ArrayLike = 0.0,
) -> dict[str, Float64]:
    """What grows on every pixel at a time, ``[pixel]`` each of lai, dead, stage, moisture, biomass.

    Args:
        growth: the table.
        cohort: ``[pixel]`` row of each pixel.
        time: days since 1970-01-01, one for all or ``[pixel]``.
        shift: days by which a pixel's development lags its cohort's, one for all or ``[pixel]``;
            where it points outside the table, the first or the last day stands.

    Raises:
        InputError: for a time outside the table or a cohort that it lacks.
    """
    cohort = np.asarray(cohort)
    rows, days = growth.lai.shape
    if cohort.size and (cohort.min() < 0 or cohort.max() >= rows):
        raise InputError(
            f"growth has cohorts 0 to {rows - 1}, not {cohort.min()} to {cohort.max()}"
        )
    weather = np.broadcast_to(np.asarray(time, dtype=np.float64) - growth.first, cohort.shape)
    # The last day counts in full, so that an acquisition of 31 December is inside.
    if cohort.size and not (weather.min() >= 0.0 and weather.max() < days):
        begin = np.datetime64("1970-01-01") + int(growth.first)
        wrong = weather.min() if weather.min() < 0.0 else weather.max()
        raise InputError(
            f"growth is known from {begin} to {begin + days - 1}, and was asked for "
            f"{begin + int(np.floor(wrong))}; take more years or a shorter period"
        )
    own = weather - np.asarray(shift, dtype=np.float64)
    result = {name: read_between(getattr(growth, name), cohort, own) for name in BETWEEN}
    result["stage"] = read_stage(growth.stage, cohort, own)
    result["moisture"] = read_between(growth.moisture, cohort, weather)
    return result


def join(growths: Sequence[Growth]) -> Growth:
    """Cohorts of several tables under each other: fields of crops among forests.

    Args:
        growths: over the same days.

    Raises:
        InputError: where the days differ, or there is no table.
    """
    if not growths:
        raise InputError("no growth to join; name at least one crop")
    days = {(growth.first, growth.lai.shape[1]) for growth in growths}
    if len(days) > 1:
        spans = ", ".join(f"{n} days from {np.datetime64(int(a), 'D')}" for a, n in sorted(days))
        raise InputError(f"growth can be joined over the same days only, not {spans}")
    tables = {
        name: np.concatenate([getattr(growth, name) for growth in growths])
        for name in (*BETWEEN, "stage", "moisture")
    }
    return Growth(
        crop=tuple(name for growth in growths for name in growth.crop),
        first=growths[0].first,
        soil=tuple(
            name for growth in growths for name in (growth.soil or ("",) * len(growth.crop))
        ),
        **tables,
    )


def select(growth: Growth, crops: Sequence[str]) -> Growth:
    """The cohorts of some crops, in the order of the table.

    Args:
        growth: the table.
        crops: names.

    Raises:
        InputError: for a crop that the table lacks, with those it has.
    """
    missing = [name for name in crops if name not in growth.crop]
    if missing:
        have = ", ".join(dict.fromkeys(growth.crop))
        raise InputError(f"no growth of {', '.join(missing)}; there is {have}")
    rows = [row for row, name in enumerate(growth.crop) if name in crops]
    return growth._replace(
        crop=tuple(growth.crop[row] for row in rows),
        soil=tuple(growth.soil[row] for row in rows) if growth.soil else (),
        **{name: getattr(growth, name)[rows] for name in (*BETWEEN, "stage", "moisture")},
    )
