"""The report of a training, of whatever: how it went, and how well it does on what it has not seen.

Every target of `releo-da train` ends with it; what differs are tables and figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from releo_da.diagnostics.cells import Table
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.report import write_report


def write_train_report(
    root: Path,
    made: Mapping[str, Any],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    said: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Path:
    """Write ``report.html`` with its figures; returns its path.

    Args:
        root: the run directory, with its ``config.yaml``.
        made: what made the run.
        tables: of scores.
        pictures: of the training, and of what came of it.
        said: what was trained and how it ended.
        notes: what to know of the series.
    """
    content = {
        "title": f"releo_da train: {root.name}",
        "summary": list(said),
        "warnings": list(notes),
        "run": {key: value for key, value in made.items() if key != "kind"},
        "tables": list(tables),
        "config": (root / "config.yaml").read_text(encoding="utf-8"),
    }
    return write_report(root, content, pictures)
