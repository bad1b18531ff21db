"""The published tables of numbers in `tables/`, one CSV file each, with its source in its head."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
import torch
from torch import Tensor

FIRST, LAST = 400, 2500
"""The spectra cover these wavelengths, in nm, in steps of 1 nm."""


@lru_cache
def published(name: str) -> dict[str, Tensor]:
    """The columns of a table, float64 ``[row]`` by name.

    Args:
        name: that of the file, without its ending.
    """
    path = resources.files(__package__) / "tables" / f"{name}.csv"
    with path.open(encoding="utf-8") as file:
        rows = [line for line in file if not line.startswith("#")]
    columns = np.loadtxt(rows[1:], delimiter=",").T.copy()
    return dict(zip(rows[0].strip().split(","), torch.from_numpy(columns).unbind(), strict=True))
