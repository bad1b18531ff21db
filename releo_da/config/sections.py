"""The sections of a configuration that are plain options rather than components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from releo_da.config.document import Document, nearest
from releo_da.config.phenology import check_seasons
from releo_da.config.phenology import phenology as season_options
from releo_da.config.registry import bind
from releo_da.diagnostics.seasons import Seasons
from releo_da.io import InSitu, read_in_situ
from releo_da.io.series import Series
from releo_da.observation.derived import OUTPUTS
from releo_da.runs.withhold import Rule, Withhold, WithholdChannel, WithholdSensor
from releo_da.types import InputError

Beside = Literal["gru"]
"""Baselines that a run has on request (`releo_da.diagnostics.baselines.ON_REQUEST`)."""

Format = Literal["netcdf", "zarr", "csv"]
"""Formats of the output variables."""


def days(day: date, end: bool = False) -> float:
    """Days since 1970-01-01 of the start, or the end, of a day."""
    return float((day - date(1970, 1, 1)).days + (1 if end else 0))


def as_date(value: Any, where: str) -> date:
    """A date from YAML's own or from ISO text."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise InputError(f"{where}: {value!r} is no date; write YYYY-MM-DD") from None


def as_period(value: Any, where: str) -> tuple[float, float]:
    """Days since 1970-01-01 of the start of a first and the end of a last day.

    Raises:
        InputError: there are not two dates in order.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise InputError(f"{where}: {value!r} is no period; write [2024-01-01, 2024-12-31]")
    first, last = (as_date(d, where) for d in value)
    if first > last:
        raise InputError(f"{where}: it starts {first} after its end {last}; swap the dates")
    return days(first), days(last, end=True)


@dataclass(frozen=True)
class Score:
    """What a run is scored on.

    Attributes:
        withhold: the rule of withheld dates.
        horizons: lead times of forecasts, days.
        bins: of lead times, from every acquisition to all later ones, days.
        period: first and last time of forecast targets, days.
        in_situ: options of the tables of field measurements.
        burn_in: time from the start that a twin experiment does not score.
        periods: first and last time of parts of the run that are scored by themselves, by name.
        repeats: how many seeds a twin experiment is run with.
        baselines: names of those that a run has on request.
        network: path of the weights of a retrieval that stands beside field measurements.
    """

    withhold: Rule | None = None
    horizons: tuple[float, ...] = ()
    period: tuple[float, float] = (-np.inf, np.inf)
    in_situ: tuple[Mapping[str, Any], ...] = ()
    burn_in: float = 0.0
    periods: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bins: tuple[tuple[float, float], ...] = ()
    repeats: int = 1
    baselines: tuple[str, ...] = ()
    network: str | None = None


def score(
    withhold: dict[str, int | float | str] | None = None,
    horizons: Sequence[float | Sequence[float]] = (),
    forecast_period: Sequence[Any] | None = None,
    in_situ: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
    burn_in: float = 0.0,
    periods: dict[str, Sequence[Any]] | None = None,
    repeats: int = 1,
    baselines: Sequence[Beside] = (),
    network: str | None = None,
) -> Score:
    """What a run is scored on.

    Args:
        withhold: ``{every: 3, offset: 0}``, clear dates hidden from the analysis and
            scored; ``offset: all`` takes every offset in turn and scores their mean. Or ``{sensor:
            .., within_days: 1}``, a sensor that is predicted only, scored where another saw the
            pixel within so many days. Or ``{channel: B08}``, a channel that is predicted only.
        horizons: lead times of forecasts in days, each value forecast from the latest acquisition
            that is old enough; a pair such as ``[10, 30]`` is a bin of lead times (more than 10, at
            most 30 days), for which every acquisition is an origin and all later ones are targets.
        forecast_period: first and last day of forecast targets; the whole run unless given.
        in_situ: a table of field measurements, or a list of them.
        burn_in: time from the start (days; model time of a toy model) that a twin experiment
            does not score.
        periods: ``{name: [first day, last day]}``, parts of the run that are scored by themselves.
        repeats: how many seeds a twin experiment of a landscape is run with, from that of the run
            on, each with a truth of its own; scores are those of all, with intervals over seeds.
        baselines: those beside the ones that every hindcast has: ``[gru]``, a recurrent network
            that forecasts NDVI from its own past; 10 to 20 s to train.
        network: weights made by ``train: {target: retrieval}``; what they say of the acquisition
            nearest to a field measurement stands beside the run.
    """
    kinds: dict[str, Any] = {"sensor": WithholdSensor, "channel": WithholdChannel}
    kind = next((kinds[key] for key in withhold or {} if key in kinds), Withhold)
    rule = None if withhold is None else bind(kind, withhold, "score.withhold")()
    if isinstance(rule, Withhold):
        if rule.every < 2:
            raise InputError(f"withhold: every is {rule.every}; give 2 or more, 3 hides a third")
        if rule.offset != "all" and not 0 <= rule.offset < rule.every:
            raise InputError(
                f"withhold: offset is {rule.offset}; give 0 to {rule.every - 1}, or all"
            )
    elif isinstance(rule, WithholdSensor) and not rule.within_days >= 0:
        raise InputError(f"withhold: within_days is {rule.within_days}; give 0 or more")
    period = (-np.inf, np.inf)
    if forecast_period is not None:
        period = as_period(forecast_period, "score.forecast_period")
    single, bins = leads(horizons)
    if burn_in < 0.0:
        raise InputError(f"burn_in is {burn_in}; give 0 or more")
    listed = [in_situ] if isinstance(in_situ, Mapping) else list(in_situ or [])
    parts = {n: as_period(p, f"score.periods.{n}") for n, p in (periods or {}).items()}
    if repeats < 1:
        raise InputError(f"repeats is {repeats}; give 1 or more")
    named = tuple(dict.fromkeys(baselines))
    return Score(rule, single, period, tuple(listed), burn_in, parts, bins, repeats, named, network)


def leads(
    horizons: Sequence[float | Sequence[float]],
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Horizons and bins of lead times, days.

    Raises:
        InputError: a lead time is not positive, a pair is no bin, or bins overlap.
    """
    single = tuple(float(h) for h in horizons if not isinstance(h, Sequence))
    for horizon in single:
        if not 0 < horizon < np.inf:
            raise InputError(f"horizons: {horizon} is no lead time; give positive numbers of days")
    bins = []
    for given in (h for h in horizons if isinstance(h, Sequence)):
        if isinstance(given, str) or len(given) != 2 or not 0 <= given[0] < given[1] < np.inf:
            raise InputError(
                f"horizons: {list(given)} is no bin of lead times; write [10, 30], two "
                "finite numbers of days"
            )
        bins.append((float(given[0]), float(given[1])))
    bins.sort()
    for one, other in pairwise(bins):
        if other[0] < one[1]:
            raise InputError(
                f"horizons: {list(one)} and {list(other)} overlap; a lead time belongs to one bin"
            )
    return single, tuple(bins)


def horizons_of(document: Document, wanted: Score) -> tuple[float, ...]:
    """The horizons of a run that is scored on its truth at every time, where bins add nothing.

    Raises:
        InputError: bins of lead times are asked for, or baselines of observations.
    """
    if wanted.baselines:
        raise InputError(
            f"{document.path}: score.baselines: a twin is scored on its truth beside its free run; "
            "remove it"
        )
    if wanted.bins:
        raise InputError(
            f"{document.path}: score.horizons: bins of lead times are for hindcasts; a twin is "
            "scored on its truth, give single lead times"
        )
    return wanted.horizons


@dataclass(frozen=True)
class Products:
    """Output variables, how often they are wanted, in which formats beside netCDF, and seasons."""

    variables: tuple[str, ...]
    every_days: float
    copies: tuple[str, ...] = ()
    structural: float = 0.0
    seasons: Seasons | None = None


def products(
    variables: Sequence[str] = ("lai", "ccc", "fapar", "ndvi"),
    every_days: float = 10.0,
    format: Format | Sequence[Format] = "netcdf",
    structural: float = 0.0,
    phenology: dict[str, Any] | None = None,
) -> Products:
    """Output variables.

    Args:
        variables: names of state or derived variables.
        every_days: interval of the output dates, from the first day of the period; the last day is
            one of them only where the interval meets it.
        format: ``netcdf``, ``zarr``, ``csv`` or a list of these; netCDF is written in any case, the
            others beside it.
        structural: standard deviation of the logarithm of leaf area that the canopy model leaves
            open on all dates alike; it widens ``lai``, ``lai_green``, ``ccc`` and ``cwc``.
        phenology: ``{variable: lai, start: 0.25, end: 0.15}``, dates of seasons of an output
            variable of a hindcast or twin experiment, in ``phenology.nc``; none unless given.
    """
    if not 0.0 <= structural <= 2.0:
        raise InputError(
            f"structural is {structural}; give 0 to 2, the standard deviation of a logarithm "
            "(0.3 is about 30 %)"
        )
    if not every_days > 0:
        raise InputError(f"every_days is {every_days}; give a positive number of days")
    asked = (format,) if isinstance(format, str) else tuple(format)
    copies = tuple(name for name in dict.fromkeys(asked) if name != "netcdf")
    wanted = None
    if phenology is not None:
        wanted = bind(season_options, phenology, "products.phenology")()
        check_seasons(variables, wanted)
    return Products(tuple(variables), float(every_days), copies, float(structural), wanted)


def section(document: Document, key: str, function: Any) -> Any:
    """One section of options, checked against the function that holds their defaults."""
    return bind(function, document.values.get(key), key)()


def field_tables(document: Document, wanted: Score, series: Series) -> list[InSitu]:
    """The tables of field measurements, joined to the pixels."""
    found = []
    for number, entry in enumerate(wanted.in_situ):
        where = f"score.in_situ[{number}]" if len(wanted.in_situ) > 1 else "score.in_situ"
        if not isinstance(entry, Mapping) or "path" not in entry:
            raise InputError(f"{document.path}: {where}: needs the key 'path'")
        options = {**entry, "path": document.resolve(entry["path"])}
        _check_measured(entry.get("variable"), section(document, "products", products), where)
        if isinstance(options.get("stage"), Mapping) and "path" in options["stage"]:
            stage = dict(options["stage"])
            options["stage"] = {**stage, "path": str(document.resolve(stage["path"]))}
        bound = bind(read_in_situ, options, where, provided={"pixels": series.pixels})
        found.append(bound())
    return found


def _check_measured(variable: Any, wanted: Products, where: str) -> None:
    """Refuse measurements of what the run does not estimate."""
    if variable in wanted.variables:
        return
    if variable in OUTPUTS:
        remedy = "add it to products.variables"
    else:
        remedy = nearest(str(variable), OUTPUTS)
    raise InputError(f"{where}.variable: {variable!r} is no output variable of this run; {remedy}")


def product_times(document: Document, series: Series, wanted: Products) -> list[float]:
    """Output dates from the first to the last day of the period, at noon."""
    if document.period is not None:
        first, last = days(document.period[0]), days(document.period[1], end=True)
    else:
        first, last = series.acquisitions[0].time, series.acquisitions[-1].time + 1.0
    return [float(t) for t in np.arange(np.floor(first) + 0.5, last, wanted.every_days)]
