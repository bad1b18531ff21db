"""What a reader should know before trusting a run, in sentences made of its log and scores."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np


def warnings(log: list[dict[str, Any]], scores: dict[str, Any]) -> list[str]:
    """What a reader should know before trusting the run."""
    notes = reading_notes(log)
    rejected = scores.get("rejected", {})
    if rejected:
        listed = ", ".join(f"{name} {count}" for name, count in rejected.items())
        why = ", ".join(f"{n} by {r}" for r, n in scores.get("rejected_by_reason", {}).items())
        total = int(np.sum(list(rejected.values())))
        notes.append(f"Screening refused {total} values: {listed}" + (f" ({why})" if why else ""))
    notes += [
        f"no field measurement of {name} lies within score.in_situ.within_days of a clear "
        "acquisition of its pixel: none is compared"
        for name, rows in scores.get("in_situ", {}).items()
        if not any(row.get("n") for row in rows.values())
    ]
    if scores.get("diverged"):
        what = "replicates" if "replicates" in scores else "pixels"
        notes.append(f"{scores['diverged']} {what} diverged")
    return notes


def reading_notes(log: list[dict[str, Any]]) -> list[str]:
    """What reading found, in sentences: refused values, offsets, suspicions, duplicates."""
    notes = []
    once: dict[tuple[str, Any], str] = {}
    suspicious: dict[str, list[str]] = {}
    refused: Counter[str] = Counter()
    for record in log:
        if record["kind"] == "offset":
            notes.append(record["message"])
        elif record["kind"] == "values":
            refused.update(record["rejected"])
            refused.pop("masked", None)  # clouds are what masks are for
        elif record["kind"] == "suspicious":
            suspicious.setdefault(record["what"], []).append(record["message"])
        elif record["kind"] in ("left_out", "encoder_range"):
            notes.append(record["message"])
        elif record["kind"] in ("no_weather", "not_met") and "message" in record:
            once[record["kind"], record.get("what")] = record["message"]  # the last call's
        elif record["kind"] == "cut":
            notes.append(
                f"What is counted here of reading and arrival is in log.jsonl after its first "
                f"{record['bytes'] / 1e6:.1f} MB; older lines were not read"
            )
        elif record["kind"] == "in_situ" and record.get("repeated"):
            notes.append(
                f"{record['repeated']} rows of {Path(record['path']).name} equal another row in "
                "every column and were left out"
            )
    notes += once.values()
    for told in suspicious.values():  # a service may find the same in every file
        more = f" (and {len(told) - 1} more of this kind: log.jsonl)" if len(told) > 1 else ""
        notes.append(f"Looks suspicious and was taken as it is: {told[0]}{more}")
    counts: Counter[str] = Counter()
    for record in log:
        counts[record["kind"]] += record.get("count", 1)
    for kind, text in {
        "unreadable": "{} lines of log.jsonl cannot be read and were left out",
        "unfitted": "dynamics and errors are the defaults, not fitted: see releo-da train",
        "all_masked": "{} dates without a clear pixel were left out",
        "late": "{} acquisitions arrived after later ones and were left out",
        "refused": "{} times a file of the inbox could not be read",
        "duplicate": "{} products of a pass that another product covers were left out",
    }.items():
        if counts[kind]:
            notes.append(text.format(counts[kind]))
    notes += [f"{n} values refused while reading: {why}" for why, n in refused.items() if n]
    return notes
