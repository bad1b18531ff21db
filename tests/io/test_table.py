"""Tables of text in every supported layout: what was written is read back."""

import datetime
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from releo_da.io import Series, drop_duplicates, merge, read_table
from releo_da.io.geometry import sun_position
from releo_da.types import InputError

from .text_tables import DAYS, EPOCH, S2, VALUES, plain, write

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
