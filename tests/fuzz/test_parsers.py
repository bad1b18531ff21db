"""Every parser, given damaged contents: it ends, or with one InputError; a second or two for each.

Contents are sound ones that were cut, overwritten, joined with others or turned bit by bit. The
long run over the same targets follows the branches that a content takes: `tests/fuzz/run.py`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releo_da.types import InputError

from .targets import TARGETS

MARKS = [b"", b"\0" * 8, b"\xff" * 8, b"nan", b"-1", b"1e999", b"{", b"[" * 80, b"\n", b",", b'"',
         b"9" * 30, b"\x89HDF", b"PAR1", b"*a", b"!!x", b"../", b"\xe2\x80\xa8", b"%"]  # fmt: skip
SLOWEST = 20.0
"""Seconds that one content may take on a busy machine."""


@cache
def seeds(name: str) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return TARGETS[name].seeds(Path(folder))


@st.composite
def contents(draw: st.DrawFn, name: str) -> bytes:
    data = bytearray(draw(st.sampled_from(seeds(name))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data), 1)))
        kind = draw(st.sampled_from(["cut", "mark", "over", "bits", "repeat", "text"]))
        mark = draw(st.sampled_from(MARKS))
        if kind == "cut":
            data = data[:place]
        elif kind == "mark":
            data[place:place] = mark
        elif kind == "over":
            data[place : place + len(mark)] = mark
        elif kind == "repeat":
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
        elif kind == "text":
            data[place : place + 3] = draw(st.binary(max_size=6))
        elif data:
            data[min(place, len(data) - 1)] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "emulator"])
def test_sound_contents_are_read(name: str, tmp_path: Path) -> None:
    assert seeds(name)
    for data in seeds(name):
        TARGETS[name].read(tmp_path, data)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_content_is_read_or_one_error(name: str, data: st.DataObject, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    content, start = data.draw(contents(name)), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            TARGETS[name].read(folder, content)
        except InputError as error:
            assert str(error).strip()
    assert time.perf_counter() - start < SLOWEST
