"""Tables in Parquet: the same series as from text, geometries as positions, refusals by name."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from releo_da.io import Series, read_table
from releo_da.io.wkb import places
from releo_da.types import InputError

S2 = {"B04": "red", "B08": "nir"}
SITES = {"a": (8.0, 47.0), "b": (8.5, 47.25)}


def frame() -> pd.DataFrame:
    days = pd.to_datetime(["2024-05-01", "2024-05-01", "2024-05-06", "2024-05-06"])
    return pd.DataFrame(
        {
            "day": days,
            "site": ["a", "b", "a", "b"],
            "red": np.array([510, 620, 480, 65535], "uint16"),
            "nir": np.array([3100, 2900, 3300, 65535], "uint16"),
        }
    )


def point(x: float, y: float) -> bytes:
    return struct.pack("<BIdd", 1, 1, x, y)


def options(path: Path, **more: Any) -> dict[str, Any]:
    return {
        "path": path,
        "time": "day",
        "sensor": "sentinel2a",
        "channels": S2,
        "pixel": "site",
        "overpass": "10:30",
        "scale": 1e-4,
        "fill": 65535,
    } | more


def write(path: Path, table: pd.DataFrame, geo: Any = None) -> Path:
    written = pa.Table.from_pandas(table, preserve_index=False)
    if geo is not None:
        written = written.replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(written, path)
    return path


def geo(crs: Any = ..., encoding: str = "WKB") -> dict[str, Any]:
    column = {"encoding": encoding, "geometry_types": ["Point"]}
    if crs is not ...:
        column["crs"] = crs
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def assert_same(one: Series, other: Series) -> None:
    assert len(one.acquisitions) == len(other.acquisitions) > 0
    for here, there in zip(one.acquisitions, other.acquisitions, strict=True):
        assert here.time == there.time and here.sensor == there.sensor
        for name in ("values", "error", "angles"):
            assert torch.equal(getattr(here, name), getattr(there, name))
    assert one.pixels.equals(other.pixels)


def test_parquet_is_read_as_text_is(tmp_path: Path) -> None:
    table = frame()
    place = {"lon": "lon", "lat": "lat"}
    table["lon"], table["lat"] = np.array([SITES[site] for site in table.site]).T
    table.to_csv(tmp_path / "t.csv", index=False)
    table["site"] = table.site.astype("category")
    text = read_table(**options(tmp_path / "t.csv", position=place))
    assert_same(text, read_table(**options(write(tmp_path / "t.parquet", table), position=place)))
    # Without an ending it is known by its first bytes; dates may be texts or days.
    table["day"] = table.day.dt.strftime("%Y-%m-%d")
    assert_same(text, read_table(**options(write(tmp_path / "texts", table), position=place)))
    table["day"] = pd.to_datetime(table.day).dt.date
    assert_same(text, read_table(**options(write(tmp_path / "d.pq", table), position=place)))
    table["day"] = pd.to_datetime(table.day).dt.tz_localize("UTC")
    assert_same(text, read_table(**options(write(tmp_path / "z.pq", table), position=place)))


@pytest.mark.parametrize("crs", [..., {"id": {"authority": "OGC", "code": "CRS84"}}])
def test_geoparquet_says_where_the_pixels_lie(tmp_path: Path, crs: Any) -> None:
    table = frame().assign(geometry=[point(*SITES[site]) for site in frame().site])
    series = read_table(**options(write(tmp_path / "t.geoparquet", table, geo(crs))))
    assert series.pixels["lon"].values.tolist() == [8.0, 8.5]
    assert series.pixels["lat"].values.tolist() == [47.0, 47.25]
    assert series.acquisitions[1].seen.tolist() == [[True, True], [False, False]]


def test_geometries_in_metres_and_without_metadata(tmp_path: Path) -> None:
    table = frame().assign(outline=[point(500_000.0, 5_200_000.0)] * 4)
    utm = {"id": {"authority": "EPSG", "code": 32632}}
    said = geo(utm) | {"primary_column": "outline"}
    said["columns"]["outline"] = said["columns"].pop("geometry")
    one = read_table(**options(write(tmp_path / "a.parquet", table, said)))
    path = write(tmp_path / "b.parquet", table)
    other = read_table(**options(path, position="outline", crs="EPSG:32632"))
    assert_same(one, other)
    assert one.pixels.attrs["crs"] == "EPSG:32632"
    assert one.pixels["lon"].values.tolist() == pytest.approx([9.0, 9.0])
    with pytest.raises(InputError, match=r"in which coordinate system 'outline' lies; add 'crs"):
        read_table(**options(path, position="outline"))


SQUARE = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0), (0.0, 0.0)]


def ring(vertices: list[tuple[float, ...]], order: str = "<") -> bytes:
    numbers = [number for vertex in vertices for number in vertex]
    return struct.pack(f"{order}I{len(numbers)}d", len(vertices), *numbers)


def test_a_geometry_is_the_mean_of_its_vertices() -> None:
    polygon = struct.pack("<BII", 1, 3, 1) + ring(SQUARE)
    moved = [(x + 4, y) for x, y in SQUARE]
    hole = struct.pack("<BII", 1, 3, 2) + ring(moved) + ring([(5.0, 1.0)] * 5)
    geometries = [
        point(3.0, 4.0),
        None,
        polygon,
        struct.pack("<BII", 1, 6, 2) + polygon + hole,
        struct.pack(">BII", 0, 2, 2)[:5] + ring([(1.0, 2.0), (3.0, 6.0)], ">"),
        struct.pack("<BIIddd", 1, 0xA0000001, 4326, 7.0, 8.0, 100.0),  # EWKB with height
        struct.pack("<BIddd", 1, 1001, 7.0, 9.0, 100.0),  # ISO with height
        struct.pack("<BII", 1, 3, 0),
        polygon,
    ]
    found = places(geometries, "t")
    corners = np.array([*SQUARE[:4], *moved[:4], *[(5.0, 1.0)] * 4])
    expected = [
        [3, 4], [np.nan] * 2, [1, 1], corners.mean(0), [2, 4], [7, 8], [7, 9], [np.nan] * 2, [1, 1]
    ]  # fmt: skip
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\x01\x01",
        point(1, 2)[:-1],
        struct.pack("<BII", 1, 3, 2**32 - 1),
        struct.pack("<BII", 1, 2, 2**31),
        struct.pack("<BI", 1, 99),
        (b"\x01\x07\x00\x00\x00\x01\x00\x00\x00") * 50,
    ],
)
def test_damaged_geometries_are_named(wrong: bytes) -> None:
    with pytest.raises(InputError, match="geometry 1 is not well-known binary"):
        places([wrong, point(1, 2)], "t: key 'position'")


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (geo(None), {"position": "geometry"}, "in which coordinate system 'geometry' lies"),
    (geo(None), {}, "system of x and y is not known; add 'crs: EPSG:...'"),
    (geo(encoding="point"), {}, "encoded as 'point'; write it as WKB"),
    ({"columns": {}}, {}, "metadata 'geo' is no GeoParquet"),
    (geo(7), {}, "metadata 'geo' is no GeoParquet"),
    (geo({"id": {"authority": "EPSG", "code": 99999}}), {}, "EPSG:99999"),
    (geo(), {"separator": ";"}, "this is Parquet; remove them"),
    (geo(), {"skip": 1}, "this is Parquet; remove them"),
    (geo(), {"position": "outline", "crs": "EPSG:4326"}, "no column of geometries 'outline'"),
    (geo(), {"position": "site", "crs": "EPSG:4326"}, "'a' is no geometry"),
    (geo(), {"pixel": None}, "gives a pixel several places"),
    (geo(), {"time": "dya"}, "no column 'dya'; did you mean 'day'"),
    (geo(), {"channels": {"B04": "site"}}, "row 1: 'a' in the column 'site' is not a number"),
]


@pytest.mark.parametrize(("said", "change", "message"), BAD, ids=[case[-1] for case in BAD])
def test_wrong_options_are_named(
    tmp_path: Path, said: Any, change: dict[str, Any], message: str
) -> None:
    table = frame().assign(geometry=[point(*SITES[site]) for site in frame().site])
    path = write(tmp_path / "t.parquet", table, said)
    with pytest.raises(InputError) as error:
        read_table(**options(path) | change)
    assert message in str(error.value) and "t.parquet" in str(error.value)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", frame())
    whole = path.read_bytes()
    wrong = [b"", b"PAR1", whole[: len(whole) // 2], b"PAR1" + bytes(200) + b"PAR1", b"day,red\n"]
    wrong += [whole[:at] + bytes(40) + whole[at + 40 :] for at in range(0, len(whole) - 60, 97)]
    refused = 0
    for content in wrong:
        path.write_bytes(content)
        try:
            read_table(**options(path, angles={"sun_zenith": 30.0}))
        except InputError as error:
            refused += "not readable as Parquet" in str(error)
    assert refused >= 5
    frame().iloc[:0].to_parquet(path)
    with pytest.raises(InputError, match="the table is empty"):
        read_table(**options(path))
    twice = pa.table([pa.array([1]), pa.array([2])], names=["red", "red"])
    pq.write_table(twice, path)
    with pytest.raises(InputError, match="several columns are named 'red'"):
        read_table(**options(path))
