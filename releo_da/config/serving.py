"""A service at work: sweeps over the inbox, and what is published of the cycles after each.

Products and states are committed by the sweep. scores.json and the report are made of them, the
scores first: a report that is older than the scores is made again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from releo_da.config.cycle_sums import scores_from, sums_of
from releo_da.config.finished import mapping_of
from releo_da.config.report import report
from releo_da.io import write_json
from releo_da.io.state_rows import reading_state
from releo_da.io.times import isoformat
from releo_da.runs.cycle import Service, Swept
from releo_da.runs.hindcast import blocks
from releo_da.runs.stopping import wait
from releo_da.runs.store import Store
from releo_da.runs.watched import advance
from releo_da.state.bias import moments, rows_of
from releo_da.types import InputError


def serve(
    service: Service,
    poll_seconds: float,
    once: bool,
    stop: Callable[[], bool],
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> tuple[list[str], int]:
    """Sweep and publish, once or until asked to end.

    What is published is made of what is committed, and no reason to stop: where that fails it is
    told, and tried again when the state is another or by the next call.

    Returns:
        What the last sweep refused, and the exit status.
    """
    tried, status = "", 0
    while True:
        swept = service.sweep(stop)
        say(_told(swept, service.store))
        for error in swept.refused:
            warn(f"releo-da: refused: {' '.join(error.split())}")
        for error in service.failed:
            warn(f"releo-da: set aside, its assimilation failed: {' '.join(error.split())}")
        last = service.ledger.last()
        if last is not None and last.sha256 not in (tried, published(service.store.root)):
            tried = last.sha256
            try:
                publish(service)
                status = 0
            except (OSError, sqlite3.Error):
                raise  # the disk, of which the next cycle would tell the same
            except Exception as error:
                # The cycles are committed, and what is drawn is made of files that may be damaged
                # in ways that no list of errors of xarray, matplotlib and HDF5 would hold.
                warn(f"releo-da: the cycles are committed, the report is not made: {told(error)}")
                status = 1
        if once or stop():
            return swept.refused, 1 if service.failed else status
        wait(poll_seconds, stop)


def told(error: Exception) -> str:
    """An error in one line; of one that no code of the package meant, with its kind."""
    return " ".join((str(error) if isinstance(error, InputError) else repr(error)).split())


def _told(swept: Swept, store: Store) -> str:
    """A line about a sweep, and one for each file without a clear pixel."""
    where = "no state yet" if store.state is None else f"state of {isoformat(store.state.time)}"
    again = f", {swept.undone} cycles undone before" if swept.undone else ""
    lines = [f"{swept.assimilated} acquisitions assimilated{again}, {where}"]
    return "\n".join(lines + swept.empty)


def published(root: Path) -> str | None:
    """Checksum of the state that scores.json and the report stand for; None without them.

    The report is made of scores.json and after it; one that is older is of an earlier state.
    """
    scores, drawn = root / "scores.json", root / "report.html"
    if not (drawn.is_file() and scores.is_file()):
        return None
    if drawn.stat().st_mtime_ns < scores.stat().st_mtime_ns:
        return None
    try:
        return str(mapping_of(scores).get("state_sha256"))
    except InputError:  # damaged: it is made again
        return None


def publish(service: Service) -> Path:
    """scores.json and report of the cycles so far; returns the path of the report."""
    root, ledger = service.store.root, service.ledger
    write_json(root / "scores.json", scores_of(service, sums_of(service)))
    advance(ledger, service.rules, root, service.window)
    return report(root, ledger)


def scores_of(service: Service, sums: Mapping[str, Any]) -> dict[str, Any]:
    """scores.json of the cycles so far, from their sums (`releo_da.config.cycle_sums`)."""
    model, state = service.model, service.store.state
    found = scores_from([sums]) | {"state_sha256": sums["state_sha256"]}
    if model.biases is not None and state is not None:
        with reading_state(state.path) as held:
            parts = [moments(model.biases, held.take(r).ensemble) for r in blocks(state.pixels)]
        means, variances = (torch.cat(part) for part in zip(*parts, strict=True))
        found["biases"] = rows_of(model.biases, means, variances)
    return found
