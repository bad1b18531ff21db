"""A twin of points under two satellites: its configuration, a run of it, its truth alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from releo_da.config import twin, twin_passes, twin_setting, twin_source
from releo_da.config.document import Document, load
from releo_da.config.options import Options
from releo_da.config.simulation import simulation

CONFIG = """
seed: 1
members: 48
period: [2023-05-01, 2023-06-20]
source:
  twin:
    pixels: 40
    cloud: 0.4
    satellites:
      - {sensor: sentinel2a, channels: [B02, B04, B05, B08, B11, B12],
         first: 2023-05-02, every_days: 6}
      - {sensor: landsat8, channels: [B2, B4, B5, B6],
         first: 2023-05-05, every_days: 16, hour: 10.2}
state: {name: prosail, fixed: {n: 1.5, car: 8.0, cbrown: 0.0, cm: 0.005, hspot: 0.2}}
forecast: {name: mean_reverting}
analyse: [{name: etkf}, {name: multiple, times: 2}, {name: relaxed, factor: 0.3}]
smooth: {name: rts}
score: {horizons: [10]}
products: {variables: [lai, ndvi], every_days: 10}
"""


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def run(folder: Path, *settings: str) -> tuple[Path, dict[str, Any]]:
    out = folder / "run"
    twin.command(load(written(folder), settings), Options(out=out, quiet=True))
    return out, json.loads((out / "scores.json").read_text(encoding="utf-8"))


def simulated(folder: Path, seed: int, cloud: float, pixels: int) -> Any:
    document: Document = load(written(folder), ("source.twin.pixels=400",))
    made = twin_source.source_of(document)
    ours, _ = twin_setting.assemblies(document, made, torch.device("cpu"))
    passes = twin_passes.passes(document, made, torch.device("cpu"))
    task = replace(twin_setting.task_of(document, made), asked=())
    made = replace(made, independent=cloud)
    simulate = simulation(made, ours, passes, (task.start,), seed, {})
    return simulate(torch.arange(pixels)), ours
