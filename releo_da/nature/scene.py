r"""A landscape of fields on which crops grow: the truth of a fraternal twin experiment.

    pixel -> field -> crop and cohort of the season -> leaf area, stage, moisture (`growth`)
                                                    -> leaves and soil (`chemistry`)

A field draws, for each season, one of the crops and one of that crop's cohorts (a sowing date, a
soil, a cultivar, as the growth model ran it). Within a field, sowing date, vigour, nitrogen, leaf
water and brightness of the soil vary smoothly from pixel to pixel:

    lai(pixel, t) = vigour(pixel) lai_cohort(t - shift(pixel)),     vigour = exp(0.12 g1), ...

with g random fields of unit variance (`releo_da.nature.random_fields`). With a ``variety`` v the
plants of a field differ from those of the table as well, and soils more,

    upright + 0.2 v n1, structure exp(0.1 v n2), dry exp(0.25 v n3), brown exp(0.2 v n4), ...

so that v = 1 spans about what leaf databases do, and a land of v = 2 has odd ones. A season is a
calendar year: at New Year a field changes over to what it drew for the next one. Forests, grassland
and bare soil (`releo_da.nature.phenology.KINDS`) stay for all seasons; crops rotate among the other
fields.

Everything is a function of seed, row, column and time: a pixel can be asked for alone, in any
order, and memory does not grow with map or season. Shapes: ``[pixel]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from releo_da.nature.canopy import modes
from releo_da.nature.chemistry import PLANTS, VARIABLES, WEEDS, Plant, leaves_and_soil
from releo_da.nature.fields import Fields, fields, normal, uniform
from releo_da.nature.growth import Growth, at
from releo_da.nature.phenology import KINDS
from releo_da.nature.random_fields import field as smooth
from releo_da.types import InputError

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

LENGTH = 6.0
"""How far (pixels) what varies within a field agrees with itself."""

SHIFT, VIGOUR, NITROGEN, TURGOR, BRIGHTNESS, OPEN = range(10, 16)
"""Tell the random numbers of a field, and the random fields within it, apart."""

LEAVES = 400
"""Tells those of its leaves apart."""

SPREAD = {
    "cab": 0.2, "water": 0.3, "dry": 0.25, "structure": 0.1, "brown": 0.2, "hspot": 0.4,
}  # fmt: skip
"""Logarithmic standard deviations of a field's plants at a variety of 1."""

TILT, DARK = 0.2, 0.3
"""The same of their leaf angles (lidfa, not logarithmic), and of the soil's brightness."""


class Ground(NamedTuple):
    """What does not change with time, ``[pixel]`` each.

    Attributes:
        field: the field of each pixel.
        cohort: ``[season, pixel]`` row of the season's `Growth`.
        shift: days by which a pixel is later than its cohort.
        vigour: factor of leaf area and biomass.
        nitrogen: factor of chlorophyll.
        turgor: factor of leaf water.
        brightness: of the dry soil.
        weeds: their leaf area on open ground.
        leaves: by which a field's plants differ from the table, by name of `Plant`: ``upright`` is
            added, the others are factors.
    """

    field: Fields
    cohort: Whole
    shift: Array
    vigour: Array
    nitrogen: Array
    turgor: Array
    brightness: Array
    weeds: Array
    leaves: Mapping[str, Array] = {}


def ground(
    seed: int,
    seasons: Sequence[Growth],
    row: Array,
    column: Array,
    size: float = 14.0,
    variety: float = 0.0,
    later: float = 0.0,
) -> Ground:
    """What grows where.

    Args:
        seed: of the landscape.
        seasons: what may grow, season after season.
        row: ``[pixel]`` in pixels.
        column: ``[pixel]``.
        size: mean width of a field, in pixels.
        variety: how much leaves and soils of fields differ beyond their usual.
        later: days by which all of them are later than their cohorts.

    Raises:
        InputError: seasons with perennials have other cohorts than the first.
    """
    plot = fields(seed, row, column, size)

    def varied(what: int, of_field: float, of_pixel: float) -> Array:
        within = smooth((seed, what), row, column, LENGTH)
        found: Array = of_field * normal(seed, plot.row, plot.column, what) + of_pixel * within
        return found

    return Ground(
        plot,
        np.stack(cohorts(seed, seasons, plot)),
        later + varied(SHIFT, 3.0, 2.5),
        np.exp(varied(VIGOUR, 0.08, 0.12)),
        np.exp(varied(NITROGEN, 0.10, 0.06)),
        np.exp(varied(TURGOR, 0.08, 0.05)),
        0.75 * np.exp(varied(BRIGHTNESS, float(np.hypot(0.15, DARK * variety)), 0.08)),
        WEEDS * np.exp(varied(OPEN, 0.6, 0.3)),
        leaves(seed, plot, variety) if variety else {},
    )


def leaves(seed: int, plot: Fields, variety: float) -> dict[str, Array]:
    """By which the plants of each field differ from the table, ``[pixel]`` by name of `Plant`."""

    def drawn(k: int) -> Array:
        return variety * normal(seed, plot.row, plot.column, LEAVES + k)

    found = {name: np.exp(s * drawn(k)) for k, (name, s) in enumerate(SPREAD.items())}
    return found | {"upright": TILT * drawn(len(SPREAD))}


def cohorts(seed: int, seasons: Sequence[Growth], plot: Fields) -> list[Whole]:
    """The cohort of each field, ``[pixel]`` for each season.

    A field whose first draw is a perennial keeps that cohort; later draws are among crops.

    Args:
        seed: of the landscape.
        seasons: what may grow, season after season.
        plot: the field of each pixel.

    Raises:
        InputError: seasons with perennials have other cohorts than the first.
    """
    names = np.array(seasons[0].crop)
    found = [cohort(seed, seasons[0], plot, 0, names)]
    kept = np.isin(names[found[0]], list(KINDS))
    for season, growth in enumerate(seasons[1:], 1):
        if kept.any() and growth.crop != seasons[0].crop:
            raise InputError(
                f"season {season} has other cohorts than the first, so that perennial fields "
                "cannot go on; give all seasons the same ones"
            )
        crops = np.array([name for name in growth.crop if name not in KINDS])
        drawn = cohort(seed, growth, plot, season, crops) if crops.size else found[0]
        found.append(np.where(kept, found[0], drawn))
    return found


def cohort(seed: int, growth: Growth, plot: Fields, season: int, among: NDArray[np.str_]) -> Whole:
    """A cohort of each field in one season, ``[pixel]``: a crop first, all ``among`` as likely."""
    names = np.array(growth.crop)
    crops, first = np.unique(among, return_index=True)
    crops = crops[np.argsort(first)]  # in the order of the table
    rows = [np.flatnonzero(names == crop) for crop in crops]
    number = np.array([len(found) for found in rows])
    crop = (uniform(seed, plot.row, plot.column, 100 + 2 * season) * len(crops)).astype(int)
    place = (uniform(seed, plot.row, plot.column, 101 + 2 * season) * number[crop]).astype(int)
    table = np.full((len(crops), number.max()), -1)
    for k, found in enumerate(rows):
        table[k, : len(found)] = found
    chosen: Whole = table[crop, place]
    return chosen


def variables(seasons: Sequence[Growth], here: Ground, time: float) -> Array:
    """The truth at one time, ``[pixel, variable]`` by `releo_da.nature.chemistry.VARIABLES`.

    Raises:
        InputError: no season holds the time.
    """
    grown, crop = growing(seasons, here, time)
    grown |= {name: here.vigour * grown[name] for name in ("lai", "dead", "biomass")}
    names, index = np.unique(crop, return_inverse=True)
    table = np.array([PLANTS[name] for name in names])[index]
    plant = dict(zip(Plant._fields, table.T, strict=True))
    for name, own in here.leaves.items():
        plant[name] = plant[name] + own if name == "upright" else plant[name] * own
    found = leaves_and_soil(grown, plant, here.nitrogen, here.turgor, here.brightness, here.weeds)
    return np.stack([found[name] for name in VARIABLES], -1)


def states(
    seed: int, seasons: Sequence[Growth], here: Ground, time: float, discrepancy: float
) -> Array:
    """The same with the modes of the discrepancy behind (`releo_da.nature.canopy.modes`)."""
    error = modes(seed, here.field, discrepancy, time)
    return np.concatenate([variables(seasons, here, time), error], -1)


def growing(
    seasons: Sequence[Growth], here: Ground, time: float
) -> tuple[dict[str, Array], NDArray[np.str_]]:
    """What grows on each pixel (`releo_da.nature.growth.at`), and its name, ``[pixel]``.

    Raises:
        InputError: no season holds the time.
    """
    for growth, rows in zip(seasons, here.cohort, strict=True):
        if 0.0 <= time - growth.first < growth.lai.shape[1]:
            return at(growth, rows, time, here.shift), np.array(growth.crop)[rows]
    spans = ", ".join(span(growth) for growth in seasons)
    day = np.datetime64(int(time), "D")
    raise InputError(f"nothing is known to grow on {day}: the nature run covers {spans}")


def span(growth: Growth) -> str:
    """The days that a table covers, in words."""
    first = np.datetime64(int(growth.first), "D")
    return f"{first} to {first + growth.lai.shape[1] - 1}"
