"""What each analysis of a run said of its innovations, kept as sums.

A run carries these beside its records: one `Judged` per acquisition and block, added over blocks.
What the sums are is the business of `Model.tally`; here they only add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor


class Judged(NamedTuple):
    """One analysis.

    Attributes:
        date: position of its acquisition in the series.
        seen: number of values that it was offered.
        refused: number of values that screening refused, by reason.
        recovered: number of pixels that stopped being finite, by what they went on from.
        sums: of the values that it used, by name.
    """

    date: int
    seen: int
    refused: Counter[str]
    recovered: Counter[str]
    sums: dict[str, Tensor]


def added(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Sums of parts by name, in their order."""
    total = dict(parts[0])
    for part in parts[1:]:
        total = {name: total[name] + part[name] for name in total}
    return total


def joined_judged(blocks: Sequence[Sequence[Judged]]) -> list[Judged]:
    """The analyses of all blocks, which meet the same acquisitions in the same order."""
    return [
        Judged(
            parts[0].date,
            sum(part.seen for part in parts),
            sum((part.refused for part in parts), Counter()),
            sum((part.recovered for part in parts), Counter()),
            added([part.sums for part in parts]),
        )
        for parts in zip(*blocks, strict=True)
    ]
