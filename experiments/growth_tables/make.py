"""Make the packaged tables of growth: `python experiments/growth_tables/make.py OUTDIR [NAME ...]`.

NAME is one of `releo_da.nature.tables.SOURCES`, all of them where none is given. The files are to
be put into releo_da/nature/tables/. Needs `pip install 'releo_da[nature]'`.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import xarray as xr

from releo_da.nature import aquacrop, wofost
from releo_da.nature.season import COHORTS
from releo_da.nature.tables import CANOPY, SOURCES, write
from releo_da.nature.topsoil import SOILS, moisture

UNITS = {"lai": "m2 m-2", "dead": "m2 m-2", "stage": "1", "moisture": "1", "biomass": "kg m-2"}


def table(name: str) -> xr.Dataset:
    """One table: every crop, cohort and year of a source."""
    if name == "wofost":
        crops, season, weather_of, package = (
            list(wofost.CALENDARS), wofost.season, wofost.weather_of, "pcse",
        )  # fmt: skip
    else:
        climate = name.removeprefix("aquacrop_")
        crops, package = list(aquacrop.CLIMATES[climate].crops), "aquacrop"

        def season(crop, year, cohort):
            return aquacrop.season(climate, crop, year, cohort)

        def weather_of(year):
            return aquacrop.weather_of(climate, year)

    years = sorted((*SOURCES[name].tuning, *SOURCES[name].test))
    soils = [SOILS[cohort.soil] for _ in crops for cohort in COHORTS]
    parts = {part: [] for part in (*CANOPY, "rain", "evaporation")}
    for year in years:
        print(name, year, flush=True)
        grown = [season(crop, year, cohort) for crop in crops for cohort in COHORTS]
        stacked = {part: np.stack([one[part] for one in grown]) for part in grown[0]}
        weather = weather_of(year)
        stacked["moisture"] = moisture(
            weather.rain, weather.evaporation, stacked["lai"] + stacked["dead"], soils
        )
        for part, pieces in parts.items():
            pieces.append(stacked[part] if part in CANOPY else getattr(weather, part))
    axes = {
        part: ("year", "cohort", "day") if part in CANOPY else ("year", "day") for part in parts
    }
    return xr.Dataset(
        {
            part: (axes[part], np.stack(pieces), {"units": UNITS.get(part, "mm")})
            for part, pieces in parts.items()
        },
        coords={
            "year": np.array(years, dtype=np.int32),
            "crop": ("cohort", [crop for crop in crops for _ in COHORTS]),
            "soil": ("cohort", [cohort.soil for _ in crops for cohort in COHORTS]),
        },
        attrs={
            "title": f"growth of crops, {name}",
            "source": f"{package} {version(package)}; see experiments/growth_tables of releo_da",
            "longitude": SOURCES[name].place[0],
            "latitude": SOURCES[name].place[1],
        },
    )


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for source in sys.argv[2:] or SOURCES:
        write(out / f"{source}.nc", table(source))
