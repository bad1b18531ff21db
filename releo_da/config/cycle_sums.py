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
from releo_da.config.base_sums import keep_before, kept_before
from releo_da.config.finished import parsed, text_of
from releo_da.config.innovations import by_sensor
from releo_da.cycling.ledger import Cycle
from releo_da.diagnostics.streaming import row, total
from releo_da.runs.cycle import Service
from releo_da.runs.judged import added, reasons_in_all, restored
from releo_da.strict_json import LARGEST

SUMS = "sums.json"


def sums_of(service: Service) -> dict[str, Any]:
    """What the current cycles of a run say together, of which there is one at least, as plain sums.

    ``background`` and ``innovations`` hold the sums by channel and by sensor, ``rejected`` and
    ``reasons`` how many values were not used, ``labels`` the channels of each sensor. Cost: the
    cycles of the replay window and those since the last call of this, however long the chain is.
    """
    root, ledger = service.store.root, service.ledger
    number, held = kept_before(root, ledger)
    cycles = list(ledger.cycles(after=number))
    begin = service.window
    final = [one for one in cycles if one.arrival.time < begin]
    if final:
        held = added_to(held, final)
        keep_before(root, final[-1], held)
    last = ledger.last()
    assert last is not None
    sums = added_to(held, cycles[len(final) :])
    labels = {sensor: list(service.model.labels[sensor]) for sensor in sums["innovations"]}
    about = {"state_sha256": last.sha256, "time": last.arrival.time, "seed": service.seed}
    return {**about, **sums, "labels": labels}


def added_to(held: Mapping[str, Any], cycles: Sequence[Cycle]) -> dict[str, Any]:
    """The sums of the first cycles of a chain with those that follow, one after the other.

    Args:
        held: of the first ones, in the form of the result; `base_sums.NOTHING` of none.
        cycles: the next ones.

    Returns:
        ``cycles``, ``diverged``, ``rejected``, ``reasons``, ``background`` and ``innovations`` as
        plain values: those that adding all of them at once gives, to the bit.
    """
    said = [one.scores for one in cycles]
    judged = [restored(s["innovations"], k) for k, s in enumerate(said) if "innovations" in s]
    sensors = by_sensor(judged, [one.arrival for one in cycles], float("-inf"))
    parts = {n: [tensors_of(terms)] for n, terms in held["innovations"].items()}
    for sensor, several in sensors.items():
        parts.setdefault(sensor, []).extend(one.sums for one in several)
    sums = {sensor: added(several) for sensor, several in sorted(parts.items())}
    background = total([held["background"], *(s["sums"] for s in said)])
    return {
        "cycles": held["cycles"] + len(cycles),
        "diverged": held["diverged"] + sum(s["diverged"] for s in said),
        "rejected": _counted([held["rejected"], *(s["rejected"] for s in said)]),
        "reasons": dict(Counter(held["reasons"]) + Counter(reasons_in_all(judged))),
        "background": {name: terms.tolist() for name, terms in background.items()},
        "innovations": {s: {n: t.tolist() for n, t in terms.items()} for s, terms in sums.items()},
    }


def tensors_of(terms: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Sums by name that were written as lists."""
    return {name: torch.tensor(part, dtype=torch.float64) for name, part in terms.items()}


def scores_from(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """scores.json of a run, or of a run in tiles, from the sums of each; there is one at least."""
    tensors: dict[str, list[dict[str, torch.Tensor]]] = {}
    for part in parts:
        for sensor, held in part["innovations"].items():
            tensors.setdefault(sensor, []).append(tensors_of(held))
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
