"""Runs this study and prints a column per run beside the whole network: `python ablation.py`.

CRPS of forecasts of NDVI, and as the mean over channels, by days ahead; RMSE and CRPS of withheld
NDVI, all offsets together. Behind a figure stand its relative difference from the whole network on
the same values (positive: the run is worse) and, in brackets, the 95 % interval over points.
Only folds and seeds that all runs have are counted.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from releo_da.config.experiment import Found, studied
from releo_da.config.options import Options
from releo_da.diagnostics.paired import paired_interval
from releo_da.diagnostics.scores import Array
from releo_da.io import create_run_directory

FIRST = "neural"
DAYS = (5, 10, 20, 30, 60)
COLUMNS = {
    **{f"NDVI, {d} d": (f"forecast_{d}", "ndvi", False) for d in DAYS},
    **{f"channels, {d} d": (f"forecast_{d}", "channels", False) for d in DAYS},
    "withheld NDVI, RMSE": ("smoothed", "ndvi", True),
    "withheld NDVI, CRPS": ("smoothed", "ndvi", False),
}


def losses(found: Found, case: str, what: str, root: bool) -> Array:
    """Squared error or CRPS of one fold, ``[value, pixel]``; NaN where nothing was compared."""
    names = list(map(str, found.verification.channel.values))
    wanted = ["ndvi"] if what == "ndvi" else [n for n in names if n.startswith("B")]
    cases = [c for c in map(str, found.verification.case.values) if c.startswith(case)]
    part = found.verification.sel(case=cases if case == "smoothed" else [case], channel=wanted)
    values = (part["mean"] - part["observed"]) ** 2 if root else part["crps"]
    values = (
        values.where(np.isfinite(part["crps"])).transpose("case", "channel", "time", "pixel").values
    )
    return np.asarray(values, float).reshape(-1, values.shape[-1])


def mean(values: Array, what: str, root: bool) -> float:
    """The score of losses: channels are seen alike, so the mean over values is that over them."""
    return float(np.sqrt(np.nanmean(values)) if root else np.nanmean(values))


def cell(ours: Sequence[Found], theirs: Sequence[Found] | None, column: str) -> str:
    """A figure over folds and seeds, and what it is beside the other run."""
    case, what, root = COLUMNS[column]
    held = [losses(found, case, what, root) for found in ours]
    flat = np.concatenate([part.ravel() for part in held])
    text = f"{mean(flat, what, root):.4f}"
    if theirs is None:
        return text
    beside = np.concatenate([losses(found, case, what, root).ravel() for found in theirs])
    places = [
        np.broadcast_to([f"{found.fold} {k}" for k in range(part.shape[1])], part.shape).ravel()
        for found, part in zip(ours, held, strict=True)
    ]
    labels, generator = np.concatenate(places), np.random.default_rng(0)
    one = paired_interval(flat, beside, labels, generator, root)
    return f"{text}, {one.change:+.1%} [{one.lower:+.1%}, {one.upper:+.1%}]"


def table(found: Sequence[Found]) -> str:
    """Markdown, a column per run."""
    names = list(dict.fromkeys(f.run for f in found))
    parts = {name: {(f.fold, f.seed) for f in found if f.run == name} for name in names}
    common = set.intersection(*parts.values())
    runs = {
        name: [f for f in found if f.run == name and (f.fold, f.seed) in common] for name in names
    }
    lines = ["| " + " | ".join(["", *runs]) + " |", "| --- " * (len(runs) + 1) + "|"]
    for column in COLUMNS:
        cells = [
            cell(ours, None if name == FIRST else runs[FIRST], column)
            for name, ours in runs.items()
        ]
        lines.append("| " + " | ".join([column, *cells]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    out = create_run_directory(Path("runs") / "learned_forecaster")
    print(table(studied(here, Options(), out)))
