r"""Truth of fraternal twin B: AquaCrop, by the package aquacrop.

AquaCrop (Steduto, Hsiao, Raes and Fereres 2009, Agronomy Journal 101, 426-437; Foster et al. 2017,
Agricultural Water Management 181, 18-22) knows no leaves: its state is the share CC of ground that
green canopy covers, which grows and declines exponentially with degree days and closes stomata with
drought; biomass follows transpiration. Its structure is unlike WOFOST's and so are its climates,
Brussels and Champion in Nebraska, both carried in the package. Leaf area follows from cover by
Beer's law, and what it loses stands as dead leaves (`releo_da.nature.season`):

    lai   = -ln(1 - CC) / k,      CC at most 0.985,   k = 0.65
    stage = 0 at emergence, 1 where the harvest index starts, 2 at maturity

with stage linear in degree days between (k: cover of maize against its leaf area, Hsiao et al.
2009, Agronomy Journal 101, 448-459). The published parameters are for other cultivars and warmer
places; ``longer`` stretches their degree days so that crops ripen when they do there. Surface
moisture is that of `releo_da.nature.topsoil`, with 1.15 of the reference evaporation for a wet bare
soil (FAO 56, chapter 7).

Needs ``pip install 'releo_da[nature]'``. Cost: 0.5 s per crop, cohort and year.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.nature.phenology import Weather, year_days
from releo_da.nature.season import DAYS, Cohort, Habit, Run, year_of
from releo_da.types import InputError

Array = NDArray[np.float64]

EXTINCTION = 0.65
LARGEST_COVER = 0.985
BARE_SOIL = 1.15


class Calendar(NamedTuple):
    """A crop of the package and how it is grown.

    Attributes:
        name: of the crop in the package, in growing degree days.
        begin: day of the year (from 0) of sowing in the middle of its cohorts; negative in the year
            before the harvest.
        longer: factor of its degree days.
        vigour: factor of the growth rate of its canopy.
        cover: of ground by a closed canopy.
        latest: day of the year (from 0) of harvest at the latest.
        habit: of its dead leaves.
    """

    name: str
    begin: int
    longer: float
    vigour: float
    cover: float
    latest: int
    habit: Habit


class Climate(NamedTuple):
    """A file of weather in the package and what is grown there."""

    file: str
    crops: Mapping[str, Calendar]


CLIMATES: Mapping[str, Climate] = {
    "brussels": Climate(
        "brussels_climate.txt",
        {
            "winter_wheat": Calendar("WheatGDD", -50, 1.08, 0.85, 0.95, 240, Habit(30.0, 0.3)),
            "spring_barley": Calendar("BarleyGDD", 76, 1.25, 1.0, 0.92, 235, Habit(30.0, 0.3)),
            "sugar_beet": Calendar("SugarBeetGDD", 95, 0.78, 1.0, 0.96, 305, Habit(8.0, 0.0)),
            "potato": Calendar("PotatoGDD", 110, 1.3, 1.0, 0.93, 262, Habit(10.0, 0.0)),
        },
    ),
    "champion": Climate(
        "champion_climate.txt",
        {
            "maize": Calendar("MaizeGDD", 121, 0.85, 1.0, 0.95, 290, Habit(40.0, 0.2)),
            "soybean": Calendar("SoybeanGDD", 135, 0.66, 1.3, 0.96, 285, Habit(10.0, 0.1)),
        },
    ),
}
"""Climates and crops; sowing dates are those of the region."""

TEXTURES: Mapping[str, str] = {"sand": "LoamySand", "loam": "Loam", "clay": "ClayLoam"}
"""Soils of the package; its heavy clay leaves no air to roots for most of a wet season."""

STRETCHED = ("HIstart", "Senescence", "Maturity", "MaxRooting", "YldForm")


class Model(NamedTuple):
    """The package, its crop parameters and its way to its files."""

    package: Any
    parameters: Mapping[str, Mapping[str, float]]
    tools: Any


@cache
def model() -> Model:
    """The package aquacrop; raises `InputError` where it is not installed."""
    try:
        package = importlib.import_module("aquacrop")
    except ModuleNotFoundError as error:
        raise InputError(
            "AquaCrop needs the package aquacrop; install it with `pip install "
            "'releo_da[nature]'`, or use the packaged tables of its results"
        ) from error
    parameters = importlib.import_module("aquacrop.entities.crops.crop_params").crop_params
    return Model(package, parameters, importlib.import_module("aquacrop.utils"))


@cache
def days_of(climate: str) -> pd.DataFrame:
    """Weather of a climate by day, as the package reads it."""
    if climate not in CLIMATES:
        raise InputError(f"no climate {climate}; there is {', '.join(CLIMATES)}")
    tools = model().tools
    return tools.prepare_weather(tools.get_filepath(CLIMATES[climate].file))


def weather_of(climate: str, year: int) -> Weather:
    """Rain and evaporation of a wet bare soil (mm), ``[day]``, 366 long."""
    table = days_of(climate)
    table = table[table["Date"].dt.year == year]
    if len(table) != year_days(year):
        raise InputError(f"the weather of {climate} lacks days of {year}")
    held = np.minimum(np.arange(DAYS), len(table) - 1)
    rain, wet = table["Precipitation"].to_numpy(), BARE_SOIL * table["ReferenceET"].to_numpy()
    return Weather(rain[held], wet[held])


def leaf_area(cover: Array) -> Array:
    """Green leaf area (m2/m2) of a cover of green canopy (0 to 1), by Beer's law."""
    return -np.log1p(-np.minimum(cover, LARGEST_COVER)) / EXTINCTION


def simulate(climate: str, crop: str, year: int, cohort: Cohort) -> Run:
    """One season of one cohort.

    Args:
        climate: in `CLIMATES`.
        crop: that grows there.
        year: of harvest.
        cohort: of the crop.

    Raises:
        InputError: for a climate or crop that is not there, or without aquacrop.
    """
    weather = days_of(climate)
    crops = CLIMATES[climate].crops
    if crop not in crops:
        raise InputError(f"AquaCrop grows {', '.join(crops)} in {climate}, not {crop}")
    package, calendar = model().package, crops[crop]
    published = model().parameters[calendar.name]
    stretch = calendar.longer * cohort.earliness
    traits = {name: stretch * published[name] for name in STRETCHED}
    traits["CGC"] = calendar.vigour * published["CGC"]
    traits["CCx"] = calendar.cover
    traits["PlantPop"] = cohort.span * published["PlantPop"]
    begin = calendar.begin + cohort.shift
    sowing = pd.Timestamp(year=year, month=1, day=1) + pd.Timedelta(days=begin)
    engine = package.AquaCropModel(
        sim_start_time=sowing.strftime("%Y/%m/%d"),
        sim_end_time=f"{year}/12/30",
        weather_df=weather.copy(),
        soil=package.Soil(TEXTURES[cohort.soil]),
        crop=package.Crop(calendar.name, planting_date=sowing.strftime("%m/%d"), **traits),
        initial_water_content=package.InitialWaterContent(value=["FC"]),
    )
    engine.run_model(till_termination=True)
    table = pd.DataFrame(engine.get_crop_growth())
    cover = table["canopy_cover"].to_numpy(np.float64)
    green = np.flatnonzero(cover > 0.0)
    if not green.size:
        raise InputError(f"{crop} did not emerge in {climate} in {year}")
    end = int(green[-1]) + 1
    lai = leaf_area(cover[:end])
    heat = table["gdd_cum"].to_numpy(np.float64)[:end]
    marks = [heat[green[0]], traits["HIstart"], traits["Maturity"]]
    stage = np.where(np.arange(end) < green[0], -1.0, np.interp(heat, marks, [0.0, 1.0, 2.0]))
    lost = np.maximum(-np.diff(lai, prepend=0.0), 0.0)
    return Run(begin, lai, lost, stage, 1e-3 * table["biomass"].to_numpy(np.float64)[:end])


def season(climate: str, crop: str, year: int, cohort: Cohort) -> dict[str, Array]:
    """The cohort's year, ``[day]`` each of lai, dead, stage, biomass; raises as `simulate`."""
    run = simulate(climate, crop, year, cohort)
    calendar = CLIMATES[climate].crops[crop]
    return year_of(run, calendar.habit, calendar.latest)
