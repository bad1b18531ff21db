"""Scores weights of an encoder on points with field measurements: `python points.py [WEIGHTS ..]`.

Leaf area beside photographs of `experiments/toulouse` (mean of the posterior at the day of the
measurement, from all acquisitions within the period; intervals of 90 % with the error of the
photographs), reflectances and NDVI of every third acquisition from the others beside straight
lines, and the share of acquisitions that are flagged. Nothing is fitted on any of them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from releo_da.config.document import load
from releo_da.config.encoder_block import Block
from releo_da.config.encoder_section import encoding as options
from releo_da.config.encoder_setting import Setting, setting_of
from releo_da.config.encoder_weights import Kept, encoder_of
from releo_da.config.encoding import misfits, scores_of
from releo_da.config.sections import field_tables, score, section
from releo_da.config.sources import read_sources
from releo_da.diagnostics.scores import summarise_in_situ
from releo_da.io.in_situ import InSitu
from releo_da.io.series import Series
from releo_da.learning.batches import Seen
from releo_da.physics.greenness import green_share
from releo_da.representation.encoder import in_blocks
from releo_da.runs.covariates import covariates
from releo_da.runs.field import counted, measurement_error

HERE = Path(__file__).parent
COLUMNS = ("rmse", "bias", "unbiased_rmse", "r2", "coverage_90", "n")
DRAWS = 400


def leaf_area(
    setting: Setting, kept: Kept, series: Series, table: InSitu, known: bool
) -> dict[str, float]:
    """Scores of one table of measurements, with or without what is known of the place."""
    times = np.array([a.time for a in series.acquisitions])
    seen = torch.stack([a.seen.any(1) for a in series.acquisitions], 1).numpy()
    rows = counted(table, times, seen)
    days, which = np.unique(np.floor(rows.time) + 0.5, return_inverse=True)
    acquisitions = [setting.error(a) for a in series.acquisitions]
    statics = covariates(series.pixels, torch.zeros(())) if known else None
    with torch.no_grad():
        q = in_blocks(
            kept.encoder, setting.tokens(acquisitions), torch.from_numpy(days), statics
        ).posterior
        noise = torch.randn(DRAWS, q.mean.shape[-1], generator=torch.Generator().manual_seed(0))
        z = q.sample(noise)[rows.pixel_index, which]
        state = setting.layout.decode(z)
        if rows.variable == "lai_green":
            state["lai_green"] = state["lai"] * green_share(state["cab"], state["cbrown"])
        drawn = state[rows.variable].numpy()
    error = measurement_error(rows.value)
    return summarise_in_situ(rows.value, drawn, error, np.random.default_rng(0))


def main(weights: Sequence[str]) -> None:
    """Prints a row per file of weights and table."""
    points = load(HERE.parent / "toulouse" / "config.yaml")
    series = read_sources(points)
    document = load(HERE / "config.yaml")
    entry = {"source": points.values["source"], "period": points.values["period"]}
    document.values["train"] = {"target": "encoder", "series": {"points": entry}, "test": {}}
    how = section(document, "train", options)
    setting = setting_of(document, how, torch.device("cpu"))
    tables = field_tables(points, section(points, "score", score), series)
    print("| weights |", " | ".join(COLUMNS), "|")
    for name in weights or ["default"]:
        kept = encoder_of("points", name)
        for table in tables:
            told = f"{table.variable}, {table.log[0]['column']}"
            for known in (False, True):
                row = leaf_area(setting, kept, series, table, known)
                print(
                    f"| {name} {told}{' place' if known else ''} |",
                    " | ".join(f"{row[c]:.3f}" for c in COLUMNS),
                    "|",
                )
        acquisitions = [a for a in series.acquisitions if bool(a.seen.any())]
        block = Block(Seen(acquisitions), {})
        for what, row in scores_of(setting, kept.encoder, block, 0).items():
            if what in ("ndvi", "channels"):
                told = ", ".join(f"{m} {v['rmse']:.4f}" for m, v in row.items())
                print(f"{name}, withheld {what}: {told}", row["encoder"].get("coverage_90", ""))
        if kept.domain is not None:
            complete = setting.complete(block)
            far = kept.domain.outside(misfits(setting, kept.encoder, [complete]))
            print(f"{name}, flagged: {float(far.float().mean()):.3f} of {len(far)} acquisitions")


if __name__ == "__main__":
    main(sys.argv[1:])
