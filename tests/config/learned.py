"""Weights of a learned forecaster that say what their fit has met, without a fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.weights import write_weights
from releo_da.dynamics.neural import Neural

SMALL: dict[str, Any] = {"name": "neural", "hidden": 4, "memory": 1, "step": 10}
"""A small network."""


def met(
    path: Path,
    config: Path,
    channels: Mapping[str, tuple[str, ...]],
    days: float,
    north: tuple[float, float] = (-90.0, 90.0),
) -> None:
    """Write weights of a configuration's forecaster whose fit has met gaps and latitudes.

    Args:
        path: of the weights.
        config: of the configuration.
        channels: for each sensor, its channels.
        days: the longest gap.
        north: the latitudes.
    """
    made = assemble(load(config), channels)
    assert isinstance(made.forecaster, Neural)
    made.forecaster.around.met.copy_(torch.tensor([*north, days], dtype=torch.float64))
    write_weights(path, made.layout, made.forecaster, made.error)


def records(root: Path | str, *kinds: str) -> list[dict[str, Any]]:
    """Records of these kinds in the log of a run."""
    lines = Path(root, "log.jsonl").read_text("utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] in kinds]
