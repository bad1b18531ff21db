"""What a scheme remembers of a sensor, kept apart from what it remembers of the others.

A scheme is not told whose values it meets, so that one signature serves everything. What it learns
of their channels, such as a factor of R, it writes into its memory under a key that ends in
`releo_da.types.PER_SENSOR`. The loop keeps that under the key and the sensor's name, and hands a
scheme the part of the sensor that is analysed, and of no other:

    state  error@sentinel2a [pixel, 10], error@landsat8 [pixel, 6]       what is kept, and written
    scheme error@           [pixel, 6]                                   at a pass of Landsat-8

A window of several acquisitions is one long channel axis: the parts of its sensors stand side by
side in its order, 0 where a sensor is met for the first time, as a memory starts. Where a sensor
passes twice within a window, the mean of both parts is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import torch
from torch import Tensor

from releo_da.types import PER_SENSOR, Acquisition

Memory = dict[str, Tensor]


def lent(memory: Memory, acquisitions: Sequence[Acquisition]) -> Memory:
    """The memory of a state as a scheme meets it with these acquisitions.

    Args:
        memory: of the state, each tensor with leading pixel axis.
        acquisitions: one, or those of a window in the order of its channels.
    """
    found = {name: held for name, held in memory.items() if PER_SENSOR not in name}
    for stem in dict.fromkeys(n.partition(PER_SENSOR)[0] for n in memory if PER_SENSOR in n):
        parts = [_part(memory, stem, a) for a in acquisitions]
        if any(part is not None for part in parts):
            found[stem + PER_SENSOR] = torch.cat(
                [
                    torch.zeros_like(a.values) if part is None else part
                    for part, a in zip(parts, acquisitions, strict=True)
                ],
                -1,
            )
    return found


def returned(before: Memory, found: Memory, acquisitions: Sequence[Acquisition]) -> Memory:
    """The memory of the state after an analysis.

    Args:
        before: of the state, where the other sensors' parts are.
        found: what the scheme gave back.
        acquisitions: those that were analysed.
    """
    kept = {name: held for name, held in before.items() if PER_SENSOR in name}
    sizes = [a.values.shape[-1] for a in acquisitions]
    for name, held in found.items():
        if not name.endswith(PER_SENSOR):
            kept[name] = held
            continue
        parts: dict[str, list[Tensor]] = {}
        for a, part in zip(acquisitions, held.split(sizes, -1), strict=True):
            if a.sensor:
                parts.setdefault(name + named(a.sensor), []).append(part)
        kept |= {key: sum(same[1:], same[0]) / len(same) for key, same in parts.items()}
    return kept


def named(sensor: str) -> str:
    """The name of a sensor in a memory: a sensor file may move with its run."""
    return PurePath(sensor).name


def _part(memory: Memory, stem: str, a: Acquisition) -> Tensor | None:
    """What is remembered of a sensor; None of one with other channels than it had."""
    held = memory.get(stem + PER_SENSOR + named(a.sensor))
    return held if held is not None and held.shape[-1] == a.values.shape[-1] else None
