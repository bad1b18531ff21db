"""What each analysis of a run said of its innovations, kept as sums.

A run carries these beside its records: one `Judged` per acquisition and block, added over blocks.
What the sums are is the business of `Model.tally`; here they only add up. `plain` and `restored`
carry them through the ledger of a cycling run, number by number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from releo_da.cycling.recovery import recoveries
from releo_da.runs.model import Model
from releo_da.types import Step

SCHEME = "scheme"
"""Reason of a refusal that no rule of screening explains: the analysis could not be made."""


class Judged(NamedTuple):
    """One analysis.

    Attributes:
        date: position of its acquisition in the series.
        seen: number of values that it was offered.
        refused: number of values that were seen and not used, by reason.
        recovered: number of pixels that stopped being finite, by what they went on from.
        sums: of the values that it used, by name.
        impact: of its channels on what is true (`Model.impact`); empty where nobody knows that.
    """

    date: int
    seen: int
    refused: Counter[str]
    recovered: Counter[str]
    sums: dict[str, Tensor]
    impact: dict[str, Tensor] = {}


def judge(
    model: Model,
    step: Step,
    date: int,
    analysed: Tensor,
    last: dict[str, Tensor] | None = None,
) -> Judged | None:
    """What an analysis said of its innovations; None where nothing judges them.

    Args:
        model: with the `tally` that judges.
        step: of the loop.
        date: position of its acquisition in the series.
        analysed: mean H of the analysis, ``[pixel, channel]``; what it is where nothing was seen
            does not matter.
        last: by sensor, the last innovations of each pixel of a block, which this one replaces;
            empty before the first step. None where steps are not judged in order of time, which
            leaves out whether innovations are white.
    """
    if model.tally is None:
        return None
    a = step.acquisition
    sums = model.tally(step.predicted, analysed, a.values, step.precision)
    if last is not None and model.follow is not None:
        said = step.predicted, a.values, step.precision
        white, last[a.sensor] = model.follow(last.get(a.sensor), *said)
        sums = sums | white
    return Judged(date, int(a.seen.sum()), refusals(model, step), recoveries(step), sums)


def refusals(model: Model, step: Step) -> Counter[str]:
    """How many values of a step were seen and not used, by reason."""
    a = step.acquisition
    found: Counter[str] = Counter()
    if model.reasons is not None:
        found.update(model.reasons(step.predicted, a.values, a.precision, step.precision))
    rest = int((a.seen & (step.precision == 0)).sum()) - found.total()
    return found + Counter({SCHEME: rest})


def reasons_in_all(judged: Sequence[Judged]) -> dict[str, int]:
    """How many values a run refused, by reason."""
    return dict(sum((one.refused for one in judged), Counter()))


def plain(judged: Judged) -> dict[str, Any]:
    """The same as numbers, lists and texts, without its date."""
    sums = {name: part.tolist() for name, part in judged.sums.items()}
    counted = {"refused": dict(judged.refused), "recovered": dict(judged.recovered)}
    return {"seen": judged.seen, **counted, "sums": sums}


def restored(said: Mapping[str, Any], date: int) -> Judged:
    """What `plain` gave, at a position in a series."""
    sums = {n: torch.tensor(part, dtype=torch.float64) for n, part in said["sums"].items()}
    return Judged(date, said["seen"], Counter(said["refused"]), Counter(said["recovered"]), sums)


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
            added([part.impact for part in parts]),
        )
        for parts in zip(*blocks, strict=True)
    ]
