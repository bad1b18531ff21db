r"""Has a sensor changed? Two-sided sums of its scenes' mean innovations, and what is then done.

With z = (m - centre) / sd of each channel of a scene (`scenes`), clipped to +-CLIP,

    high <- max(0, high + z - SLACK),    low <- max(0, low - z - SLACK),    raised: any > LIMIT

(Page 1954; clipped as by Lucas and Crosier 1982). CLIP - SLACK < LIMIT, so no single scene raises
an alarm by itself, whatever haze lies over it; two of z > 4.25 do, three of 3.5. A scene says
nothing of its sensor, for or against, where

    a mean is further than ``LARGEST`` from its centre      snow cover, undetected cloud
    a scatter is more than ``UNEVEN`` times the usual one   patches of them; a bias is the same
                                                            everywhere

From the alarm on the sensor's errors are multiplied by ``factor``, its weight falls by the square,
and what is usual of it is kept as it was before. After ``CALM`` scenes in a row with all |z| below
``NORMAL`` it is believed again. What the sensor had drawn the state to shows as a shift of the
opposite sign in all others: when it is raised, their sums start anew and wait for ``SETTLING``
scenes. The factor of a scene depends on the scenes before it and on nothing else, so a replayed
chain is the same chain.

How the rule was chosen: 8 channels, scene means of deviation 0.006 with autocorrelation r, half of
the variance shared by the channels, a season of some amplitude over 73 cycles, haze in 3 % of the
scenes; a bias is taken up by the state by 15 % per cycle. False alarms per 1,000 cycles (of 27,200,
after the first 60), and the share of 300 biases of +0.03 in half of the channels that are found
within three cycles:

    season                                 0.003                            0.015
    r                            0         0.3       0.6          0         0.3       0.6
    sums 2, 4.5, clip 4.5    0.18 .68  0.29 .76  1.07 .84    0.26 .48  0.44 .57  2.06 .71   here
    sums 2, 4, clip 4.5      0.22 .80  0.59 .85  1.65 .90    0.33 .59  1.07 .67  3.68 .80
    sums 2.5, 4, clip 5      0.11 .53  0.15 .63  0.62 .75    0.15 .31  0.26 .43  0.81 .59
    2 of 3 beyond 3.5 sd     0.62 .76  0.92 .80  1.51 .87    0.62 .53  1.18 .60  2.24 .73
    2 of 3 beyond 4 sd       0.44 .52  0.44 .58  0.77 .71    0.37 .29  0.40 .38  1.03 .55
    3 of 3 beyond 3 sd       0.00 .46  0.07 .56  0.51 .72    0.00 .32  0.15 .42  1.32 .58
    moving mean 0.5, 3 sd    1.47 .72  2.61 .77  4.78 .85    2.83 .56  4.08 .59  7.17 .71

The median delay of this rule is 2 to 3 cycles where it finds three in four. An offset of -0.1 in
all channels is found in every case. So a bias is found for certain from about 5 sd on, and what a
deviation is depends on the run: twins and fitted runs have scene means of deviation 0.003 to 0.007,
20 real points without fitted dynamics 0.02 to 0.04, where only the offset is found. With one centre
for 40 cycles in place of a recent one a season of 0.015 hides all but one in eight.

References: Page (1954), Continuous inspection schemes, Biometrika 41, 100-115; Lucas and Crosier
(1982), Robust CUSUM, Commun. Stat. Theory Methods 11, 2669-2687; Western Electric (1956),
Statistical quality control handbook (runs rules).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from releo_da.diagnostics.scenes import WINDOW, Scene, Usual, deviation, usual
from releo_da.diagnostics.scores import Array

SLACK, LIMIT, CLIP = 2.0, 4.5, 4.5
"""Standard deviations that are overlooked, that raise an alarm, and that a scene counts at most."""

LARGEST, SIX = 0.15, 6.0
"""By how much a fault of calibration moves a mean at most: reflectance, or standard deviations of
the mean where that is more (leaf area and other estimates have units of their own)."""

UNEVEN = 2.0
"""Scatter of a scene over the usual one, beyond which its mean is no mean of one thing."""

NORMAL, CALM = 2.5, 3
"""Standard deviations below which a scene is as ever, and so many in a row that end an alarm."""

SETTLING = 2
"""Scenes of the other sensors that are not judged after an alarm."""

FIRST = 12
"""Scenes of a sensor before it is judged."""

FACTOR = 5.0
"""By which the errors of a sensor with an alarm are multiplied."""


class Bias(NamedTuple):
    """A sensor that has changed.

    Attributes:
        since: time of the scene that raised the alarm (days).
        channel: the one that raised it.
        shift: of its mean innovation, in that scene.
        calm: scenes in a row, up to now, that were as ever.
    """

    since: float
    channel: str
    shift: float
    calm: int = 0


class Watched(NamedTuple):
    """What is known of a sensor.

    Attributes:
        channels: in the order in which they were met.
        history: ``[cycle, channel, 4]`` of `scenes.usual`.
        high: ``[channel]`` the sum upwards.
        low: ``[channel]`` the sum downwards.
        waits: scenes that will not be judged.
        bias: the alarm, or None.
    """

    channels: tuple[str, ...] = ()
    history: Array = np.empty((0, 0, 4))
    high: Array = np.empty(0)
    low: Array = np.empty(0)
    waits: int = 0
    bias: Bias | None = None


Sensors = Mapping[str, Watched]
"""What is known of each sensor, by name."""


class Judgement(NamedTuple):
    """What was made of a scene.

    Attributes:
        time: of the scene (days).
        sensor: its name.
        channels: of the arrays.
        mean: ``[channel]`` mean innovation.
        centre: ``[channel]`` the usual one, NaN before one is known.
        sd: ``[channel]`` of the mean, likewise.
        said: whether the scene counted, for or against its sensor.
        biased: whether the alarm stood after it.
    """

    time: float
    sensor: str
    channels: tuple[str, ...]
    mean: Array
    centre: Array
    sd: Array
    said: Literal["early", "uneven", "large", "settling", "judged"]
    biased: bool


def factor(sensors: Sensors, sensor: str, by: float = FACTOR) -> float:
    """By what the errors of the next scene of a sensor are multiplied; 1 without an alarm.

    Args:
        sensors: what is known from the scenes before it.
        sensor: its name.
        by: the factor under an alarm.
    """
    return by if sensor in sensors and sensors[sensor].bias is not None else 1.0


def judged(
    sensors: Sensors, seen: Scene, first: int = FIRST, limit: float = LIMIT
) -> tuple[dict[str, Watched], Judgement]:
    """What is known after one scene more.

    Args:
        sensors: what was known; it stays as it is.
        seen: the scene.
        first: scenes of a sensor before it is judged.
        limit: of the sums.
    """
    before = _with(sensors.get(seen.sensor, Watched()), seen.channels)
    whole = _placed(seen, before.channels)
    known = usual(before.history)
    sd = deviation(whole, known)
    z = (whole.mean - known.centre) / sd
    there = np.isfinite(z) & (known.cycles >= first)
    said = _says(whole, known, sd, before, first)
    one, others = before, dict(sensors)
    if said == "judged":
        one = _summed(one, np.where(there, np.clip(z, -CLIP, CLIP), 0.0))
        if one.bias is None:
            one = _raised(one, whole, known, limit)
        else:
            one = one._replace(bias=_calmed(one.bias, bool((abs(z[there]) <= NORMAL).all())))
    if one.bias is not None and before.bias is None:
        others = {n: _still(o)._replace(waits=SETTLING) for n, o in others.items()}
    if one.bias is None:
        if said != "settling":
            # A scatter is usual once it is frequent, but a cover of snow is no level of a sensor.
            mean = whole.mean if said in ("early", "judged") else np.full_like(whole.mean, np.nan)
            now = np.stack([mean, whole.scatter, whole.number, mean - known.centre], -1)[None]
            one = one._replace(history=np.concatenate([one.history, now])[-WINDOW:])
        if before.bias is not None:
            one = _still(one)
    one = one._replace(waits=max(before.waits - 1, 0))
    others[seen.sensor] = one
    place = [before.channels.index(name) for name in seen.channels]
    told = Judgement(
        seen.time,
        seen.sensor,
        seen.channels,
        seen.mean,
        known.centre[place],
        sd[place],
        said,
        one.bias is not None,
    )
    return others, told


def history(
    scenes: Iterable[Scene], first: int = FIRST, limit: float = LIMIT
) -> tuple[dict[str, Watched], list[Judgement]]:
    """All scenes of a run in order: what is known after them, and what was made of each."""
    sensors: dict[str, Watched] = {}
    told = []
    for seen in scenes:
        sensors, one = judged(sensors, seen, first, limit)
        told.append(one)
    return sensors, told


def _says(
    seen: Scene, known: Usual, sd: Array, before: Watched, first: int
) -> Literal["early", "uneven", "large", "settling", "judged"]:
    """Whether a scene says something of the calibration of its sensor, or why not."""
    ready = known.cycles >= first
    if before.waits:
        return "settling"
    if not (ready & (seen.number > 0)).any():
        return "early"
    largest = np.maximum(LARGEST, SIX * sd)
    if (ready & (abs(seen.mean - known.centre) > largest)).any():
        return "large"
    # What is usual of a scatter near 0 is not known to a factor of two.
    usual_scatter = np.maximum(known.scatter, 0.5 * seen.expected)
    if (ready & (seen.scatter > UNEVEN * usual_scatter)).any():
        return "uneven"
    return "judged"


def _with(known: Watched, channels: tuple[str, ...]) -> Watched:
    """The same with room for channels that were not met before."""
    new = tuple(name for name in channels if name not in known.channels)
    if not new:
        return known
    past = known.history.reshape(len(known.history), len(known.channels), 4)
    return known._replace(
        channels=known.channels + new,
        history=np.pad(past, [(0, 0), (0, len(new)), (0, 0)], constant_values=np.nan),
        high=np.pad(known.high, (0, len(new))),
        low=np.pad(known.low, (0, len(new))),
    )


def _placed(seen: Scene, channels: tuple[str, ...]) -> Scene:
    """A scene on the channels of its sensor; NaN, and no values, where it has none."""
    place = [channels.index(name) for name in seen.channels]

    def spread(values: Array) -> Array:
        whole = np.full(len(channels), np.nan)
        whole[place] = values
        return whole

    parts = [spread(part) for part in seen[3:]]
    return Scene(seen.time, seen.sensor, channels, *parts)


def _summed(one: Watched, z: Array) -> Watched:
    high = np.maximum(0.0, one.high + z - SLACK)
    return one._replace(high=high, low=np.maximum(0.0, one.low - z - SLACK))


def _raised(one: Watched, seen: Scene, known: Usual, limit: float) -> Watched:
    """With an alarm where a sum is beyond its limit."""
    larger = np.maximum(one.high, one.low)
    if not (larger > limit).any():
        return one
    k = int(larger.argmax())
    shift = float(seen.mean[k] - known.centre[k])
    return one._replace(bias=Bias(seen.time, one.channels[k], shift))


def _calmed(bias: Bias, normal: bool) -> Bias | None:
    """An alarm after a scene that counted; None where it was the last of enough normal ones."""
    calm = bias.calm + 1 if normal else 0
    return None if calm == CALM else bias._replace(calm=calm)


def _still(one: Watched) -> Watched:
    """With sums that start anew."""
    return one._replace(high=np.zeros_like(one.high), low=np.zeros_like(one.low))
