r"""Growth, senescence and soil water of a canopy by daily weather: a simple model of our own.

Everything is per day d and site, ``[day, site]``, and nothing depends on a state, so the drivers of
a record of weather are made once. With temperature T (degC), light R (MJ m-2), rain P (mm):

    growth       g = f(T) h(R) k(w)                             share of the greatest growth, 0..1
                 f(T) = (40 - T)/(40 - 23) (T/23)^(23/17)       0 below 0 degC and above 40 degC
                 h(R) = R / (R + 8)
                 k(w) = min(1, 2 w)                             w: share of the soil's water left
    soil water   w' = min(1, w + P/C) exp(-E/C)                 C: capacity (mm), E: demand (mm)
                 E = Ra (T + 5) / (100 * 2.45) where T > -5     Ra: sun on top of the atmosphere
    senescence   s(d) = int g over the days of emergence of what reaches the age of 1000 degC d in d

What grows on a day dies when it has aged 1000 degree days (above 0 degC), so a warm spell kills
sooner, and canopies that grew evenly die evenly; no sowing or harvest is in it. Leaf area that
grows as dL/dt = r g L (1 - L/Lmax) has a logit that grows as r g: in the unbounded coordinate of a
state the drivers are drifts that add, whatever the leaf area is (`releo_da.dynamics.forcing`).

Cost: one pass over the days, vectorised over sites; float64 or whatever dtype comes in; gradients
reach all inputs.

References: Yan and Hunt (1999), Ann. Bot. 84, 607-614, equation 4 (temperature); Thornthwaite and
Mather (1955), The water balance, Publ. Climatol. 8 (exponential depletion of soil water); Oudin et
al. (2005), J. Hydrol. 303, 290-306, equation 3 (demand from temperature); Allen et al. (1998), FAO
Irrigation and Drainage Paper 56, equations 21-25 (Ra), 34 (length of a day) and 84 (stress, here
from half of the capacity on); Boogaard et al. (2014), WOFOST control centre manual, section on leaf
dynamics (physiological ageing: death at a life span in degree days).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

HOTTEST, BEST = 40.0, 23.0
"""degC at which growth ends, and at which it is greatest."""

HALF_LIGHT = 8.0
"""MJ m-2 d-1 of short-wave radiation at which light gives half of the greatest growth."""

LIFE_SPAN = 1000.0
"""Degree days (above 0 degC) that a leaf lives."""

SLOWEST = 0.1
"""Degree days by which leaves age on the coldest day."""

STRESS_BELOW = 0.5
"""Share of the soil's water below which growth is limited."""


def temperature_response(temperature: Tensor) -> Tensor:
    """f(T), 0..1, greatest at 23 degC; any shape, degC."""
    inside = temperature.clamp(1e-6, HOTTEST - 1e-6)
    shape = BEST / (HOTTEST - BEST)
    found = (HOTTEST - inside) / (HOTTEST - BEST) * (inside / BEST) ** shape
    return torch.where(inside == temperature, found, torch.zeros_like(found))


def top_radiation(latitude: Tensor, day: Tensor) -> Tensor:
    """Ra, radiation on a level surface on top of the atmosphere, ``[day, site]`` MJ m-2 d-1.

    Args:
        latitude: ``[site]`` degrees north.
        day: ``[day]`` since 1970-01-01.
    """
    distance = 1.0 + 0.033 * torch.cos(_angle_of_year(day))
    phi, declination = torch.deg2rad(latitude.clamp(-89.9, 89.9)), _declination(day)
    sunset = _sunset(latitude, day)
    lit = sunset * torch.sin(phi) * torch.sin(declination)
    lit = lit + torch.cos(phi) * torch.cos(declination) * torch.sin(sunset)
    return 24.0 * 60.0 / math.pi * 0.0820 * distance * lit


def day_length(latitude: Tensor, day: Tensor) -> Tensor:
    """Hours from sunrise to sunset, ``[day, site]``; arguments as of `top_radiation`."""
    return 24.0 / math.pi * _sunset(latitude, day)


def _angle_of_year(day: Tensor) -> Tensor:
    return 2.0 * math.pi * (day[:, None] + 1.0) / 365.2425


def _declination(day: Tensor) -> Tensor:
    """Of the sun, ``[day, 1]`` radians."""
    return 0.409 * torch.sin(_angle_of_year(day) - 1.39)


def _sunset(latitude: Tensor, day: Tensor) -> Tensor:
    """Hour angle of the sunset, ``[day, site]`` radians."""
    phi = torch.deg2rad(latitude.clamp(-89.9, 89.9))
    return torch.acos((-torch.tan(phi) * torch.tan(_declination(day))).clamp(-1.0, 1.0))


def water_demand(temperature: Tensor, top: Tensor) -> Tensor:
    """E, potential evapotranspiration, mm d-1; degC and MJ m-2 d-1 of one shape."""
    return top * (temperature + 5.0).clamp_min(0.0) / (100.0 * 2.45)


def soil_water(rain: Tensor, demand: Tensor, capacity: float, start: Tensor) -> Tensor:
    """Water w at the beginning of every day and at the end of the last, ``[day + 1, site]``, 0..1.

    Args:
        rain: ``[day, site]`` mm.
        demand: ``[day, site]`` mm, not negative.
        capacity: mm.
        start: ``[site]`` w before the first day.
    """
    kept = torch.exp(-demand / capacity)
    added = rain / capacity
    held = [start]
    for p, k in zip(added, kept, strict=True):
        held.append((held[-1] + p).clamp_max(1.0) * k)
    return torch.stack(held)


def growth(temperature: Tensor, light: Tensor, water: Tensor) -> Tensor:
    """Growth g of days, share of the greatest; all ``[day, site]``, water at its beginning."""
    stressed = (water / STRESS_BELOW).clamp_max(1.0)
    return temperature_response(temperature) * light / (light + HALF_LIGHT) * stressed


def senescence(grown: Tensor, temperature: Tensor, span: float = LIFE_SPAN) -> Tensor:
    """Senescence s of days, ``[day, site]``: what grew a life span of degree days before.

    Both are constant within a day, so growth as a function of age is linear between days, and what
    died over any number of days is what grew in the days of its emergence; 0 until a first life
    span is over.

    Args:
        grown: g, ``[day, site]``.
        temperature: ``[day, site]`` degC.
        span: degree days.
    """
    nought = torch.zeros_like(grown[:1])
    age = torch.cat([nought, temperature.clamp_min(SLOWEST).cumsum(0)]).T.contiguous()
    sum_grown = torch.cat([nought, grown.cumsum(0)]).T
    born = (age - span).clamp_min(0.0)
    right = torch.searchsorted(age.detach(), born.detach()).clamp(1, age.shape[1] - 1)
    a, b = age.gather(1, right - 1), age.gather(1, right)
    low, high = sum_grown.gather(1, right - 1), sum_grown.gather(1, right)
    dead = low + (born - a) / (b - a) * (high - low)
    return dead.diff(dim=1).T
