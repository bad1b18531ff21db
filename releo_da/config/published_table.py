"""The table of published benchmarks: what was published, what this package gives, and the verdict.

Figures of a case are over replicates. A case is met where our median lies inside the band of the
public implementation or below it. Where that ran one seed, or some of its seeds diverged, its
median with 15 % to either side is the band.

The band is a range over few seeds, so a median of few replicates misses it by chance too. The table
says where the median of five falls in nine of ten tries: it lies below the quantile p of a
distribution with probability p^3 (10 - 15 p + 6 p^2), which is 5 % at p = 0.189 and 95 % at 0.811.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from releo_da.config.published import Figures, Row, Setting

HEAD = (
    "scheme", "settings", "published", "public implementation", "band", "ours: median",
    "medians of five", "min to max", "spread", "diverged", "verdict",
)  # fmt: skip

FIVE = (0.189, 0.811)
"""Quantiles between which nine of ten medians of five fall."""

MANY = 10
"""Replicates from which on these quantiles are told."""


def table(rows: Sequence[Row], settings: Mapping[str, Setting]) -> tuple[str, dict[str, Any]]:
    """Markdown, one table per setting, and the same figures as numbers."""
    text = []
    for name, setting in settings.items():
        here = [row for row in rows if row.case.setting == name]
        if not here:
            continue
        lines = [HEAD, ["---"] * len(HEAD), *(cells(row) for row in here)]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        number = len(here[0].rmse)
        head = f"### {name}\n\n{setting.source}. RMSE of {number} replicates.\n\n"
        text.append(head + body)
    met = sum(verdict(row) != "above" for row in rows)
    seconds = sum(row.seconds for row in rows if row.estimate == "analysis")
    text.append(f"{met} of {len(rows)} cases met; {seconds / 60:.0f} minutes of one core.")
    return "\n\n".join(text), {"cases": [numbers(row) for row in rows], "met": met}


def cells(row: Row) -> list[str]:
    """One line of the table."""
    figures, spread = row.figures, float(np.median(row.spread))
    lower, upper = np.quantile(row.rmse, FIVE)
    low, high = figures.limits
    return [
        row.case.name + (", smoothed" if row.estimate == "smoothed" else ""),
        settings_text(row),
        "" if figures.published is None else f"{figures.published:g}",
        theirs(figures),
        f"{low:.3f} to {high:.3f}",
        f"**{np.median(row.rmse):.3f}**",
        f"{lower:.3f} to {upper:.3f}" if len(row.rmse) >= MANY else "",
        f"{row.rmse.min():.3f} to {row.rmse.max():.3f}",
        "" if np.isnan(spread) else f"{spread:.3f}",
        str(row.diverged),
        verdict(row),
    ]


def theirs(figures: Figures) -> str:
    """Median and seeds of the public implementation."""
    seeds = "1 seed" if figures.seeds == 1 else f"{figures.seeds} seeds"
    lost = f", {figures.diverged} diverged" if figures.diverged else ""
    return f"{figures.median:.3f} ({seeds}{lost})"


def verdict(row: Row) -> str:
    """Where our median lies: inside the band, below it or above it."""
    low, high = row.figures.limits
    median = float(np.median(row.rmse))
    return "inside" if low <= median <= high else "below" if median < low else "above"


def settings_text(row: Row) -> str:
    """Members, scheme and smoother of a case, as the configuration names them."""
    if row.case.reference is not None:
        return ""
    values = row.document.values
    parts = [f"N = {values['members']}"]
    for key in ("analyse", "smooth"):
        spec = values.get(key)
        layers = spec if isinstance(spec, list) else [] if spec is None else [spec]
        parts += [layer_text(layer) for layer in layers]
    return ", ".join(parts)


def layer_text(layer: Any) -> str:
    """One component with its options."""
    if isinstance(layer, str):
        return layer
    options = " ".join(f"{k} {v}" for k, v in layer.items() if k != "name")
    return f"{layer['name']} ({options})" if options else str(layer["name"])


def numbers(row: Row) -> dict[str, Any]:
    """A case for scores.json."""
    return {
        "setting": row.case.setting,
        "name": row.case.name,
        "configuration": settings_text(row),
        "estimate": row.estimate,
        "figures": asdict(row.figures),
        "rmse": row.rmse.tolist(),
        "median": float(np.median(row.rmse)),
        "spread": row.spread.tolist(),
        "diverged": row.diverged,
        "verdict": verdict(row),
        "seconds": round(row.seconds, 1),
    }
