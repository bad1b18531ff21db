"""Who an acquisition is: a digest of its content, so that a copy under another name is recognised.

All that enters a state or a product counts: time, sensor, name of the product, and of the pixels at
which something was seen their global ids, values, errors and angles. The name of the file does not.
The same acquisition therefore has the same identity in a file of its own and in a file of many
dates, on a small pixel axis and on a large one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath

import torch
from torch import Tensor

from releo_da.types import Acquisition


def identity(acquisition: Acquisition, pixels: Tensor) -> str:
    """SHA-256 over time, sensor, name of the product and what was seen, from where.

    Args:
        acquisition: as read, instrument errors only.
        pixels: ``[pixel]`` int64 global ids of its pixel axis.
    """
    rows = acquisition.seen.any(-1).cpu()
    sensor = PurePath(acquisition.sensor).name  # a sensor file may move, and its copies are alike
    named = [float(acquisition.time).hex(), sensor, acquisition.product]
    total = hashlib.sha256(json.dumps(named).encode())
    for tensor in (pixels, acquisition.values, acquisition.error, acquisition.angles):
        part = tensor.cpu()[rows].contiguous()
        total.update(f"\n{part.dtype} {tuple(part.shape)}\n".encode())
        total.update(part.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
