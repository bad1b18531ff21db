"""Tables that cannot be read as asked: wrong options, damaged text, damaged packing, by name."""

import bz2
import contextlib
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.io import read_table
from releo_da.io.table_end import cells_of_open_line
from releo_da.types import InputError

from .text_tables import DAYS, VALUES, plain

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
    ({"position": {"lon": 8.0, "lat": -91}}, "the latitude -91 of a place does not exist"),
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
        assert read_table(**plain(path.parent, path=path)).acquisitions


@pytest.mark.parametrize("files", [(), (("a.csv", b"day\n"), ("b.csv", b"day\n"))])
def test_an_archive_holds_one_table(tmp_path: Path, files: tuple) -> None:
    path = tmp_path / "t.csv.zip"
    path.write_bytes(zipped(*files))
    with pytest.raises(InputError, match=r"t\.csv\.zip: cannot be read"):
        read_table(**plain(tmp_path, path=path))
