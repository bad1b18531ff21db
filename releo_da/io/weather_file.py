"""The weather of a run on file: what a forecast goes on from, without the files it was read from.

A safetensors file with the tensors of a record (`releo_da.types.Weather`) and, as text, its first
day, its elements and the digest of its content, by which a damaged file is known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from releo_da.io.atomic import write_bytes_atomic
from releo_da.io.tensors import ordered, read_tensors, refuse_infinite
from releo_da.types import InputError, Weather

FORMAT = "releo_da weather 1"
TENSORS = ("values", "pixels", "site", "weight")
AXES = {"values": 3, "pixels": 1, "site": 2, "weight": 2, "latitude": 1}
REMEDY = "make the run again"


def write_weather(path: Path, weather: Weather) -> None:
    """Write a record, whole or not at all; of a scenario the record as it became."""
    held = {name: getattr(weather, name).contiguous() for name in TENSORS}
    if weather.latitude is not None:
        held["latitude"] = torch.nan_to_num(weather.latitude, nan=torch.finfo(torch.float64).max)
    told = {
        "format": FORMAT,
        "first": str(weather.first),
        "elements": " ".join(weather.elements),
    }
    data = save(held, {**told, "sha256": _digest(told, held)})
    write_bytes_atomic(path, ordered(data))


def kept_weather(path: Path) -> Weather:
    """Read a record.

    Raises:
        InputError: the file is missing, damaged, or not in this form.
    """
    told, held = read_tensors(path, "weather of a run", REMEDY)
    said = {name: told.get(name, "") for name in ("format", "first", "elements")}
    sound = said["format"] == FORMAT and told.get("sha256") == _digest(said, held)
    sound = sound and set(TENSORS) <= set(held) <= set(AXES) and _fits(said, held)
    if not sound:
        raise InputError(f"{path}: is damaged or no weather of a run; {REMEDY}")
    refuse_infinite(held, path, REMEDY)
    latitude = held.get("latitude")
    if latitude is not None:
        latitude = torch.where(latitude.abs() <= 90.0, latitude, torch.nan)
    elements = tuple(said["elements"].split())
    values, pixels, site, weight = (held[name] for name in TENSORS)
    return Weather(int(said["first"]), elements, values, pixels, site, weight, latitude)


def _fits(said: Mapping[str, str], held: Mapping[str, Tensor]) -> bool:
    """Whether the parts of a file belong together."""
    if any(tensor.dim() != AXES[name] for name, tensor in held.items()):
        return False
    _, sites, elements = held["values"].shape
    site, pixels = held["site"], held["pixels"]
    shaped = site.shape == held["weight"].shape and len(site) == len(pixels)
    named = elements == len(said["elements"].split()) and said["first"].lstrip("-").isdigit()
    inside = bool(((site >= 0) & (site < sites)).all())
    placed = "latitude" not in held or len(held["latitude"]) == sites
    whole = site.dtype == pixels.dtype == torch.int64
    return shaped and named and inside and placed and whole


def _digest(told: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256(json.dumps(dict(told), sort_keys=True).encode())
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].contiguous().numpy().tobytes())
    return total.hexdigest()
