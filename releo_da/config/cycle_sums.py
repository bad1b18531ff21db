"""Scores of a cycling run from sums, which add over cycles and over tiles.

A tile leaves its sums as ``sums.json``. The scores of a tiled run are made of the sums of all its
tiles, in their order: every value counts once, however the map was cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from releo_da.assimilation.tally import error_rows, innovation_row
from releo_da.config.finished import parsed, text_of
from releo_da.config.innovations import by_sensor
from releo_da.diagnostics.streaming import row, total
from releo_da.runs.cycle import Service
from releo_da.runs.judged import added, reasons_in_all, restored
from releo_da.strict_json import LARGEST

SUMS = "sums.json"


def sums_of(service: Service) -> dict[str, Any]:
    """What the current cycles of a run say together, of which there is one at least, as plain sums.

    ``background`` and ``innovations`` hold the sums by channel and by sensor, ``rejected`` and
    ``reasons`` how many values were not used, ``labels`` the channels of each sensor.
    """
    cycles = list(service.ledger.cycles())
    said = [one.scores for one in cycles]
    judged = [restored(s["innovations"], k) for k, s in enumerate(said) if "innovations" in s]
    sensors = by_sensor(judged, [one.arrival for one in cycles], float("-inf"))
    sums = {sensor: added([one.sums for one in held]) for sensor, held in sensors.items()}
    return {
        "state_sha256": cycles[-1].sha256,
        "time": cycles[-1].arrival.time,
        "cycles": len(cycles),
        "diverged": sum(s["diverged"] for s in said),
        "rejected": _counted([s["rejected"] for s in said]),
        "reasons": reasons_in_all(judged),
        "background": {n: list(terms) for n, terms in total([s["sums"] for s in said]).items()},
        "innovations": {s: {n: t.tolist() for n, t in held.items()} for s, held in sums.items()},
        "labels": {sensor: list(service.model.labels[sensor]) for sensor in sums},
        "seed": service.seed,
    }


def scores_from(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """scores.json of a run, or of a run in tiles, from the sums of each; there is one at least."""
    tensors: dict[str, list[dict[str, torch.Tensor]]] = {}
    for part in parts:
        for sensor, held in part["innovations"].items():
            made = {n: torch.tensor(t, dtype=torch.float64) for n, t in held.items()}
            tensors.setdefault(sensor, []).append(made)
    labels = {sensor: names for part in parts for sensor, names in part["labels"].items()}
    innovations = {}
    for sensor, several in tensors.items():
        sums = added(several)
        innovations[sensor] = innovation_row(sums) | {"errors": error_rows(sums, labels[sensor])}
    background = total([part["background"] for part in parts])
    return {
        "background": {name: row(terms) for name, terms in background.items()},
        "rejected": _counted([part["rejected"] for part in parts]),
        "rejected_by_reason": _counted([part["reasons"] for part in parts]),
        "innovations": innovations,
        "diverged": sum(part["diverged"] for part in parts),
        "cycles": sum(part["cycles"] for part in parts),
        "seeds": sorted({part["seed"] for part in parts}),
    }


def kept_sums(root: Path) -> dict[str, Any] | None:
    """The sums that a tile has left, or None before its first cycle.

    Raises:
        InputError: the file is damaged.
    """
    path = root / SUMS
    return parsed(path, text_of(path, LARGEST)) if path.is_file() else None


def _counted(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Counts by name, added."""
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return dict(found)
