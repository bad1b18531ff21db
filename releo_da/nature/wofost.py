r"""Truth of fraternal twin A: WOFOST 7.2, by the package pcse.

WOFOST (van Diepen, Wolf, van Keulen and Rappoldt 1989, Soil Use and Management 5, 16-24; de Wit et
al. 2019, Agricultural Systems 168, 154-167) grows a crop day by day from radiation, temperature and
soil water: assimilation of the canopy, partitioning by stage of development, leaves that die of
age, shading and drought. It runs here in its water-limited form on freely draining soils, with what
pcse carries in itself: 24 years of weather at Wageningen (1976 to 1999; 1991 ends in August and is
left out; four missing days of 1990 repeat the day before) and the crop parameters of its
demonstration database, which has no sugar beet.

The cultivars of that database are for grids in Spain, so the temperature sums and some weights at
emergence are ours, set on the years for tuning so that crops flower, ripen and close as they do in
the Netherlands. Winter crops start with the year, as in the calendar of the database. Maize is for
silage, as most maize there: its run ends green at stage 1.75 (`SILAGE`), around the end of
September, or on the latest day. WOFOST ages leaves of maize by the degrees above 10 degC, so that
most are still green then. Potato that is not ripe loses its haulm on the latest day. Dead leaf area
is the weight of leaves that died times the specific leaf area of the living ones;
`releo_da.nature.season` says how they stand and fall. Surface moisture is that of
`releo_da.nature.topsoil` under the rain and the evaporation of bare soil.

Needs ``pip install 'releo_da[nature]'``. Cost: 0.4 s per crop, cohort and year.
"""

from __future__ import annotations

import atexit
import copy
import datetime as dt
import importlib
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from releo_da.nature.phenology import Weather
from releo_da.nature.season import DAYS, Cohort, Habit, Run, year_of
from releo_da.nature.topsoil import SOILS
from releo_da.types import InputError

Array = NDArray[np.float64]

YEARS = (*range(1976, 1991), *range(1992, 2000))
"""Years with weather for a whole season."""

PLACE = (5.67, 51.97)
"""Longitude and latitude of the weather: Wageningen, Haarweg."""


class Calendar(NamedTuple):
    """A crop of the demonstration database and how it is grown.

    Attributes:
        number: of the crop in the database.
        start: ``sowing`` or ``emergence``.
        begin: day of the year (from 0) on which it starts in the middle of its cohorts.
        spread: share of a cohort's shift that applies.
        latest: day of the year (from 0) of harvest at the latest.
        changed: parameters that replace those of the database.
        habit: how it dies and goes.
    """

    number: int
    start: str
    begin: int
    spread: float
    latest: int
    changed: Mapping[str, float]
    habit: Habit


SILAGE = 1.75
"""Stage at which maize is cut for silage, in the dough stage of its grains."""

CALENDARS: Mapping[str, Calendar] = {
    "winter_wheat": Calendar(
        1, "emergence", 6, 0.5, 250,
        {"TSUM1": 1200.0, "TSUM2": 900.0, "TDWI": 105.0}, Habit(30.0, 0.3),
    ),
    "rapeseed": Calendar(
        10, "emergence", 6, 0.5, 220,
        {"TSUM1": 400.0, "TSUM2": 680.0, "TDWI": 900.0}, Habit(10.0, 0.3),
    ),
    "spring_barley": Calendar(
        3, "sowing", 74, 1.0, 235,
        {"TSUM1": 760.0, "TSUM2": 780.0, "TDWI": 45.0}, Habit(30.0, 0.3),
    ),
    "maize": Calendar(
        2, "sowing", 115, 1.0, 295,
        {"TSUM1": 750.0, "TSUM2": 700.0, "DVSEND": SILAGE}, Habit(40.0, 0.2, wait=0),
    ),
    "potato": Calendar(
        7, "sowing", 108, 1.0, 265, {"TSUM1": 180.0, "TSUM2": 1480.0}, Habit(10.0, 0.0)
    ),
}  # fmt: skip
"""Sowing dates of the Netherlands; winter crops start between 1 and 13 January."""

OUTPUT = ("DVS", "LAI", "TAGP", "WLV", "DWLV")


@contextmanager
def private_home() -> Iterator[Path]:
    """A home folder that is thrown away at exit, for a package that fills it when imported.

    pcse also takes over the root logger; what was there is put back.
    """
    home = Path(tempfile.mkdtemp(prefix="releo-pcse-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    root = logging.getLogger()
    before = list(root.handlers), root.level
    names = {"HOME": str(home), "USERPROFILE": str(home), "USER": "releo", "USERNAME": "releo"}
    with (
        patch.dict(os.environ, names),
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),  # it reports that it builds a database
    ):
        yield home
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers, root.level = before
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False


class Model(NamedTuple):
    """pcse and what it carries: weather by date, and the demonstration database."""

    models: Any
    base: Any
    fetch: Any
    weather: Any
    database: sqlite3.Connection


def named_row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> SimpleNamespace:
    """A row whose columns are attributes, as pcse's queries read them."""
    names = (column[0] for column in cursor.description)
    return SimpleNamespace(**dict(zip(names, values, strict=True)))


@cache
def model() -> Model:
    """The package pcse with its weather and database; read once.

    Raises:
        InputError: where pcse is not installed.
    """
    with private_home() as home:
        try:
            pcse = importlib.import_module("pcse")
        except ModuleNotFoundError as error:
            raise InputError(
                "WOFOST needs the package pcse; install it with `pip install 'releo_da[nature]'`, "
                "or use the packaged table of its results"
            ) from error
        models, base, inputs = (
            importlib.import_module(f"pcse.{name}") for name in ("models", "base", "input")
        )
        fetch = importlib.import_module("pcse.tests.db_input")
        source = Path(str(pcse.__file__)).parent / "tests" / "test_data"
        for path in sorted(source.glob("NL1.*")):
            shutil.copy(path, home)  # its reader writes beside what it reads
        weather = inputs.CABOWeatherDataProvider("NL1", fpath=str(home))
    database = sqlite3.connect(":memory:")
    database.executescript((source / "pcse_dump.sql").read_text(encoding="utf-8"))
    database.row_factory = named_row
    day, last = dt.date(1976, 1, 1), dt.date(1991, 1, 1)
    while day < last:
        if (day, 0) not in weather.store:
            filled = copy.copy(weather.store[(day - dt.timedelta(1), 0)])
            weather.store[(day, 0)] = filled
        day += dt.timedelta(1)
    return Model(models, base, fetch, weather, database)


def weather_of(year: int) -> Weather:
    """Rain and evaporation of a wet bare soil (mm), ``[day]``, 366 long."""
    store = model().weather.store
    days = [dt.date(year, 1, 1) + dt.timedelta(day) for day in range(DAYS)]
    days = [day if day.year == year else dt.date(year, 12, 31) for day in days]
    rows = [store[(day, 0)] for day in days]
    return Weather(
        10.0 * np.array([row.RAIN for row in rows]), 10.0 * np.array([row.ES0 for row in rows])
    )


def soil_parameters(name: str) -> dict[str, float]:
    """Parameters of WOFOST's soil: water contents of the topsoil, a metre deep, well drained."""
    soil = SOILS[name]
    return {
        "SMW": soil.wilting, "SMFCF": soil.field_capacity, "SM0": soil.saturation,
        "CRAIRC": 0.05, "K0": 10.0, "SOPE": 10.0, "KSUB": 10.0, "RDMSOL": 100.0,
    }  # fmt: skip


SITE = {"IFUNRN": 0, "SSMAX": 0.0, "NOTINF": 0.0, "SSI": 0.0, "WAV": 15.0}
"""No run-off; 150 mm of available water in winter, or what the soil holds."""


def simulate(crop: str, year: int, cohort: Cohort) -> Run:
    """One season of one cohort.

    Args:
        crop: in `CALENDARS`.
        year: of harvest, in `YEARS`.
        cohort: of the crop.

    Raises:
        InputError: for a crop or year that is not there, or without pcse.
    """
    if crop not in CALENDARS or year not in YEARS:
        raise InputError(
            f"WOFOST grows {', '.join(CALENDARS)} in 1976 to 1999 except 1991, not {crop} in {year}"
        )
    parts, calendar = model(), CALENDARS[crop]
    traits = parts.fetch.fetch_cropdata(parts.database, 31031, 2000, calendar.number)
    traits |= dict(calendar.changed)
    for name in ("TSUM1", "TSUM2"):
        traits[name] *= cohort.earliness
    traits["SPAN"] *= cohort.span
    begin = calendar.begin + round(calendar.spread * cohort.shift)
    start = dt.date(year, 1, 1) + dt.timedelta(begin)
    season = {
        "crop_name": crop, "variety_name": "releo", "crop_start_date": start,
        "crop_start_type": calendar.start, "crop_end_type": "earliest", "max_duration": 366,
        "crop_end_date": dt.date(year, 1, 1) + dt.timedelta(calendar.latest),
    }  # fmt: skip
    agenda = [{start: {"CropCalendar": season, "TimedEvents": None, "StateEvents": None}}]
    site = SITE | {"SMLIM": SOILS[cohort.soil].saturation}
    given = parts.base.ParameterProvider(
        cropdata=traits, soildata=soil_parameters(cohort.soil), sitedata=site
    )
    engine = parts.models.Wofost72_WLP_CWB(given, parts.weather, agenda, output_vars=list(OUTPUT))
    engine.run_till_terminate()
    rows = [row for row in engine.get_output() if row["LAI"] is not None]
    dvs, lai, top, living, dying = np.array([[row[n] for n in OUTPUT] for row in rows], float).T
    thinness = lai / np.maximum(living, 1e-6)
    # Leaves that died carry the specific leaf area of the day before, when they were alive.
    died = np.diff(dying, prepend=0.0) * np.concatenate([thinness[:1], thinness[:-1]])
    out = dvs < 0.0
    return Run(begin, np.where(out, 0.0, lai), np.where(out, 0.0, died), dvs, 1e-4 * top)


def season(crop: str, year: int, cohort: Cohort) -> dict[str, Array]:
    """The cohort's year, ``[day]`` each of lai, dead, stage, biomass; raises as `simulate`."""
    run = simulate(crop, year, cohort)
    return year_of(run, CALENDARS[crop].habit, CALENDARS[crop].latest)
