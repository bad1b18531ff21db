"""Text, YAML and JSON within bounds: what passes one is named at once, and in one message."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from releo_da import strict_json, strict_yaml
from releo_da.strict_text import bounded_text
from releo_da.types import InputError

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(12)
)
"""Some hundred characters that stand for 9^12 values."""

MERGES = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} {{<<: [{', '.join(['*' + chr(97 + k)] * 9)}]}}\n"
    for k in range(12)
)

YAML: dict[str, tuple[str, str]] = {
    "aliases": (LAUGHS, "holds more than 100,000 values"),
    "merged keys": (MERGES, "holds more than 100,000 values"),
    "an alias within itself": ("a: &a [*a]", "stands for what it is part of"),
    "depth of lists": ("a: " + "[" * 100_000, "line 1: not valid YAML: nested more than 32"),
    "depth of mappings": ("{a: " * 5_000, "nested more than 32"),
    "depth of blocks": ("\n".join(" " * k + "a:" for k in range(900)), "nested more than 32"),
    "length": ("a: " + "x" * (1 << 20), "more than 1,048,576 characters"),
    "a tag that builds": ("a: !!python/object:os.system {}", "the tag 'tag:yaml.org,2002:python"),
    "a tag of YAML": ("a: !!binary aGFsbG8=", "the tag 'tag:yaml.org,2002:binary' is refused"),
    "a tag of no kind": ("a: ! x", "the tag '!' is refused"),
    "a key of none": ("~: 1", "line 1: a key that is no text"),
    "a key of a list": ("? [a]\n: 1", "line 1: a key that is no text"),
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3: key 'a' appears twice (first on line 1)"),
    "a number in base 60": ("a: 1" + ":1" * 200_000, "a number of 400,001 characters"),
    "a long number": ("a: 1" + "0" * 5_000, "a number of 5,001 characters"),
    "half a character": ('a: "\\ud800"', "not valid YAML"),
    "a control character": ("a: \x01", "not valid YAML"),
    "no such day": ("a: 2020-02-30", "not valid YAML"),
}


@pytest.mark.parametrize("case", YAML)
def test_yaml_out_of_bounds(case: str) -> None:
    text, expected = YAML[case]
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        strict_yaml.parse(text, "c.yaml")
    assert str(caught.value).startswith("c.yaml")
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 400
    assert time.perf_counter() - start < 5


def test_yaml_within_bounds() -> None:
    text = "a: &a {x: 1, 2: [y, 2020-01-01]}\nb: *a\nc: {<<: *a, x: 3}\n"
    assert strict_yaml.parse(text, "c.yaml") == yaml.safe_load(text)
    assert strict_yaml.parse("a: " + "[" * 30 + "]" * 30, "c") == yaml.safe_load(
        "a: " + "[" * 30 + "]" * 30
    )


JSON: dict[str, tuple[str, str]] = {
    "depth": ('{"a": ' + "[" * 1_000_000, "nested more than 64 levels"),
    "a key twice": ('{"a": 1, "b": {"c": 1, "c": 2}}', "key 'c' appears twice"),
    "not a number": ('{"a": NaN}', "NaN is no number"),
    "infinite": ('{"a": -Infinity}', "-Infinity is no number"),
    "beyond a number": ('{"a": 1e999}', "beyond what a number can be"),
    "a long number": ("1" * 5_000, "not valid JSON"),
    "half a character": ('{"a": "\\ud800"}', "not valid JSON"),
    "cut short": ('{"a": [1, 2', "not valid JSON"),
    "quotes": ('"' + '\\"' * 500_000, "not valid JSON"),
    "length": (" " * ((1 << 26) + 1), "more than 67,108,864 characters"),
}


@pytest.mark.parametrize("case", JSON)
def test_json_out_of_bounds(case: str) -> None:
    text, expected = JSON[case]
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        strict_json.parse(text, "s.json", "repeat the run")
    assert str(caught.value).startswith("s.json")
    assert str(caught.value).endswith("; repeat the run")
    assert expected in str(caught.value)
    assert time.perf_counter() - start < 5


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab[]{}\"\\"), inner),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(values)
def test_json_gives_back_what_was_written(value: object) -> None:
    assert strict_json.parse(json.dumps(value), "s.json") == value
    assert strict_json.parse(json.dumps(value, ensure_ascii=False), "s.json") == value


@settings(max_examples=300, deadline=None)
@given(st.text("&*!%@`\"'{}[]:,#?-|>\n\t ab01~<=.\\\u00e9\u2028\ud800", max_size=40))
def test_any_text_is_a_document_or_one_error(text: str) -> None:
    for parse in (strict_yaml.parse, strict_json.parse):
        try:
            parse(text, "x")
        except InputError as error:
            assert str(error).startswith("x")


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "endless.yaml").symlink_to("/dev/zero")
    yield tmp_path / "endless.yaml"


def test_a_file_without_end_is_left_at_its_bound(endless: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        bounded_text(endless, 1000)
    (tmp_path / "t.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert bounded_text(tmp_path / "t.txt", 10) == "a\nb\nc\n"
    with pytest.raises(InputError, match="more than 9 bytes"):
        bounded_text(tmp_path / "t.txt", 9)
