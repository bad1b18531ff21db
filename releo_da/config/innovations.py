"""The innovations of a run, for its log and its scores: were the errors right?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from releo_da.assimilation.impact import impact_rows
from releo_da.assimilation.tally import error_rows, innovation_row
from releo_da.cycling.ledger import Arrival
from releo_da.diagnostics.innovations import chi2_interval
from releo_da.io.times import isoformat
from releo_da.runs.judged import Judged, added
from releo_da.types import Acquisition

About = Acquisition | Arrival
"""Which acquisition an analysis is of: an arrival in an inbox says so as well."""


def record(one: Judged, about: About) -> dict[str, Any]:
    """The record of an analysis in the log."""
    row = innovation_row(one.sums)
    return {
        "kind": "analysis",
        "time": isoformat(about.time),
        "sensor": about.sensor,
        "product": about.product,
        "seen": one.seen,
        **row,
        "chi2_interval": chi2_interval(row["values"]),
        "refused": dict(one.refused),
        "recovered": dict(one.recovered),
    }


def ledger(judged: Sequence[Judged], acquisitions: Sequence[About]) -> list[dict[str, Any]]:
    """A record of the log per analysis.

    Args:
        judged: of a run.
        acquisitions: of its series.
    """
    return [record(one, acquisitions[one.date]) for one in judged]


def of_sensors(
    judged: Sequence[Judged],
    acquisitions: Sequence[About],
    names: Mapping[str, Sequence[str]],
    first: float = -math.inf,
) -> dict[str, Any]:
    """The same over a run, per sensor, with the errors of its channels, for scores.json.

    Args:
        judged: of a run.
        acquisitions: of its series.
        names: of the channels of each sensor.
        first: the time (days) from which on analyses count.
    """
    found = {}
    for sensor, held in by_sensor(judged, acquisitions, first).items():
        total = added([one.sums for one in held])
        found[sensor] = innovation_row(total) | {"errors": error_rows(total, names[sensor])}
    return found


def impacts(
    judged: Sequence[Judged],
    acquisitions: Sequence[About],
    names: Mapping[str, Sequence[str]],
    quantities: Sequence[str],
    first: float = -math.inf,
) -> dict[str, Any]:
    """What the channels of each sensor did to quantities whose truth is known, for scores.json.

    Args:
        judged: of a run.
        acquisitions: of its series.
        names: of the channels of each sensor.
        quantities: their names.
        first: as in `of_sensors`.
    """
    found = {}
    for sensor, held in by_sensor(judged, acquisitions, first).items():
        sums = added([one.impact for one in held])
        found[sensor] = impact_rows(sums, quantities, names[sensor]) if sums else {}
    return {sensor: rows for sensor, rows in found.items() if rows}


def by_sensor(
    judged: Sequence[Judged], acquisitions: Sequence[About], first: float
) -> dict[str, list[Judged]]:
    """The analyses of each sensor from a time (days) on, sensors by name."""
    parts: dict[str, list[Judged]] = {}
    for one in (one for one in judged if acquisitions[one.date].time >= first):
        parts.setdefault(acquisitions[one.date].sensor, []).append(one)
    return dict(sorted(parts.items()))
