"""What no fit has met and what is not known: told once by every command that forecasts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
import xarray as xr
import yaml

from releo_da.cli import main
from releo_da.config import maps, tile_forecast
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.report_notes import reading_notes
from releo_da.config.weights import load_weights, meaning, write_weights
from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.dynamics.neural import Neural
from releo_da.observation.error import ObservationError
from releo_da.runs.unseen import longest, longest_of
from releo_da.state.layout import Layout
from releo_da.types import Acquisition, InputError
from tests.config import tiled
from tests.config.learned import SMALL, met, records
from tests.config.test_hybrid_weights import driven
from tests.config.test_maps import source, write_cube
from tests.config.test_scenarios import table

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]
KINDS = ("not_met", "no_weather")
S2 = {"sentinel2a": ("B04", "B8A")}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without figures, where a log is what counts."""
    for name in ("hindcast", "maps", "twin", "forecast"):
        monkeypatch.setattr(f"releo_da.config.{name}.report", lambda root: root / "report.html")


def told(root: Path | str) -> list[tuple[str, str | None]]:
    """Kind of every such record, and what it is about."""
    return [(record["kind"], record.get("what")) for record in records(root, *KINDS)]


def learned(config: dict[str, Any]) -> None:
    """The series with its weather, and the weights of a small network."""
    driven(config)
    config["forecast"] = dict(SMALL)


def weighted(config: Path, *channels: str, days: float, **more: Any) -> None:
    """The configuration with weights that have met gaps of so many days."""
    sensors = {"sentinel2a": channels, "sentinel2b": channels}
    met(config.parent / "w.safetensors", config, sensors, days, **more)
    values = yaml.safe_load(config.read_text("utf-8"))
    values["forecast"]["weights"] = "w.safetensors"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")


def test_a_service_and_its_forecasts(workplace: Workplace, releo: Run, series: xr.Dataset) -> None:
    """Both kinds once a call, whatever the number of cycles; a forecast tells its own lead."""

    def configure(config: dict[str, Any]) -> None:
        learned(config)
        del config["source"][0]["path"], config["period"], config["smooth"], config["score"]
        config["cycle"] = {"inbox": "inbox"}

    config = workplace(configure=configure)
    weighted(config, "B03", "B04", "B08", "B11", days=4.0, north=(50.0, 60.0))
    Path("inbox").mkdir()
    once = ("cycle", config, "--once", "--out", "run", "--quiet")
    for dates in ([0, 1, 2], [3]):
        series.isel(time=dates).to_netcdf(f"inbox/{dates[0]}.nc")
        status, _, err = releo(*once)
        assert status == 0, err
    both = [("not_met", "latitude"), ("not_met", "gap")]
    assert sorted(told("run")) == sorted(2 * both)
    assert releo(*once)[0] == 0  # nothing new
    assert len(told("run")) == 4
    gap = next(record for record in records("run", "not_met") if record["what"] == "gap")
    assert "up to 6 days" in gap["message"] and "the 4 of the fit" in gap["message"]
    status, _, err = releo("forecast", "run", "--until", "2020-05-31", "--quiet")
    assert status == 0, err
    *_, north, ahead = records("run", "not_met")
    assert north["what"] == "latitude" and ahead["command"] == "forecast"
    assert "up to 40 days" in ahead["message"] and ahead["until"] == "2020-05-31"
    page = Path("run/report.html").read_text("utf-8")
    assert page.count("more than the 4 of the fit") == 1 and "up to 40 days" in page


def test_forecasts_from_a_hindcast_without_weather(
    workplace: Workplace, releo: Run, undrawn: None
) -> None:
    config = workplace(configure=lambda c: c.update(forecast=dict(SMALL)))
    weighted(config, "B03", "B04", "B08", "B11", days=100.0)
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    assert told("run") == [("no_weather", None)]
    for until, more in (("2020-07-20", 1), ("2021-01-01", 3)):
        status, _, err = releo("forecast", "run", "--until", until, "--quiet")
        assert status == 0, err
        assert len(told("run")) == 1 + more
    assert told("run")[-1] == ("not_met", "gap")


def test_a_map_read_in_parts_tells_what_it_tells_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    monkeypatch.chdir(tmp_path)
    write_cube(tmp_path / "a.nc", 0)
    values = {"members": 4, "source": source("a.nc"), "forecast": dict(SMALL), "score": {}}
    values |= {"products": {"variables": ["lai"], "every_days": 20}, "analyse": [{"name": "etkf"}]}
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(values))
    weighted(config, "B04", "B08", days=5.0)
    found = []
    for size, out in ((maps.LARGE, "whole"), (10, "parts")):
        monkeypatch.setattr(maps, "LARGE", size)
        with pytest.raises(SystemExit) as ended:
            main(["hindcast", str(config), "--out", out, "--quiet"])
        assert not ended.value.code
        assert told(out) == [("no_weather", None), ("not_met", "gap")]
        found.append(records(out, "not_met")[0]["message"])
    assert found[0] == found[1] and "up to 24 days" in found[0]
    document = load(config)
    stream = maps.surveyed(document, maps.large_cubes(document), True)
    assert longest_of(stream) == 24.0


def test_a_twin_tells_of_its_clouds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((Path(__file__).parent / "land.yaml").read_text("utf-8"))
    values |= {"forecast": dict(SMALL), "members": 4, "products": {"variables": ["lai"]}}
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(values))
    weighted(config, "B03", "B04", "B08", "B11", days=6.0, north=(40.0, 45.0))
    with pytest.raises(SystemExit) as ended:
        main(["twin", str(config), "--out", "run", "--quiet", "--set", "score.horizons=[12]"])
    assert not ended.value.code
    both = [("not_met", "latitude"), ("not_met", "gap")]
    assert told("run") == [("no_weather", None), *both]
    assert "36 pixels lie outside" in records("run", "not_met")[0]["message"]


def test_tiles_tell_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of the run has it with the tile that met it first; those of tiles do not."""
    monkeypatch.chdir(tmp_path)
    config = tiled.workplace(tmp_path)
    values = yaml.safe_load(config.read_text("utf-8"))
    values |= {"forecast": dict(SMALL), "members": 4, "products": {"variables": ["lai"]}}
    config.write_text(yaml.safe_dump(values))
    weighted(config, *S2["sentinel2a"], days=4.0)
    tiled.deliver(tmp_path, 0, 1)
    assert tiled.sweep(config).assimilated == 2 * len(tiled.NAMES)
    root = tmp_path / "tiled"
    assert sorted(told(root)) == [("no_weather", None), ("not_met", "gap")]
    assert {record["tile"] for record in records(root, *KINDS)} <= set(tiled.NAMES)
    for name in tiled.NAMES:
        assert told(root / "tiles" / name) == []

    def share(tasks: dict[str, Any]) -> Any:
        return ((n, tile_forecast.forecast_tile(*given)) for n, given in tasks.items())

    ended = tile_forecast.command(root, date(2020, 5, 20), Options(), lambda text: None, share)
    assert ended == (len(tiled.NAMES), 0)
    assert sorted(told(root)) == sorted(2 * [("no_weather", None), ("not_met", "gap")])
    assert told(root / "tiles" / tiled.NAMES[0]) == []


def test_the_longest_gap_begins_with_the_series_or_a_look() -> None:
    def look(time: float, *seen: bool) -> Acquisition:
        error = torch.tensor([[1.0 if one else torch.inf] for one in seen])
        return Acquisition(time, "s", torch.zeros(len(seen), 1), error, torch.zeros(len(seen), 3))

    first = [look(0.0, True, False), look(4.0, True, False)]
    assert longest(first) == 4.0
    assert longest([*first, look(10.0, True, True)]) == 10.0
    assert longest([*first, look(10.0, False, True), look(19.0, True, True)]) == 15.0


def test_a_report_has_what_the_last_call_said() -> None:
    log = [{"kind": "not_met", "what": "gap", "message": f"{days} days"} for days in (80, 90)]
    assert reading_notes([*log, {"kind": "no_weather", "cycle": 3, "days": 2.0}]) == ["90 days"]


def test_weights_of_another_table_of_variables_are_refused(tmp_path: Path) -> None:
    layout, path = Layout(("lai",), {}, True, (665.0,)), tmp_path / "w.safetensors"
    forecaster, error = MeanReverting(layout), ObservationError({}, (665.0,), {})
    told = meaning(layout, forecaster)
    assert told["table"] == "lai 0 12 -1 3.2"
    write_weights(path, layout, forecaster, error)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"lai 0 12 -1 3.2", b"lai 0 14 -1 3.2"))
    with pytest.raises(
        InputError, match=r"\(table is lai 0 14 -1 3.2 there and lai 0 12 -1 3.2 here\); fit"
    ):
        load_weights(path, layout, forecaster, error)


def test_weights_that_heard_the_date_are_refused_by_what_does_not(tmp_path: Path) -> None:
    layout, path = Layout(("lai",), {}, True, (665.0,)), tmp_path / "w.safetensors"
    error = ObservationError({}, (665.0,), {})
    heard, unheard = (
        Neural(Hybrid(MeanReverting(layout)), memory=0, calendar=c) for c in (True, False)
    )
    write_weights(path, layout, heard, error)
    load_weights(path, layout, heard, error)
    with pytest.raises(InputError, match="calendar is True there and False here"):
        load_weights(path, layout, unheard, error)
    untold = path.read_bytes()  # a file of before the option heard the date
    assert untold.count(b'"calendar"') == 1
    path.write_bytes(untold.replace(b'"calendar"', b'"kalendar"'))
    load_weights(path, layout, heard, error)
    with pytest.raises(InputError, match="calendar is True there and False here"):
        load_weights(path, layout, unheard, error)


def test_weights_of_a_network_that_heard_no_season_of_the_place_are_refused(tmp_path: Path) -> None:
    """Those without such a season are what they were; with one, the network hears it now."""
    path, error = tmp_path / "w.safetensors", ObservationError({}, (665.0,), {})
    told = {}
    for own in ((), ("lai",)):
        layout = Layout(("lai",), {}, True, (665.0,), own=own, own_harmonics=len(own))
        forecaster = Neural(Hybrid(MeanReverting(layout)))
        told[own] = meaning(layout, forecaster)["network"]
        write_weights(path, layout, forecaster, error)
    assert told == {(): "neural 1", ("lai",): "neural 2"}
    path.write_bytes(path.read_bytes().replace(b"neural 2", b"neural 1"))
    with pytest.raises(
        InputError, match=r"\(network is neural 1 there and neural 2 here\); fit them again"
    ):
        load_weights(path, layout, forecaster, error)


def test_forcing_that_is_no_number_is_refused_by_its_days(
    workplace: Workplace, releo: Run, series: xr.Dataset, undrawn: None
) -> None:
    """Five days in a row are more than are interpolated, whatever stands there."""
    config = workplace(configure=learned)
    assert releo("hindcast", config, "--out", "run", "--quiet")[0] == 0

    def spoiled(name: str, first: str, wrong: str) -> None:
        weather = table("2019-01-01", 800).astype({"t": object})
        row = int(weather.index[weather["date"] == first][0])
        weather.loc[row : row + 4, "t"] = wrong
        weather.to_csv(name, index=False)

    spoiled("hot.csv", "2020-07-10", "inf")
    ahead = ("forecast", "run", "--until", "2020-08-01", "--weather", "hot.csv")
    spoiled("weather.csv", "2020-05-10", "nan")
    values = yaml.safe_load(config.read_text("utf-8"))
    del values["source"][0]["path"], values["score"], values["smooth"], values["period"]
    values |= {"cycle": {"inbox": "inbox"}}
    Path("cycle.yaml").write_text(yaml.safe_dump(values))
    Path("inbox").mkdir()
    series.isel(time=[0]).to_netcdf("inbox/0.nc")
    commands = {
        ("hindcast", config): "2020-05-10 to 2020-05-14",
        ("train", config): "2020-05-10 to 2020-05-14",
        ("embed", config, "--set", "state.encoder=default"): "2020-05-10 to 2020-05-14",
        ("cycle", "cycle.yaml", "--once"): "2020-05-10 to 2020-05-14",
        ahead: "2020-07-10 to 2020-07-14",
    }
    for command, days in commands.items():
        out = () if command is ahead else ("--out", "other")
        status, _, err = releo(*command, *out, "--quiet")
        assert status == 2 and "5 days are missing" in err and days in err, (command, err)
    assert not Path("run/forecast-hot.nc").exists()
    assert not Path("other/states").exists() or not list(Path("other/states").iterdir())
