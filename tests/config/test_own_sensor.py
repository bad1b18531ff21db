"""Sensors that a user writes: by path in every command, with fitted weights, and as an index."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.sources import read_sources
from releo_da.observation.quadrature import CHECK_DRAWS, drawn
from releo_da.sensors import read_sensor
from releo_da.types import InputError

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]

OWN = """\
source: the tests
noise: {additive: 0.005, multiplicative: 0.02}
channels:
  g: {centre: 558, width: 40}
  r: {centre: 661, width: 25}
  n: {centre: 842, width: 90}
  s: {centre: 1612, width: 80}
"""
INDEX = """\
source: the tests
channels:
  NDVI: {normalised_difference: [near, red], noise: {additive: 0.03}}
bands:
  near: {centre: 833, width: 106}
  red: {centre: 665, width: 31}
"""
CANOPY = """\
n,cab,car,ant,cbrown,cw,cm,lai,ala,hspot,psoil,rsoil,tts,tto,psi
1.4,45,10,0,0.1,0.018,0.005,0.3,58,0.2,0.5,1.0,35,5,110
1.4,45,10,0,0.1,0.018,0.005,4.0,58,0.2,0.5,1.0,35,5,110
"""


def of_own_sensor(values: dict[str, Any]) -> None:
    """The series as that of the sensor of the file, in one pass of members and no scoring."""
    source = values["source"][0]
    source["sensor"] = "sensors/own.yaml"
    source["channels"] = {"g": "B03", "r": "B04", "n": "B08", "s": "B11"}


def of_index(values: dict[str, Any]) -> None:
    source = values["source"][0]
    source["sensor"] = {"from": "platform", "S2A": "ndvi.yaml", "S2B": "ndvi.yaml"}
    source["channels"] = {"NDVI": "NDVI"}
    values["products"] = {"variables": ["lai", "ndvi"], "every_days": 20}


def ndvi_only(data: xr.Dataset) -> xr.Dataset:
    """The series as NDVI, one value of it impossible and one negative."""
    red, near = (data.reflectance.sel(band=name) for name in ("B04", "B08"))
    index = ((near - red) / (near + red)).where(data.cloud == 0)
    index[1, 3], index[2, 3] = 1.7, -0.05
    held = (
        index.drop_vars("band", errors="ignore")
        .expand_dims(band=["NDVI"])
        .transpose("point", "time", "band")
    )
    return xr.Dataset({"reflectance": held, "cloud": data.cloud}, attrs=data.attrs).assign_coords(
        {name: data[name] for name in ("platform", "sun_zenith", "x", "y")}
    )


@pytest.fixture
def place(tmp_path: Path, workplace: Workplace) -> Path:
    """The folder of a configuration with the two sensor files."""
    del workplace
    (tmp_path / "sensors").mkdir()
    (tmp_path / "sensors" / "own.yaml").write_text(OWN)
    (tmp_path / "ndvi.yaml").write_text(INDEX)
    (tmp_path / "canopy.csv").write_text(CANOPY)
    return tmp_path


def test_simulate_takes_the_path_of_a_sensor(place: Path, releo: Run) -> None:
    """Channels are the band averages of the spectrum, an index that of its bands."""
    status, spectra, _ = releo("simulate", "--spectrum", "--input", "canopy.csv")
    assert status == 0
    spectrum = pd.read_csv(pd.io.common.StringIO(spectra)).to_numpy()
    for name in ("sensors/own.yaml", "ndvi.yaml"):
        status, text, err = releo("simulate", "--sensor", name, "--input", "canopy.csv")
        assert status == 0, err
        found = pd.read_csv(pd.io.common.StringIO(text))
        sensor = read_sensor(place / name)
        bands = spectrum @ sensor.response.numpy().T
        if name == "ndvi.yaml":
            bands = ((bands[:, 0] - bands[:, 1]) / (bands[:, 0] + bands[:, 1]))[:, None]
        assert tuple(found.columns) == sensor.channels
        np.testing.assert_allclose(found, bands, rtol=0, atol=1e-6)


def test_simulate_looks_for_a_sensor_in_the_data_folder(place: Path, releo: Run) -> None:
    (place / "data").mkdir()
    shutil.move(place / "ndvi.yaml", place / "data" / "ndvi.yaml")
    status, text, err = releo("simulate", "--sensor", "ndvi.yaml", "--input", "canopy.csv")
    assert status == 0, err
    assert text.startswith("NDVI\n")
    status, _, err = releo("simulate", "--sensor", "absent.yaml", "--input", "canopy.csv")
    assert status == 2
    assert "sensor file absent.yaml: No such file" in err


def test_sensors_shows_a_file(place: Path, releo: Run) -> None:
    status, out, _ = releo("sensors", "ndvi.yaml")
    assert status == 0
    assert "(near - red) / (near + red)" in out
    assert "not reported" in out
    assert "\x1b" not in out
    status, _, err = releo("sensors", "sentinel2")
    assert status == 2
    assert "unknown sensor 'sentinel2'; did you mean 'sentinel2a'? the catalogue has" in err


def test_a_hindcast_of_an_own_sensor(place: Path, workplace: Workplace, releo: Run) -> None:
    """The file is found beside the configuration, kept with the run, and its error is in R."""
    config = workplace(configure=of_own_sensor)
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    scores = json.loads((place / "run" / "scores.json").read_text())
    assert scores["smoothed"]["ndvi"]["rmse"] < 0.15
    assert set(scores["background"]) == {"g", "r", "n", "s", "ndvi"}
    assert (place / "run" / "sensors" / "own.yaml").read_text() == OWN
    assert "sensors/own.yaml" in (place / "run" / "config.yaml").read_text()
    shutil.rmtree(place / "sensors")
    status, _, err = releo("forecast", "run", "--until", "2020-07-10", "--quiet")
    assert status == 0, err


def test_a_hindcast_of_an_index_alone(place: Path, workplace: Workplace, releo: Run) -> None:
    """What is negative stays, what is impossible goes; leaf area follows the index."""
    config = workplace(ndvi_only, of_index)
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    scores = json.loads((place / "run" / "scores.json").read_text())
    assert scores["background"]["NDVI"] == scores["background"]["ndvi"]
    assert scores["smoothed"]["ndvi"]["rmse"] < 0.15
    assert scores["baselines"]["linear"]["smoothed"]["ndvi"]["n"] > 0
    log = [json.loads(line) for line in (place / "run" / "log.jsonl").read_text().splitlines()]
    (values,) = (record for record in log if record["kind"] == "values")
    assert values["rejected"]["above range"] == 1
    assert "not positive" not in values["rejected"]
    found = xr.open_dataset(place / "run" / "analysis.nc")
    assert float(found.ndvi.max()) > 0.6


def test_weights_serve_another_sensor(place: Path, workplace: Workplace, releo: Run) -> None:
    """Fitted on one sensor, used without a fit on another, an index and some channels of it."""

    def fitted(values: dict[str, Any]) -> None:
        values["train"] = {"epochs": 1, "members": 8}

    status, _, err = releo("train", workplace(configure=fitted), "--out", "fit", "--quiet")
    assert status == 0, err

    def weighted(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        def configure(values: dict[str, Any]) -> None:
            change(values)
            values["forecast"] = {"name": "mean_reverting", "weights": "fit/weights.safetensors"}

        return configure

    for data, change in ((lambda d: d, of_own_sensor), (ndvi_only, of_index)):
        document = load(workplace(data, weighted(change)))
        series = read_sources(document)
        assembly = assemble(document, series.channels)
        assert len(assembly.layout.knots) == 4
        ahead = assembly.model.error(series.acquisitions[0])
        assert (ahead.error >= series.acquisitions[0].error).all()
    far = OWN.replace("1612", "2200")
    (place / "sensors" / "own.yaml").write_text(far)
    document = load(workplace(configure=weighted(of_own_sensor)))
    with pytest.raises(InputError, match="s of own is at 2200 nm.*leave the channel out"):
        assemble(document, read_sources(document).channels)


def test_the_error_of_an_index_is_that_of_its_bands(place: Path, workplace: Workplace) -> None:
    """Representativeness is propagated; checked by random errors of the bands."""
    document = load(workplace(ndvi_only, of_index))
    series = read_sources(document)
    assembly = assemble(document, series.channels)
    (sensor,) = series.channels
    acquisition = series.acquisitions[0]
    quadrature = assembly.model.observe.bands.quadratures[sensor].error  # type: ignore[attr-defined]
    total = assembly.model.error(acquisition).error[acquisition.seen].double()
    own = torch.tensor(0.03**2, dtype=torch.float64)
    added = (total.square() - own - quadrature.square()).sqrt()
    sensor_file = read_sensor(place / "ndvi.yaml")
    bands = drawn("ranges", CHECK_DRAWS, 1) @ sensor_file.response.T
    draws = (64, *bands.shape)
    noise = 1e-4 * torch.randn(draws, generator=torch.Generator().manual_seed(0)).double()
    near, red = bands.unbind(-1)
    noisy_near, noisy_red = (bands + noise).unbind(-1)
    apart = (noisy_near - noisy_red) / (noisy_near + noisy_red) - (near - red) / (near + red)
    expected = 100 * apart.square().mean().sqrt()
    torch.testing.assert_close(added, expected.expand_as(added), rtol=0.05, atol=0)
