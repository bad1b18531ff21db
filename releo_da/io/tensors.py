"""Tensors from files that others may have written: the header is checked before anything is used.

Weights, states and accepted acquisitions are safetensors files: 8 bytes with the length of a
header, the header, which is JSON, and the tensors one after the other.

    {"__metadata__": {text: text}, name: {"dtype": "F32", "shape": [..], "data_offsets": [a, b]}}

The format holds numbers and text and cannot run code. Checked here: the header is short and strict
JSON (no name twice, for which the library keeps one of the two); types are known ones; the bytes
between the two offsets are what type and shape ask for; the tensors fill the file from its first
byte to its last, without overlap or gap. So nothing is allocated that the file does not hold.

Reference: safetensors format, https://github.com/huggingface/safetensors (section Format).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from releo_da.strict_json import parse
from releo_da.types import InputError

HEADER = 1 << 20
"""Bytes of a header, at most; those of this package have some thousand."""

KINDS = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
"""Types of tensors, as the format calls them."""

AXES = 8
"""Axes of a tensor, at most; those of this package have five or fewer."""


class Entry(NamedTuple):
    """What a header says of one tensor.

    Attributes:
        dtype: its type.
        shape: its shape.
        start: its first byte, counted from the end of the header.
        stop: the byte after its last.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


class Header(NamedTuple):
    """The header of a file.

    Attributes:
        metadata: texts by name.
        tensors: what it says of each tensor.
        length: bytes before the first tensor.
    """

    metadata: dict[str, str]
    tensors: dict[str, Entry]
    length: int


def tensor_header(path: str | Path, what: str, remedy: str) -> Header:
    """The checked header of a safetensors file.

    Args:
        path: of the file.
        what: what it should be, in words such as "a file of weights".
        remedy: what to do about a bad one.

    Raises:
        InputError: it is none, or damaged.
        OSError: it cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(HEADER, size - 8):
            raise InputError(
                f"{path}: is not {what}, or damaged (its header would have {length:,} bytes, of a "
                f"file of {size:,}); {remedy}"
            )
        data = file.read(length)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: is not {what}, or damaged (its header is no text); {remedy}"
        ) from None
    said = parse(text, f"{path}: damaged header of {what}", remedy)
    try:
        metadata, tensors = _understood(said, size - 8 - length)
    except ValueError as error:
        raise InputError(f"{path}: is not {what}, or damaged ({error}); {remedy}") from None
    return Header(metadata, tensors, 8 + length)


def read_tensors(path: Path, what: str, remedy: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file, on the CPU.

    Raises:
        InputError: it is missing, none, or damaged.
    """
    try:
        header = tensor_header(path, what, remedy)
        with safe_open(path, framework="pt") as file:
            return header.metadata, {name: file.get_tensor(name) for name in header.tensors}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is not {what} ({error}); {remedy}") from None


def refuse_infinite(
    tensors: Mapping[str, Tensor], path: Path, remedy: str = "make the file again"
) -> None:
    """Refuse tensors with a value that is not a finite number.

    Raises:
        InputError: it names them.
    """
    wrong = [n for n, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()]
    if wrong:
        raise InputError(f"{path}: {', '.join(wrong)}: a value is not a finite number; {remedy}")


def _understood(said: Any, size: int) -> tuple[dict[str, str], dict[str, Entry]]:
    """Metadata and entries of a header; `size` bytes follow it.

    Raises:
        ValueError: it cannot be meant.
    """
    if not isinstance(said, dict):
        raise ValueError("its header is no mapping")
    metadata = said.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(t, str) for t in metadata.values()):
        raise ValueError("its metadata are not texts")
    tensors = {name: _entry(name, entry) for name, entry in said.items()}
    place = 0
    for name, entry in sorted(tensors.items(), key=lambda item: item[1][2:]):
        if entry.start != place:
            raise ValueError(f"'{name[:40]}' begins at byte {entry.start}, not {place}")
        place = entry.stop
    if place != size:
        raise ValueError(f"its tensors have {place:,} bytes, and it holds {size:,}")
    return metadata, tensors


def _entry(name: str, said: Any) -> Entry:
    """What a header says of one tensor."""
    told = f"'{name[:40]}'"
    if not isinstance(said, dict) or set(said) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{told} has no type, shape and offsets")
    kind, shape, offsets = said["dtype"], said["shape"], said["data_offsets"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"{told} has the type {str(kind)[:20]!r}")
    for numbers, most in ((shape, AXES), (offsets, 2)):
        whole = isinstance(numbers, list) and len(numbers) <= most
        if not whole or not all(type(n) is int and 0 <= n < 2**62 for n in numbers):
            raise ValueError(f"{told} has the shape {str(shape)[:40]} at {str(offsets)[:40]}")
    if len(offsets) != 2:
        raise ValueError(f"{told} has the offsets {str(offsets)[:40]}")
    start, stop = offsets
    if math.prod(shape) * KINDS[kind].itemsize != stop - start:
        raise ValueError(f"{told} has {stop - start:,} bytes, not those of {kind} {shape}")
    return Entry(KINDS[kind], tuple(shape), start, stop)


def header_of(data: bytes) -> dict[str, Any]:
    """The header of a safetensors file: 8 bytes of length, then JSON.

    Raises:
        ValueError: there is none.
    """
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length].decode("utf-8"))
    return header


def packed(header: Mapping[str, Any]) -> bytes:
    """A header with its length and with keys in order, filled up to a multiple of 8 bytes.

    Keys in order make equal content equal files. Blanks may end a header.
    """
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    data = text.encode("utf-8")
    length = -(-len(data) // 8) * 8
    return length.to_bytes(8, "little") + data.ljust(length)


def ordered(data: bytes) -> bytes:
    """The same file with the keys of its header in order: the library writes metadata in any."""
    return packed(header_of(data)) + data[8 + int.from_bytes(data[:8], "little") :]
