"""WOFOST and AquaCrop run again: the packaged tables are theirs."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from releo_da.nature import aquacrop, wofost
from releo_da.nature.season import COHORTS, DAYS, Habit, Run, year_of
from releo_da.nature.tables import FOLDER, STEPS, read
from releo_da.nature.topsoil import SOILS, moisture
from releo_da.types import InputError


@pytest.mark.parametrize(
    ("crop", "year", "cohort"), [("winter_wheat", 1985, 4), ("maize", 1983, 2)]
)
def test_a_fresh_run_of_wofost_is_the_table(crop: str, year: int, cohort: int) -> None:
    pytest.importorskip("pcse", reason="the extra nature is not installed")
    data = read(FOLDER / "wofost.nc").sel(year=year)
    row = data["crop"].values.tolist().index(crop) + cohort
    fresh = wofost.season(crop, year, COHORTS[cohort])
    for part, values in fresh.items():
        assert_allclose(data[part][row], values, atol=0.5001 * STEPS[part], rtol=0)
    weather = wofost.weather_of(year)
    assert_allclose(data["rain"], weather.rain, atol=0.5001 * STEPS["rain"], rtol=0)
    shade = (fresh["lai"] + fresh["dead"])[None]
    wet = moisture(weather.rain, weather.evaporation, shade, [SOILS[COHORTS[cohort].soil]])[0]
    assert_allclose(data["moisture"][row], wet, atol=0.5001 * STEPS["moisture"], rtol=0)


def test_a_fresh_run_of_aquacrop_is_the_table() -> None:
    pytest.importorskip("aquacrop", reason="the extra nature is not installed")
    data = read(FOLDER / "aquacrop_champion.nc").sel(year=2004)
    row = data["crop"].values.tolist().index("maize") + 1
    fresh = aquacrop.season("champion", "maize", 2004, COHORTS[1])
    for part, values in fresh.items():
        assert_allclose(data[part][row], values, atol=0.5001 * STEPS[part], rtol=0)


def test_pcse_leaves_the_home_folder_and_the_log_alone(tmp_path: Path) -> None:
    pytest.importorskip("pcse", reason="the extra nature is not installed")
    code = (
        "import logging; from releo_da.nature import wofost; wofost.model(); "
        "assert not logging.getLogger().handlers, 'root logger'"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "USER": "someone"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not (tmp_path / ".pcse").exists()


@pytest.mark.parametrize(("room", "package"), [(wofost, "pcse"), (aquacrop, "aquacrop")])
def test_without_its_package_the_extra_is_named(
    room: object, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(InputError, match=r"pip install 'releo_da\[nature\]'"):
        room.model.__wrapped__()  # type: ignore[attr-defined]
    assert logging.getLogger().handlers == handlers


def test_what_is_not_grown_is_told() -> None:
    with pytest.raises(InputError, match="WOFOST grows winter_wheat"):
        wofost.simulate("vine", 1990, COHORTS[0])
    with pytest.raises(InputError, match="not maize in 1991"):
        wofost.simulate("maize", 1991, COHORTS[0])
    with pytest.raises(InputError, match="no climate mars; there is brussels"):
        aquacrop.days_of("mars")


def test_cover_becomes_leaf_area_by_beers_law() -> None:
    lai = np.linspace(0.0, 6.0, 13)
    assert_allclose(aquacrop.leaf_area(1.0 - np.exp(-aquacrop.EXTINCTION * lai)), lai, atol=1e-12)
    assert np.isfinite(aquacrop.leaf_area(np.array([1.0]))).all()


def test_a_run_becomes_a_year() -> None:
    """Sown in the year before; ripe on day 99 with a leaf area of 1, cut eight days later."""
    days = 110
    run = Run(-10, np.ones(days), np.zeros(days), np.linspace(0, 2, days), np.full(days, 0.5))
    year = year_of(run, Habit(30.0, 0.25), latest=240)
    assert all(table.shape == (DAYS,) for table in year.values())
    assert_allclose(year["lai"][:100], 1.0)
    assert_allclose(year["lai"][100:108], np.exp(-np.arange(1, 9) / 4.0))
    assert_allclose(year["stage"][100:108], 2.0)
    for name, bare in (("lai", 0.0), ("stage", -1.0), ("biomass", 0.0)):
        assert_allclose(year[name][108:], bare)
    # What dried hangs on, less what fell, and a quarter of it stays as stubble.
    assert 0.7 < year["dead"][107] < 1.0 - np.exp(-2.0)
    assert_allclose(year["dead"][108], 0.25 * year["dead"][107])
    assert_allclose(year["dead"][128], year["dead"][108] * np.exp(-1.0))


def test_an_unripe_crop_is_harvested_at_the_latest_day() -> None:
    run = Run(20, np.ones(81), np.zeros(81), np.linspace(0, 1.8, 81), np.ones(81))
    year = year_of(run, Habit(30.0, 0.2), latest=100)
    assert year["stage"][100] == 1.8 and year["stage"][101] == -1.0
    assert year["lai"][101] == 0.0


def test_a_crop_cut_green_does_not_dry_first() -> None:
    run = Run(20, np.full(80, 4.0), np.full(80, 0.01), np.linspace(0, 1.75, 80), np.ones(80))
    year = year_of(run, Habit(40.0, 0.2, wait=0), latest=240)
    assert year["lai"][99] == 4.0 and year["stage"][99] == 1.75
    assert year["lai"][100] == 0.0 and year["stage"][100] == -1.0
    assert_allclose(year["dead"][100], 0.2 * year["dead"][99])
