"""The start of a cycling run on file, so that a chain that is made again begins as it began.

The inbox of a service changes; what its first ensemble was drawn from must not. The posterior is
therefore written beside the states, as a safetensors file with the digest of its content, when the
first acquisition is about to be assimilated. Once one is, it is never written again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from releo_da.io.atomic import write_bytes_atomic
from releo_da.io.tensors import ordered, read_tensors, refuse_infinite
from releo_da.representation.initial import Start
from releo_da.types import InputError

START = "start.safetensors"
"""Name of the file in a run directory."""

FORMAT = "releo_da start 1"
REMEDY = "restore it from a backup, or give another --out"
SHAPES = {"pixels": 1, "mean": 2, "factor": 3}


def write_start(path: Path, start: Start) -> None:
    """Write a start, whole or not at all."""
    held = {name: getattr(start, name).contiguous() for name in SHAPES}
    time = start.time.hex()
    told = {"format": FORMAT, "time": time, "sha256": _digest(time, held)}
    write_bytes_atomic(path, ordered(save(held, told)))


def read_start(path: Path) -> Start:
    """Read a start.

    Raises:
        InputError: the file is missing, damaged, or not in this form.
    """
    told, held = read_tensors(path, "the start of a run", REMEDY)
    time = told.get("time", "")
    sound = told.get("format") == FORMAT and told.get("sha256") == _digest(time, held)
    sound = sound and set(held) == set(SHAPES)
    if not sound or any(held[name].dim() != number for name, number in SHAPES.items()):
        raise InputError(f"{path}: is damaged or no start of a run; {REMEDY}")
    refuse_infinite(held, path, REMEDY)
    return Start(float.fromhex(time), held["pixels"].to(torch.int64), held["mean"], held["factor"])


def _digest(time: str, tensors: dict[str, Tensor]) -> str:
    total = hashlib.sha256(time.encode())
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].contiguous().numpy().tobytes())
    return total.hexdigest()
