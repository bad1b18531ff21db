r"""What weather does to a process that returns to its season: drivers against their climatology.

`releo_da.dynamics.growth_water` makes daily drivers of a record of weather. What a season of the
year brings at a site is in the seasonal mean already, so only the departure acts,

    phi(d) = driver(d) - climatology(d),     climatology: 1 and two harmonics of the year by least
                                             squares over the site's own record

and it is 0 on days without weather. It enters the position of a variable at rate beta phi and is
forgotten as any other deviation: for rate lambda and u the time since,

    Ornstein-Uhlenbeck   x(t) += beta sum_d phi(d) int exp(-lambda u) du
    Matern-3/2           x(t) += beta sum_d phi(d) int (1 + lambda u) exp(-lambda u) du
                         v(t) += beta sum_d phi(d) int -lambda u exp(-lambda u) du      (v / lambda)

over the part of each day between the two dates: the exact solution with a constant rate within a
day, so an interval split at any instant gives the same, and noise is not touched. Shapes: drivers
``[day, site, driver]``, effects per site and gathered for pixels; float64.

A record shorter than a year tells its climatology less well; where it has none, its harmonics are
drawn to 0 (ridge regression), and one of under `SHORTEST` days is refused.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.dynamics.growth_water import (
    growth,
    senescence,
    soil_water,
    top_radiation,
    water_demand,
)
from releo_da.types import InputError, Weather

DRIVERS = ("growth", "senescence", "wetness")
"""Drivers in the order of their axis; wetness is the daily change of water in the topsoil."""

ROOTS, TOPSOIL = 150.0, 20.0
"""Water (mm) that plants can take from the soil, and of its surface that satellites see."""

SHORTEST, YEAR, HARMONICS, RIDGE = 180, 365.2425, 2, 10.0
"""Days of the shortest record, of a year; terms of the climatology; days that weigh against it."""

CLEAR = 0.5
"""Share of the radiation on top of the atmosphere that stands for radiation not known."""

LATITUDE = 45.0
"""Degrees north of sites of which no position is known."""


class Forcing(NamedTuple):
    """Departures of the drivers, and the sites of pixels.

    Attributes:
        first: day since 1970-01-01 of the first row.
        departures: ``[day, site, driver]`` float64.
        pixels: ``[pixel]`` global ids, ascending.
        site: ``[pixel, k]``.
        weight: ``[pixel, k]`` float64.
    """

    first: int
    departures: Tensor
    pixels: Tensor
    site: Tensor
    weight: Tensor


def forcing(weather: Weather) -> Forcing:
    """Departures of the drivers of a record from the climatology of its sites.

    The climatology is that of ``weather.normal`` where the record is a scenario.

    Raises:
        InputError: the record has no temperature, is too short, or holds numbers that are not
            finite.
    """
    usual = weather if weather.normal is None else weather.normal
    days = len(usual.values)
    if days < SHORTEST:
        raise InputError(
            f"weather: its {days} days tell no climatology; give at least {SHORTEST} days, better "
            "several years"
        )
    for record in (weather, usual):
        if not bool(torch.isfinite(record.values).all()):
            raise InputError("weather: it holds numbers that are not finite; correct its file")
    values = _drivers(usual)
    fitted = _waves(usual)
    penalty = RIDGE * torch.eye(fitted.shape[1], dtype=fitted.dtype, device=fitted.device)
    penalty[0, 0] = 0.0
    normal = fitted.T @ fitted + penalty
    terms = torch.linalg.solve(normal, (fitted.T @ values.flatten(1)))
    found = values if weather.normal is None else _drivers(weather)
    expected = (_waves(weather) @ terms).unflatten(1, found.shape[1:])
    weight = weather.weight.double()
    return Forcing(weather.first, found - expected, weather.pixels, weather.site, weight)


def responses(
    rate: Tensor, days: tuple[int, int], start: float, end: float, second: bool
) -> tuple[Tensor, Tensor]:
    """What is left at the end of a rate on each day: position, velocity, ``[day, variable]``.

    Args:
        rate: ``[variable]`` lambda, per day.
        days: the first day and the one after the last, since 1970-01-01.
        start: beginning of the interval (days).
        end: of the interval.
        second: Matern-3/2, else Ornstein-Uhlenbeck, whose velocity is 0.
    """
    day = torch.arange(*days, dtype=rate.dtype, device=rate.device)[:, None]
    young = end - (day + 1.0).clamp(start, end)
    old = end - day.clamp(start, end)

    def decay(age: Tensor) -> Tensor:
        return torch.exp(-rate * age)

    if not second:
        position = (decay(young) - decay(old)) / rate
        return position, torch.zeros_like(position)
    position = (2.0 / rate + young) * decay(young) - (2.0 / rate + old) * decay(old)
    velocity = (1.0 / rate + old) * decay(old) - (1.0 / rate + young) * decay(young)
    return position, velocity


def _drivers(weather: Weather) -> Tensor:
    """Drivers of every day, ``[day, site, driver]``; the first year goes before the record."""
    length = min(len(weather.values), 365)
    first = weather.values[:length]
    values = torch.cat([first, weather.values]).double()
    held = {name: values[..., k] for k, name in enumerate(weather.elements)}
    temperature = _temperature(held)
    sites = values.shape[1]
    latitude = weather.latitude
    if latitude is None:
        latitude = torch.full((sites,), LATITUDE)
    latitude = torch.nan_to_num(latitude.to(values), nan=LATITUDE)
    numbers = torch.arange(weather.first, weather.first + len(weather.values), device=values.device)
    day = torch.cat([numbers[:length], numbers]).double()
    top = top_radiation(latitude, day)
    light = held.get("radiation", CLEAR * top).clamp_min(0.0)
    demand = held.get("evapotranspiration", water_demand(temperature, top)).clamp_min(0.0)
    full = torch.ones_like(temperature[0])
    if "precipitation" in held:
        rain = held["precipitation"]
        water = soil_water(rain, demand, ROOTS, full)[:-1]
        wetness = soil_water(rain, demand, TOPSOIL, full).diff(dim=0)
    else:
        water, wetness = torch.ones_like(temperature), torch.zeros_like(temperature)
    grown = growth(temperature, light, water)
    return torch.stack([grown, senescence(grown, temperature), wetness], -1)[length:]


def _temperature(held: dict[str, Tensor]) -> Tensor:
    """Mean of the day, or of its least and greatest."""
    if "temperature" in held:
        return held["temperature"]
    if "temperature_min" in held and "temperature_max" in held:
        return (held["temperature_min"] + held["temperature_max"]) / 2.0
    raise InputError(
        "weather: growth needs the temperature, or its least and greatest; add it to 'elements'"
    )


def _waves(weather: Weather) -> Tensor:
    """1 and harmonics of the year at the middle of each day, ``[day, term]``."""
    like = weather.values
    day = torch.arange(len(like), dtype=torch.float64, device=like.device) + weather.first + 0.5
    phase = 2.0 * math.pi * day / YEAR
    waves = [f(k * phase) for k in range(1, HARMONICS + 1) for f in (torch.cos, torch.sin)]
    return torch.stack([torch.ones_like(day), *waves], -1)
