"""Which acquisitions a run assimilates, which it only predicts, and at which dates it is asked.

A value withheld for scoring keeps its value and carries infinite error; a requested date is an
acquisition without channels. So gaps, scoring and products on demand are one mechanism.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from releo_da.types import Acquisition, ObservationOperator


def hide(acquisition: Acquisition, pixels: Tensor, channels: Tensor | None = None) -> Acquisition:
    """The acquisition with infinite error at the given pixels.

    Args:
        acquisition: whose values stay as they are.
        pixels: ``[pixel]`` bool.
        channels: ``[channel]`` bool, the only ones that are hidden there; all unless given.
    """
    mask = pixels[:, None] if channels is None else pixels[:, None] & channels
    return acquisition._replace(error=acquisition.error.masked_fill(mask, torch.inf))


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


def where_seen(observe: ObservationOperator) -> ObservationOperator:
    """The operator on the pixels of which something was seen, and 0 elsewhere.

    Points far from each other are seen on different days, and H is most of the cost of a run; what
    is predicted where the precision is 0 has no effect on an analysis. The last bits of what an
    operator says of a pixel depend on which others it is given, so hindcasts and cycles give it the
    same.
    """

    def some(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        seen = acquisition.seen.any(-1)
        return on_rows(observe, ensemble, acquisition, seen)

    return some


def on_rows(
    operator: ObservationOperator,
    ensemble: Tensor,
    acquisition: Acquisition,
    rows: Tensor,
    elsewhere: Tensor | None = None,
) -> Tensor:
    """An operator on some pixels.

    Args:
        operator: of an ensemble and an acquisition, ``[pixel, member, ...]``.
        ensemble: ``[pixel, member, latent]``.
        acquisition: of the same pixels.
        rows: ``[pixel]`` bool, where it is asked.
        elsewhere: what it says at other pixels, 0 unless given.
    """
    if bool(rows.all()):
        return operator(ensemble, acquisition)
    index = rows.nonzero()[:, 0]
    part = acquisition._replace(
        values=acquisition.values[index],
        error=acquisition.error[index],
        angles=acquisition.angles[index],
    )
    if elsewhere is not None and not len(index):
        return elsewhere
    found = operator(ensemble[index], part)
    if elsewhere is None:
        elsewhere = found.new_zeros(len(ensemble), *found.shape[1:])
    return elsewhere.index_copy(0, index, found)
