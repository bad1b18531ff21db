"""The table of two variants of a run: which predicts the next acquisition better (O-B)?

Both runs see the same values. Per channel, and over all of them, the RMSE of the background and
the relative difference of squared error and CRPS on the same values, with the 95 % interval of a
bootstrap over blocks of days: innovations of a filter that is right are independent in time, those
of one that is not are not, so neighbouring dates are redrawn together. Losses are averaged over
seeds first. Negative: the first variant is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from releo_da.config.table_text import markdown, over_seeds, percent
from releo_da.diagnostics.paired import paired_interval
from releo_da.diagnostics.scores import Array

BLOCK_DAYS = 8
"""Length of the blocks of days that are redrawn together."""

ALL = "all channels"
Sides = tuple[Sequence[xr.Dataset], Sequence[xr.Dataset]]
"""Verification of the seeds of a run, and of the run it is compared with."""


def variants_table(names: tuple[str, str], runs: Sequence[Sides]) -> tuple[str, dict[str, Any]]:
    """Markdown and numbers of one comparison, pooled over runs.

    Args:
        names: of the two variants.
        runs: one or more pairs of runs, the scored period selected; equal channels.
    """
    channels = [str(n) for n in runs[0][0][0].channel.values if n != "ndvi"]
    losses = [[[_losses(one, channels) for one in seeds] for seeds in pair] for pair in runs]
    groups = np.concatenate([_groups(pair[0][0], k) for k, pair in enumerate(runs)])
    head = ["O-B", *channels, ALL]
    body, numbers = [], {}
    for side, name in enumerate(names):
        rows = [
            _rmse([pair[side][seed] for pair in losses]) for seed in range(len(losses[0][side]))
        ]
        numbers[name] = {c: [row[k] for row in rows] for k, c in enumerate(head[1:])}
        body.append([f"RMSE, {name}", *(over_seeds(v, 4) for v in numbers[name].values())])
    for kind, title in enumerate(("RMSE", "CRPS")):
        ours, theirs = (
            np.concatenate([np.mean([one[kind] for one in pair[side]], 0) for pair in losses])
            for side in (0, 1)
        )
        changes = [
            _change(ours[:, [k]], theirs[:, [k]], groups, not kind) for k in range(len(channels))
        ]
        changes.append(_change(ours, theirs, groups, not kind))
        numbers[f"{title} against"] = {
            c: list(change) for c, change in zip(head[1:], changes, strict=True)
        }
        body.append([f"{title} against {names[1]}", *(percent(change) for change in changes)])
    units = f"{len(np.unique(groups))} blocks of {BLOCK_DAYS} days redrawn"
    return f"{markdown(head, body)}\n\nBrackets: 95 % interval, {units}.", numbers


def _losses(found: xr.Dataset, channels: Sequence[str]) -> tuple[Array, Array]:
    """Squared error and CRPS of the background, ``[time and pixel, channel]``."""
    one = found.sel(case="background", channel=list(channels))
    square = (one["mean"] - one["observed"]) ** 2
    both = (square, one["crps"])
    squares, crps = (
        array.transpose("time", "pixel", "channel").values.reshape(-1, len(channels))
        for array in both
    )
    return squares.astype(float), crps.astype(float)


def _rmse(losses: Sequence[tuple[Array, Array]]) -> list[float]:
    """RMSE per channel and over all."""
    squares = np.concatenate([square for square, _ in losses])
    return [*np.sqrt(np.nanmean(squares, 0)).tolist(), float(np.sqrt(np.nanmean(squares)))]


def _groups(found: xr.Dataset, number: int) -> Array:
    """Label of the block of days of each time and pixel, of its own in each run."""
    day = found.time.values.astype("datetime64[D]").astype(np.int64) // BLOCK_DAYS
    pixel = np.arange(found.sizes["pixel"])
    labels = [f"{number} {d} {p}" for d in day for p in pixel]
    return np.array(labels)


def _change(ours: Array, theirs: Array, groups: Array, root: bool) -> Any:
    """Relative difference over all columns given."""
    label = np.repeat(groups, ours.shape[1])
    generator = np.random.default_rng(0)
    return paired_interval(ours.ravel(), theirs.ravel(), label, generator, root)
