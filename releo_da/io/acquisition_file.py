"""An acquisition on disk, with the pixel axis it lies on, in the safetensors format.

    values, error [pixel, channel], angles [pixel, 3], axis.<coordinate> along an axis
    metadata: format, time (hexadecimal), sensor, product, axis (JSON), sha256

A cycling run keeps such copies so that it can assimilate an acquisition again when an earlier one
comes late, whatever became of the inbox. Coordinates that are texts are held as UTF-8 bytes of a
JSON list. Equal acquisitions are equal files, and the checksum covers all of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from safetensors.numpy import save
from torch import Tensor

from releo_da.io.archive import plain
from releo_da.io.atomic import write_bytes_atomic
from releo_da.io.state_file import content, titled
from releo_da.io.tensors import ordered, read_tensors
from releo_da.strict_json import parse
from releo_da.types import Acquisition, InputError

FORMAT = "releo_da acquisition 1"
AXIS = "axis."
MINE = ("values", "error", "angles")
TOLD = ("format", "time", "sensor", "product", "axis")


def write_acquisition(path: str | Path, acquisition: Acquisition, pixels: xr.Dataset) -> None:
    """Write an acquisition whole or not at all.

    Args:
        path: of the file.
        acquisition: as read.
        pixels: its pixel axis, `releo_da.io.series.Series.pixels`.
    """
    tensors = {name: getattr(acquisition, name).cpu().contiguous().clone() for name in MINE}
    axis: dict[str, Any] = {"attributes": plain(pixels.attrs), "coordinates": {}}
    for name, array in pixels.coords.items():
        texts = array.dtype.kind not in "biuf"
        values = array.values
        if texts:
            written = json.dumps([str(text) for text in values.tolist()], ensure_ascii=False)
            values = np.frombuffer(written.encode("utf-8"), np.uint8)
        tensors[f"{AXIS}{name}"] = torch.from_numpy(np.array(values))
        axis["coordinates"][str(name)] = {
            "dims": list(array.dims),
            "texts": texts,
            "attributes": plain(array.attrs),
        }
    metadata = {
        "format": FORMAT,
        "time": float(acquisition.time).hex(),
        "sensor": acquisition.sensor,
        "product": acquisition.product,
        "axis": json.dumps(axis, sort_keys=True),
    }
    # As arrays: of tensors the library keeps two types of ctypes for every size it has met, 9 kB.
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    data = save(arrays, {**metadata, "sha256": _digest(metadata, tensors)})
    write_bytes_atomic(path, ordered(data))


def read_acquisition(path: str | Path) -> tuple[Acquisition, xr.Dataset]:
    """Read what `write_acquisition` wrote: the acquisition and its pixel axis.

    Raises:
        InputError: the file is missing, is no acquisition, or is damaged.
    """
    what, remedy = "the copy of an acquisition", "restore the run directory from a backup"
    metadata, tensors = read_tensors(Path(path), what, remedy)
    try:
        said = {name: metadata[name] for name in TOLD}
        if said["format"] != FORMAT or metadata["sha256"] != _digest(said, tensors):
            raise ValueError("its checksum does not fit")
        axis = parse(said["axis"], "its axis", remedy)
        coords = {
            name: (about["dims"], _values(tensors[AXIS + name], about), about["attributes"])
            for name, about in axis["coordinates"].items()
        }
        pixels = xr.Dataset(coords=coords, attrs=axis["attributes"])
        values, error, angles = (tensors[name] for name in MINE)
        time = float.fromhex(said["time"])
        if not len(values) == len(error) == len(angles) == pixels.sizes["pixel"]:
            raise ValueError("its tensors lie on different pixels")
    except (ValueError, KeyError, TypeError, OverflowError) as problem:
        raise InputError(f"{path}: is not {what}, or damaged ({problem}); {remedy}") from None
    return Acquisition(time, said["sensor"], values, error, angles, said["product"]), pixels


def _values(tensor: Tensor, about: Mapping[str, Any]) -> np.ndarray:
    """The values of a coordinate."""
    array: np.ndarray = tensor.numpy()
    if about["texts"]:
        return np.array(parse(array.tobytes().decode("utf-8"), "texts of its axis"), dtype=object)
    return array


def _digest(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the metadata and, by name, each tensor's name, type, shape and bytes."""
    total = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode("utf-8"))
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(titled(name, tensor.dtype, tensor.shape))
        total.update(content(tensor))
    return total.hexdigest()
