"""Which acquisitions a run assimilates, which it only predicts, and at which dates it is asked.

A value withheld for scoring keeps its value and carries infinite error; a requested date is an
acquisition without channels. So gaps, scoring and products on demand are one mechanism.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from releo_da.types import Acquisition


def withheld(acquisitions: Sequence[Acquisition], every: int, offset: int) -> Tensor:
    """Where values are withheld, ``[acquisition, pixel]`` bool.

    The clear dates of each pixel are numbered from 0 and those with ``number % every == offset``
    are withheld, never the first or the last.
    """
    clear = torch.stack([a.seen.any(-1) for a in acquisitions])
    number = clear.long().cumsum(0) - 1
    last = number[-1]
    return clear & (number % every == offset) & (number > 0) & (number < last)


def hide(acquisition: Acquisition, pixels: Tensor) -> Acquisition:
    """The acquisition with infinite error at the given pixels (``[pixel]`` bool)."""
    error = acquisition.error.masked_fill(pixels[:, None], torch.inf)
    return acquisition._replace(error=error)


def requests(times: Iterable[float], like: Acquisition) -> list[Acquisition]:
    """Acquisitions without channels at the given times."""
    nothing = like.values[:, :0]
    return [Acquisition(t, "", nothing, nothing, like.angles) for t in sorted(set(times))]


def merged(
    acquisitions: Sequence[Acquisition], asked: Sequence[Acquisition]
) -> list[Acquisition]:
    """One series in time order; a request comes after the acquisitions of its time."""
    return sorted([*acquisitions, *asked], key=lambda a: (a.time, not a.sensor))
