"""What is wrong with a store, a set of files or an option is named; nothing ends in a traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.io import read_points, read_table
from releo_da.types import InputError

Write = Callable[..., dict[str, Any]]
SAME: Callable[[xr.Dataset], xr.Dataset] = lambda data: data  # noqa: E731
SPLIT = {"B04": "red", "B08": "nir"}


def split(data: xr.Dataset) -> xr.Dataset:
    """Every channel as a variable."""
    for name in SPLIT.values():
        data[name] = data["reflectance"].sel(band=name, drop=True)
    return data.drop_vars(["reflectance", "band"])


def ordinals(data: xr.Dataset) -> xr.Dataset:
    return data.assign(o=("time", [737546, 737551, 737556, 0, 737566]))


OWN = {"values": SPLIT, "channels": None, "dims": {"pixel": "point", "time": "time"}}
CASES: list[tuple[Any, dict[str, Any], str]] = [
    (split, OWN | {"channels": SPLIT}, "names a variable for each channel already; remove"),
    (split, OWN | {"labels": "band"}, "so there is no axis to label; remove 'labels'"),
    (
        split,
        OWN | {"values": {"B04": "red", "B08": "red"}},
        "the variable 'red' is named for B04, B08; name each variable once",
    ),
    (split, OWN | {"values": {}}, "key 'values': no channel is named"),
    (split, OWN | {"values": {"B04": "rde"}}, "key 'values', B04: there is no variable 'rde'"),
    (split, OWN | {"values": {"B04": "platform"}}, "'platform' has the dimensions time"),
    (split, OWN | {"dims": {"pixel": "point"}}, "does not name the time axis"),
    (SAME, {"channels": None}, "key 'channels' is missing"),
    (SAME, {"labels": "wave"}, "key 'labels': there is no variable 'wave'"),
    (SAME, {"labels": "cloud"}, "'cloud' has the dimensions point, time"),
    (
        lambda d: d.assign(wave=("band", [665.0, 833.0])),
        {"labels": "wave", "channels": {"B04": 665, "B08": 842}},
        "no channel '842'. It has 665, 833",
    ),
    (SAME, {"scale": {"B04": 1.0, "B05": 1.0}}, "key 'scale': there is no channel 'B05'"),
    (SAME, {"scale": {"B04": "abc"}}, "key 'scale', B04: 'abc' is no number; give a finite one"),
    (SAME, {"offset": float("nan")}, "key 'offset', B04: 'nan' is no number"),
    (SAME, {"offset": {"b04": 1.0}}, "key 'offset': there is no channel 'b04'; did you mean"),
    (SAME, {"error": {}}, "the error is 0; give absolute, relative or from"),
    (SAME, {"error": {"absolut": 0.1}}, "no part of an error 'absolut'; did you mean"),
    (SAME, {"error": {"absolute": -0.1}}, "absolute: '-0.1' is no error"),
    (SAME, {"error": {"B04": {"absolute": 0.1}, "from": "sd"}}, "some entries are channels"),
    (SAME, {"error": {"B05": {"absolute": 0.1}}}, "key 'error': there is no channel 'B05'"),
    (SAME, {"error": {"from": "sd"}}, "B04, from: there is no variable 'sd'"),
    (SAME, {"error": {"from": 3.0}}, "'3.0' is no name of a variable"),
    (SAME, {"composite": {"days": 0}}, "'0' is no length"),
    (SAME, {"composite": {"days": 10, "end": "e"}}, "is no period; write one of"),
    (SAME, {"composite": {"day": 10}}, "no option 'day'; did you mean 'days'"),
    (SAME, {"composite": {"calendar": "week"}}, "no calendar 'week'. It has dekad, month"),
    (SAME, {"composite": {"days": 8, "date": "first"}}, "no place 'first'"),
    (SAME, {"composite": {"end": "e", "date": "start"}}, "'date' goes with 'days' only"),
    (SAME, {"composite": {"end": "e"}}, "there is no column 'e'"),
    (SAME, {"composite": {"days": 8, "change": -1}}, "'-1' is no change per day"),
    (SAME, {"composite": {"days": 8, "change": {"B05": 1}}}, "change: there is no channel 'B05'"),
    (ordinals, {"time": {"ordinal": "o"}}, "row 4 gives '0', which is no date"),
    (ordinals, {"time": {"ordinal": "x"}}, "there is no column 'x'. It has o, time"),
    (ordinals, {"time": "o"}, "holds numbers such as 737546"),
    (SAME, {"time": {"file": "%Y%m%d"}}, "holds 5 dates and its name one"),
    (SAME, {"overpass": "10:30"}, "the dates have a time of day already"),
    (
        lambda d: d.assign_coords(y=("point", [43.0, 95.0, np.nan])),
        {},
        "points.nc: the latitude 95 of a place does not exist (1 in all)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "options", "said"), CASES, ids=[case[2] for case in CASES])
def test_message(points: Write, change: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_points(**points(change, **options))
    assert said in str(caught.value) and "points.nc" in str(caught.value)


def stored(points: Write, version: int = 3) -> dict[str, Any]:
    """The file of points as a store of small compressed chunks."""
    options = points()
    path = options["path"].with_suffix(".zarr")
    with xr.open_dataset(options["path"]) as data:
        data = data.load().drop_encoding()
    data.assign_coords(band=["red", "nir"]).to_zarr(path, zarr_format=version, consolidated=False)
    return options | {"path": path}


@pytest.mark.filterwarnings("ignore:The data type:Warning", "ignore:Object at:Warning")
@pytest.mark.parametrize("version", [2, 3])
def test_a_damaged_store_is_named(points: Write, version: int) -> None:
    options = stored(points, version)
    assert read_points(**options).acquisitions
    files = sorted(file for file in options["path"].rglob("*") if file.is_file())
    refused = 0
    for file in files:
        whole = file.read_bytes()
        for wrong in (b"", whole[: len(whole) // 2], b"\xff" * len(whole)):
            file.write_bytes(wrong)
            try:
                read_points(**options)
            except InputError as error:
                refused += ".zarr: " in str(error)
        file.write_bytes(whole)
    assert refused > 2 * len(files)
    assert read_points(**options).acquisitions


@pytest.mark.filterwarnings("ignore:The data type:Warning")
def test_a_damaged_archive_is_named(points: Write, tmp_path: Path) -> None:
    options = stored(points)
    path = Path(shutil.make_archive(str(tmp_path / "s"), "zip", options["path"]))
    options["path"] = path
    assert read_points(**options).acquisitions
    whole = path.read_bytes()
    for wrong in (b"", b"PK", whole[:-30], whole[:200], b"\0" * 400):
        path.write_bytes(wrong)
        with pytest.raises(InputError, match=r"s\.zip: not readable as Zarr"):
            read_points(**options)
    for at in range(0, len(whole), 499):
        path.write_bytes(whole[:at] + b"\xa5" * 30 + whole[at + 30 :])
        try:
            read_points(**options)
        except InputError as error:
            assert "s.zip" in str(error)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "t.txt").write_text("no store")
    shutil.make_archive(str(tmp_path / "t"), "zip", tmp_path / "other")
    with pytest.raises(InputError, match="holds no Zarr store"):
        read_points(**options | {"path": tmp_path / "t.zip"})
    with pytest.raises(InputError, match="is a folder, not a file or Zarr store"):
        read_points(**options | {"path": tmp_path / "other"})


def parts(points: Write, change: Callable[[int, xr.Dataset], xr.Dataset]) -> dict[str, Any]:
    """A file for each date, changed by a function."""
    options = points()
    with xr.open_dataset(options["path"]) as data:
        data = data.load()
    paths = []
    for k in range(data.sizes["time"]):
        paths.append(str(options["path"].parent / f"part_{k}.nc"))
        change(k, data.isel(time=[k])).to_netcdf(paths[-1])
    return options | {"path": paths}


SETS: list[tuple[Any, str]] = [
    (lambda k, d: d.isel(point=slice(2 + (k != 3))), "another grid than part_0.nc (point"),
    (lambda k, d: d.assign_coords(x=d.x + (k == 2)), "part_2.nc: another grid than part_0.nc ('x'"),
    (lambda k, d: d.drop_vars("cloud") if k == 1 else d, "it lacks the variable 'cloud'"),
    (lambda k, d: d.isel(time=0, drop=True), "has no axis or coordinate 'time' to join along"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), SETS, ids=[said for _, said in SETS])
def test_files_that_do_not_belong_together(points: Write, change: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_points(**parts(points, change))
    assert said in str(caught.value)


def test_files_of_one_date_without_an_axis_of_time(points: Write) -> None:
    """The scalar coordinate is the date; platforms of the dates name their sensors."""
    whole = read_points(**points())
    series = read_points(**parts(points, lambda k, d: d.isel(time=0)))
    found = [(a.time, a.sensor, a.values.tolist()) for a in series.acquisitions]
    assert found == [(a.time, a.sensor, a.values.tolist()) for a in whole.acquisitions]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("%Y-%m-%d", "no date such as"), ("date", "is no pattern"), ("%Q", "is no pattern")],
)
def test_names_without_a_date(points: Write, pattern: str, said: str) -> None:
    options = parts(points, lambda k, d: d.isel(time=0, drop=True))
    with pytest.raises(InputError, match=said):
        read_points(**options | {"time": {"file": pattern}})


@pytest.mark.parametrize("time", [None, {"file": "%Y%m%d"}])
def test_files_without_a_named_time_axis(points: Write, time: Any) -> None:
    options = parts(points, lambda k, d: d.isel(time=0, drop=True))
    dims = {role: dim for role, dim in options["dims"].items() if role != "time"}
    with pytest.raises(InputError, match="does not name the time axis .*; add 'time: time'"):
        read_points(**options | {"dims": dims, "time": time})


def test_a_pattern_that_matches_nothing(points: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file matches"):
        read_points(**points() | {"path": str(tmp_path / "none*.nc")})
    with pytest.raises(InputError, match="the list is empty"):
        read_points(**points() | {"path": []})


LONG: list[tuple[dict[str, Any], str]] = [
    ({"long": {"channel": "band"}}, "is no long form"),
    ({"long": {"channel": "bnd", "value": "v"}}, "key 'long': there is no column 'bnd'"),
    ({"long": {"channel": "band", "value": "w"}}, "key 'long': there is no column 'w'"),
    ({"channels": {"B04": "rde"}}, "no channel 'rde'; did you mean 'red'? It has nir, red"),
    ({"error": {"from": "sd"}}, "there is no column 'sd'"),
    ({"scale": {"B05": 1.0}}, "key 'scale': there is no channel 'B05'"),
    ({"composite": {"days": 8, "change": {"B05": 1}}}, "change: there is no channel 'B05'"),
    ({"composite": {"end": "e"}}, "there is no column 'e'"),
    ({"composite": {"end": "first"}}, "a period lasts from 2024-05-01"),
]


@pytest.mark.parametrize(("change", "said"), LONG, ids=[said for _, said in LONG])
def test_long_tables(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    lines = ["day,first,band,v", "2024-05-01,2024-04-01,red,0.1", "2024-05-01,2024-04-01,nir,0.3"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    options = {
        "path": tmp_path / "t.csv",
        "time": "day",
        "sensor": "sentinel2a",
        "channels": SPLIT,
        "angles": {"sun_zenith": 30.0},
        "long": {"channel": "band", "value": "v"},
    }
    found = read_table(**options)
    np.testing.assert_allclose(found.acquisitions[0].values, [[0.1, 0.3]], rtol=1e-6)
    with pytest.raises(InputError) as caught:
        read_table(**options | change)
    assert said in str(caught.value) and "t.csv" in str(caught.value)
