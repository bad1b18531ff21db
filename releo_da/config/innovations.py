"""The innovations of a hindcast, for its log and its scores: were the errors right?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releo_da.assimilation.tally import error_rows, innovation_row
from releo_da.io.times import isoformat
from releo_da.runs.judged import Judged, added
from releo_da.sensors import labels
from releo_da.types import Acquisition


def ledger(judged: Sequence[Judged], acquisitions: Sequence[Acquisition]) -> list[dict[str, Any]]:
    """A record of the log per analysis.

    Args:
        judged: of a run.
        acquisitions: of its series.
    """
    return [
        {
            "kind": "analysis",
            "time": isoformat(acquisitions[one.date].time),
            "sensor": acquisitions[one.date].sensor,
            "product": acquisitions[one.date].product,
            "seen": one.seen,
            **innovation_row(one.sums),
            "refused": dict(one.refused),
            "recovered": dict(one.recovered),
        }
        for one in judged
    ]


def of_sensors(
    judged: Sequence[Judged],
    acquisitions: Sequence[Acquisition],
    channels: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    """The same over a run, per sensor, with the errors of its channels, for scores.json.

    Args:
        judged: of a run.
        acquisitions: of its series.
        channels: of each sensor.
    """
    parts: dict[str, list[Judged]] = {}
    for one in judged:
        parts.setdefault(acquisitions[one.date].sensor, []).append(one)
    named, found = labels(channels), {}
    for sensor, held in parts.items():
        total = added([one.sums for one in held])
        found[sensor] = innovation_row(total) | {"errors": error_rows(total, named[sensor])}
    return found
