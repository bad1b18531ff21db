"""One turn of the loop over all pixels of an operational run: time outside, blocks inside.

A turn takes every block of 256 pixels out of the last state, carries it through forecast and
analysis and hands it on:

    take(rows) -> forecast -> analyse -> keep(state of the rows)
                                      -> write(ids, output variables)

What takes and what keeps are files (`releo_da.io.state_rows`, `releo_da.io.state_parts`), so memory
is that of one block, however many pixels there are. The loop and the draws are those of a
hindcast, so a service that was fed one acquisition at a time stands where the analysis of a
hindcast over the same acquisitions stands, bit for bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.cycling.cycle import cycle
from releo_da.cycling.recovery import recoveries
from releo_da.diagnostics.streaming import TERMS, sums
from releo_da.runs.block import RESIDUAL_MEMBERS
from releo_da.runs.compare import compare, ndvi_index
from releo_da.runs.hindcast import blocks
from releo_da.runs.joined import statistics
from releo_da.runs.judged import Judged, joined_judged, judge
from releo_da.runs.model import Model, on
from releo_da.runs.timeline import where_seen
from releo_da.runs.timing import Clock
from releo_da.types import Acquisition, State, Step

LAST_SEEN = "last_seen"
"""In the memory of a state of a cycling run: when each pixel was seen clear, ``[pixel]`` days. It
counts from when a pixel joined the run, and is rewound with the state. Schemes do not meet it."""

Take = Callable[[Tensor], State]
"""``take(rows)``, the state of some rows of the pixel axis."""


class Turn(NamedTuple):
    """What one acquisition did to a state, beside the state and the output variables.

    Attributes:
        sums: background scores per channel, see `releo_da.diagnostics.streaming`.
        rejected: number of values refused by screening, per channel.
        diverged: number of pixels whose ensemble was not finite and was recovered.
        recovered: the same by what they went on from, ``background`` or ``prior``.
        judged: what the analysis said of its innovations, or None.
        seconds: by the wall clock, of forecast, analysis and output variables alone, without what
            takes, keeps and writes.
        pixels: number of pixels of the state.
        stale: number of those that were not seen clear for so many days.
        factor: by which the errors of the acquisition were multiplied.
        unseen: the longest time (days) for which a pixel had not been seen before.
    """

    sums: dict[str, list[float]]
    rejected: dict[str, int]
    diverged: int
    recovered: dict[str, int]
    judged: Judged | None
    seconds: float
    pixels: int
    stale: int
    factor: float
    unseen: float


def prior(
    model: Model,
    time: float,
    pixels: Tensor,
    members: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> Take:
    """The ensemble before any observation, drawn where it is taken.

    Args:
        model: the joined system.
        time: days since 1970-01-01.
        pixels: ``[pixel]`` global ids.
        members: ensemble size.
        seed: of the run.
        device: where it is drawn.
    """
    like = torch.zeros((), dtype=torch.float32, device=device)

    def take(rows: Tensor) -> State:
        noise = model.draws(seed, pixels[rows], like)(time, "initial")
        return model.initial(time, pixels[rows], members, noise)

    return take


def widened(take: Take, held: Tensor, pixels: Tensor, fresh: Take) -> Take:
    """A state on a longer pixel axis; a new pixel starts from the prior.

    Its memory is the prior's, and 0 where the prior has none.

    Args:
        take: the state.
        held: ``[pixel]`` global ids of the state, ascending.
        pixels: ``[pixel]`` global ids, ascending, those of the state among them.
        fresh: the prior at the time of the state, on the longer axis.
    """
    if torch.equal(held, pixels):
        return take

    def both(rows: Tensor) -> State:
        ids = pixels[rows]
        new = ~torch.isin(ids, held)
        old = take(torch.searchsorted(held, ids[~new]))
        if not new.any():
            return old
        drawn = fresh(rows[new])

        def joined(part: Tensor, other: Tensor | None) -> Tensor:
            whole = part.new_zeros((len(rows), *part.shape[1:]))
            whole[~new] = part
            if other is not None:
                whole[new] = other.to(whole)
            return whole

        memory = {name: joined(part, drawn.memory.get(name)) for name, part in old.memory.items()}
        return State(old.time, joined(old.ensemble, drawn.ensemble), ids, memory)

    return both


def turn(
    model: Model,
    take: Take,
    pixels: Tensor,
    acquisition: Acquisition,
    seed: int,
    keep: Callable[[State], None],
    write: Callable[[np.ndarray, dict[str, np.ndarray]], None],
    device: torch.device | str = "cpu",
    factor: float = 1.0,
    stale_days: float = 60.0,
) -> Turn:
    """Forecast a state to an acquisition and assimilate it, block by block.

    Args:
        model: the joined system.
        take: the state, at or before the acquisition's time.
        pixels: ``[pixel]`` global ids, ascending.
        acquisition: on the same pixel axis, instrument errors only.
        seed: of the run.
        keep: takes the analysis of the next pixels.
        write: ``write(ids, {name: [statistic, 1, pixel]})``, takes their output variables.
        device: where a block lives while it is worked on.
        factor: by which the errors of the acquisition are multiplied, 1 for a sensor that is
            believed (`releo_da.diagnostics.health`).
        stale_days: days after which a pixel that was not seen clear is counted as stale.
    """
    names = (*model.labels[acquisition.sensor], "ndvi")
    scored, refused = np.zeros((len(names), TERMS)), np.zeros(len(names) - 1, int)
    recovered: Counter[str] = Counter()
    judged: list[Judged] = []
    clock = Clock(perf_counter)
    take = clock.timed("files", take)
    keep, write = clock.timed("files", keep), clock.timed("files", write)
    start = perf_counter()
    stale, unseen = 0, 0.0
    with torch.no_grad():
        for rows in blocks(pixels):
            held, part = take(rows), on(acquisition, device, rows)
            before = held.memory.pop(LAST_SEEN, None)
            step, numbers = _block_turn(model, held, part, seed, factor)
            unseen = max(unseen, since_seen(before, held.time, part.time))
            seen = last_seen(before, part)
            stale += int((acquisition.time - seen > stale_days).sum())
            scored += sums(numbers)
            lost = (step.acquisition.precision > 0) & (step.precision == 0)
            refused += lost.sum(0).cpu().numpy()
            recovered += recoveries(step)
            judged += _judged(model, step)
            remembered = {**step.analysis.memory, LAST_SEEN: seen}
            keep(step.analysis._replace(memory=remembered))
            derived = model.derive(step.analysis.ensemble, step.acquisition.angles)
            found = {n: statistics(m[None].float().cpu().numpy()) for n, m in derived.items()}
            write(pixels[rows].numpy(), found)
    counted = {name: terms.tolist() for name, terms in zip(names, scored, strict=True) if terms[0]}
    lost_by = {name: int(n) for name, n in zip(names, refused, strict=False) if n}
    said = joined_judged([[one] for one in judged])[0] if judged else None
    seconds = perf_counter() - start - clock.spent.get("files", 0.0)
    lost_pixels = recovered.total(), dict(recovered)
    return Turn(counted, lost_by, *lost_pixels, said, seconds, len(pixels), stale, factor, unseen)


def since_seen(before: Tensor | None, time: float, now: float) -> float:
    """The longest time (days) since one of the pixels of a state was seen.

    Args:
        before: when each was seen, as of `last_seen`; None or 0 where it never was.
        time: of the state, which stands for a look at these.
        now: until when.
    """
    known = torch.full((1,), time, dtype=torch.float64)
    if before is not None:
        known = torch.where(before.cpu() == 0, known, before.cpu())
    return float((now - known).max())


def last_seen(before: Tensor | None, acquisition: Acquisition) -> Tensor:
    """When each pixel was seen clear, ``[pixel]`` float64 days, on the CPU.

    Args:
        before: the same before the acquisition; None, or 0, of a pixel that joins the run with it.
        acquisition: of these pixels.
    """
    seen = acquisition.seen.any(-1).cpu()
    if before is None:
        return torch.full(seen.shape, acquisition.time, dtype=torch.float64)
    before = before.cpu()
    return before.masked_fill(seen | (before == 0), acquisition.time)


def _judged(model: Model, step: Step) -> list[Judged]:
    """What the analysis of a block said of its innovations, where something judges them."""
    if model.tally is None:
        return []
    few = step.analysis.ensemble[:, :RESIDUAL_MEMBERS]
    said = judge(model, step, 0, where_seen(model.observe)(few, step.acquisition).mean(1))
    return [] if said is None else [said]


def _block_turn(
    model: Model, state: State, acquisition: Acquisition, seed: int, factor: float
) -> tuple[Step, np.ndarray]:
    """The step of one block, and its comparison with what was about to be assimilated."""
    part = model.error(acquisition)
    if factor != 1.0:
        part = part._replace(error=part.error * factor)
    device = part.values.device
    held = state._replace(
        ensemble=state.ensemble.to(device),
        memory={name: values.to(device) for name, values in state.memory.items()},
    )
    draws = model.draws(seed, held.pixels, part.values)
    system = model.system._replace(observe=where_seen(model.observe))
    (step,) = cycle(held, [part], system, draws, model.initial)
    index = ndvi_index(part.sensor, model.channels[part.sensor])
    noise = draws(part.time, "verify background")
    return step, compare(step.predicted, part, part.seen, index, model.errors(noise))
