"""Daily weather: tables and grids bound to pixels, gaps, units, and every bad input by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.io.elements import ELEMENTS, Origin, check_element
from releo_da.io.weather import joined_weather, read_weather
from releo_da.io.weather_days import interpolated
from releo_da.types import InputError, Weather

FIRST = 18993  # 2022-01-01
DAYS = pd.date_range("2022-01-01", periods=120)
LON, LAT = np.array([8.0, 8.5, 9.0]), np.array([47.5, 47.0])


def pixels(lon: Any = (8.1, 8.4, 8.9), lat: Any = (47.4, 47.3, 47.1)) -> xr.Dataset:
    coords = {"lon": ("pixel", np.asarray(lon)), "lat": ("pixel", np.asarray(lat))}
    coords |= {"x": coords["lon"], "y": coords["lat"], "id": ("pixel", [11, 12, 40][: len(lon)])}
    return xr.Dataset(coords=coords, attrs={"kind": "point", "crs": "EPSG:4326"})


def field(seed: int = 0) -> np.ndarray:
    """Temperatures of days, rows from the north and columns, ``[120, 2, 3]``."""
    return np.random.default_rng(seed).uniform(-5.0, 25.0, (120, 2, 3)).astype(np.float32)


def grid(folder: Path, values: np.ndarray, lon: np.ndarray = LON) -> dict[str, Any]:
    data = xr.Dataset({"t2m": (("time", "lat", "lon"), values)}, {"time": DAYS, "lat": LAT})
    data.assign_coords(lon=lon).to_netcdf(folder / "era.nc")
    return {"path": str(folder / "era.nc"), "elements": {"temperature": "t2m"}}


def table(folder: Path, values: np.ndarray, name: str = "w.csv") -> dict[str, Any]:
    """The same as a table of six stations."""
    rows = pd.DataFrame(
        {
            "date": np.repeat(DAYS.strftime("%Y-%m-%d"), 6),
            "station": np.tile([f"s{k}" for k in range(6)], 120),
            "lon": np.tile(np.tile(LON, 2), 120),
            "lat": np.tile(np.repeat(LAT, 3), 120),
            "tmean": values.ravel(),
        }
    )
    rows.sample(frac=1, random_state=1).to_csv(folder / name, index=False)
    return {
        "path": str(folder / name),
        "time": "date",
        "elements": {"temperature": "tmean"},
        "site": "station",
        "position": {"lon": "lon", "lat": "lat"},
    }


def one_site(folder: Path, **columns: Any) -> dict[str, Any]:
    """A table of one site; the elements are named as its columns."""
    found = {"date": DAYS.strftime("%Y-%m-%d"), **columns}
    pd.DataFrame(found).to_csv(folder / "one.csv", index=False)
    return {
        "path": str(folder / "one.csv"),
        "time": "date",
        "elements": {name: name for name in columns},
    }


def daily(weather: Weather) -> np.ndarray:
    """Values at pixels, ``[day, pixel, element]``."""
    at = weather.values[:, weather.site] * weather.weight[None, :, :, None]
    return at.sum(2).numpy()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_a_table_of_sites_and_a_grid_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder, values = tmp_path_factory.mktemp("w"), field(seed)
    rng = np.random.default_rng(seed)
    # Nearest in metres and in degrees are the same where one coordinate is that of the cell.
    nodes = rng.permutation(6)[:3]
    lon, lat = np.tile(LON, 2)[nodes], np.repeat(LAT, 3)[nodes]
    at = pixels(lon + rng.uniform(-0.2, 0.2, 3), lat)
    of_grid, _ = read_weather(**grid(folder, values), pixels=at)
    of_table, _ = read_weather(**table(folder, values), pixels=at)
    np.testing.assert_array_equal(daily(of_grid), daily(of_table))
    np.testing.assert_array_equal(daily(of_table)[..., 0], values.reshape(120, 6)[:, nodes])
    nodes_only = pixels(lon, lat)
    for option in (
        {**grid(folder, values), "interpolate": "linear"},
        {**table(folder, values), "interpolate": "inverse"},
    ):
        found, _ = read_weather(**option, pixels=nodes_only)
        np.testing.assert_allclose(daily(found), daily(of_grid), atol=1e-4)


def test_a_plane_is_interpolated_exactly_from_any_longitudes(tmp_path: Path) -> None:
    plane = np.broadcast_to(10 + 4 * (LON - 8.5) + 2 * (LAT[:, None] - 47.0), (120, 2, 3))
    option = {**grid(tmp_path, plane, LON - 360.0), "interpolate": "linear"}
    weather, told = read_weather(**option, pixels=pixels())
    wanted = 10 + 4 * (np.array([8.1, 8.4, 8.9]) - 8.5) + 2 * (np.array([47.4, 47.3, 47.1]) - 47.0)
    np.testing.assert_allclose(daily(weather)[5, :, 0], wanted, rtol=1e-5)
    assert weather.first == FIRST
    assert weather.pixels.tolist() == [11, 12, 40]
    assert told["filled"] == 0


def test_only_the_cells_about_pixels_are_kept(tmp_path: Path) -> None:
    weather, _ = read_weather(**grid(tmp_path, field()), pixels=pixels([8.05], [47.45]))
    assert weather.values.shape == (120, 1, 1)
    assert weather.values.dtype == torch.float32


def test_a_cell_of_the_sea_is_left_out(tmp_path: Path) -> None:
    values = field()
    values[:, 0, 0] = np.nan
    linear = {**grid(tmp_path, values), "interpolate": "linear"}
    weather, _ = read_weather(**linear, pixels=pixels([8.25], [47.5]))
    np.testing.assert_allclose(daily(weather)[:, 0, 0], values[:, 0, 1])
    with pytest.raises(InputError, match="no weather at 1 of 1 pixels, such as pixel 11"):
        read_weather(**grid(tmp_path, values), pixels=pixels([8.0], [47.5]))


def test_one_site_needs_no_position(tmp_path: Path) -> None:
    option = one_site(tmp_path, temperature=np.arange(120) / 10)
    nowhere = xr.Dataset(coords={"id": ("pixel", [3, 4])}, attrs={"kind": "point"})
    weather, _ = read_weather(**option, pixels=nowhere)
    np.testing.assert_allclose(daily(weather)[:, 1, 0], np.arange(120) / 10, atol=1e-6)


def test_a_scale_and_an_offset_make_the_unit(tmp_path: Path) -> None:
    celsius = field()[:, 0, 0]
    option = one_site(tmp_path, t=(celsius + 273.15) * 100)
    packing = {"from": "t", "scale": 0.01, "offset": -273.15}
    option["elements"] = {"temperature": packing}
    weather, _ = read_weather(**option, pixels=pixels())
    np.testing.assert_allclose(daily(weather)[:, 0, 0], celsius, atol=1e-4)


def test_files_of_one_site_are_joined(tmp_path: Path) -> None:
    parts = []
    for name, first in (("temperature", 0), ("precipitation", 5)):
        option = one_site(tmp_path, **{name: np.arange(120) / 10})
        rows = pd.read_csv(option["path"]).iloc[first:]
        rows.to_csv(option["path"], index=False)
        parts.append(read_weather(**option, pixels=pixels())[0])
    both = joined_weather(parts, "weather")
    assert both.elements == ("temperature", "precipitation")
    assert both.first == FIRST + 5
    assert both.values.shape == (115, 1, 2)
    with pytest.raises(InputError, match="several files give temperature"):
        joined_weather([parts[0], parts[0]], "weather")


def test_short_gaps_are_filled_and_told(tmp_path: Path) -> None:
    line = np.arange(120.0) / 5
    option = one_site(tmp_path, temperature=line)
    rows = pd.read_csv(option["path"])
    rows.loc[40, "temperature"] = -999.0
    rows.drop(index=[20, 21, 22]).to_csv(option["path"], index=False)
    weather, told = read_weather(**option, pixels=pixels(), fill=-999)
    np.testing.assert_allclose(daily(weather)[:, 0, 0], line, atol=1e-5)
    assert told["filled"] == 4
    assert "4 single values" in told["message"]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_filling_agrees_with_numpy_and_stops_at_three_days(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.uniform(size=(60, 2, 1)) < 0.45, np.nan, rng.normal(size=(60, 2, 1)))
    found, filled = interpolated(values)
    for site in range(2):
        mine, day = values[:, site, 0], np.arange(60)
        known = np.flatnonzero(np.isfinite(mine))
        wanted = mine.copy()
        for left, right in zip(known[:-1], known[1:], strict=True):
            if right - left <= 4:
                inside = day[left + 1 : right]
                wanted[inside] = np.interp(inside, day[known], mine[known])
        np.testing.assert_allclose(found[:, site, 0], wanted)
    assert filled == int(np.isfinite(found).sum() - np.isfinite(values).sum())


def test_missing_days_are_listed(tmp_path: Path) -> None:
    option = one_site(tmp_path, temperature=np.arange(120.0) / 5)
    rows = pd.read_csv(option["path"])
    rows.drop(index=range(31, 36)).to_csv(option["path"], index=False)
    with pytest.raises(InputError, match="5 days are missing: 2022-02-01 to 2022-02-05"):
        read_weather(**option, pixels=pixels())
    later = [FIRST + 40.0, FIRST + 100.5]
    weather, _ = read_weather(**option, pixels=pixels(), period=later)
    assert (weather.first, len(weather.values)) == (FIRST + 36, 84)
    with pytest.raises(InputError, match=r"2 days are missing: 2022-05-01 to 2022-05-02"):
        read_weather(**option, pixels=pixels(), period=[FIRST + 40.0, FIRST + 121.0])


def test_the_element_that_is_missing_is_named(tmp_path: Path) -> None:
    rain = np.ones(120)
    rain[50:60] = np.nan
    option = one_site(tmp_path, temperature=np.full(120, 9.0), precipitation=rain)
    with pytest.raises(InputError, match="10 days are missing of precipitation: 2022-02-20 to"):
        read_weather(**option, pixels=pixels())


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("temperature", [280.0, 300.0], r"Kelvin; write \{from: c, scale: 1, offset: -273"),
        ("temperature", [28000.0, 30000.0], "looks like Kelvin x 100"),
        ("temperature", [-80.0, 250.0], "looks like tenths of degC"),
        ("temperature_max", [30.0, 95.0], "looks like Fahrenheit"),
        ("radiation", [80.0, 300.0], "looks like W m-2"),
        ("radiation", [5e6, 3e7], r"looks like J m-2 d-1; write \{from: c, scale: 1e-06\}"),
        ("radiation", [5e3, 3e4], "looks like kJ m-2 d-1"),
        ("radiation", [500.0, 3000.0], "looks like J cm-2 d-1"),
        ("precipitation", [0.0001, 0.03], r"metres per day; write \{from: c, scale: 1000\}"),
        ("precipitation", [1e-6, 1e-4], "looks like kg m-2 s-1"),
        ("vapour_pressure", [600.0, 2000.0], "looks like Pa"),
        ("vapour_pressure", [0.6, 2.0], "looks like kPa"),
        ("wind", [20.0, 120.0], "looks like km h-1"),
        ("temperature", [-9999.0, 20.0], "missing value by 'fill'"),
    ],
)  # fmt: skip
def test_the_likely_unit_is_named(name: str, numbers: list[float], message: str) -> None:
    values = np.linspace(*numbers, 200)
    with pytest.raises(InputError, match=message):
        check_element(values, name, Origin("c", 1.0, 0.0), "file")


def test_the_remedy_undoes_what_was_done_before() -> None:
    with pytest.raises(InputError, match="scale: 0.01, offset: -273.15"):
        check_element(np.linspace(280, 300, 50), "temperature", Origin("c", 0.01, 0.0), "file")


@pytest.mark.parametrize("name", ELEMENTS)
def test_ordinary_weather_passes(name: str) -> None:
    ordinary = {"temperature": 15.0, "radiation": 20.0, "vapour_pressure": 12.0, "wind": 4.0}
    values = ordinary.get(name, 5.0) * np.linspace(0.1, 1.5, 365)
    check_element(values, name, Origin("c", 1.0, 0.0), "file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elements": {"temprature": "tmean"}}, "did you mean 'temperature'"),
        ({"elements": {}}, "no element is named"),
        ({"elements": {"temperature": "tmin"}}, "no column 'tmin'; did you mean 'tmean'"),
        ({"elements": {"temperature": {"scale": 2.0}}}, "'from' is missing"),
        ({"elements": {"temperature": {"from": "tmean", "factor": 2.0}}}, "no option 'factor'"),
        ({"elements": {"temperature": {"from": "tmean", "scale": "2"}}}, "are numbers"),
        ({"time": "day"}, "no column 'day'"),
        ({"site": None, "position": None}, "6 rows of 2022-01-01; give one row per day"),
        ({"position": None}, "6 sites and nothing says where they lie"),
        ({"position": {"lon": "lat", "lat": "lon"}}, "km from the nearest site"),
        ({"interpolate": "linear"}, "'linear' is none of nearest, inverse"),
        ({"select": {"station": "s9"}}, "no row has 's9'"),
        ({"path": "no.csv"}, "does not exist"),
        ({"path": ["a.csv", "b.csv"]}, "2 tables; write an entry"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_weather(**{**table(tmp_path, field()), **change}, pixels=pixels())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elements": {"temperature": "t2"}}, "no variable 't2'; did you mean 't2m'"),
        ({"time": "day"}, "no axis 'day'"),
        ({"site": "station"}, "'site' is an option of tables"),
        ({"interpolate": "inverse"}, "'inverse' is none of nearest, linear"),
        ({"pixels": pixels([7.5, 8.0, 8.1])}, "1 of 3 pixels lie outside the map, such as"),
        ({"elements": {"temperature": {"from": "t2m", "offset": 273.15}}}, "looks like Kelvin"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_grid_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_weather(**{"pixels": pixels(), **grid(tmp_path, field()), **change})


def test_hours_of_a_grid_are_not_days(tmp_path: Path) -> None:
    option = grid(tmp_path, field())
    with xr.open_dataset(option["path"]) as data:
        hours = data.load().assign_coords(time=pd.date_range("2022-01-01", periods=120, freq="6h"))
    hours.to_netcdf(tmp_path / "hours.nc")
    with pytest.raises(InputError, match="4 rows of 2022-01-01"):
        read_weather(**{**option, "path": str(tmp_path / "hours.nc")}, pixels=pixels())


def test_exchanged_extremes_are_named(tmp_path: Path) -> None:
    option = one_site(
        tmp_path, temperature_min=np.full(120, 9.0), temperature_max=np.full(120, 2.0)
    )
    with pytest.raises(InputError, match="temperature_min is above temperature_max on 100 %"):
        read_weather(**option, pixels=pixels())


def test_a_date_in_another_format(tmp_path: Path) -> None:
    option = one_site(tmp_path, temperature=np.full(120, 9.0))
    rows = pd.read_csv(option["path"])
    rows["date"] = pd.to_datetime(rows.date).dt.strftime("%d.%m.%Y")
    rows.to_csv(option["path"], index=False)
    option["time"] = {"text": "date", "format": "%d.%m.%Y"}
    assert read_weather(**option, pixels=pixels())[0].first == FIRST
    option["time"] = {"text": "date", "format": "%Y/%m/%d"}
    with pytest.raises(InputError, match="line 2 gives '01.01.2022, %Y/%m/%d'|'01.01.2022'"):
        read_weather(**option, pixels=pixels())
