"""Weather between two dates at pixels: means, sums and degree days for a forecaster.

A forecaster that is driven by weather gets the record `releo_da.types.Weather` when it is built,
and asks here for what fell or shone between the time of a state and the time it is carried to. With
v[d, p] = sum_k weight[p, k] v[d, site[p, k]] the value of day d at pixel p, which holds from d to
d + 1, and o[d] = max(0, min(end, d + 1) - max(start, d)) the part of day d between two dates,

    total[p]        = sum_d o[d] v[d, p]                             mm, MJ m-2
    mean[p]         = total[p] / (end - start)
    degree_days[p]  = sum_d o[d] (min(max(T[d, p], base), upper) - base)        degC d

Sums over adjoining intervals add up to the sum over both. Cost and memory: days between the
dates times pixels asked for; nothing is kept.

Reference: McMaster and Wilhelm (1997), Growing degree-days: one equation, two interpretations,
Agric. For. Meteorol. 87, 291-300 (method 2 with a daily mean temperature).
"""

from __future__ import annotations

import datetime
import math

import torch
from torch import Tensor

from releo_da.types import InputError, Weather

EPOCH = datetime.date(1970, 1, 1)


def mean_between(
    weather: Weather, element: str, pixels: Tensor, start: float | Tensor, end: float | Tensor
) -> Tensor:
    """Mean of an element between two dates, ``[pixel]``; of equal dates the value of that day.

    Args:
        weather: bound to pixels.
        element: its name.
        pixels: ``[pixel]`` global ids.
        start: days since 1970-01-01, one for all or ``[pixel]``.
        end: likewise, not before `start`.

    Raises:
        InputError: the element, a pixel or a day is not there.
    """
    values, share, instant = _between(weather, element, pixels, start, end)
    weight = share + instant
    return ((weight * values).sum(0) / weight.sum(0)).to(weather.values)


def total_between(
    weather: Weather, element: str, pixels: Tensor, start: float | Tensor, end: float | Tensor
) -> Tensor:
    """Sum of an element between two dates, ``[pixel]``; arguments as of `mean_between`.

    Raises:
        InputError: as `mean_between`.
    """
    values, share, _ = _between(weather, element, pixels, start, end)
    return (share * values).sum(0).to(weather.values)


def degree_days(
    weather: Weather,
    pixels: Tensor,
    start: float | Tensor,
    end: float | Tensor,
    base: float = 0.0,
    upper: float = math.inf,
) -> Tensor:
    """Degree days between two dates, ``[pixel]`` degC d.

    Args:
        weather: with the element ``temperature``.
        pixels: ``[pixel]`` global ids.
        start: days since 1970-01-01, one for all or ``[pixel]``.
        end: likewise, not before `start`.
        base: degC below which nothing develops.
        upper: degC above which it develops no faster.

    Raises:
        InputError: as `mean_between`.
    """
    values, share, _ = _between(weather, "temperature", pixels, start, end)
    return (share * (values.clamp(base, upper) - base)).sum(0).to(weather.values)


def at_pixels(weather: Weather, element: str, pixels: Tensor, first: int, last: int) -> Tensor:
    """Values of consecutive days at pixels, ``[day, pixel]``.

    Args:
        weather: bound to pixels.
        element: its name.
        pixels: ``[pixel]`` global ids.
        first: day since 1970-01-01.
        last: likewise, included.

    Raises:
        InputError: the element, a pixel or a day is not there.
    """
    if element not in weather.elements:
        raise InputError(
            f"weather: there is no {element}, only {', '.join(weather.elements)}; add it to "
            "'elements'"
        )
    end = weather.first + len(weather.values) - 1
    if first < weather.first or last > end:
        raise InputError(
            f"weather: it covers {_date(weather.first)} to {_date(end)} and {_date(first)} to "
            f"{_date(last)} is asked for; add the missing days to its file"
        )
    row = rows_of(weather.pixels, pixels)
    days = slice(first - weather.first, last + 1 - weather.first)
    values = weather.values[days, :, weather.elements.index(element)]
    return (values[:, weather.site[row]] * weather.weight[row]).sum(-1)


def rows_of(known: Tensor, pixels: Tensor) -> Tensor:
    """Rows of pixels among the ids that weather is bound to, ``[pixel]``.

    Args:
        known: those ids, ascending.
        pixels: ``[pixel]`` global ids.

    Raises:
        InputError: one is not there.
    """
    ids = pixels.to(known.device)
    row = torch.searchsorted(known, ids).clamp_max(len(known) - 1)
    lost = known[row] != ids
    if bool(lost.any()):
        raise InputError(
            f"weather: it is not bound to pixel {int(ids[lost][0])} ({int(lost.sum())} in all)"
        )
    return row


def _between(
    weather: Weather, element: str, pixels: Tensor, start: float | Tensor, end: float | Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Values ``[day, pixel]``, the part of each day between the dates, and the day of equal dates.

    In float64, in which days since 1970 resolve a microsecond.
    """
    like = weather.values
    begin = torch.as_tensor(start, dtype=torch.float64, device=like.device)
    finish = torch.as_tensor(end, dtype=torch.float64, device=like.device)
    if bool((finish < begin).any()):
        raise InputError("weather: an interval ends before it starts; exchange its dates")
    first = math.floor(float(begin.min()))
    last = max(math.ceil(float(finish.max())) - 1, math.floor(float(begin.max())))
    values = at_pixels(weather, element, pixels, first, last).double()
    day = torch.arange(first, last + 1, dtype=torch.float64, device=like.device)[:, None]
    share = (torch.minimum(finish, day + 1) - torch.maximum(begin, day)).clamp_min(0.0)
    instant = (finish == begin) & (day == begin.floor())
    return values, share.expand_as(values), instant.expand_as(values)


def _date(day: int) -> str:
    return (EPOCH + datetime.timedelta(days=day)).isoformat()
