r"""Alarms of a run that nobody watches: what is wrong, since when, what was done, what to do.

The rows of a run's cycles are folded one by one (`watch`), and after each some alarms stand:

    biased     the mean innovations of a sensor have moved (`health`)
    silent     a sensor did not come for longer than max(``silent_days``, 2 q), q its 0.9 quantile
               of days between passes, by the clock of the acquisitions: where none comes, none is
               missing, however long that lasts; `silent` asks the same of another clock
    diverged   error over expected deviation of a channel beyond `divergence.LIMIT` or below
               ``NARROW`` for `divergence.CYCLES` cycles of its sensor in a row
    collapsed  the spread of the background below a share ``COLLAPSED`` of its innovations' expected
               variance in all channels, for as many cycles: observations no longer move the state
    recovered  more than ``RECOVERED`` of the pixels were not finite and were made anew
    stale      more than ``stale_share`` of the pixels were not seen clear for ``stale_days``

Everything is a function of the rows in order, so a run that was replayed, restored or restarted has
the alarms of one that was not. An alarm is named by its kind, sensor and channel; `changes` says
which ones are new, and which have ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from releo_da.diagnostics import alarms as told
from releo_da.diagnostics import health
from releo_da.diagnostics.alarms import COLLAPSED, Alarm, Rules
from releo_da.diagnostics.divergence import CYCLES, LIMIT
from releo_da.diagnostics.scenes import Scene, scene

NARROW = 0.2
"""Error over expected deviation below which innovations are far smaller than was said of them."""

RECOVERED = 0.01
"""Share of the pixels that are made anew in one cycle without an alarm."""

INTERVALS, KNOWN = 50, 5
"""Days between passes that are remembered of a sensor, and how many make a habit."""


class Row(NamedTuple):
    """What a cycle left in the records of its run.

    Attributes:
        time: of its acquisition (days).
        sensor: name of the sensor.
        sums: by channel, those of `streaming.sums`.
        factor: by which the errors of the sensor were multiplied.
        pixels: of the state; 0 where that was not recorded.
        recovered: pixels that were not finite.
        stale: pixels that were not seen clear for ``stale_days``.
        spread: largest share over the channels of the expected variance of innovations that is
            spread of the background; NaN where that was not recorded.
    """

    time: float
    sensor: str
    sums: Mapping[str, Sequence[float]]
    factor: float = 1.0
    pixels: int = 0
    recovered: int = 0
    stale: int = 0
    spread: float = float("nan")


class Passes(NamedTuple):
    """When a sensor came: the last time, and days between the passes before."""

    last: float
    days: tuple[float, ...] = ()

    def limit(self, least: float) -> float:
        """Days without the sensor that are usual; infinite while it has no habit."""
        if len(self.days) < KNOWN:
            return float("inf")
        return max(least, 2.0 * float(np.quantile(self.days, 0.9)))


Run = tuple[int, float]
"""Cycles in a row in which something holds, and the time of the first one."""


class Health(NamedTuple):
    """What is known of a run after some cycles; nothing before the first.

    Attributes:
        time: of the last one, NaN before the first.
        sensors: of `health.judged`.
        passes: by sensor.
        beyond: by sensor and channel, cycles in a row with the wrong ratio, and that ratio.
        flat: by sensor, cycles in a row with a collapsed spread, and its share.
        recovered: time and share of the last cycle with too many, and cycles since.
        stale: since when too many pixels are stale, and their share; None while they are not.
    """

    time: float = float("nan")
    sensors: Mapping[str, health.Watched] = {}
    passes: Mapping[str, Passes] = {}
    beyond: Mapping[tuple[str, str], tuple[Run, float]] = {}
    flat: Mapping[str, tuple[Run, float]] = {}
    recovered: tuple[float, float, int] | None = None
    stale: tuple[float, float] | None = None


def watch(known: Health, row: Row, rules: Rules) -> tuple[Health, health.Judgement | None]:
    """What is known after one cycle more, and what was made of its scene.

    Args:
        known: of the cycles before; it stays as it is.
        row: of the cycle.
        rules: of the run.

    Returns:
        The same with the cycle; no judgement of a scene before its sensor's ``restart`` or without
        a value that could be compared.
    """
    sensors, made = dict(known.sensors), None
    seen = as_ever(scene(row.time, row.sensor, row.sums), row)
    if seen.channels and row.time >= rules.restart.get(row.sensor, -np.inf):
        sensors, made = health.judged(sensors, seen, rules.first, rules.limit)
    before = known.passes.get(row.sensor)
    came = Passes(row.time)
    if before is not None:
        days = row.time - before.last
        kept = (*before.days, days)[-INTERVALS:] if days > 0.5 else before.days
        came = Passes(row.time, kept)
    share = row.recovered / row.pixels if row.pixels else 0.0
    recovered = known.recovered
    if share > RECOVERED:
        recovered = (row.time, share, 0)
    elif recovered is not None:
        ended = recovered[2] + 1 >= CYCLES
        recovered = None if ended else (*recovered[:2], recovered[2] + 1)
    stale = None
    if row.pixels and row.stale / row.pixels > rules.stale_share:
        since = row.time if known.stale is None else known.stale[0]
        stale = (since, row.stale / row.pixels)
    after = Health(
        row.time,
        sensors,
        {**known.passes, row.sensor: came},
        _beyond(known, row, seen),
        _flat(known, row),
        recovered,
        stale,
    )
    return after, made


def as_ever(seen: Scene, row: Row) -> Scene:
    """A scene with the deviation that its run would have expected without an alarm.

    The variance that was expected is that of the spread and of the errors, which an alarm has
    multiplied. A sensor is as before when its means are, and not when much is expected of it: with
    a large factor any bias would lie within what is expected, and the alarm would end.
    """
    if row.factor == 1.0:
        return seen
    share = 0.0 if np.isnan(row.spread) else max(row.spread, 0.0)
    return seen._replace(expected=seen.expected * np.sqrt(share + (1.0 - share) / row.factor**2))


def factor(known: Health, sensor: str, rules: Rules) -> float:
    """By what the errors of the next acquisition of a sensor are multiplied."""
    return health.factor(known.sensors, sensor, rules.factor)


def alarms(known: Health, rules: Rules) -> list[Alarm]:
    """The alarms that stand, by the clock of the acquisitions; in a fixed order."""
    standing = [(n, one.bias) for n, one in sorted(known.sensors.items())]
    found = [told.biased(name, bias, rules) for name, bias in standing if bias is not None]
    found += silent(known, known.time, rules)
    for (sensor, channel), ((cycles, since), ratio) in sorted(known.beyond.items()):
        if cycles >= CYCLES:
            found.append(told.diverged(sensor, channel, since, cycles, ratio))
    for sensor, ((cycles, since), spread) in sorted(known.flat.items()):
        if cycles >= CYCLES:
            found.append(told.collapsed(sensor, since, cycles, spread))
    if known.recovered is not None:
        found.append(told.recovered(*known.recovered[:2]))
    if known.stale is not None:
        found.append(told.stale(*known.stale, rules))
    return found


def silent(known: Health, now: float, rules: Rules) -> list[Alarm]:
    """Sensors that are overdue.

    Args:
        known: of a run.
        now: days since 1970-01-01 UTC.
        rules: of the run.
    """
    found = []
    for sensor, came in sorted(known.passes.items()):
        days, limit = now - came.last, came.limit(rules.silent_days)
        if days > limit:
            usual = float(np.median(came.days))
            found.append(told.silent(sensor, came.last, days, usual, limit))
    return found


def _beyond(known: Health, row: Row, seen: Scene) -> dict[tuple[str, str], tuple[Run, float]]:
    """Cycles in a row in which error over expected deviation was wrong, by sensor and channel."""
    found = dict(known.beyond)
    if row.factor != 1.0:
        return found  # the deviation is not what the run expects of the sensor
    error = np.sqrt(seen.mean**2 + seen.scatter**2)
    for name, ratio in zip(seen.channels, error / seen.expected, strict=True):
        key = row.sensor, name
        if NARROW <= ratio <= LIMIT:
            found.pop(key, None)
        else:
            (cycles, since), _ = found.get(key, ((0, row.time), 0.0))
            found[key] = (cycles + 1, since), float(ratio)
    return found


def _flat(known: Health, row: Row) -> dict[str, tuple[Run, float]]:
    """Cycles in a row in which an ensemble had no spread, by sensor."""
    found = dict(known.flat)
    if row.factor != 1.0 or np.isnan(row.spread):
        return found
    if row.spread >= COLLAPSED:
        found.pop(row.sensor, None)
    else:
        (cycles, since), _ = found.get(row.sensor, ((0, row.time), 0.0))
        found[row.sensor] = (cycles + 1, since), row.spread
    return found
