"""Which acquisitions a run assimilates, which it only predicts, and at which dates it is asked.

A value withheld for scoring keeps its value and carries infinite error; a requested date is an
acquisition without channels. So gaps, scoring and products on demand are one mechanism.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from releo_da.types import Acquisition


def hide(acquisition: Acquisition, pixels: Tensor) -> Acquisition:
    """The acquisition with infinite error at the given pixels (``[pixel]`` bool)."""
    error = acquisition.error.masked_fill(pixels[:, None], torch.inf)
    return acquisition._replace(error=error)


def requests(times: Iterable[float], acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
    """Acquisitions without channels at the given times, with the angles of the nearest pass."""
    held = torch.tensor([a.time for a in acquisitions], dtype=torch.float64)
    asked = []
    for time in sorted(set(times)):
        near = acquisitions[int((held - time).abs().argmin())]
        nothing = near.values[:, :0]
        asked.append(Acquisition(time, "", nothing, nothing, near.angles))
    return asked


def merged(acquisitions: Sequence[Acquisition], asked: Sequence[Acquisition]) -> list[Acquisition]:
    """One series in time order; a request comes after the acquisitions of its time."""
    return sorted([*acquisitions, *asked], key=lambda a: (a.time, not a.sensor))
