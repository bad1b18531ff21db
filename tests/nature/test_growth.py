"""A table of growth read at any time: linear between days, held at its ends, joined, selected."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from releo_da.nature.growth import Growth, at, join, select
from releo_da.types import InputError

DAYS = 40


def ramp() -> Growth:
    """Two cohorts; the second emerges on day 10 and is harvested after day 29."""
    day = np.arange(DAYS, dtype=np.float64)
    inside = (day >= 10) & (day < 30)
    stage = np.where(inside, (day - 10) / 10, -1.0)
    return Growth(
        crop=("grassland", "maize"),
        first=19000.0,
        lai=np.stack([0.1 * day, np.where(inside, 0.2 * (day - 9), 0.0)]),
        dead=np.stack([0 * day, np.where(inside, 0.01 * day, 0.0)]),
        stage=np.stack([0 * day + 0.5, stage]),
        moisture=np.stack([np.cos(day) ** 2, np.sin(day) ** 2]),
        biomass=np.stack([day, 2 * day]),
        soil=("loam", "clay"),
    )


def test_days_of_the_table_are_met_exactly() -> None:
    growth = ramp()
    for day in (0, 9, 10, 29, 30, DAYS - 1):
        found = at(growth, np.array([0, 1, 1]), growth.first + day)
        for name, values in found.items():
            assert_array_equal(values, getattr(growth, name)[[0, 1, 1], day])


def test_between_days_it_is_numpy_interpolation() -> None:
    growth = ramp()
    time = growth.first + np.random.default_rng(0).uniform(0, DAYS - 1, 200)
    cohort = np.random.default_rng(1).integers(0, 2, 200)
    found = at(growth, cohort, time)
    grid = growth.first + np.arange(DAYS)
    for name in ("lai", "dead", "moisture", "biomass"):
        table = getattr(growth, name)
        expected = [np.interp(t, grid, table[k]) for t, k in zip(time, cohort, strict=True)]
        assert_allclose(found[name], expected, rtol=1e-9, atol=1e-9)


def test_a_shift_moves_the_crop_and_not_the_rain() -> None:
    growth = ramp()
    cohort, shift = np.array([1, 1, 1]), np.array([-3.0, 0.0, 4.5])
    found = at(growth, cohort, growth.first + 20.0, shift)
    assert_allclose(found["lai"], 0.2 * (20.0 - shift - 9.0))
    assert_allclose(found["moisture"], np.sin(20.0) ** 2)


def test_stage_does_not_fall_through_flowering_on_the_day_of_harvest() -> None:
    growth = ramp()
    hours = growth.first + 29.0 + np.linspace(0.01, 0.99, 9)
    assert_allclose(at(growth, np.ones(9, dtype=int), hours)["stage"], 1.9)
    hours = growth.first + 9.0 + np.linspace(0.01, 0.99, 9)
    assert_allclose(at(growth, np.ones(9, dtype=int), hours)["stage"], 0.0)


def test_the_last_day_counts_in_full_and_shifts_are_held() -> None:
    growth = ramp()
    found = at(growth, np.array([0]), growth.first + DAYS - 0.5, np.array([-12.0]))
    assert_allclose(found["lai"], 0.1 * (DAYS - 1))
    assert_allclose(at(growth, np.array([0]), growth.first, 12.0)["lai"], 0.0)


@pytest.mark.parametrize("day", [-0.01, DAYS])
def test_outside_the_table_is_told(day: float) -> None:
    growth = ramp()
    with pytest.raises(InputError, match="growth is known from 2022-01-08 to 2022-02-16"):
        at(growth, np.array([0]), growth.first + day)


def test_an_unknown_cohort_is_told() -> None:
    with pytest.raises(InputError, match="cohorts 0 to 1"):
        at(ramp(), np.array([2]), 19001.0)


def test_joined_and_selected_again() -> None:
    growth = ramp()
    both = join([growth, growth._replace(crop=("a", "b"), soil=())])
    assert both.crop == ("grassland", "maize", "a", "b")
    assert both.soil == ("loam", "clay", "", "")
    again = select(both, ["maize", "grassland"])
    assert again.crop == growth.crop
    assert_array_equal(again.lai, growth.lai)
    assert_array_equal(select(both, ["b"]).stage, growth.stage[1:])


def test_what_does_not_join_is_told() -> None:
    growth = ramp()
    with pytest.raises(InputError, match="same days only"):
        join([growth, growth._replace(first=19001.0)])
    with pytest.raises(InputError, match="no growth to join"):
        join([])
    with pytest.raises(InputError, match=r"no growth of rye; there is grassland, maize"):
        select(growth, ["rye"])
