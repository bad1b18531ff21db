"""`releo-da benchmark`: the parts do the work they say, and the file has the contract's keys."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from releo_da.assimilation.etkf import update
from releo_da.cli import main
from releo_da.config import benchmark as parts
from releo_da.config import benchmark_cycle, benchmark_emulator, benchmark_scaling, benchmark_tile
from releo_da.config.benchmark_cycle import LAND, assembly, synthetic


def test_the_file_holds_the_figures_of_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = benchmark_cycle.cycle
    monkeypatch.setattr(parts, "REPEATS", 1)
    monkeypatch.setattr(benchmark_emulator, "HYPERSPECTRAL", "modis_terra")
    monkeypatch.setattr(benchmark_emulator, "DRAWS", 512)
    monkeypatch.setattr(parts, "cycle", lambda: small(pixels=8, members=16, dates=6))
    grown = benchmark_scaling.scaling
    monkeypatch.setattr(parts, "scaling", lambda: grown(("etkf",), (256, 512), (8, 16)))
    monkeypatch.setattr(parts, "tile", lambda: benchmark_tile.measured((4, 6), 8, 1))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    threads = torch.get_num_threads()
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", "--output", str(tmp_path / "b.json"), "--quiet"])
    assert not ended.value.code
    assert capsys.readouterr().out == ""
    assert torch.get_num_threads() == threads
    found = json.loads((tmp_path / "b.json").read_text())
    assert set(found) == {
        "machine", "analysis", "simulator", "emulator", "cycle", "tile", "scaling",
    }  # fmt: skip
    assert set(found["analysis"]) == {
        "pixels_per_s", "filterpy_pixels_per_s", "ratio", "ratio_256", "compiled_ratio",
        "floor_pixels_per_s",
    }  # fmt: skip
    assert set(found["simulator"]) == {
        "spectra_per_s", "bands_per_s", "prosail_spectra_per_s", "ratio", "bands_ratio",
    }  # fmt: skip
    assert set(found["emulator"]) == {"prosail_spectra_per_s", "ratio", "land", "hyperspectral"}
    analysis, simulator, cycle = found["analysis"], found["simulator"], found["cycle"]
    assert analysis["ratio"] > 1.0 and analysis["ratio_256"] > 1.0
    assert (analysis["compiled_ratio"] is None) == (shutil.which("cc") is None)
    assert analysis["pixels_per_s"] < analysis["floor_pixels_per_s"]
    assert simulator["bands_per_s"] > 5.0 * simulator["spectra_per_s"]
    assert set(cycle["share"]) == {"forecast", "observe", "analyse", "bookkeeping"}
    assert sum(cycle["share"].values()) == pytest.approx(1.0)
    assert min(cycle["share"].values()) > 0.0
    assert cycle["pixel_acquisitions_per_s"] > 0.0
    assert set(found["tile"]) == {"16", "36"}
    for one in found["tile"].values():
        assert set(one) == {"latents", "peak_mib", "seconds", "files"}
        assert one["latents"] == 34
        assert 0.0 < one["files"] < 1.0
    (etkf,) = found["scaling"].values()
    assert set(etkf) == {"peak_mib", "pixels_per_s", "slope_pixels", "slope_members"}
    assert set(etkf["peak_mib"]) == {"256", "512"}


def test_the_oracle_is_left_out_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with torch.no_grad():
        found = parts.simulator(1, pixels=1)
    assert found["prosail_spectra_per_s"] is None
    assert found["ratio"] is None
    assert found["spectra_per_s"] > 0.0


def test_both_filters_are_given_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """FilterPy perturbs observations: its mean is ours up to their sampling noise."""
    prior, predicted, y, precision = parts.update_case(40)
    ours = update(prior, predicted, y, precision)
    made = []

    class Kept(parts.EnsembleKalmanFilter):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(parts, "EnsembleKalmanFilter", Kept)
    np.random.seed(0)
    run = parts.filterpy_updates(prior, predicted, y, 40)
    run()
    run()  # from the background again, and not from its own analysis
    theirs = torch.tensor(np.stack([peer.sigmas.mean(0) for peer in made]))
    gained = (ours.mean(1) - prior.mean(1)).double()
    difference = theirs - ours.mean(1).double()
    assert difference.square().mean().sqrt() < 0.25 * gained.square().mean().sqrt()


def test_the_timed_series_is_an_ordinary_one() -> None:
    with torch.no_grad():
        series = synthetic(assembly(), 20, 5)
    assert [a.time for a in series.acquisitions] == [0.0, 5.0, 10.0, 15.0, 20.0]
    for a in series.acquisitions:
        assert a.values.shape == (20, len(LAND))
        assert int((~a.seen).all(-1).sum()) == 4
        assert (a.values[a.seen] > -0.05).all()
        assert (a.values[a.seen] < 0.9).all()
        assert ((a.error > 0.001) | ~a.seen).all()


def test_another_device_is_timed_by_the_wall() -> None:
    with torch.no_grad():
        found = parts.accelerator("cpu", 1, pixels=16)
    assert set(found) == {"analysis_pixels_per_s", "bands_per_s"}
    assert min(found.values()) > 0.0
