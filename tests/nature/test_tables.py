"""Packaged growth: small, true to the models that made it, and what an agronomist would expect."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from releo_da.nature.growth import Growth, at, join, select
from releo_da.nature.phenology import phenology, year_days
from releo_da.nature.season import COHORTS, DAYS
from releo_da.nature.tables import (
    CANOPY,
    FOLDER,
    SOURCES,
    STEPS,
    calendar,
    growth,
    read,
    weather,
    write,
)
from releo_da.types import InputError


@pytest.fixture(scope="module")
def wofost() -> Growth:
    """The tuning years, one after the other."""
    return growth("wofost", SOURCES["wofost"].tuning)


def seasons(table: np.ndarray) -> np.ndarray:
    """Years of 365 days of a table ``[cohort, day]`` from 1976, ``[year, cohort, day]``."""
    years = SOURCES["wofost"].tuning
    starts = np.cumsum([0, *(year_days(year) for year in calendar(years, None)[:-1])])
    return np.stack([table[:, start : start + 365] for start in starts])


def test_all_packaged_tables_are_small() -> None:
    sizes = [path.stat().st_size for path in FOLDER.glob("*.nc")]
    assert len(sizes) == len(SOURCES)
    assert sum(sizes) < 2_500_000


@pytest.mark.parametrize("name", SOURCES)
def test_years_for_tests_are_never_for_tuning(name: str) -> None:
    source, data = SOURCES[name], read(FOLDER / f"{name}.nc")
    assert not set(source.tuning) & set(source.test)
    assert sorted((*source.tuning, *source.test)) == data["year"].values.tolist()
    assert (data.attrs["longitude"], data.attrs["latitude"]) == source.place


@pytest.mark.parametrize("name", SOURCES)
def test_every_season_is_a_season(name: str) -> None:
    """Nothing grows where nothing stands, development never goes back, all lies in its range."""
    data = {part: read(FOLDER / f"{name}.nc")[part].values for part in CANOPY}
    standing = data["stage"] >= 0.0
    assert_array_equal(data["lai"][~standing], 0.0)
    assert_array_equal(data["biomass"][~standing], 0.0)
    steps = np.diff(data["stage"], axis=-1)
    assert (steps[standing[..., 1:] & standing[..., :-1]] >= 0.0).all()
    # One season a year: emergence and harvest once each.
    assert (np.abs(np.diff(standing.astype(int), axis=-1)).sum(-1) <= 2).all()
    assert data["lai"].max(-1).min() > 0.5 and data["lai"].max() < 9.0
    assert data["dead"].min() >= 0.0 and data["dead"].max() < 6.0
    assert data["stage"].max() == pytest.approx(2.0) and data["stage"].min() == -1.0
    assert data["moisture"].min() >= 0.0 and data["moisture"].max() <= 1.0
    assert (data["dead"][..., -1] < 0.3).all()  # stubble has decayed by the end of the year


def test_wheat_and_maize_of_wofost_peak_as_is_known(wofost: Growth) -> None:
    """Wheat 4.6 +- 0.8 near day 163, maize 5.1 +- 0.9 near day 215.

    Wheat was set to it by its weight at emergence, and both flower when our temperature sums say
    so: that maize reaches this height is the only part that nothing of ours was set for.
    """
    for crop, leaf_area, spread, day in (("winter_wheat", 4.6, 0.8, 163), ("maize", 5.1, 0.9, 215)):
        lai = seasons(select(wofost, [crop]).lai)
        assert abs(lai.max(-1).mean() - leaf_area) < spread
        assert abs(lai.argmax(-1).mean() - day) < 8


def test_fields_and_years_differ(wofost: Growth) -> None:
    lai = seasons(select(wofost, ["winter_wheat"]).lai)
    assert 0.2 < lai.max(-1).std(1).mean() < 1.5  # fields in a year
    assert 0.2 < lai.max(-1).mean(1).std() < 1.5  # years


def test_flowering_and_harvest_of_the_netherlands(wofost: Growth) -> None:
    for crop, flowering, harvest in (
        ("winter_wheat", (150, 185), (205, 241)),
        ("spring_barley", (150, 185), (200, 236)),
        ("rapeseed", (120, 170), (185, 216)),
        ("maize", (190, 240), (255, 291)),
        ("potato", (140, 175), (235, 266)),
    ):
        stage = seasons(select(wofost, [crop]).stage)
        first = np.argmax(stage >= 1.0, axis=-1).mean()
        last = 364 - np.argmax(stage[..., ::-1] >= 0.0, axis=-1).mean()
        assert flowering[0] < first < flowering[1], crop
        assert harvest[0] < last < harvest[1], crop


def test_most_crops_ripen_and_maize_is_cut_green(wofost: Growth) -> None:
    for crop, end, share in (
        ("winter_wheat", 2.0, 0.95),
        ("spring_barley", 2.0, 0.95),
        ("rapeseed", 2.0, 0.95),
        ("maize", 1.75, 0.8),  # for silage; the latest day comes first in cold years
        ("potato", 2.0, 0.75),  # the haulm is killed where it is still green
    ):
        last = seasons(select(wofost, [crop]).stage).max(-1)
        assert last.max() < end + 0.01, crop
        assert (last > end - 0.01).mean() > share, crop
        assert last.min() > end - 0.2, crop


def test_dead_leaves_follow_the_green_ones(wofost: Growth) -> None:
    wheat = select(wofost, ["winter_wheat"])
    green, dead = seasons(wheat.lai), seasons(wheat.dead)
    assert (dead.argmax(-1) > green.argmax(-1)).all()
    assert (dead.max(-1) < green.max(-1)).all()


def test_the_surface_follows_the_rain_of_the_table(wofost: Growth) -> None:
    rain = weather("wofost", SOURCES["wofost"].tuning).rain
    assert rain.shape == (wofost.moisture.shape[1],)
    wetter = np.diff(wofost.moisture.mean(0)) > 0.02
    assert rain[1:][wetter].mean() > 4.0 > 1.5 > rain[1:][~wetter].mean()


def test_years_of_weather_on_other_years_of_the_calendar() -> None:
    own, moved = growth("wofost", [1978, 1979]), growth("wofost", [1978, 1979], first_year=2023)
    assert moved.first == 19358.0 and moved.lai.shape == (30, 365 + 366)
    assert_array_equal(moved.lai[:, :365], own.lai[:, :365])
    assert_array_equal(moved.lai[:, 365:730], own.lai[:, 365:])
    assert_array_equal(moved.lai[:, 730], own.lai[:, -1])  # 31 December of a leap year


def test_crops_among_forests_under_the_same_rain() -> None:
    crops = growth("wofost", [1985])
    trees = phenology(["deciduous_forest"], [1985], weather=weather("wofost", [1985]))
    both = join([crops, trees])
    found = at(both, np.array([0, len(both.crop) - 1]), both.first + 180.25)
    assert (found["lai"] > 1.5).all()
    assert crops.soil[:6] == tuple(cohort.soil for cohort in COHORTS)


def test_written_and_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = xr.Dataset(
        {
            part: (
                (("year", "cohort", "day") if part in CANOPY else ("year", "day")),
                rng.uniform(0, 1, (2, 3, DAYS) if part in CANOPY else (2, DAYS)),
            )
            for part in STEPS
        },
        coords={"year": [2001, 2002], "crop": ("cohort", ["a", "b", "c"]),
                "soil": ("cohort", ["loam"] * 3)},
    )  # fmt: skip
    write(tmp_path / "one.nc", data)
    again = read(tmp_path / "one.nc")
    for part, step in STEPS.items():
        assert_allclose(again[part], data[part], atol=0.5001 * step, rtol=0)
    assert again["crop"].values.tolist() == ["a", "b", "c"]


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="no such table of growth; there is wofost"):
        growth("lintul", [1990])
    with pytest.raises(InputError, match="the table wofost has no year 1991; it has 1976"):
        growth("wofost", [1990, 1991])
    with pytest.raises(InputError, match="none was named"):
        growth("wofost", [])
