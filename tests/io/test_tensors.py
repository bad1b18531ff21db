"""Headers of safetensors files that should not be: one message, and nothing allocated."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from releo_da.io import read_state
from releo_da.io.tensors import read_tensors, refuse_infinite, tensor_header
from releo_da.types import InputError


def file_of(header: Any, data: bytes = b"") -> bytes:
    """A file with a header, given as bytes or as what JSON makes of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape: list[Any], offsets: list[Any], dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


TWICE = (
    b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    b'"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}'
)

BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "its header would have 0 bytes"),
    "too short": (b"abc", "its header would have"),
    "a header longer than the file": ((10**6).to_bytes(8, "little") + b"{}", "1,000,000 bytes"),
    "a header of exabytes": (b"\xff" * 8 + b"{}", "18,446,744,073,709,551,615 bytes"),
    "a header of megabytes": (file_of(b"{" + b" " * (1 << 20) + b"}"), "1,048,578 bytes"),
    "no text": (file_of(b"\xff\xfe\xff"), "its header is no text"),
    "no JSON": (file_of(b"{a}"), "not valid JSON"),
    "depth": (file_of(b"[" * 100_000), "nested more than 64 levels"),
    "a list": (file_of([]), "its header is no mapping"),
    "a name twice": (file_of(TWICE, bytes(4)), "key 'a' appears twice"),
    "overlap": (file_of({"a": entry([2], [0, 8]), "b": entry([1], [4, 8])}, bytes(8)),
                "'b' begins at byte 4, not 8"),
    "a gap": (file_of({"a": entry([1], [4, 8])}, bytes(8)), "'a' begins at byte 4, not 0"),
    "bytes that are no tensor": (file_of({"a": entry([1], [0, 4])}, bytes(9)), "it holds 9"),
    "bytes that are missing": (file_of({"a": entry([2], [0, 8])}, bytes(4)), "have 8 bytes"),
    "a huge shape": (file_of({"a": entry([2**40, 2**40], [0, 8])}, bytes(8)), "not those of F32"),
    "a shape around zero": (file_of({"a": entry([2**61, 8], [0, 0])}), "not those of F32"),
    "a shape of zero and much": (file_of({"a": entry([0, 2**62], [0, 0])}), "has the shape"),
    "a shape below zero": (file_of({"a": entry([-1], [0, 4])}, bytes(4)), "has the shape [-1]"),
    "a shape of text": (file_of({"a": entry(["1"], [0, 4])}, bytes(4)), "has the shape"),
    "a shape of truth": (file_of({"a": entry([True], [0, 4])}, bytes(4)), "has the shape"),
    "nine axes": (file_of({"a": entry([1] * 9, [0, 4])}, bytes(4)), "has the shape"),
    "one offset": (file_of({"a": entry([1], [0])}, bytes(4)), "has the offsets [0]"),
    "offsets the wrong way": (file_of({"a": entry([1], [4, 0])}, bytes(4)), "has -4 bytes"),
    "a type of no kind": (file_of({"a": entry([1], [0, 1], "F8_E4M3")}, b"\0"), "type 'F8_E4M3'"),
    "a type of a list": (file_of({"a": entry([1], [0, 1], ["F32"])}, b"\0"), "has the type"),
    "an entry that says too much": (
        file_of({"a": {**entry([1], [0, 4]), "x": 1}}, bytes(4)), "has no type, shape and offsets"),
    "metadata of numbers": (file_of({"__metadata__": {"a": 1}}), "its metadata are not texts"),
    "metadata of text": (file_of({"__metadata__": "a"}), "its metadata are not texts"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_headers_are_refused_before_anything_is_made(case: str, tmp_path: Path) -> None:
    content, expected = BAD[case]
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError) as caught:
        read_tensors(path, "a file of weights", "make it again")
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(path)) and str(caught.value).endswith("; make it again")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes
    with pytest.raises(InputError):
        read_state(path)


def test_what_was_written_is_read_with_its_types(tmp_path: Path) -> None:
    tensors = {
        "a": torch.arange(6).reshape(2, 3),
        "b": torch.tensor(1.5, dtype=torch.float64),
        "none": torch.empty(0, 4),
        "flags": torch.tensor([True, False]),
    }
    (tmp_path / "w").write_bytes(save(tensors, {"said": "text"}))
    said, back = read_tensors(tmp_path / "w", "a file", "remedy")
    assert said == {"said": "text"} and back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor) and back[name].dtype == tensor.dtype
    (tmp_path / "empty").write_bytes(save({}))
    assert tensor_header(tmp_path / "empty", "a file", "remedy").tensors == {}


def test_values_that_are_no_numbers_are_named() -> None:
    sound = {"a": torch.ones(3), "n": torch.tensor([1])}
    refuse_infinite(sound, Path("w"))
    for bad in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="w: b: a value is not a finite number"):
            refuse_infinite({**sound, "b": torch.tensor([0.0, bad])}, Path("w"))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    change=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
    length=st.integers(0, 400),
)
def test_any_bytes_are_tensors_or_one_error(
    change: list[tuple[int, int]], length: int, tmp_path: Path
) -> None:
    content = bytearray(save({"a": torch.ones(2, 3), "b": torch.zeros(2)}, {"x": "y"}))
    for place, value in change:
        content[place % len(content)] = value
    path = tmp_path / "w.safetensors"
    for data in (bytes(content), bytes(content[:length])):
        path.write_bytes(data)
        try:
            read_tensors(path, "a file of weights", "make it again")
        except InputError as error:
            assert str(path) in str(error)
