"""An alarm of a run that nobody watches, in words: what, since when, what was done, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from releo_da.diagnostics import health

COLLAPSED = 1e-3
"""Share of the expected variance of innovations that the spread of an ensemble is at least."""


@dataclass(frozen=True)
class Rules:
    """When an alarm is raised.

    Attributes:
        factor: by which the errors of a biased sensor are multiplied.
        first: scenes of a sensor before it is judged.
        limit: standard deviations beyond which the sums of `health` raise an alarm.
        silent_days: days without a sensor that are never an alarm.
        stale_days: days after which a pixel that was not seen clear is stale.
        stale_share: share of the pixels that may be stale.
        restart: by sensor, the time (days) from which on it is judged anew.
    """

    factor: float = health.FACTOR
    first: int = health.FIRST
    limit: float = health.LIMIT
    silent_days: float = 10.0
    stale_days: float = 60.0
    stale_share: float = 0.5
    restart: Mapping[str, float] = field(default_factory=dict)


class Alarm(NamedTuple):
    """Something is wrong.

    Attributes:
        kind: one of the words above.
        sensor: that it concerns, or "".
        channel: that it concerns, or "".
        since: time of the acquisition with which it began (days).
        figure: the number behind it; `what` says of what.
        what: the same in words.
        done: what the run does about it.
        advice: what its owner may do.
    """

    kind: str
    sensor: str
    channel: str
    since: float
    figure: float
    what: str
    done: str
    advice: str

    @property
    def key(self) -> tuple[str, str, str]:
        """By which an alarm is known again."""
        return self.kind, self.sensor, self.channel if self.kind == "diverged" else ""


def changes(before: Sequence[Alarm], after: Sequence[Alarm]) -> tuple[list[Alarm], list[Alarm]]:
    """Alarms that are new, and those that have ended."""
    old, new = {one.key for one in before}, {one.key for one in after}
    return [a for a in after if a.key not in old], [a for a in before if a.key not in new]


def plain(alarm: Alarm, time: str) -> dict[str, Any]:
    """An alarm as plain values, its ``since`` as a text."""
    return {**alarm._asdict(), "since": time}


def named(alarm: Alarm, time: str) -> str:
    """An alarm in a few words, as a product carries it; its ``since`` as a text."""
    about = " ".join(part for part in (alarm.kind, alarm.sensor, alarm.channel) if part)
    return f"{about} since {time}"


def biased(sensor: str, bias: health.Bias, rules: Rules) -> Alarm:
    """The mean innovations of a sensor have moved (`health`)."""
    return Alarm(
        "biased",
        sensor,
        bias.channel,
        bias.since,
        bias.shift,
        f"mean innovation moved by {bias.shift:+.3g}",
        f"errors of the sensor are multiplied by {rules.factor:g} until {health.CALM} scenes in a "
        "row are as before",
        "compare the scale and offset of its products with those before; correct the source and "
        "start anew, or, where the new level is right, give cycle.health.restart",
    )


def silent(sensor: str, last: float, days: float, usual: float, limit: float) -> Alarm:
    """A sensor is overdue."""
    return Alarm(
        "silent",
        sensor,
        "",
        last,
        days,
        f"no acquisition for {days:.1f} days; it came every {usual:.1f}, and up to {limit:.1f} "
        "days are no alarm",
        "the run goes on with its other sensors, and with a wider spread",
        "look at the delivery of the sensor and at the refused files of the inbox",
    )


def diverged(sensor: str, channel: str, since: float, cycles: int, ratio: float) -> Alarm:
    """Innovations of a channel are not what the run says of them."""
    return Alarm(
        "diverged",
        sensor,
        channel,
        since,
        ratio,
        f"error over expected deviation is {ratio:.2g}, for {cycles} cycles of the sensor",
        "nothing; the state goes on",
        "spread or error of the sensor are not what the run says: see inflation and the estimated "
        "errors in the report",
    )


def collapsed(sensor: str, since: float, cycles: int, spread: float) -> Alarm:
    """The ensemble has no spread left at what a sensor sees."""
    return Alarm(
        "collapsed",
        sensor,
        "",
        since,
        spread,
        f"spread of the background is below {COLLAPSED:g} of what is expected, {cycles} cycles",
        "nothing; the state goes on and observations hardly move it",
        "add inflation (relaxed, adaptive) or members, or start anew",
    )


def recovered(since: float, share: float) -> Alarm:
    """Pixels were made anew."""
    return Alarm(
        "recovered",
        "",
        "",
        since,
        share,
        f"{100 * share:.1f} % of the pixels were not finite",
        "they went on from their background or from the prior",
        "look at the values of that acquisition; see recovered in log.jsonl",
    )


def stale(since: float, share: float, rules: Rules) -> Alarm:
    """Pixels were not seen clear for long."""
    return Alarm(
        "stale",
        "",
        "",
        since,
        share,
        f"{100 * share:.0f} % of the pixels were not seen clear for {rules.stale_days:g} days",
        "their state is a forecast, with its spread",
        "expected in a cloudy season; otherwise look at the masks of the source",
    )
