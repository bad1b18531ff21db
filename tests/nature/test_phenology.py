"""Forests, grass and bare soil: seasons, shifts of years, and a surface that wets and dries."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from releo_da.nature.growth import Growth, select
from releo_da.nature.phenology import KINDS, Weather, phenology, year_days
from releo_da.nature.topsoil import SOILS, moisture
from releo_da.types import InputError


@pytest.fixture(scope="module")
def growth() -> Growth:
    return phenology(years=(2019, 2020, 2021), seed=3)


def test_a_deciduous_forest_leafs_out_in_spring_and_is_bare_in_winter(growth: Growth) -> None:
    trees = select(growth, ["deciduous_forest"])
    assert_array_equal(trees.lai[:, :60], 0.0)
    assert_array_equal(trees.stage[:, :60], -1.0)
    summer = trees.lai[:, 160:240]
    assert ((summer > 3.5) & (summer < 6.5)).all()
    leafy = np.argmax(trees.lai[:, :365] > 2.5, axis=1)
    assert ((leafy > 95) & (leafy < 145)).all()
    with_leaves = trees.stage[:, :365] >= 0.0
    for row, inside in zip(trees.stage[:, :365], with_leaves, strict=True):
        assert (np.diff(row[inside]) >= 0.0).all()
        assert row[inside][0] < 0.1 and row[inside][-1] > 1.8
    assert_array_equal(trees.lai[trees.stage < 0.0], 0.0)


def test_years_differ_and_cohorts_keep_their_order(growth: Growth) -> None:
    trees = select(growth, ["deciduous_forest"])
    start = np.cumsum([0, 365, 366])
    leafy = np.stack([np.argmax(trees.lai[:, s : s + 365] > 2.0, axis=1) for s in start])
    assert leafy.mean(axis=1).std() > 1.0
    order = np.argsort(leafy[0])
    assert (np.diff(leafy[1][order]) >= -1).all()


def test_evergreens_never_lose_their_leaves(growth: Growth) -> None:
    trees = select(growth, ["evergreen_forest"])
    assert trees.lai.min() > 2.2
    assert np.abs(np.diff(trees.lai, axis=1)).max() < 0.05  # nor jump at New Year
    assert_array_equal(trees.stage, 0.5)


def test_grass_is_cut_and_grows_again(growth: Growth) -> None:
    grass = select(growth, ["grassland"]).lai[:, :365]
    falls = np.diff(grass, axis=1) < -1.0
    assert_array_equal(falls.sum(axis=1), KINDS["grassland"].cuts)
    cut = np.argmax(falls, axis=1)
    assert ((cut > 110) & (cut < 165)).all()
    back = grass[np.arange(len(cut)), cut + 40] / grass[np.arange(len(cut)), cut]
    assert (back > 0.6).all()


def test_bare_soil_is_bare(growth: Growth) -> None:
    bare = select(growth, ["bare_soil"])
    for table in (bare.lai, bare.dead, bare.biomass):
        assert_array_equal(table, 0.0)
    assert_array_equal(bare.stage, -1.0)


def test_a_seed_decides_and_a_year_is_the_same_in_any_selection(growth: Growth) -> None:
    alone = phenology(["deciduous_forest"], years=(2020,), seed=3)
    inside = select(growth, ["deciduous_forest"])
    assert_array_equal(alone.lai, inside.lai[:, 365 : 365 + 366])
    other = phenology(["deciduous_forest"], years=(2020,), seed=4)
    assert np.abs(other.lai - alone.lai).max() > 0.1


def test_the_surface_wets_with_rain_and_dries_in_days() -> None:
    rain, evaporation = np.zeros(40), np.full(40, 4.0)
    rain[10] = 60.0
    soils = [SOILS["sand"], SOILS["loam"], SOILS["clay"]]
    wet = moisture(rain, evaporation, np.zeros((3, 40)), soils)
    assert (np.diff(wet[:, :10], axis=1) < 0.0).all()
    assert (wet[:, 10] > 0.5).all() and (wet[:, 39] < 0.1).all()
    assert (np.diff(wet[:, 10:20], axis=1) < 0.0).all()
    assert (wet[0, 11:16] < wet[2, 11:16]).all()  # sand dries before clay
    shaded = moisture(rain, evaporation, np.full((3, 40), 4.0), soils)
    assert (shaded[:, 12:20] > wet[:, 12:20]).all()


def test_first_stage_evaporation_is_the_atmospheres() -> None:
    """While the readily evaporable water lasts, the soil loses just what the air takes."""
    soil = SOILS["loam"]
    wet = moisture(np.array([60.0, 0, 0]), np.array([0.0, 2.0, 2.0]), np.zeros((1, 3)), [soil])
    range_mm = 50.0 * (soil.saturation - 0.5 * soil.wilting)
    # The day after the rain stands at field capacity less 2 mm, the next at 2 mm less.
    assert_allclose((wet[0, 1] - wet[0, 2]) * range_mm, 2.0, rtol=0.06)


def test_moisture_stays_in_its_range(growth: Growth) -> None:
    assert growth.moisture.min() >= 0.0 and growth.moisture.max() <= 1.0
    assert 0.2 < growth.moisture.mean() < 0.8


def test_given_weather_is_used() -> None:
    days = year_days(2020)
    dry = phenology(weather=Weather(np.zeros(days), np.full(days, 3.0)))
    assert dry.moisture[:, 100:].max() < 0.1


def test_bad_input_is_told() -> None:
    with pytest.raises(InputError, match="no phenology of tundra; there is deciduous_forest"):
        phenology(["tundra"])
    with pytest.raises(InputError, match="do not follow each other"):
        phenology(years=(2019, 2021))
    with pytest.raises(InputError, match="weather holds 3 days"):
        phenology(weather=Weather(np.zeros(3), np.zeros(3)))
