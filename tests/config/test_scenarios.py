"""Weather in a service and in forecasts: scenarios, ends of the record, refusals."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from releo_da.io import read_products
from releo_da.io.weather_file import kept_weather, write_weather
from releo_da.types import InputError, Weather

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]
FIRST, UNTIL = "2019-01-01", "2020-08-20"


def table(first: str, days: int, seed: int = 4, warmer: float = 0.0, wetter: float = 1.0) -> Any:
    """Days of weather as the tests' files have it."""
    dates = pd.date_range(first, periods=days)
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * dates.day_of_year.to_numpy() / 365.25
    values = {"t": 12.0 - 8.0 * np.cos(phase) + rng.normal(0, 3, days) + warmer}
    values["rain"] = wetter * rng.gamma(0.3, 8.0, days)
    return pd.DataFrame({"date": dates.strftime("%Y-%m-%d"), **values})


def short(config: dict[str, Any]) -> None:
    """A hindcast of the filter alone under weather, soil moisture in its state."""
    table(FIRST, 547).to_csv("weather.csv", index=False)  # to 2020-06-30
    weather = {
        "path": "weather.csv",
        "time": "date",
        "elements": {"temperature": "t", "precipitation": "rain"},
    }
    config["source"][0]["auxiliary"] = {"weather": weather}
    config["state"] = {"name": "prosail", "add": ["soil_moisture"]}
    config["forecast"] = {"name": "hybrid", "strength": 2.0}
    config["products"] = {"variables": ["lai", "soil_moisture"], "every_days": 15}
    for key in ("smooth", "score"):
        del config[key]


def scenarios() -> None:
    """Hot and dry, and cool and wet, from May to August."""
    table("2020-05-01", 140, 5, warmer=7.0, wetter=0.0).to_csv("hot dry.csv", index=False)
    table("2020-05-01", 140, 5, warmer=-1.0, wetter=3.0).to_csv("wet.csv", index=False)


def digests(root: Path) -> dict[str, str]:
    files = [p for p in root.rglob("*") if p.is_file() and p.suffix in (".nc", ".safetensors")]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_scenarios_of_a_hindcast(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=short)
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    Path("weather.csv").unlink()  # a forecast needs the directory of its run only
    root = Path("run")
    assert releo("forecast", root, "--until", UNTIL, "--quiet")[0] == 0
    before = digests(root)
    scenarios()
    for name in ("hot dry", "wet"):
        status, _, err = releo(
            "forecast", root, "--until", UNTIL, "--weather", f"{name}.csv", "--quiet"
        )
        assert status == 0, err
    after = digests(root)
    assert {name: after[name] for name in before} == before
    plain, dry, wet = (
        read_products(root / f"forecast{end}.nc") for end in ("", "-hot-dry", "-wet")
    )
    assert "2020-06-30" in plain.attrs["comment"]
    digest = hashlib.sha256(Path("hot dry.csv").read_bytes()).hexdigest()
    assert dry.attrs["title"].endswith(f"hot dry.csv (SHA-256 {digest[:12]})")
    assert dry.attrs["weather_sha256"] == digest
    assert "hot dry.csv after 2020-06-30" in dry.attrs["comment"]
    for name in ("lai", "soil_moisture"):
        np.testing.assert_array_equal(dry[name][0], plain[name][0])  # they begin with the state
        assert (dry[name][2:] < wet[name][2:]).all()
    assert not np.allclose(plain["lai"][-1], wet["lai"][-1])
    page = (root / "report.html").read_text("utf-8")
    assert "forecast-hot-dry" in page and digest[:12] in page


def test_what_a_scenario_cannot_be(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=short)
    assert releo("hindcast", config, "--out", "run", "--quiet")[0] == 0
    ahead = ("forecast", "run", "--until", UNTIL, "--quiet", "--weather")
    table("2020-05-01", 60).to_csv("early.csv", index=False)
    table("2020-07-10", 80).to_csv("late.csv", index=False)
    table("2020-05-01", 140).drop(columns="rain").to_csv("dry.csv", index=False)
    wrong = {
        "none.csv": "there is no such file",
        "early.csv": "51 days are missing: 2020-07-01 to 2020-08-20",
        "late.csv": "2020-07-09 (the file holds 2020-07-10",
        "dry.csv": "rain",
    }
    for name, said in wrong.items():
        status, _, err = releo(*ahead, name)
        assert status == 2 and said in err, err
    (Path("run") / "weather.safetensors").unlink()
    scenarios()
    status, _, err = releo(*ahead, "wet.csv")
    assert status == 2 and "has no weather of its own" in err
    plain = ("--set", "forecast=mean_reverting")
    status, _, err = releo(*ahead, "wet.csv", *plain)
    assert status == 2 and "uses no weather" in err
    assert not list(Path("run").glob("forecast-*"))


def test_a_service_goes_on_where_weather_ends(
    workplace: Workplace, releo: Run, series: xr.Dataset
) -> None:
    """Cycles beyond the last day follow the season and say so; more weather joins with a sweep."""

    def configure(config: dict[str, Any]) -> None:
        short(config)
        del config["source"][0]["path"], config["period"]
        config["cycle"] = {"inbox": "inbox"}
        table(FIRST, 470).to_csv("weather.csv", index=False)  # to 2020-04-14

    config = workplace(configure=configure)
    Path("inbox").mkdir()

    def deliver(*which: int, points: slice = slice(None)) -> None:
        for k in which:
            part = series.isel(time=[k], point=points)
            part.to_netcdf(f"inbox/{k}.nc")

    once = ("cycle", config, "--once", "--out", "run", "--quiet")
    deliver(0, 1, 2)
    status, _, err = releo(*once)
    assert status == 0, err
    assert ended("run") == [pytest.approx(0.451, abs=0.001)]  # 2020-04-15, the third
    table(FIRST, 547).to_csv("weather.csv", index=False)
    deliver(3)
    assert releo(*once)[0] == 0
    assert len(ended("run")) == 1
    held = kept_weather(Path("run/weather.safetensors"))
    assert len(held.values) == 547 and held.elements == ("temperature", "precipitation")
    status, _, err = releo("forecast", "run", "--until", "2020-06-01", "--quiet")
    assert status == 0, err
    found = read_products(Path("run/forecast.nc"))
    assert np.isfinite(found["lai"].values).all()


def ended(root: str) -> list[float]:
    """Days without weather that the log of a service tells."""
    records = [json.loads(line) for line in Path(root, "log.jsonl").read_text().splitlines()]
    return [r["days"] for r in records if r["kind"] == "no_weather" and "days" in r]


def test_weather_on_file_comes_back_or_is_refused(tmp_path: Path) -> None:
    record = Weather(
        18000,
        ("temperature",),
        torch.rand(5, 2, 1),
        torch.tensor([3, 7]),
        torch.tensor([[0], [1]]),
        torch.ones(2, 1),
        torch.tensor([47.0, torch.nan]).double(),
    )
    path = tmp_path / "weather.safetensors"
    write_weather(path, record)
    found = kept_weather(path)
    assert found[:2] == record[:2]
    for one, other in zip(found[2:7], record[2:7], strict=True):
        torch.testing.assert_close(one, other, equal_nan=True)
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 4
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match="is damaged or no weather of a run"):
        kept_weather(path)
