"""Cells and rows of the tables of studies, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from releo_da.diagnostics.paired import Paired


def over_seeds(values: Sequence[float], digits: int = 3) -> str:
    """Mean over seeds with the standard deviation behind it; empty where a value is missing."""
    if not np.isfinite(values).all():
        return ""
    mean = f"{np.round(np.mean(values), digits) + 0.0:.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def percent(change: Paired) -> str:
    """A relative difference with its 95 % interval; empty where nothing was compared."""
    if not np.isfinite(change).all():
        return ""
    return f"{100 * change.change:+.1f} % [{100 * change.lower:+.1f}, {100 * change.upper:+.1f}]"


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
