r"""From what a model of a crop reports to a year of growth: cohorts, dead leaves, harvest, stubble.

Models of crops end at maturity and report living leaves. A satellite goes on seeing what stands:

    dead(d) = dead(d - 1) exp(-1 / tau) + lost(d),         tau = `Habit.decay`

where ``lost`` is the leaf area that died that day. From maturity to harvest the leaves that are
left dry with a time constant of four days; a crop that is cut green (`Habit.wait` 0) is gone the
day after. At harvest a share of the dead leaves, `Habit.stubble`, stays as stubble and decays with
twenty days; fields are bare afterwards, whatever would be sown next.

A crop is grown by six cohorts that cross sowing dates, soils and cultivars (`COHORTS`), the same
in every year and for both models. Shapes: ``[day]`` of one year from 1 January, 366 long.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAYS = 366
"""Columns of a year; the last one repeats 31 December where the year is not a leap year."""

DRYING = 4.0
"""Time constant (days) of leaves that are green at maturity."""

STUBBLE = 20.0
"""Time constant (days) of stubble."""

WAIT = 8
"""Days from maturity to harvest of a crop that is left to dry."""


class Cohort(NamedTuple):
    """Sowing date against the crop's calendar (days), soil, and factors of a cultivar.

    ``earliness`` multiplies the temperature sums to flowering and to maturity, ``span`` the life
    of leaves (WOFOST) or the density of the stand (AquaCrop).
    """

    shift: int
    soil: str
    earliness: float
    span: float


COHORTS = (
    Cohort(-12, "loam", 1.04, 1.00),
    Cohort(-7, "clay", 0.97, 1.05),
    Cohort(-2, "sand", 1.00, 0.96),
    Cohort(3, "loam", 0.95, 1.06),
    Cohort(8, "clay", 1.05, 0.95),
    Cohort(12, "sand", 0.98, 1.02),
)
"""Two fields on each soil, sown over 24 days, cultivars within 5 or 6 percent."""


class Habit(NamedTuple):
    """How a crop dies and goes.

    Attributes:
        decay: how long dead leaves hang on (days).
        stubble: share of them that stays as stubble.
        wait: days from the end of the model's run to harvest; 0 for a crop that is cut green.
    """

    decay: float
    stubble: float
    wait: int = WAIT


class Run(NamedTuple):
    """What a model reported, ``[day]`` from ``start`` (day of the year, 0 is 1 January).

    Attributes:
        start: of the first entry; negative in the year before.
        lai: living leaf area (m2/m2).
        lost: leaf area that died on the day (m2/m2).
        stage: below 0 before emergence, 0 emergence, 1 flowering, 2 maturity.
        biomass: above-ground dry matter (kg/m2).
    """

    start: int
    lai: Array
    lost: Array
    stage: Array
    biomass: Array


def year_of(run: Run, habit: Habit, latest: int) -> dict[str, Array]:
    """Canopy of a whole year, ``[day]`` each of lai, dead, stage and biomass.

    Args:
        run: of one crop.
        habit: how it dies and goes.
        latest: day of the year (from 0) on which it is harvested at the latest.
    """
    offset = min(run.start, 0)
    length = DAYS - offset
    lai, lost, biomass = (np.zeros(length) for _ in range(3))
    stage = np.full(length, -1.0)
    begin = run.start - offset
    end = min(begin + len(run.lai), length)
    for table, values in ((lai, run.lai), (lost, run.lost), (biomass, run.biomass)):
        table[begin:end] = values[: end - begin]
    stage[begin:end] = np.where(run.stage < 0.0, -1.0, run.stage)[: end - begin]
    biomass[stage < 0.0] = 0.0  # seeds in the soil
    harvest = min(end + habit.wait, latest - offset + 1, length)
    ripe = np.arange(end, max(harvest, end))
    lai[ripe] = lai[end - 1] * np.exp(-(ripe - end + 1) / DRYING)
    lost[ripe] = -np.diff(lai[end - 1 : end + len(ripe)])
    stage[ripe], biomass[ripe] = stage[end - 1], biomass[end - 1]
    dead = np.zeros(length)
    for day in range(1, length):
        if day == harvest:
            dead[day] = dead[day - 1] * habit.stubble
        elif day > harvest:
            dead[day] = dead[day - 1] * np.exp(-1.0 / STUBBLE)
        else:
            dead[day] = dead[day - 1] * np.exp(-1.0 / habit.decay) + lost[day]
    for table, bare in ((lai, 0.0), (stage, -1.0), (biomass, 0.0)):
        table[harvest:] = bare
    whole = {"lai": lai, "dead": dead, "stage": np.minimum(stage, 2.0), "biomass": biomass}
    return {name: table[-offset:] for name, table in whole.items()}
