r"""Packaged growth: small tables of WOFOST and AquaCrop, so that twins need neither package.

A file holds what a model gave for the cohorts of some crops in some years of weather:

    lai, dead, stage, moisture, biomass    [year, cohort, day]     day 0 is 1 January, 366 of them
    rain, evaporation                      [year, day]             mm; of a wet bare soil
    crop, soil                             [cohort]

packed as 16-bit integers with the step of `STEPS` and compressed. The cohorts are the same in each
year, so that years are put one after the other, and any consecutive years of weather can be laid on
any years of the calendar.

Years are divided once, here: those of `Source.tuning` may be used to choose settings and to train,
those of `Source.test` for what is reported and for nothing before. Cost: 0.1 s to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.nature.growth import Growth
from releo_da.nature.phenology import Weather, year_days
from releo_da.types import InputError

Array = NDArray[np.float64]

FOLDER = Path(__file__).with_name("tables")

STEPS: Mapping[str, float] = {
    "lai": 0.005, "dead": 0.005, "stage": 0.005, "moisture": 0.005, "biomass": 0.002,
    "rain": 0.1, "evaporation": 0.05,
}  # fmt: skip
"""Resolution of what is packed, in its unit."""

CANOPY = ("lai", "dead", "stage", "moisture", "biomass")


class Source(NamedTuple):
    """A packaged table: its years for tuning, its years for tests, longitude and latitude."""

    tuning: tuple[int, ...]
    test: tuple[int, ...]
    place: tuple[float, float]


SOURCES: Mapping[str, Source] = {
    "wofost": Source(
        (*range(1976, 1991), 1992, 1995), (1993, 1994, *range(1996, 2000)), (5.67, 51.97)
    ),
    "aquacrop_brussels": Source(tuple(range(1992, 1997)), (1997, 1998, 1999), (4.35, 50.80)),
    "aquacrop_champion": Source(tuple(range(2001, 2006)), (2006, 2007, 2008), (-101.73, 40.37)),
}  # fmt: skip
"""The packaged tables. Test years are never used to choose a setting, of truth or of assimilation,
or to train."""


def write(path: Path, data: xr.Dataset) -> None:
    """Pack and write a table.

    Args:
        path: of the file.
        data: with the names, axes and units of this module's table, and attributes that say where
            it comes from.
    """
    encoding = {
        name: {
            "dtype": "uint16", "scale_factor": step, "_FillValue": 65535, "zlib": True,
            "complevel": 9, "shuffle": True, "add_offset": -1.0 if name == "stage" else 0.0,
            "chunksizes": data[name].shape,
        }
        for name, step in STEPS.items()
    }  # fmt: skip
    data.to_netcdf(path, engine="netcdf4", encoding=encoding)


def read(path: Path) -> xr.Dataset:
    """A table as it was written, up to half a step; raises `InputError` where there is none."""
    if not path.is_file():
        raise InputError(f"{path}: no such table of growth; there is {', '.join(SOURCES)}")
    with xr.open_dataset(path, engine="netcdf4") as data:
        return data.load().astype({name: np.float64 for name in STEPS})


def laid_out(table: Array, lengths: Sequence[int]) -> Array:
    """Years ``[year, ..., 366]`` one after the other, each as long as its calendar year."""
    return np.concatenate(
        [year[..., :length] for year, length in zip(table, lengths, strict=True)], -1
    )


def chosen(data: xr.Dataset, name: str, years: Sequence[int]) -> xr.Dataset:
    """The years of a table; raises `InputError` for one that it lacks."""
    have = data["year"].values.tolist()
    missing = [str(year) for year in years if year not in have]
    if missing or not years:
        raise InputError(
            f"the table {name} has no year {', '.join(missing) or '(none was named)'}; it has "
            f"{', '.join(map(str, have))}"
        )
    return data.sel(year=list(years))


def calendar(years: Sequence[int], first_year: int | None) -> list[int]:
    """Calendar years on which years of weather are laid; days of each follow without a gap."""
    begin = years[0] if first_year is None else first_year
    return list(range(begin, begin + len(years)))


def growth(name: str, years: Sequence[int], first_year: int | None = None) -> Growth:
    """Growth from a packaged table.

    Args:
        name: in `SOURCES`.
        years: of weather, in the order in which they follow each other.
        first_year: of the calendar on which the first of them is laid; None keeps it.

    Raises:
        InputError: for a table or year that is not there.
    """
    data = chosen(read(FOLDER / f"{name}.nc"), name, years)
    laid = calendar(years, first_year)
    lengths = [year_days(year) for year in laid]
    return Growth(
        crop=tuple(data["crop"].values.tolist()),
        first=float(np.datetime64(f"{laid[0]}-01-01", "D").astype(int)),
        soil=tuple(data["soil"].values.tolist()),
        **{part: laid_out(data[part].values, lengths) for part in CANOPY},
    )


def weather(name: str, years: Sequence[int], first_year: int | None = None) -> Weather:
    """The weather under which a table grew, for `releo_da.nature.phenology`; as `growth`."""
    data = chosen(read(FOLDER / f"{name}.nc"), name, years)
    lengths = [year_days(year) for year in calendar(years, first_year)]
    return Weather(
        laid_out(data["rain"].values, lengths), laid_out(data["evaporation"].values, lengths)
    )
