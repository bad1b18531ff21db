"""`cycle: {health: ...}`: when a cycling run raises an alarm, and its alarms for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releo_da.config.document import load
from releo_da.config.registry import bind
from releo_da.config.sections import as_date, days
from releo_da.cycling.ledger import Ledger
from releo_da.diagnostics.alarms import Rules, plain
from releo_da.diagnostics.health import FACTOR, FIRST, LIMIT
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.health import scene_means
from releo_da.diagnostics.watching import alarms, silent
from releo_da.io.times import isoformat
from releo_da.runs.kept_health import SCENES
from releo_da.runs.watched import health_of
from releo_da.types import InputError

DECIDING = ("factor", "first", "limit", "restart")
"""Rules that the states depend on."""

KEEPS_PACE = 30.0
"""Age in days of the last acquisition when it was assimilated, of a run that follows the clock."""


def health(
    factor: float = FACTOR,
    first: int = FIRST,
    limit: float = LIMIT,
    silent_days: float = 10.0,
    stale_days: float = 60.0,
    stale_share: float = 0.5,
    restart: Mapping[str, Any] | None = None,
) -> Rules:
    """When a cycling run raises an alarm.

    Args:
        factor: by which the errors of a sensor with a sudden bias are multiplied; 1 only tells.
        first: scenes of a sensor before it is judged.
        limit: standard deviations, summed beyond 2 a scene, that raise an alarm of a bias.
        silent_days: days without a sensor that are never an alarm.
        stale_days: days after which a pixel that was not seen clear is stale.
        stale_share: share of the pixels, 0 to 1, that may be stale.
        restart: by sensor, a date from which on it is judged anew, as its new level is right.
    """
    wrong = {
        "factor": (factor, factor >= 1.0, "1 or more"),
        "first": (first, first >= 6, "6 or more scenes"),
        "limit": (limit, limit > 2.5, "more than 2.5, or one scene alone raises an alarm"),
        "silent_days": (silent_days, silent_days > 0.0, "a positive number of days"),
        "stale_days": (stale_days, stale_days > 0.0, "a positive number of days"),
        "stale_share": (stale_share, 0.0 <= stale_share <= 1.0, "a share from 0 to 1"),
    }
    for name, (value, right, remedy) in wrong.items():
        if not right:
            raise InputError(f"cycle.health.{name} is {value}; give {remedy}")
    dates = {}
    for sensor, date in (restart or {}).items():
        dates[str(sensor)] = days(as_date(date, f"cycle.health.restart.{sensor}"))
    return Rules(factor, first, limit, silent_days, stale_days, stale_share, dates)


def rules_of(given: Any, where: str) -> Rules:
    """The rules that a configuration gives; the defaults where it gives none.

    Args:
        given: the value of the key, or None.
        where: the key, for messages.
    """
    rules: Rules = bind(health, {} if given is None else given, where)()
    return rules


def deciding(rules: Rules) -> dict[str, Any]:
    """What the states of a run depend on, as plain values."""
    said = asdict(rules)
    return {name: said[name] for name in DECIDING}


def run_rules(root: Path) -> Rules:
    """The rules of a run directory, or of the run of which it is a tile."""
    for folder in (root, *root.parents[:2]):
        if (folder / "config.yaml").is_file():
            path = folder / "config.yaml"
            given = load(path).values.get("cycle") or {}
            return rules_of(given.get("health"), f"{path}: cycle.health")
    return Rules()


def standing(
    ledger: Ledger, rules: Rules, root: Path, now: float | None = None
) -> list[dict[str, Any]]:
    """The alarms of a run as plain values.

    Args:
        ledger: of the run.
        rules: of the run.
        root: the run directory.
        now: days since 1970-01-01 UTC; that of this call when None. A run that keeps pace with the
            clock is asked which sensors are overdue today; one over an archive is not.
    """
    known, _ = health_of(ledger, rules, root)
    found = alarms(known, rules)
    today = datetime.now(UTC).timestamp() / 86400.0 if now is None else now
    made = ledger.recorded()
    if made is not None and made.timestamp() / 86400.0 - known.time <= KEEPS_PACE:
        told = {one.key for one in found}
        found += [one for one in silent(known, today, rules) if one.key not in told]
    return [plain(one, isoformat(one.since)) for one in found]


def line(alarm: Mapping[str, Any]) -> str:
    """An alarm as a line."""
    about = " ".join(str(alarm[key]) for key in ("kind", "sensor", "channel") if alarm[key])
    return (
        f"ALARM {about}, since {alarm['since']}: {alarm['what']}. Done: {alarm['done']}. "
        f"To do: {alarm['advice']}"
    )


def health_pictures(ledger: Ledger, rules: Rules, root: Path) -> list[Picture]:
    """Scene-mean innovations of each sensor, with what is usual and its alarms."""
    _, made = health_of(ledger, rules, root)
    if not made:
        return []
    return [
        Picture(
            "health",
            "Mean innovation of each scene",
            f"Mean of observation minus background over the pixels of the last {SCENES} scenes at "
            "most, for the channels of each sensor that moved most. The band is what is usual of "
            "it, so wide that two scenes outside of it in a row raise an alarm; it is as it was "
            "while an alarm stands. Orange stretches are alarms: the sensor's errors are "
            "multiplied. Open circles are scenes that say nothing of their sensor: the first ones, "
            "patches or covers of snow and cloud, and those after an alarm of another sensor.",
            scene_means(made),
        )
    ]
