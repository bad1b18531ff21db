"""Blocks of a twin experiment in several processes: the same bits, and what starts how many."""

from __future__ import annotations

import json
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import xarray as xr

from releo_da.config import twin
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.twin_setting import prepared
from releo_da.config.twin_workers import received, sent, workers_for

CONFIG = """
seed: 5
members: 4
period: [2023-05-20, 2023-06-05]
source:
  twin:
    nature: {name: wofost, years: tuning}
    pixels: [20, 30]
    place: [5.67, 51.97]
    satellites: [{sensor: sentinel2a, channels: [B03, B04, B08], every_days: 8}]
state: {name: prosail, add: [soil_moisture]}
score: {horizons: [5], repeats: 2}
products: {variables: [lai, ndvi], every_days: 4, phenology: {variable: lai, amplitude: 0.01}}
"""


def made(folder: Path, workers: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    out = folder / f"with_{workers}"
    twin.command(load(path), Options(out=out, quiet=True), workers)
    return out


def test_results_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three blocks, the last one part of a block, in one process and in two: to the last bit."""
    monkeypatch.setattr(twin, "report", lambda root: root / "report.html")  # numbers are compared
    alone, shared = made(tmp_path, 1), made(tmp_path, 2)
    told = [json.loads((out / "scores.json").read_text("utf-8")) for out in (alone, shared)]
    assert told[0] == told[1]
    for name in ("analysis.nc", "truth.nc", "verification.nc", "phenology.nc"):
        with xr.open_dataset(alone / name) as one, xr.open_dataset(shared / name) as other:
            assert one.drop_attrs().identical(other.drop_attrs())
    states = [(out / "state.safetensors").read_bytes() for out in (alone, shared)]
    assert states[0] == states[1]


def test_few_blocks_and_accelerators_stay_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    cpu = torch.device("cpu")
    assert [workers_for(n, cpu, None) for n in (1, 3, 4, 9, 64)] == [1, 1, 2, 4, 8]
    assert [workers_for(n, cpu, 3) for n in (1, 2, 9)] == [1, 2, 3]
    assert workers_for(64, torch.device("cuda"), 4) == 1


@dataclass
class Held:
    tensor: torch.Tensor
    numbers: dict[str, torch.Tensor]


class Pair(NamedTuple):
    held: Held
    rest: list[tuple[int, torch.Tensor | None]]


def test_records_go_between_processes_as_arrays() -> None:
    told = Pair(
        Held(torch.ones(2, 3).T, {"a": torch.tensor(1.5)}), [(1, torch.arange(3)), (2, None)]
    )
    way = ForkingPickler.dumps(sent(told))
    assert b"torch" not in bytes(way)
    back = received(ForkingPickler.loads(way))
    assert torch.equal(back.held.tensor, told.held.tensor)
    assert torch.equal(back.held.numbers["a"], told.held.numbers["a"])
    assert torch.equal(back.rest[0][1], told.rest[0][1]) and back.rest[1] == (2, None)


def test_a_block_holds_nothing_that_processes_would_share(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    ready = prepared(load(tmp_path / "config.yaml"), torch.device("cpu"))
    told = ready.repeat(0).tell(ready.pixels[:3])
    assert b"torch" not in bytes(ForkingPickler.dumps(sent(told)))
