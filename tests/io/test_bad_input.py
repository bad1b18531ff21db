"""Every wrong input ends in one clear message that names file and key, and says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.io import read_cube, read_points
from releo_da.types import InputError

Change = Callable[[xr.Dataset], xr.Dataset]
SAME: Change = lambda data: data  # noqa: E731
DIMS = {"pixel": "point", "time": "time", "channel": "band"}
TABLE = {"table": "angles.csv", "by": ["orbit"], "column": "zenith"}


def numeric_times(data: xr.Dataset) -> xr.Dataset:
    return data.assign_coords(time=np.arange(5))


def missing_time(data: xr.Dataset) -> xr.Dataset:
    times = data["time"].values.copy()
    times[2] = np.datetime64("NaT")
    return data.assign_coords(time=times)


def without_position(data: xr.Dataset) -> xr.Dataset:
    return data.drop_vars(["x", "y"])


CASES: list[tuple[str, Change, dict[str, Any], list[str]]] = [
    ("variable", SAME, {"values": "reflectanse"},
     ["key 'values'", "no variable 'reflectanse'", "did you mean 'reflectance'?"]),
    ("variable without an axis", SAME, {"values": "cloud"},
     ["key 'values'", "'cloud' has the dimensions point, time", "all of"]),
    ("dimension", SAME, {"dims": DIMS | {"channel": "bands"}},
     ["key 'dims.channel'", "no dimension 'bands'", "did you mean 'band'?"]),
    ("axis not named", SAME, {"dims": {"pixel": "point", "time": "time"}},
     ["key 'dims'", "does not name the channel axis", "point, time, band"]),
    ("axis unknown", SAME, {"dims": DIMS | {"y": "y"}}, ["key 'dims'", "no axis 'y'"]),
    ("channel in the file", SAME, {"channels": {"B04": "Red", "B08": "nir"}},
     ["key 'channels', B04: Red", "the right side, the name in the file",
      "no channel 'Red'", "did you mean 'red'?", "It has red, nir"]),
    ("channel twice", SAME, {"channels": {"B04": "red", "B08": "red"}}, ["named twice"]),
    ("no channel", SAME, {"channels": {}}, ["key 'channels'", "no channel is named"]),
    ("channel of the sensor", SAME, {"channels": {"B4": "red"}},
     ["key 'channels'", "the left side, the agency's name", "sentinel2a has no channel 'B4'",
      "did you mean 'B04'?", "B8A"]),
    ("sensor", SAME, {"sensor": "sentinel2x"},
     ["key 'sensor'", "unknown sensor 'sentinel2x'", "did you mean 'sentinel2"]),
    ("platform", SAME, {"sensor": {"from": "platform", "S2A": "sentinel2a"}},
     ["key 'sensor'", "sensor for the value of 'platform' 'S2B'", "It has S2A"]),
    ("sensor without from", SAME, {"sensor": {"S2A": "sentinel2a"}}, ["'from' is missing"]),
    ("sensor from nowhere", SAME, {"sensor": {"from": "platfrm", "S2A": "sentinel2a"}},
     ["no variable 'platfrm'", "did you mean 'platform'?"]),
    ("empty period", SAME, {"period": ["2021-01-01", "2021-12-31"]},
     ["no acquisition between 2021-01-01", "5 from 2020-05-01T10:50:00 to 2020-05-21T10:50:00"]),
    ("period reversed", SAME, {"period": ["2020-12-31", "2020-01-01"]},
     ["key 'period'", "after its end", "exchange"]),
    ("period not a date", SAME, {"period": ["2020-13-01", "2020-12-31"]},
     ["key 'period'", "'2020-13-01' is not a date"]),
    ("period of one date", SAME, {"period": ["2020-01-01"]}, ["key 'period'", "not a period"]),
    ("all cloud", lambda d: d.assign(cloud=d["cloud"] * 0 + 1), {},
     ["nothing clear between 2020-05-01", "30 masked", "check 'clear'"]),
    ("all out of range", SAME, {"scale": 1e-4, "offset": -0.5},
     ["nothing clear", "not positive", "'scale'"]),
    ("scale of integers on reflectances", SAME, {"scale": 1e-4},
     ["darker than any surface", "key 'scale'"]),
    ("mask", SAME, {"clear": {"clouds": [0]}},
     ["key 'clear.clouds'", "did you mean 'cloud'?"]),
    ("mask rule", SAME, {"clear": {"cloud": {"bit": [0]}}}, ["key 'clear.cloud'", "bits"]),
    ("mask bits", SAME, {"clear": {"cloud": {"bits": [-1]}}}, ["key 'clear.cloud'", "from 0"]),
    ("mask limits", SAME, {"clear": {"cloud": {"max": "a"}}}, ["key 'clear.cloud'", "not a rule"]),
    ("angle", SAME, {"angles": {"sun_zenit": 30}},
     ["key 'angles'", "no angle 'sun_zenit'", "did you mean 'sun_zenith'?"]),
    ("angle variable", SAME, {"angles": {"sun_zenith": "zen"}},
     ["key 'angles.sun_zenith'", "no variable 'zen'"]),
    ("angle kind", SAME, {"angles": {"sun_zenith": [30]}}, ["not an angle"]),
    ("azimuth missing", SAME, {"angles": {"view_zenith": 8}},
     ["view_zenith is given without its azimuth"]),
    ("sun without position", without_position, {}, ["sun angles", "coordinates x and y"]),
    ("sun without system", lambda d: d.drop_attrs(), {}, ["sun angles", "crs"]),
    ("unknown system", SAME, {"crs": "UTM 32N"}, ["key 'crs'", "UTM 32N", "as in EPSG:32632"]),
    ("sun below the horizon", SAME, {"angles": {"sun_zenith": 95}},
     ["nothing clear", "angles beyond the horizon"]),
    ("table without option", SAME, {"angles": {"sun_zenith": {"table": "angles.csv"}}},
     ["a table needs 'by'"]),
    ("table option", SAME, {"angles": {"sun_zenith": TABLE | {"were": {}}}},
     ["no option 'were'", "did you mean 'where'?"]),
    ("table missing", SAME, {"angles": {"sun_zenith": TABLE | {"table": "none.csv"}}},
     ["none.csv", "does not exist"]),
    ("table column", SAME, {"angles": {"sun_zenith": TABLE | {"column": "zenit"}}},
     ["no column 'zenit'", "did you mean 'zenith'?"]),
    ("table row", SAME, {"angles": {"sun_zenith": TABLE | {"where": {"site": "B"}}}},
     ["no row where orbit is 8", "Add the row"]),
    ("table rows doubled", SAME, {"angles": {"sun_zenith": TABLE}}, ["several rows", "'where'"]),
    ("table where", SAME, {"angles": {"sun_zenith": TABLE | {"where": {"site": "C"}}}},
     ["key 'where.site'", "holds A, B"]),
    ("select coordinate", SAME, {"select": {"platfrom": "S2A"}},
     ["key 'select.platfrom'", "did you mean 'platform'?"]),
    ("select nothing", SAME, {"select": {"platform": "S2C"}},
     ["key 'select.platform'", "nothing matches 'S2C'", "S2A, S2B"]),
    ("select one unknown of several", SAME, {"select": {"platform": ["S2A", "S2C"]}},
     ["key 'select.platform'", "nothing matches 'S2C' of ['S2A', 'S2C']", "S2A, S2B"]),
    ("select rule", SAME, {"select": {"platform": {"has": "A"}}}, ["is not a rule", "contains"]),
    ("select number", SAME, {"select": {"orbit": "A"}}, ["'A' cannot be compared"]),
    ("select between rules", SAME, {"select": {"platform": "S2A", "orbit": 8}},
     ["no time passes all rules"]),
    ("times are numbers", numeric_times, {}, ["key 'dims.time'", "not times", "units"]),
    ("times without coordinate", lambda d: d.drop_vars("time"), {}, ["has no coordinate"]),
    ("a time is missing", missing_time, {}, ["the time at position 2 is missing"]),
    ("valid", SAME, {"valid": [1, 0]}, ["key 'valid'", "not a range"]),
    ("duplicates", SAME, {"duplicates": "bset"}, ["key 'duplicates'", "did you mean 'best'?"]),
    ("product", SAME, {"product": "uri"}, ["key 'product'", "no variable 'uri'"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "options", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_message(
    points: Callable[..., dict[str, Any]],
    tmp_path: Path,
    change: Change,
    options: dict[str, Any],
    words: list[str],
) -> None:
    (tmp_path / "angles.csv").write_text("site,orbit,zenith\nA,51,30\nA,8,31\nB,51,32\n")
    with pytest.raises(InputError) as caught:
        read_points(**points(change, **options))
    message = str(caught.value)
    for word in ("points.nc", *words):
        assert word in message
    assert "\n" not in message and len(message) < 600


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["does not exist", "RELEO_DATA"]),
        (b"", ["not readable as netCDF"]),
        (b"not a netCDF file at all", ["not readable as netCDF"]),
    ],
)
def test_file(tmp_path: Path, content: bytes | None, words: list[str]) -> None:
    path = tmp_path / "series.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_points(path, "sentinel2a", "r", DIMS, {"B04": "red"})
    assert all(word in str(caught.value) for word in ["series.nc", *words])


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_points(tmp_path, "sentinel2a", "r", DIMS, {"B04": "red"})


def test_a_damaged_file(points: Callable[..., dict[str, Any]]) -> None:
    """A flipped byte inside checksummed numbers is found when they are read."""
    options = points()
    with xr.open_dataset(options["path"]) as data:
        whole = data.load()
    whole.to_netcdf(options["path"], encoding={"reflectance": {"fletcher32": True, "zlib": True}})
    content = bytearray(options["path"].read_bytes())
    packed = content.find(b"\x78\x5e")  # the head of a zlib stream
    assert packed > 0
    content[packed + 60] ^= 0xFF
    options["path"].write_bytes(content)
    with pytest.raises(InputError, match=r"points\.nc: damaged, its numbers cannot be read"):
        read_points(**options)


def test_undecodable_times(points: Callable[..., dict[str, Any]]) -> None:
    options = points(
        lambda d: d.assign_coords(time=("time", np.arange(5), {"units": "days since"}))
    )
    with pytest.raises(InputError, match="units"):
        read_points(**options)


def test_cube_needs_both_axes(points: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="does not name the y axis"):
        read_cube(**points(dims={"x": "point", "time": "time", "channel": "band"}))
