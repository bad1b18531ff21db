"""Portions of a block: what fits, in order, and the same estimates whatever their size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from releo_da.config.document import load
from releo_da.config.twin_setting import Prepared, one_run, prepared
from releo_da.cycling.draws import BLOCK
from releo_da.runs import portions as module
from releo_da.runs.portions import BYTES, ENSEMBLES, LEAST, portions, rows_at_once
from releo_da.runs.twin import turns

CONFIG = """
seed: 3
members: 32
period: [2023-05-20, 2023-07-05]
source:
  twin:
    nature: {name: wofost, years: tuning}
    pixels: [4, 30]
    place: [5.67, 51.97]
    satellites: [{sensor: sentinel2a, channels: [B03, B04, B08], every_days: 15}]
state: {name: prosail, add: [soil_moisture]}
smooth: {name: rts}
score: {horizons: [5]}
products: {variables: [lai, fapar], every_days: 20}
"""


def ready(folder: Path, *settings: str) -> Prepared:
    path = folder / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return prepared(load(path, settings), torch.device("cpu"))


def test_steps_of_a_portion_fit_and_a_few_rows_always_do() -> None:
    assert rows_at_once(10, 32, 32) == BLOCK
    for steps in (50, 100, 400):
        rows = rows_at_once(steps, 32, 32)
        each = ENSEMBLES * BYTES * steps * 32 * 32
        assert rows % LEAST == 0
        assert rows * each <= module.MEMORY < (rows + LEAST) * each or rows == BLOCK
    assert rows_at_once(10**6, 32, 32) == LEAST


@pytest.mark.parametrize(("number", "most"), [(256, 256), (256, 104), (44, 16), (5, 8), (300, 37)])
def test_portions_keep_the_order_and_are_alike(number: int, most: int) -> None:
    parts = portions(torch.arange(number), most)
    assert torch.equal(torch.cat(parts), torch.arange(number))
    sizes = [len(part) for part in parts]
    assert max(sizes) <= most
    assert len(sizes) == -(-number // most)


def test_estimates_do_not_depend_on_portions(tmp_path: Path) -> None:
    """Estimates and records to the last bit (of a multiple of 32 members, see
    `releo_da.runs.block.RESIDUAL_MEMBERS`); sums but for the order of adding."""
    made = ready(tmp_path)
    runs = []
    for rows in (BLOCK, 64, 24):
        one, calls = replace(made, task=replace(made.task, rows=rows)), list[str]()
        runs.append(one_run(one, calls.append, sinks=None))
        assert len(calls) == turns(len(made.looks), one.task, made.pixels)
    whole = runs[0]
    for cut in runs[1:]:
        assert cut.verification.identical(whole.verification)
        assert torch.equal(cut.state.ensemble, whole.state.ensemble)
        assert torch.equal(cut.state.pixels, whole.state.pixels)
        for held, other in ((cut.products, whole.products), (cut.truth, whole.truth)):
            for name in ("lai", "fapar"):
                np.testing.assert_array_equal(held[name].mean, other[name].mean)
        for key, terms in whole.sums.terms.items():
            for name, values in terms.items():
                np.testing.assert_allclose(cut.sums.terms[key][name], values, rtol=1e-12)
        for key, ranks in whole.said.calibrations.ranks.items():
            np.testing.assert_array_equal(cut.said.calibrations.ranks[key], ranks)
        for mine, theirs in zip(cut.judged, whole.judged, strict=True):
            assert (mine.seen, mine.refused) == (theirs.seen, theirs.refused)
            for name, values in theirs.sums.items():
                torch.testing.assert_close(mine.sums[name], values, rtol=1e-9, atol=1e-9)


def test_neighbours_need_their_whole_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY", 1)
    assert ready(tmp_path).task.rows == LEAST
    gathering = "analyse=[{name: etkf}, {name: neighbours, radius: 15}]"
    assert ready(tmp_path, gathering).task.rows == BLOCK
