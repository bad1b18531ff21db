"""Geometries in well-known binary (WKB) as the one point that stands for each.

A geometry is one byte that says the order of bytes, a whole number that says what it is, and its
parts: a point its two to four coordinates, a line a count and its vertices, a polygon a count and
its rings, each like a line, and a collection a count and whole geometries.

    point      itself
    others     the mean of the vertices, the last of a closed ring left out

The mean of the vertices is not the centroid of the area: it leans towards the side that has more of
them. For a parcel that is a matter of some tens of metres, which sun angles do not notice.

Reference: OGC 06-103r4, Simple feature access, part 1, section 8.2; ISO 19125-1 and its numbers for
coordinates with height (1000) and measure (2000), and the flag of EWKB (0x80000000, 0x40000000,
0x20000000) that means the same.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.types import InputError

POINT, LINE, POLYGON = 1, 2, 3
COLLECTIONS = (4, 5, 6, 7)
SIZE = 21
"""Bytes of a point of two coordinates."""

HEIGHT, MEASURE, SYSTEM = 0x80000000, 0x40000000, 0x20000000
DEEPEST = 8


def places(geometries: Sequence[object], where: str) -> NDArray[np.float64]:
    """The point that stands for each geometry, ``[row, 2]``: x and y, NaN where there is none.

    Equal geometries are read once, so a table that repeats a parcel on every date costs no more
    than its parcels.

    Args:
        geometries: bytes, or None for none.
        where: file and key, for messages.

    Raises:
        InputError: a geometry is not well-known binary.
    """
    codes, distinct = pd.factorize(np.asarray(geometries, dtype=object))
    for one in distinct:
        if not isinstance(one, bytes):
            raise InputError(
                f"{where}: '{str(one)[:40]}' is no geometry; name a column of well-known binary, "
                "or {lon: column, lat: column}"
            )
    found = np.full((len(distinct) + 1, 2), np.nan)
    plain = np.array([len(one) == SIZE and one[:5] == b"\1\1\0\0\0" for one in distinct], bool)
    if plain.any():
        packed = b"".join(one[5:] for one, simple in zip(distinct, plain, strict=True) if simple)
        found[:-1][plain] = np.frombuffer(packed, "<f8").reshape(-1, 2)
    for row in np.flatnonzero(~plain):
        try:
            vertices, _ = _vertices(distinct[row], 0)
        except (struct.error, ValueError, IndexError):
            raise InputError(
                f"{where}: geometry {row + 1} is not well-known binary; write the column again"
            ) from None
        found[row] = vertices.mean(0) if len(vertices) else np.nan
    return found[codes]


def _vertices(data: bytes, at: int, depth: int = 0) -> tuple[NDArray[np.float64], int]:
    """The vertices ``[vertex, 2]`` of the geometry that starts at a byte, and where it ends."""
    order = "<" if data[at] == 1 else ">"
    (kind,) = struct.unpack_from(f"{order}I", data, at + 1)
    at += 9 if kind & SYSTEM else 5
    plain = kind & 0x0FFFFFFF
    size = 2 + bool(kind & HEIGHT) + bool(kind & MEASURE) + (0, 1, 1, 2)[plain // 1000]

    def coordinates(count: int, at: int) -> tuple[NDArray[np.float64], int]:
        if count * size * 8 > len(data) - at:
            raise ValueError("more vertices are announced than there are bytes")
        numbers = np.frombuffer(data, f"{order}f8", count * size, at).reshape(count, size)
        return numbers[:, :2].astype(np.float64), at + count * size * 8

    if plain % 1000 == POINT:
        return coordinates(1, at)
    (count,) = struct.unpack_from(f"{order}I", data, at)
    at += 4
    if plain % 1000 == LINE:
        return coordinates(count, at)
    if plain % 1000 not in (POLYGON, *COLLECTIONS) or depth > DEEPEST:
        raise ValueError("no geometry")
    parts = [np.empty((0, 2))]
    for _ in range(min(count, len(data))):
        if plain % 1000 == POLYGON:
            (vertices,) = struct.unpack_from(f"{order}I", data, at)
            ring, at = coordinates(vertices, at + 4)
            parts.append(ring[:-1])
        else:
            part, at = _vertices(data, at, depth + 1)
            parts.append(part)
    return np.concatenate(parts), at
