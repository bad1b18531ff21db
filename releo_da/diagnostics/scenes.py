r"""What a scene says of its sensor: the mean innovation of each channel, and what is usual of it.

A pass compares thousands of pixels with their background. Over the pixels of one scene, channel by
channel, the sums that a run keeps (`streaming`) give

    mean      m = mean of y - H(background)     a calibration error moves it; noise averages out
    scatter   sd of y - H over the scene        patches of snow, cloud and flood widen it
    expected  sd that the run expected of one value, from spread and R
    number    of values

and of the last cycles of the same sensor, j cycles ago, with weights that forget,

    centre = median of m weighted by exp(-j / RECENT)
    spread = 1.4826 * median of |m - centre before it| weighted by exp(-j / MEMORY)

A model that is wrong in spring is wrong every cycle of that spring: the centre is a recent one, so
that a season moves it and a jump does not, and the spread is that of the jumps of this run. Medians
leave room for snow and haze. A spread of few cycles is too narrow as often as too wide, hence
1 + 4 / cycles; and it is never less than a share of `expected`, as no series of a few quiet cycles
is known that well. A mean of few values scatters as 1 / sqrt(n), at most: the spread of a scene
with fewer than usual is widened by sqrt(usual / n). Cost per cycle: a sort of ``WINDOW`` numbers
per channel.

Reference: Rousseeuw and Croux (1993), Alternatives to the median absolute deviation, J. Am. Stat.
Assoc. 88, 1273-1283.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.scores import Array

WINDOW = 100
"""Cycles of a sensor that are remembered; the oldest weighs 0.08 of the newest."""

MEMORY = 40.0
"""Cycles after which the weight of one has fallen to 1 / e, for what scatters about the centre."""

RECENT = 5.0
"""The same for the centre."""

CENTRED = 5
"""Cycles of a channel before it has a centre."""

FLOOR = 0.15
"""The least spread of a mean, over the deviation that the run expects of one value."""

INDEX = "ndvi"
"""Scored beside the channels, made of two of them: no channel of its own."""


class Scene(NamedTuple):
    """One acquisition, as sums over its pixels say it.

    Attributes:
        time: days since 1970-01-01 UTC.
        sensor: its name.
        channels: under the names by which they are scored.
        number: ``[channel]`` of values.
        mean: ``[channel]`` mean of observation minus background.
        scatter: ``[channel]`` standard deviation of the same over the scene.
        expected: ``[channel]`` standard deviation that was expected of one value.
    """

    time: float
    sensor: str
    channels: tuple[str, ...]
    number: Array
    mean: Array
    scatter: Array
    expected: Array


def scene(time: float, sensor: str, sums: Mapping[str, Sequence[float]]) -> Scene:
    """The scene of a cycle.

    Args:
        time: days since 1970-01-01 UTC.
        sensor: name of the sensor.
        sums: by channel, those of `streaming.sums`.
    """
    names = tuple(n for n in sums if n != INDEX and sums[n][0] > 0) or tuple(
        n for n in sums if sums[n][0] > 0
    )
    terms = np.array([sums[n][:6] for n in names], float).reshape(-1, 6)
    number = terms[:, 0]
    error, square, variance = (terms[:, k] / number for k in (1, 2, 5))
    scatter = np.sqrt(np.maximum(square - error**2, 0.0))
    return Scene(time, sensor, names, number, -error, scatter, np.sqrt(variance))


class Usual(NamedTuple):
    """What is usual of a sensor, each ``[channel]``, NaN where nothing is known.

    Attributes:
        centre: of the mean innovation.
        spread: robust standard deviation about it, widened for few cycles.
        scatter: median of that over a scene.
        number: median one of values.
        cycles: number of cycles that are remembered.
    """

    centre: Array
    spread: Array
    scatter: Array
    number: Array
    cycles: Array


def usual(history: Array) -> Usual:
    """What is usual after some cycles.

    Args:
        history: ``[cycle, channel, 4]`` mean, scatter, number, and mean minus the centre of its
            time, oldest first; NaN where a channel had no value or no centre yet.
    """
    age = np.arange(len(history))[::-1]
    weight, recent = np.exp(-age / MEMORY), np.exp(-age / RECENT)
    mean, scatter, number, jump = np.moveaxis(history, -1, 0)
    known = np.isfinite(mean).sum(0)
    centre = np.where(known >= CENTRED, weighted_median(mean, recent), np.nan)
    spread = 1.4826 * weighted_median(abs(jump), weight) * (1.0 + 4.0 / np.maximum(known, 1))
    typical = weighted_median(scatter, weight), weighted_median(number, weight)
    return Usual(centre, spread, *typical, known)


def weighted_median(values: Array, weight: Array) -> Array:
    """The value at which half of the weight is reached.

    Args:
        values: ``[cycle, ...]``; NaN weighs nothing.
        weight: ``[cycle]``, positive.

    Returns:
        ``[...]``, NaN where there is no value.
    """
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    order = np.argsort(values, axis=0)  # NaN last
    placed = np.take_along_axis(values, order, 0)
    reached = np.cumsum(np.where(np.isnan(placed), 0.0, weight[order]), 0)
    place = (reached < 0.5 * reached[-1]).sum(0)
    found: Array = np.take_along_axis(placed, place[None], 0)[0]
    return found


def deviation(seen: Scene, known: Usual) -> Array:
    """Standard deviation of the mean innovation of a scene, were its sensor as ever, ``[channel]``.

    Args:
        seen: the scene.
        known: of its sensor, on the same channels.
    """
    floor = np.maximum(known.spread, FLOOR * seen.expected)
    return np.asarray(floor * np.sqrt(np.maximum(known.number / seen.number, 1.0)))
