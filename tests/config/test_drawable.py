"""A run without a smoother has no smoothed rows; what cannot be drawn is refused in one message."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import xarray as xr

from releo_da.config import twin
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.report import report
from releo_da.types import InputError

CONFIG = """
seed: 1
members: 4
period: [2023-05-01, 2023-05-21]
source:
  twin:
    pixels: [2, 3]
    cloud: 0.2
    place: [6.8, 51.97]
    satellites:
      - {sensor: sentinel2a, channels: [B04, B08], every_days: 8}
      - {sensor: sentinel2c, channels: [B04, B08]}
state: {name: prosail}
forecast: {name: mean_reverting}
analyse: [{name: etkf}]
products: {variables: [lai], every_days: 10}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawable")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    options = Options(out=folder / "run", quiet=True)
    twin.command(load(folder / "config.yaml"), options, 1)
    return folder / "run"


def test_without_a_smoother_nothing_is_called_smoothed(finished: Path) -> None:
    scores = json.loads((finished / "scores.json").read_text("utf-8"))
    assert "analysis" in scores and "analysis" in scores["seen"]
    assert all("smoothed" not in part for part in (scores, scores["seen"], scores["calibration"]))
    assert ">smoothed<" not in (finished / "report.html").read_text("utf-8")


def test_the_report_names_a_satellite_that_never_came(finished: Path) -> None:
    said = (finished / "report.html").read_text("utf-8")
    assert "sentinel2c (source.twin.satellites[1]) never passes" in said
    assert "its data begin on 2025-01-21" in said


def test_files_say_what_they_hold(finished: Path) -> None:
    with xr.open_dataset(finished / "verification.nc") as held:
        assert "beside the truth" in held.title and held.observed.long_name == "truth"
        assert held.sd.long_name == "standard deviation of the estimate"
    with (
        xr.open_dataset(finished / "analysis.nc") as held,
        xr.open_dataset(finished / "truth.nc") as true,
    ):
        assert (held.estimate, true.estimate) == ("analysis", "truth")
        assert held.seed == "1" and len(held.configuration_sha256) == 64
        assert held.title != true.title


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("scores.json", lambda text: "{}", "scores.json: holds no rows 'free_run'"),
        ("scores.json", lambda text: text.replace('"coverage_90"', '"covered"'), "coverage_90"),
        ("scores.json", lambda text: text.replace('"spread_skill"', '"by"'), "spread_skill"),
        ("config.yaml", lambda text: "members: [", "config.yaml"),
    ],
)
def test_a_damaged_run_is_not_drawn(
    finished: Path, tmp_path: Path, name: str, change, message: str
) -> None:
    root = Path(shutil.copytree(finished, tmp_path / "run"))
    (root / name).write_text(change((root / name).read_text("utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        report(root)


def test_records_of_another_version_are_not_drawn(finished: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(finished, tmp_path / "run"))
    with xr.open_dataset(root / "verification.nc") as held:
        less = held.drop_vars("sd").load()
    less.to_netcdf(root / "verification.nc", engine="netcdf4")
    with pytest.raises(InputError, match=r"verification.nc: holds no field 'sd'.*repeat the run"):
        report(root)


def test_a_changed_configuration_is_told(finished: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(finished, tmp_path / "run"))
    report(root)
    assert "changed afterwards" not in (root / "report.html").read_text("utf-8")
    with (root / "config.yaml").open("a") as file:
        file.write("smooth: {name: rts}\n")
    report(root)
    assert "changed afterwards" in (root / "report.html").read_text("utf-8")
