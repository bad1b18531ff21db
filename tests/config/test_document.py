"""The document: what is read is what was written, and every mistake is named with its remedy."""

from __future__ import annotations

import os
import tempfile
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da.config.document import KEYS, load
from releo_da.types import InputError

POINT_HINDCAST = """
seed: 7
members: 64
period: [2016-12-01, 2018-10-31]
source:
  - reader: points                # points | cube | table, and the product readers
    path: cesbio/points.nc
    sensor: {from: platform, S2A: sentinel2a, S2B: sentinel2b}   # or one name
    values: reflectance
    dims: {pixel: point, time: time, channel: band}
    channels: {B02: B2, B03: B3, B8A: B8A}
    clear: {sat_mask: [0], cloud_mask: [0]}
    angles: {sun_zenith: sun_zen, sun_azimuth: sun_az, view_zenith: join_zen}
state: {name: prosail, prior: atbd}
forecast: {name: mean_reverting}
observe: {name: prosail, quadrature_error: 3.0e-4}
analyse: [{name: etkf}, {name: relaxed, factor: 0.3}, {name: screened, threshold: 4.0}]
smooth: {name: rts}
score:
  withhold: {every: 3, offset: 0}
  in_situ: {path: insitu.csv, variable: lai, column: "PAIeff – CE", within_days: 8}
products: {variables: [lai, ccc, fapar, ndvi], every_days: 10}
"""


def write(folder: Path, text: str) -> Path:
    """A configuration file holding the text."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str, *overrides: str) -> str:
    """The message with which a configuration is refused."""
    with pytest.raises(InputError) as caught:
        load(write(folder, text), overrides)
    return str(caught.value)


def test_point_hindcast_is_read_as_written(tmp_path: Path) -> None:
    document = load(write(tmp_path, POINT_HINDCAST))
    assert document.period == (date(2016, 12, 1), date(2018, 10, 31))
    assert document.values["source"][0]["sensor"]["S2B"] == "sentinel2b"
    assert document.values["score"]["in_situ"]["column"] == "PAIeff – CE"
    assert document.values["analyse"][2] == {"name": "screened", "threshold": 4.0}


# The dumper does not escape the line separators of Unicode, so that they fold into spaces.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.dates() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
shaped = {
    **{key: plain for key in KEYS},
    "seed": st.integers(0),
    "members": st.integers(2),
    "period": st.tuples(st.dates(), st.dates()).map(sorted),
}


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=shaped).filter(bool))
def test_whatever_yaml_dumps_is_loaded_identically(values: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = yaml.safe_dump(values, allow_unicode=True)
        assert load(write(Path(folder), text)).values == values


def test_repeated_key_is_named_with_both_lines(tmp_path: Path) -> None:
    message = refusal(tmp_path, "seed: 1\nmembers: 8\nseed: 2\n")
    assert "config.yaml, line 3: key 'seed' appears twice (first on line 1)" in message
    nested = refusal(tmp_path, "source:\n  - {path: a, values: b,\n     path: c}\n")
    assert "line 3: key 'path' appears twice (first on line 2); keep one" in nested


def test_merge_keys_may_be_overridden_but_not_repeated(tmp_path: Path) -> None:
    text = "state: &s {name: prosail, prior: atbd}\nforecast: {<<: *s, prior: flat}\n"
    assert load(write(tmp_path, text)).values["forecast"] == {"name": "prosail", "prior": "flat"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 1\n- 2\n", "holds a list at top level; write keys such as seed"),
        ("", "is empty at top level"),
        ("# only a comment\n", "is empty at top level"),
        ("analyze: {name: etkf}\n", "unknown key 'analyze'; did you mean 'analyse'?"),
        ("Members: 3\n", "did you mean 'members'?"),
        ("seed: [1\nmembers: 2\n", "line 2: not valid YAML"),
        ("seed: !!python/object:os.system {}\n", "line 1: not valid YAML: the tag"),
        ("seed: 1\n---\nseed: 2\n", "not valid YAML"),
        ("seed: 1.5\n", "seed is 1.5; give a whole number, 0 or more"),
        ("seed: true\n", "seed is True; give a whole number"),
        ("members: 1\n", "members is 1; give a whole number, 2 or more"),
        ("period:\n", "period is None; give two dates such as [2017-01-01, 2018-10-31]"),
        ("period: []\n", "give two dates"),
        ("period: 2017-01-01\n", "give two dates"),
        ("period: {start: 2017-01-01, end: 2018-01-01}\n", "give two dates"),
        ("period: [2018-01-02, 2018-01-01]\n", "period is empty, it starts 2018-01-02 after"),
        ("period: [2018-01-01, soon]\n", "'soon', which is no day; write YYYY-MM-DD"),
        ("period: [2018-01-01, 20190101]\n", "'20190101', which is no day"),
        ("period: [2018-01-01, 2018-01-02T10:00:00]\n", "which is no day; write YYYY-MM-DD"),
        ("period: [2018-01-01, 2018-02-30]\n", "not valid YAML: day is out of range"),
    ],
)
def test_mistakes_are_named_with_their_remedy(tmp_path: Path, text: str, expected: str) -> None:
    message = refusal(tmp_path, text)
    assert expected in message
    assert "config.yaml" in message


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such configuration file; give the path of a YAML"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="is a folder; give the YAML file inside it"):
        load(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("seed: 1 # é".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        load(latin)


def test_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfseed: 4\n")
    assert load(tmp_path / "bom.yaml").values == {"seed": 4}


def test_overrides_reach_every_depth_and_the_last_one_wins(tmp_path: Path) -> None:
    path = write(tmp_path, POINT_HINDCAST)
    overrides = [
        "source.0.path=other.nc",
        "members=16",
        "analyse[1].factor=1e-3",
        "score.horizons=[5, 10]",
        "train.epochs=3",
        "seed=1",
        "seed=2",
        "period=[2018-01-01, 2018-02-01]",
        "state.prior=a=b",
    ]
    document = load(path, overrides)
    assert document.values["source"][0]["path"] == "other.nc"
    assert document.values["analyse"][1] == {"name": "relaxed", "factor": "1e-3"}
    assert document.values["score"]["horizons"] == [5, 10]
    assert document.values["score"]["withhold"] == {"every": 3, "offset": 0}
    assert document.values["train"] == {"epochs": 3}
    assert (document.values["seed"], document.values["members"]) == (2, 16)
    assert document.period == (date(2018, 1, 1), date(2018, 2, 1))
    assert document.values["state"]["prior"] == "a=b"


def test_an_override_does_not_reach_through_an_alias(tmp_path: Path) -> None:
    path = write(tmp_path, "state: &s {name: a}\nforecast: *s\n")
    values = load(path, ["forecast.name=b"]).values
    assert values == {"state": {"name": "a"}, "forecast": {"name": "b"}}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("members", "--set 'members': write key.sub=value"),
        ("=3", "write key.sub=value"),
        ("source..path=3", "write key.sub=value"),
        ("source.1.path=x", "'1' is no position in a list of 1; use a number from 0 to 0"),
        ("source.first.path=x", "'first' is no position"),
        ("members.count=3", "no key 'count' to set below the value 64"),
        ("sead=3", "unknown key 'sead'; did you mean 'seed'?"),
        ("state={a: 1, a: 2}", "--set 'state={a: 1, a: 2}', line 1: key 'a' appears twice"),
        ("state={a", "--set 'state={a', line 1: not valid YAML"),
    ],
)
def test_wrong_overrides_are_named(tmp_path: Path, override: str, expected: str) -> None:
    assert expected in refusal(tmp_path, POINT_HINDCAST, override)


def test_required_key(tmp_path: Path) -> None:
    document = load(write(tmp_path, "seed: 1\nstate:\n"))
    assert document.require("seed") == 1
    for key in ("source", "state"):
        with pytest.raises(InputError, match=f"needs the key '{key}'"):
            document.require(key)


def test_paths_beside_the_configuration_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, beside = tmp_path / "data", tmp_path / "my runs"
    for folder in (data, beside):
        folder.mkdir()
        (folder / "both.nc").touch()
    (data / "deep").mkdir()
    (data / "deep" / "one.nc").touch()
    monkeypatch.setenv("RELEO_DATA", str(data))
    document = load(write(beside, "seed: 1"))
    assert document.resolve("both.nc") == beside / "both.nc"
    assert document.resolve("deep/one.nc") == data / "deep" / "one.nc"
    assert document.resolve("deep/../deep/one.nc") == data / "deep" / "one.nc"
    assert document.resolve(str(data / "deep" / "one.nc")) == data / "deep" / "one.nc"
    with pytest.raises(InputError) as caught:
        document.resolve("absent.nc")
    assert str(beside / "absent.nc") in str(caught.value)
    assert str(data / "absent.nc") in str(caught.value)
    assert "set RELEO_DATA to the folder that holds the data" in str(caught.value)


def test_patterns_and_lists_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, beside = tmp_path / "data", tmp_path / "my runs"
    for folder in (data / "deep", beside):
        folder.mkdir(parents=True)
        (folder / "b 1.nc").touch()
        (folder / "a 1.nc").touch()
    monkeypatch.setenv("RELEO_DATA", str(data))
    document = load(write(beside, "seed: 1"))
    found = [str(data / "deep" / name) for name in ("a 1.nc", "b 1.nc")]
    assert document.resolve_all("deep/*.nc") == found
    assert document.resolve_all("?*1.nc") == [str(beside / n) for n in ("a 1.nc", "b 1.nc")]
    assert document.resolve_all(["deep/b*.nc", "a 1.nc"]) == [found[1], str(beside / "a 1.nc")]
    assert document.resolve_all("a 1.nc") == beside / "a 1.nc"
    for wrong in ("none*.nc", "../../*.nc"):
        with pytest.raises(InputError, match="no file matches"):
            document.resolve_all(wrong)


def test_brackets_in_names_are_no_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = tmp_path / "my [data]"
    beside.mkdir()
    for name in ("cube_1.nc", "cube_2.nc", "S2[1].nc"):
        (beside / name).touch()
    monkeypatch.setenv("RELEO_DATA", str(tmp_path))
    document = load(write(beside, "seed: 1"))
    found = [str(beside / f"cube_{k}.nc") for k in (1, 2)]
    assert document.resolve_all("cube_*.nc") == document.resolve_all("cube_[12].nc") == found
    assert document.resolve_all("S2[1].nc") == beside / "S2[1].nc"
    for wrong in (None, 5, {"a": "b"}):
        with pytest.raises(InputError, match="is no path; write the name of a file"):
            document.resolve_all(wrong)


def test_paths_stay_in_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "config", "cwd", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.nc").touch()
    monkeypatch.setenv("RELEO_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "cwd")
    document = load(write(tmp_path / "config", "seed: 1"))
    for allowed in ("data", "config", "cwd"):
        assert document.resolve(tmp_path / allowed / "x.nc") == tmp_path / allowed / "x.nc"
    for outside in ("../elsewhere/x.nc", str(tmp_path / "elsewhere" / "x.nc")):
        with pytest.raises(InputError, match="leads outside the folders it may be in") as caught:
            document.resolve(outside)
        assert str(tmp_path / "data") in str(caught.value)


def test_links_lead_from_one_declared_folder_to_another_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("disk", "data", "config", "cwd"):
        (tmp_path / name).mkdir()
    (tmp_path / "disk" / "x.nc").touch()
    (tmp_path / "data" / "set").symlink_to(tmp_path / "disk")
    (tmp_path / "data" / "one.nc").symlink_to("set/x.nc")
    (tmp_path / "data" / "gone.nc").symlink_to("nowhere")
    (tmp_path / "data" / "round.nc").symlink_to("round.nc")
    (tmp_path / "config" / "device.nc").symlink_to("/dev/zero")
    (tmp_path / "config" / "up").symlink_to("..")
    monkeypatch.chdir(tmp_path / "cwd")
    document = load(write(tmp_path / "config", "seed: 1"))
    monkeypatch.setenv("RELEO_DATA", str(tmp_path / "data"))
    for outside in ("set/x.nc", "one.nc", str(tmp_path / "data" / "one.nc"), "device.nc",
                    "up/disk/x.nc", "set"):  # fmt: skip
        with pytest.raises(InputError, match="leads outside the folders it may be in") as caught:
            document.resolve(outside)
        assert "add the folder that holds it to RELEO_DATA" in str(caught.value)
    for pattern in ("set/*.nc", "one*", ["one.nc"], "u[p]/disk/*"):
        with pytest.raises(InputError, match="leads outside the folders it may be in"):
            document.resolve_all(pattern)
    for absent in ("gone.nc", "round.nc", "x" * 5000):
        with pytest.raises(InputError, match="no file"):
            document.resolve(absent)
    monkeypatch.setenv("RELEO_DATA", f"{tmp_path / 'data'}{os.pathsep}{tmp_path / 'disk'}")
    assert document.resolve("set/x.nc") == tmp_path / "data" / "set" / "x.nc"
    assert document.resolve("x.nc") == tmp_path / "disk" / "x.nc"
    assert document.resolve_all("set/*.nc") == [str(tmp_path / "data" / "set" / "x.nc")]
    assert document.resolve("up/disk/x.nc").exists()


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(InputError, match=r"pipe\.nc is neither a file nor a folder"):
        load(write(tmp_path, "seed: 1")).resolve("pipe.nc")
