"""Auxiliary fields end to end: a configuration with maps and weather, inspected and run."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from releo_da.config import assemble as assembling
from releo_da.config import forecasters
from releo_da.config.auxiliary import weather_of
from releo_da.config.document import load
from releo_da.config.sources import read_sources
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.dynamics.weather import degree_days
from releo_da.state.layout import Layout
from releo_da.types import InputError, Weather

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def with_fields(first: str = "2020-03-01", days: int = 130, **more: Any) -> Callable[..., None]:
    """Writes a map of elevation and a table of weather, and names both in the configuration."""

    def configure(config: dict[str, Any]) -> None:
        lon, lat = np.linspace(0.9, 1.2, 31), np.linspace(42.9, 43.1, 21)
        height = np.broadcast_to(1000 * lon, (21, 31))
        xr.Dataset({"z": (("lat", "lon"), height)}, {"lon": lon, "lat": lat}).to_netcdf("dem.nc")
        dates = pd.date_range(first, periods=days).strftime("%Y-%m-%d")
        weather = {"date": dates, "t": 273.15 + 10 + 0.0 * np.arange(days)}
        pd.DataFrame(weather).to_csv("weather.csv", index=False)
        config["source"][0]["auxiliary"] = {
            "elevation": {"path": "dem.nc", "variable": "z", "interpolate": "linear"},
            "slope": 2.0,
            "weather": {
                "path": "weather.csv",
                "time": "date",
                "elements": {"temperature": {"from": "t", "offset": -273.15}},
            },
        } | more

    return configure


def test_inspect_lists_fields_and_weather(workplace: Workplace, releo: Run) -> None:
    status, out, err = releo("inspect", workplace(configure=with_fields()), "--out", "run")
    assert status == 0, err
    rows = json.loads(Path("run/inspection.json").read_text())["auxiliary"]
    height, slope, temperature = rows
    assert (height["field"], height["unit"], height["places"]) == ("elevation", "m", 4)
    assert [height["least"], height["greatest"]] == pytest.approx([1000.0, 1030.0])
    assert (slope["least"], slope["greatest"]) == (2.0, 2.0)
    assert (temperature["first"], temperature["last"]) == ("2020-03-01", "2020-07-08")
    assert temperature["greatest"] == pytest.approx(10.0, abs=1e-4)
    assert "Auxiliary fields" in out
    assert "2020-03-01 to 2020-07-08" in out


def test_weather_that_does_not_cover_the_period_is_refused(
    workplace: Workplace, releo: Run
) -> None:
    status, _, err = releo("inspect", workplace(configure=with_fields(days=100)), "--out", "run")
    assert status == 2
    assert "22 days are missing: 2020-06-09 to 2020-06-30" in err
    (row, *_) = json.loads(Path("run/inspection.json").read_text())["auxiliary"]
    assert row["field"] == "elevation"


def test_fields_reach_the_products_and_weather_the_log(workplace: Workplace, releo: Run) -> None:
    def configure(config: dict[str, Any]) -> None:
        with_fields()(config)
        config["products"]["format"] = ["netcdf", "zarr", "csv"]

    config = workplace(configure=configure)
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    table = pd.read_csv("run/analysis.csv")
    assert sorted(set(table["elevation"].round())) == [1000, 1010, 1020, 1030]
    with xr.open_zarr("run/analysis.zarr") as data:
        assert "elevation" in data.coords
    for name in ("analysis.nc", "pixels.nc"):
        with xr.open_dataset(f"run/{name}") as data:
            np.testing.assert_allclose(data["elevation"], [1000, 1010, 1020, 1030], rtol=1e-6)
            assert "elevation" in data.coords
    with xr.open_dataset("run/analysis.nc") as data:
        assert data["lai"].coords["slope"].attrs["standard_name"] == "ground_slope_angle"
    lines = [json.loads(line) for line in Path("run/log.jsonl").read_text().splitlines()]
    (told,) = [line for line in lines if line["kind"] == "weather"]
    assert told["message"].startswith("temperature at 1 sites, 2020-03-01")


def test_a_forecaster_that_asks_for_weather_gets_it(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Weather] = []

    def driven(layout: Layout, weather: Weather) -> MeanReverting:
        given.append(weather)
        return forecasters.mean_reverting(layout)

    registry = replace(forecasters.FORECASTERS, entries={"driven": driven})
    monkeypatch.setattr(assembling, "FORECASTERS", registry)

    def configure(config: dict[str, Any]) -> None:
        with_fields()(config)
        config["forecast"] = {"name": "driven"}

    document = load(workplace(configure=configure))
    series = read_sources(document)
    weather, _ = weather_of(document, series.pixels)
    assembling.assemble(document, series.channels, weather=weather)
    start = series.acquisitions[0].time
    found = degree_days(given[0], torch.tensor([0, 3]), start, start + 12.5, base=4.0)
    assert found.tolist() == pytest.approx([75.0, 75.0], rel=1e-4)


def test_two_sources_name_one_weather(workplace: Workplace) -> None:
    def twice(config: dict[str, Any]) -> None:
        with_fields()(config)
        second = json.loads(json.dumps(config["source"][0]))
        config["source"].append(second)

    document = load(workplace(configure=twice))
    weather, told = weather_of(document, read_sources(document).pixels)
    assert weather is not None
    assert len(told) == 1

    def differing(config: dict[str, Any]) -> None:
        twice(config)
        config["source"][1]["auxiliary"]["weather"]["fill"] = -999

    document = load(workplace(configure=differing))
    with pytest.raises(InputError, match=r"source\[1\].auxiliary.weather: other weather than in"):
        weather_of(document, read_sources(document).pixels)
