"""Tables of text in every supported layout: what was written is read back, or refused by name."""

import bz2
import contextlib
import datetime
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.io import Series, drop_duplicates, merge, read_table
from releo_da.io.geometry import sun_position
from releo_da.io.table_end import cells_of_open_line
from releo_da.types import InputError

DAYS = [datetime.date(2024, 2, 28), datetime.date(2024, 2, 29), datetime.date(2024, 12, 31)]
EPOCH = datetime.date(1970, 1, 1)
VALUES = np.array([[0.05, 0.31], [0.06, 0.29], [0.07, 0.27]])
S2 = {"B04": "red", "B08": "nir"}

TIMES: dict[str, tuple[list[str], list[list[Any]], Any]] = {
    "iso": (["day"], [[d.isoformat()] for d in DAYS], "day"),
    "compact": (["day"], [[f"{d:%Y%m%d}"] for d in DAYS], "day"),
    "ordinal": (["day"], [[d.toordinal()] for d in DAYS], {"ordinal": "day"}),
    "since": (
        ["day"],
        [[(d - datetime.date(1999, 12, 31)).days] for d in DAYS],
        {"days": "day", "since": "1999-12-31"},
    ),
    "of year": (
        ["year", "doy"],
        [[d.year, d.timetuple().tm_yday] for d in DAYS],
        {"year": "year", "day_of_year": "doy"},
    ),
    "of one year": (
        ["doy"],
        [[d.timetuple().tm_yday] for d in DAYS],
        {"year": 2024, "day_of_year": "doy"},
    ),
}


def write(path: Path, columns: list[str], rows: list[list[Any]], separator: str = ",") -> Path:
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def plain(tmp_path: Path, rows: list[list[Any]] | None = None, **options: Any) -> dict[str, Any]:
    """Three dates of one pixel, and the options that read them."""
    if rows is None:
        rows = [[d, *v] for d, v in zip(DAYS, VALUES, strict=True)]
    path = write(tmp_path / "t.csv", ["day", "red", "nir"], rows)
    return {
        "path": path,
        "time": "day",
        "sensor": "sentinel2a",
        "channels": S2,
        "position": {"lon": 8.0, "lat": 47.0},
        "overpass": "10:30",
    } | options


def seen_values(series: Series) -> np.ndarray:
    return torch.stack([a.values for a in series.acquisitions]).numpy()


@given(
    kind=st.sampled_from(sorted(TIMES)),
    separator=st.sampled_from([",", ";", "\t", " ", " ; ", "|"]),
    named=st.sampled_from(["header", "names", "positions"]),
    packed=st.booleans(),
    comment=st.booleans(),
    skip=st.integers(0, 2),
    scale=st.sampled_from([1.0, 1e-4]),
    order=st.permutations(range(3)),
)
def test_every_layout_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    separator: str,
    named: str,
    packed: bool,
    comment: bool,
    skip: int,
    scale: float,
    order: list[int],
) -> None:
    names, times, option = TIMES[kind]
    columns = [*names, "red", "mask", "nir"]
    numbers = VALUES if scale == 1 else np.rint(VALUES / scale).astype(int)
    rows = [[*times[k], numbers[k][0], 0, numbers[k][1]] for k in order]
    lines = [separator.join(map(str, row)) for row in rows]
    if named == "header":
        lines.insert(0, separator.join(columns))
    if comment:
        lines.insert(1, "# a remark")
        lines[-1] += "  # another"
    text = "\n".join(["anything, at all"] * skip + lines) + "\n"
    path = tmp_path_factory.mktemp("t") / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    place = {name: name if named != "positions" else str(k) for k, name in enumerate(columns)}
    if isinstance(option, str):
        option = place[option]
    else:
        option = {key: place.get(value, value) for key, value in option.items()}
    series = read_table(
        path,
        option,
        "sentinel2a",
        {"B08": place["nir"], "B04": place["red"]},
        clear={place["mask"]: [0]},
        angles={"sun_zenith": 40.0},
        scale=scale,
        separator=separator.strip() or separator[0],
        header={"header": True, "names": columns, "positions": False}[named],
        comment="#" if comment else None,
        skip=skip,
    )
    assert [a.time for a in series.acquisitions] == [(d - EPOCH).days for d in DAYS]
    np.testing.assert_allclose(seen_values(series)[:, 0], VALUES[:, ::-1], rtol=1e-6)
    assert all(a.seen.all() for a in series.acquisitions)
    assert series.channels == {"sentinel2a": ("B08", "B04")}


def test_sensors_have_channels_of_their_own_from_the_same_columns(tmp_path: Path) -> None:
    rows = [[735600, 8, 210, 1858], [735601, 2, 200, 1800], [735605, 8, 220, 1900]]
    path = write(tmp_path / "t.csv", ["dates", "sensor", "blue", "nir"], rows)
    series = read_table(
        path,
        {"ordinal": "dates"},
        {"from": "sensor", 8: "hls_l30", 2: "hls_s30"},
        {"hls_l30": {"B05": "nir", "B02": "blue"}, "hls_s30": {"B8A": "nir"}},
        position={"lon": 103.0, "lat": 30.0},
        overpass="03:45",
        scale=1e-4,
    )
    assert series.channels == {"hls_l30": ("B05", "B02"), "hls_s30": ("B8A",)}
    assert [a.sensor for a in series.acquisitions] == ["hls_l30", "hls_s30", "hls_l30"]
    found = [a.values[0].tolist() for a in series.acquisitions]
    assert found == [pytest.approx(v) for v in ([0.1858, 0.021], [0.18], [0.19, 0.022])]
    first = series.acquisitions[0]
    assert first.time == (datetime.date.fromordinal(735600) - EPOCH).days + 225 / 1440
    zenith, _ = sun_position(first.time, 103.0, 30.0)
    assert first.angles[0].tolist() == pytest.approx([float(zenith), 0, 0], rel=1e-6)


def test_a_scale_may_be_that_of_one_sensor_alone(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        ["day", "sat", "red", "nir"],
        [["2024-05-01", "A", 500, 0.3], ["2024-05-02", "L", 500, 0.4]],
    )
    series = read_table(
        path,
        "day",
        {"from": "sat", "A": "sentinel2a", "L": "landsat8"},
        {"sentinel2a": {"B04": "red"}, "landsat8": {"B5": "nir"}},
        scale={"B04": 1e-4},
        angles={"sun_zenith": 30.0},
    )
    assert [a.values.item() for a in series.acquisitions] == pytest.approx([0.05, 0.4])


def test_pixels_without_a_row_are_unseen_and_not_counted(tmp_path: Path) -> None:
    rows = [
        ["2024-05-01", "b", 0.1, 0.3, 10.0],
        ["2024-05-02", "a", 0.2, 0.4, 11.0],
        ["2024-05-02", "b", 0.3, -9999, 10.0],
    ]
    path = write(tmp_path / "t.csv", ["day", "site", "red", "nir", "lon"], rows)
    series = read_table(
        path, "day", "sentinel2a", S2, pixel="site", position={"lon": "lon", "lat": 47},
        overpass=630, fill=-9999,
    )  # fmt: skip
    assert series.pixels["label"].values.tolist() == ["a", "b"]
    assert series.pixels["lon"].values.tolist() == [11.0, 10.0]
    assert [a.seen.tolist() for a in series.acquisitions] == [
        [[False, False], [True, True]],
        [[True, True], [True, False]],
    ]
    counts = next(entry for entry in series.log if entry["kind"] == "values")
    assert counts["read"] == 6 and counts["seen"] == 5
    assert counts["rejected"] == {"not a number": 1}


def test_whole_numbers_are_ids(tmp_path: Path) -> None:
    rows = [["2024-05-01", 700, 0.1, 0.3], ["2024-05-01", 30, 0.2, 0.4]]
    path = write(tmp_path / "t.csv", ["day", "id", "red", "nir"], rows)
    series = read_table(path, "day", "sentinel2a", S2, pixel="id", angles={"sun_zenith": 30.0})
    assert series.pixels["id"].values.tolist() == [30, 700]
    assert series.acquisitions[0].values[:, 0].tolist() == pytest.approx([0.2, 0.1])


@pytest.mark.parametrize("names", [["7", "07"], ["1", "99999999999999999999"]])
def test_names_that_are_no_plain_numbers_stay_apart(tmp_path: Path, names: list[str]) -> None:
    table = pd.DataFrame({"day": "2024-05-01", "id": names, "red": [0.1, 0.2], "nir": [0.3, 0.4]})
    table.to_parquet(tmp_path / "t.parquet")
    options = {"pixel": "id", "angles": {"sun_zenith": 30.0}}
    series = read_table(tmp_path / "t.parquet", "day", "sentinel2a", S2, **options)
    assert sorted(series.pixels["label"].values) == sorted(names)
    assert sorted(series.acquisitions[0].values[:, 0].tolist()) == pytest.approx([0.1, 0.2])


def test_rows_of_one_pass_are_products_of_which_one_stays(tmp_path: Path) -> None:
    rows = [["2024-05-01", 0.1, ""], ["2024-05-01", 0.2, 0.4], ["2024-05-03", 0.3, 0.5]]
    series = read_table(**plain(tmp_path, rows))
    assert len(series.acquisitions) == 3
    kept = drop_duplicates(series).acquisitions
    assert [a.values[0, 0].item() for a in kept] == pytest.approx([0.2, 0.3])


def test_a_composite_runs_into_the_next_year(tmp_path: Path) -> None:
    rows = [[2005, 353, 355, 0.1, 0.3], [2005, 361, 2, 0.2, 0.4]]
    path = write(tmp_path / "t.csv", ["year", "first", "day", "red", "nir"], rows)
    series = read_table(
        path, {"year": "year", "day_of_year": "day", "composite": "first"}, "sentinel2a", S2,
        angles={"sun_zenith": 30.0},
    )  # fmt: skip
    days = [datetime.date(2005, 12, 21), datetime.date(2006, 1, 2)]
    assert [a.time for a in series.acquisitions] == [(d - EPOCH).days for d in days]


def test_angles_by_column_and_by_another_table(tmp_path: Path) -> None:
    write(tmp_path / "orbits.csv", ["orbit", "zenith"], [[51, 3.5], [8, 9.5]])
    rows = [["2024-05-01", 51, 40, -170, 0.1, 0.3], ["2024-05-02", 8, 41, 200, 0.2, 0.4]]
    columns = ["day", "orbit", "sza", "raa", "red", "nir"]
    path = write(tmp_path / "t.csv", columns, rows)
    view = {"table": "orbits.csv", "by": ["orbit"], "column": "zenith"}
    angles = {"sun_zenith": "sza", "view_zenith": view, "relative_azimuth": "raa"}
    series = read_table(path, "day", "sentinel2a", S2, angles=angles)
    found = [a.angles[0].tolist() for a in series.acquisitions]
    assert found == [[40, 3.5, 170], [41, 9.5, 160]]


def test_a_table_in_several_files(tmp_path: Path) -> None:
    """Rows one after the other, columns by name; messages name the file and its line."""
    write(tmp_path / "a.csv", ["day", "red", "nir"], [["2024-05-01", 0.1, 0.3]])
    rows = [[0.4, 0.2, "2024-05-02"], [0.5, 0.2, "2024-05-03"]]
    write(tmp_path / "b.csv", ["nir", "red", "day"], rows)
    options: dict[str, Any] = {"angles": {"sun_zenith": 30.0}}
    pattern, both = str(tmp_path / "*.csv"), [str(tmp_path / n) for n in ("a.csv", "b.csv")]
    for path in (pattern, both):
        series = read_table(path, "day", "sentinel2a", S2, **options)
        found = [a.values[0].tolist() for a in series.acquisitions]
        np.testing.assert_allclose(found, [[0.1, 0.3], [0.2, 0.4], [0.2, 0.5]], rtol=1e-6)
    assert len(read_table(both[:1], "day", "sentinel2a", S2, **options).acquisitions) == 1
    write(tmp_path / "b.csv", ["nir", "red", "day"], [*rows, [0.5, "x", "2024-05-04"]])
    with pytest.raises(InputError, match="b.csv, line 4: 'x' in the column 'red' is not a number"):
        read_table(both, "day", "sentinel2a", S2, **options)
    write(tmp_path / "b.csv", ["nir", "blue", "day"], rows)
    with pytest.raises(InputError, match="b.csv: it has the columns nir, blue, day and a.csv has"):
        read_table(both, "day", "sentinel2a", S2, **options)
    with pytest.raises(InputError, match="no file matches"):
        read_table(str(tmp_path / "c*.csv"), "day", "sentinel2a", S2, **options)


def test_a_common_year_has_no_day_366(tmp_path: Path) -> None:
    day = {"year": "year", "day_of_year": "doy"}
    for year in (2023, 2024):
        rows = [[year, 365, 0.1, 0.3], [year, 366, 0.1, 0.3]]
        path = write(tmp_path / "t.csv", ["year", "doy", "red", "nir"], rows)
        if year == 2023:
            with pytest.raises(InputError, match="line 3 gives '2023.*366.*', which is no date"):
                read_table(path, day, "sentinel2a", S2, angles={"sun_zenith": 30.0})
        else:
            series = read_table(path, day, "sentinel2a", S2, angles={"sun_zenith": 30.0})
            last = datetime.date(2024, 12, 31)
            assert series.acquisitions[-1].time == (last - EPOCH).days


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"tile": {"min": "A"}}, [0, 2]),
        ({"tile": {"max": "A"}}, [0]),
        ({"tile": {"excludes": "B"}}, [0, 1]),
        ({"tile": {"contains": ["A", "an"]}}, [0]),
        ({"day": {"min": datetime.date(2024, 5, 2)}}, [1, 2]),
        ({"day": {"min": "2024-05-02", "max": datetime.date(2024, 5, 2)}}, [1]),
        ({"day": datetime.date(2024, 5, 2)}, [1]),
    ],
)
@pytest.mark.parametrize("form", ["text", "naive", "zone"])
def test_rules_of_texts_and_dates(
    tmp_path: Path, rule: dict[str, Any], kept: list[int], form: str
) -> None:
    days = ["2024-05-01", "2024-05-02", "2024-05-03"]
    table = pd.DataFrame({"day": days, "tile": ["A", None, "B"], "red": 0.1, "nir": 0.3})
    path = tmp_path / ("t.csv" if form == "text" else "t.parquet")
    if form == "text":
        table.to_csv(path, index=False)
    else:
        stamps = pd.to_datetime(table["day"])
        zone = "Europe/Zurich"
        moved = stamps.dt.tz_localize("UTC").dt.tz_convert(zone) if form == "zone" else stamps
        table.assign(day=moved).to_parquet(path)
    series = read_table(
        path, "day", "sentinel2a", S2, select=rule, angles={"sun_zenith": 30.0}, overpass="10:30"
    )
    assert [a.product[:10] for a in series.acquisitions] == [days[k] for k in kept]


def test_an_origin_that_is_a_list_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["day", "red", "nir"], [[5, 0.1, 0.3]])
    with pytest.raises(InputError, match="since: '.1.' is not a date"):
        read_table(path, {"days": "day", "since": [1]}, "sentinel2a", S2)


def test_select_and_period(tmp_path: Path) -> None:
    series = read_table(**plain(tmp_path, select={"red": {"max": 0.06}}))
    assert len(series.acquisitions) == 2
    series = read_table(**plain(tmp_path, period=["2024-02-29", "2024-12-31"]))
    assert len(series.acquisitions) == 2


def test_a_sensor_with_nothing_clear_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    rows = [["2024-05-01", "A", 0.1, 0.3, 0], ["2024-05-02", "B", 0.2, 0.4, 1]]
    path = write(tmp_path / "t.csv", ["day", "sat", "red", "nir", "qa"], rows)
    options: dict[str, Any] = {
        "path": path, "time": "day", "angles": {"sun_zenith": 30.0}, "channels": S2,
        "sensor": {"from": "sat", "A": "sentinel2a", "B": "sentinel2b"},
    }  # fmt: skip
    series = read_table(**options, clear={"qa": [0]})
    assert [a.sensor for a in series.acquisitions] == ["sentinel2a"]
    assert series.log[-1]["kind"] == "all_masked"
    assert series.log[-1]["count"] == len(series.log[-1]["products"]) == 1
    with pytest.raises(InputError, match="nothing clear"):
        read_table(**options, clear={"qa": [7]})


def test_tables_and_other_sources_are_merged_by_id(tmp_path: Path) -> None:
    one = read_table(**plain(tmp_path))
    rows = [["2024-05-01", "x", 0.1, 0.3]]
    other = write(tmp_path / "u.csv", ["day", "site", "red", "nir"], rows)
    named = read_table(
        other, "day", "sentinel2a", S2, pixel="site", angles={"sun_zenith": 30.0},
        position={"lon": 8.0, "lat": 47.0},
    )  # fmt: skip
    assert len(merge([one, named]).acquisitions) == 4
    again = named._replace(pixels=named.pixels.assign_coords(label=("pixel", ["y"])))
    with pytest.raises(InputError, match="different names"):
        merge([named, again])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"time": "date"}, "no column 'date'; did you mean 'day'"),
    ({"time": {"ordinal": "red"}}, "line 2 gives '0.05', which is no date"),
    ({"time": "red"}, "holds numbers such as"),
    ({"time": {"days": "day"}}, "is not a time"),
    ({"time": {"year": "day", "day_of_year": "red"}}, "line 2: '2024-02-28'"),
    ({"overpass": "25:00"}, "no time of day"),
    ({"channels": {"B04": "rde"}}, "no column 'rde'"),
    ({"channels": {"B99": "red"}}, "no channel 'B99'"),
    ({"channels": {"sentinel2b": {"B04": "red"}}}, "no entry for the sensor 'sentinel2a'"),
    ({"channels": {"sentinel2a": {"B04": "red"}, "B08": "nir"}}, "some entries are channels"),
    ({"sensor": "sentinel9"}, "unknown sensor"),
    ({"sensor": {"from": "nir", "A": "sentinel2a"}}, "no sensor for the value of 'nir'"),
    ({"sensor": {"A": "sentinel2a"}}, "'from' is missing"),
    ({"position": {"lon": 8.0}}, "in degrees"),
    ({"position": {"lon": "red", "lat": 47}}, "several places"),
    ({"position": None}, "position of the pixels is not known; add 'position: {lon: .., lat: ..}'"),
    ({"position": {"x": 5e5, "y": 5e6}}, "system of x and y is not known; add 'crs: EPSG:...'"),
    ({"decimal": ","}, "another one than the separator"),
    ({"clear": {"cloud": [0]}}, "no column 'cloud'"),
    ({"angles": {"sun_zenith": "sza"}}, "no column 'sza'"),
    ({"select": {"red": 7}}, "key 'select.red': no row has 7"),
    ({"select": {"red": [0.05, 7]}}, "key 'select.red': nothing matches 7 of [0.05, 7]"),
    ({"select": {"red": 0.05, "nir": 0.29}}, "no row passes all rules"),
    ({"period": ["2020-01-01", "2020-02-01"]}, "no acquisition between"),
    ({"separator": ""}, "key 'separator'"),
    ({"separator": ";"}, "seem to be separated by ',', so write separator: ','"),
    ({"comment": "//"}, "not one character"),
    ({"skip": -1}, "key 'skip'"),
    ({"header": ["day", "red"]}, "names 2 columns and the table has 3"),
    ({"header": ["day", "red", "red"]}, "a column twice"),
    ({"product": "name"}, "no column 'name'"),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[said for _, said in BAD])
def test_wrong_options_are_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        read_table(**plain(tmp_path) | change)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("day;red;nir\n2024-05-01;0,1;0,2\n", "separated by ';', so write separator: ';'"),
        ("day\tred\tnir\n2024-05-01\t0.1\t0.2\n", "separated by a tab"),
        ("day,red,nir\n", "the table is empty"),
        ("day,red,nir\n2024-05-01,0.1,0.2,0.3\n", "not a CSV table"),
        ("day,red,red,nir\n2024-05-01,0.1,0.2,0.3\n", "several columns are named 'red'"),
        ("day,red,nir\n2024-05-01,0.1,low\n", "line 2: 'low' in the column 'nir'"),
        ("day,red,nir\n2024-05-01,0.1,0.2\nsoon,0.1,0.2\n", "line 3 gives 'soon'"),
        ("day,red,nir\n2024-05-01,0.1,0.2\n,0.1,0.2\n", "line 3 gives 'nan'"),
        ("day,red,nir\n2024-05-01T10:10,0.1,0.2\n", "have a time of day already"),
        ("day,red,nir\n03/04/2024,0.1,0.2\n", '{text: day, format: "%d/%m/%Y"}, or "%m/%d/%Y"'),
        ('day,red,nir\n2024-05-01,"0,1",0.2\n', "the option decimal: ','"),
        ("day,red,nir\n2024-05-01,0.1,0.2\n2024-05-1", "line 3: the last row has 1 of 3 cells"),
        ("day,red,nir\n2024-05-01,0.1,0.2\n2024-05-11,0.", "the file seems cut short"),
        ('day,red,nir\n2024-05-01,0.1,"0.2', "the file seems cut short"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, text: str, said: str) -> None:
    options = plain(tmp_path)
    Path(options["path"]).write_text(text)
    with pytest.raises(InputError) as error:
        read_table(**options)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("day;red;nir\n2024-05-01;0,1;0,2", {"separator": ";", "decimal": ","}),
        ("day red nir\n2024-05-01 0.1 0.2", {"separator": " "}),
        ("day,red,nir\n2024-05-01,0.1,0.2\n# the end", {"comment": "#"}),
        ("day,red,nir\n2024-05-01,0.1,0.2\r", {}),
    ],
)
def test_a_last_line_without_its_end_is_whole(tmp_path: Path, text: str, options: dict) -> None:
    given = plain(tmp_path) | options
    Path(given["path"]).write_text(text)
    series = read_table(**given)
    np.testing.assert_array_equal(seen_values(series), np.float32([[[0.1, 0.2]]]))


def test_a_long_last_line_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + 70_000 * "1")
    assert cells_of_open_line(path, ",", None) is None
    path.write_text("a,b\n" + "1" * 9)
    assert cells_of_open_line(path, ",", None) == 1


def test_a_packed_table_that_was_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"day,red,nir\n" + b"2024-05-01,0.1,0.2\n" * 99)[:40])
    with pytest.raises(InputError, match="copy the file again"):
        read_table(**plain(tmp_path, path=path))


PACKED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": lambda text: zipped(("t.csv", text)),
}


def zipped(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files:
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize("ending", PACKED)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_bytes_that_were_changed_never_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    rows = "".join(f"{day},{red},{nir}\n" for day, (red, nir) in zip(DAYS, VALUES, strict=True))
    content = bytearray(PACKED[ending](f"day,red,nir\n{rows}".encode()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("t") / f"t.csv{ending}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(InputError):
        read_table(**plain(path.parent, path=path))


@pytest.mark.parametrize("files", [(), (("a.csv", b"day\n"), ("b.csv", b"day\n"))])
def test_an_archive_holds_one_table(tmp_path: Path, files: tuple) -> None:
    path = tmp_path / "t.csv.zip"
    path.write_bytes(zipped(*files))
    with pytest.raises(InputError, match=r"t\.csv\.zip: cannot be read"):
        read_table(**plain(tmp_path, path=path))
