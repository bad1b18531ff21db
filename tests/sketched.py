"""Figures of reports that are made and not painted.

Painting takes three quarters of the time of a report, and a hundred tests make one for what else a
run leaves. Modules that look at reports, or give them odd data, have the mark ``painted``; a single
test asks for the fixture of that name.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import pytest
from matplotlib.figure import Figure

from releo_da.config import inspection
from releo_da.diagnostics import report
from releo_da.diagnostics.plots import style


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


WHITE = b"\x89PNG\r\n\x1a\n" + b"".join(
    (
        chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        chunk(b"IDAT", zlib.compress(b"\x00\xff")),
        chunk(b"IEND", b""),
    )
)
"""One white pixel."""


def white(figure: Figure) -> bytes:
    """A picture in the place of a figure."""
    assert figure.axes
    return WHITE


@pytest.fixture(scope="module", autouse=True)
def sketched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Figures of a module without the mark ``painted`` are not painted."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.node.get_closest_marker("painted"):
            for module in (report, inspection):
                patch.setattr(module, "png", white)
        yield


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of one test are painted."""
    for module in (report, inspection):
        monkeypatch.setattr(module, "png", style.png)
