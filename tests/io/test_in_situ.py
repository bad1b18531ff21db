"""Field tables joined to pixels: by id, by position, and growth stages as of each row's time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.io import read_in_situ
from releo_da.io.crs import to_lonlat
from releo_da.types import InputError

TABLE = """\
plot,field,when,lai,east,north
7,A,2022-03-05,1.0,500004,5200003
9,A,2022-03-06T12:00:00,,500010,5200000
3,B,2022-03-07 06:00:00,2.5,500013,5200000
4,B,2022-03-08,3.0,500060,5200000
9,B,2022-03-09T00:00:00+00:00,4.0,,
7,C,2022-03-10,5.0,499996,5199994
"""
STAGES = """\
field,rated,bbch
A,2022-03-05T09:00:00,21
A,2022-03-01,13
B,2022-03-07T06:00:00,31
B,2022-03-07T06:00:01,33
B,2022-03-06,
"""


@pytest.fixture
def pixels() -> xr.Dataset:
    x, y = np.array([500000.0, 500010, 500020]), np.array([5200000.0] * 3)
    lon, lat = to_lonlat(x, y, "EPSG:32632")
    coords = {"id": [7, 3, 9], "x": x, "y": y, "lon": lon, "lat": lat}
    return xr.Dataset(
        coords={name: ("pixel", np.asarray(values)) for name, values in coords.items()},
        attrs={"kind": "point", "crs": "EPSG:32632"},
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "stages.csv").write_text(STAGES)
    path = tmp_path / "field data.csv"
    path.write_text(TABLE)
    return path


def test_join_by_id(table: Path, pixels: xr.Dataset) -> None:
    found = read_in_situ(table, "lai", "lai", "when", pixels, pixel="plot", scale=2.0)
    assert found.row.tolist() == [0, 2, 4, 5]
    assert found.pixel_index.tolist() == [0, 1, 2, 0]
    assert found.value.tolist() == [2, 5, 8, 10]
    assert (found.time - 19056).tolist() == [0, 2.25, 4, 5]
    assert (found.variable, found.within_days, found.stage) == ("lai", 8.0, None)
    entry = found.log[0]
    assert (entry["rows"], entry["used"]) == (6, 4)
    assert (entry["without value"], entry["without pixel"]) == (1, 1)


def test_join_by_name(tmp_path: Path) -> None:
    """Pixels of a table have the names of its column; other names meet no pixel."""
    path = tmp_path / "sites.csv"
    path.write_text("site,when,lai\nFR-B,2022-03-05,1.0\nXX,2022-03-06,2.0\nAT-A,2022-03-07,3.0\n")
    names = xr.Dataset(coords={"id": ("pixel", [0, 1]), "label": ("pixel", ["AT-A", "FR-B"])})
    found = read_in_situ(path, "lai", "lai", "when", names, pixel="site")
    assert found.pixel_index.tolist() == [1, 0]
    assert found.value.tolist() == [1.0, 3.0]
    assert found.log[0]["without pixel"] == 1


def test_a_row_that_equals_another_in_every_column_counts_once(
    table: Path, pixels: xr.Dataset
) -> None:
    lines = table.read_text().splitlines()
    other = lines[1].replace("500", "501", 1)  # differs in a column that is not used
    table.write_text("\n".join([*lines, lines[1], lines[2], other]) + "\n")
    found = read_in_situ(table, "lai", "lai", "when", pixels, pixel="plot")
    assert found.row.tolist() == [0, 2, 4, 5, 8]
    entry = found.log[0]
    assert (entry["rows"], entry["used"], entry["repeated"]) == (9, 5, 2)
    assert (entry["without value"], entry["without pixel"]) == (1, 1)


@pytest.mark.parametrize("crs", [None, "EPSG:32632", "EPSG:3857", "EPSG:4326"])
def test_join_by_position(table: Path, pixels: xr.Dataset, crs: str | None) -> None:
    """The nearest pixel within the radius, whatever the table's coordinate system."""
    if crs in ("EPSG:3857", "EPSG:4326"):
        from releo_da.io.crs import from_lonlat

        lines = table.read_text().splitlines()
        for position, line in enumerate(lines[1:], 1):
            *rest, east, north = line.split(",")
            if east:
                x, y = from_lonlat(*to_lonlat(float(east), float(north), "EPSG:32632"), crs)
                lines[position] = ",".join([*rest, repr(float(x)), repr(float(y))])
        table.write_text("\n".join(lines) + "\n")
    found = read_in_situ(
        table, "lai", "lai", "when", pixels, x="east", y="north", radius=7.3, crs=crs
    )
    # Row 5 is 7.2 m away, row 3 is 40 m away, row 4 has no position, row 1 no value.
    assert found.row.tolist() == [0, 2, 5]
    assert found.pixel_index.tolist() == [0, 1, 0]


def test_radius_is_a_limit(table: Path, pixels: xr.Dataset) -> None:
    found = read_in_situ(table, "lai", "lai", "when", pixels, x="east", y="north", radius=7.2)
    assert found.row.tolist() == [0, 2]


def test_pixels_in_degrees(table: Path, pixels: xr.Dataset) -> None:
    """The radius is in metres also where the pixels are given in degrees."""
    degrees = pixels.assign_coords(x=pixels["lon"], y=pixels["lat"]).assign_attrs(crs="EPSG:4326")
    found = read_in_situ(
        table, "lai", "lai", "when", degrees, x="east", y="north", radius=7.3, crs="EPSG:32632"
    )
    assert found.pixel_index.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({"field": "A"}, [0]),
        ({"field": ["A", "C"]}, [0, 5]),
        ({"lai": {"min": 2.5, "max": 4}}, [2, 4]),
        ({"plot": 7, "lai": {"max": 1}}, [0]),
    ],
)
def test_where(table: Path, pixels: xr.Dataset, where: dict[str, Any], rows: list[int]) -> None:
    found = read_in_situ(table, "lai", "lai", "when", pixels, pixel="plot", where=where)
    assert found.row.tolist() == rows


def test_stage_as_of_the_rows_time(table: Path, pixels: xr.Dataset) -> None:
    """The latest rating at or before; a date alone sees its whole day; no rating is NaN."""
    stage = {"path": "stages.csv", "column": "bbch", "time": "rated", "by": ["field"]}
    found = read_in_situ(table, "lai", "lai", "when", pixels, pixel="plot", stage=stage)
    np.testing.assert_array_equal(found.stage, [21, 31, 33, np.nan])


GOOD: dict[str, Any] = {"pixel": "plot"}
STAGE: dict[str, Any] = {"path": "stages.csv", "column": "bbch", "time": "rated", "by": "field"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"column": "LAI"}, ["no column 'LAI'", "did you mean 'lai'?"]),
        ({"time": "date"}, ["no column 'date'", "plot, field, when"]),
        ({"time": "field"}, ["line 2", "'A'", "not a date"]),
        ({"column": "field"}, ["line 2", "'A'", "not a number"]),
        ({"pixel": None}, ["either 'pixel', or 'x', 'y' and 'radius'"]),
        ({"x": "east", "y": "north"}, ["either 'pixel', or"]),
        ({"pixel": None, "x": "east", "y": "north"}, ["needs 'radius'"]),
        ({"pixel": None, "x": "north", "y": "east", "radius": 9}, ["no row meets a pixel"]),
        ({"pixel": None, "x": "east", "y": "north", "radius": 9, "crs": "L93"}, ["crs 'L93'"]),
        (
            {"pixel": None, "x": "east", "y": "north", "radius": 9, "crs": "EPSG:4326"},
            ["in_situ, north: the latitude 5.2e+06"],
        ),
        ({"where": {"field": "Z"}}, ["key 'where.field'", "holds A, B, C"]),
        ({"where": {"fild": "A"}}, ["no column 'fild'", "did you mean 'field'?"]),
        ({"stage": STAGE | {"path": "none.csv"}}, ["none.csv", "does not exist"]),
        ({"stage": STAGE | {"colum": "bbch"}}, ["no option 'colum'", "'column'"]),
        ({"stage": {"path": "stages.csv"}}, ["'column' is missing"]),
        ({"stage": STAGE | {"by": "parcel"}}, ["no column 'parcel'"]),
    ],
)
def test_bad_options(
    table: Path, pixels: xr.Dataset, options: dict[str, Any], words: list[str]
) -> None:
    given = {"variable": "lai", "column": "lai", "time": "when"} | GOOD | options
    with pytest.raises(InputError) as caught:
        read_in_situ(table, pixels=pixels, **given)
    assert all(word in str(caught.value) for word in ["field data.csv", *words]), caught.value


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"", "empty"), (b"a,b\n\xff\xfe,1\n", "UTF-8"),
     (b"a,b\n1,2\n1,2,3\n", "line 3")],
)  # fmt: skip
def test_bad_table(tmp_path: Path, pixels: xr.Dataset, content: bytes | None, message: str) -> None:
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"t\.csv: .*{message}"):
        read_in_situ(path, "lai", "a", "b", pixels, pixel="a")


def test_pixels_without_system(table: Path, pixels: xr.Dataset) -> None:
    with pytest.raises(InputError, match="coordinate system of the pixels is not known"):
        read_in_situ(
            table, "lai", "lai", "when", pixels.drop_attrs(), x="east", y="north", radius=5
        )
