"""One turn of the loop over all pixels of an operational run: time outside, blocks inside.

A service holds one state at a time, however long it runs. A turn carries every block of 256 pixels
through forecast and analysis and puts it back; beside the two states, memory is that of one block.
The loop and the draws are those of a hindcast, so a service that was fed one acquisition at a time
stands where the analysis of a hindcast over the same acquisitions stands, bit for bit.
"""

from __future__ import annotations

from collections import Counter
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
from releo_da.runs.joined import joined_state, statistics
from releo_da.runs.judged import Judged, joined_judged, judge
from releo_da.runs.model import Model, on
from releo_da.runs.timeline import where_seen
from releo_da.types import Acquisition, State, Step


class Turn(NamedTuple):
    """What one acquisition did to a state.

    Attributes:
        state: the analysis, on the CPU.
        derived: output variables, ``{name: [statistic, 1, pixel]}``.
        sums: background scores per channel, see `releo_da.diagnostics.streaming`.
        rejected: number of values refused by screening, per channel.
        diverged: number of pixels whose ensemble was not finite and was recovered.
        recovered: the same by what they went on from, ``background`` or ``prior``.
        judged: what the analysis said of its innovations, or None.
    """

    state: State
    derived: dict[str, np.ndarray]
    sums: dict[str, list[float]]
    rejected: dict[str, int]
    diverged: int
    recovered: dict[str, int]
    judged: Judged | None


def initial(
    model: Model,
    time: float,
    pixels: Tensor,
    members: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> State:
    """The ensemble before any observation, drawn block by block, on the CPU.

    Args:
        model: the joined system.
        time: days since 1970-01-01.
        pixels: ``[pixel]`` global ids.
        members: ensemble size.
        seed: of the run.
        device: where it is drawn.
    """
    like = torch.zeros((), dtype=torch.float32, device=device)
    parts, order = [], []
    for rows in blocks(pixels):
        noise = model.draws(seed, pixels[rows], like)(time, "initial")
        parts.append(model.initial(time, pixels[rows], members, noise))
        order.append(rows)
    return joined_state(parts, torch.argsort(torch.cat(order)).numpy())


def widened(
    model: Model, state: State, pixels: Tensor, seed: int, device: torch.device | str = "cpu"
) -> State:
    """A state carried to a longer pixel axis; a new pixel starts from the prior.

    Its memory is the prior's, and 0 where the prior has none.

    Args:
        model: the joined system.
        state: on the CPU.
        pixels: ``[pixel]`` global ids, ascending, those of the state among them.
        seed: of the run.
        device: where the prior is drawn.
    """
    if torch.equal(state.pixels, pixels):
        return state
    new = ~torch.isin(pixels, state.pixels)
    old = torch.searchsorted(pixels, state.pixels)
    fresh = initial(model, state.time, pixels[new], state.ensemble.shape[1], seed, device)
    ensemble = state.ensemble.new_empty((len(pixels), *state.ensemble.shape[1:]))
    ensemble[old], ensemble[new] = state.ensemble, fresh.ensemble.to(ensemble)
    memory = {}
    for name, held in state.memory.items():
        memory[name] = held.new_zeros((len(pixels), *held.shape[1:]))
        memory[name][old] = held
        if name in fresh.memory:
            memory[name][new] = fresh.memory[name].to(held)
    return State(state.time, ensemble, pixels, memory)


def turn(
    model: Model, state: State, acquisition: Acquisition, seed: int, device: torch.device | str
) -> Turn:
    """Forecast a state to an acquisition and assimilate it.

    Args:
        model: the joined system.
        state: on the CPU, at or before the acquisition's time.
        acquisition: on the same pixel axis, instrument errors only.
        seed: of the run.
        device: where a block lives while it is worked on.
    """
    analysis = state._replace(
        time=acquisition.time, ensemble=torch.empty_like(state.ensemble), memory={}
    )
    names = (*model.labels[acquisition.sensor], "ndvi")
    scored, refused = np.zeros((len(names), TERMS)), np.zeros(len(names) - 1, int)
    recovered: Counter[str] = Counter()
    judged: list[Judged] = []
    derived: dict[str, np.ndarray] = {}
    with torch.no_grad():
        for rows in blocks(state.pixels):
            step, numbers = _block_turn(model, state, on(acquisition, device, rows), rows, seed)
            scored += sums(numbers)
            lost = (step.acquisition.precision > 0) & (step.precision == 0)
            refused += lost.sum(0).cpu().numpy()
            after = step.analysis.ensemble
            recovered += recoveries(step)
            judged += _judged(model, step)
            analysis.ensemble[rows] = after.cpu()
            for name, held in step.analysis.memory.items():
                whole = held.new_empty((len(state.pixels), *held.shape[1:]), device="cpu")
                analysis.memory.setdefault(name, whole)[rows] = held.cpu()
            for name, members in model.derive(after, step.acquisition.angles).items():
                values = statistics(members[None].float().cpu().numpy())
                empty = np.empty((*values.shape[:-1], len(state.pixels)), values.dtype)
                derived.setdefault(name, empty)[..., rows.numpy()] = values
    counted = {name: terms.tolist() for name, terms in zip(names, scored, strict=True) if terms[0]}
    lost_by = {name: int(n) for name, n in zip(names, refused, strict=False) if n}
    said = joined_judged([[one] for one in judged])[0] if judged else None
    return Turn(analysis, derived, counted, lost_by, recovered.total(), dict(recovered), said)


def _judged(model: Model, step: Step) -> list[Judged]:
    """What the analysis of a block said of its innovations, where something judges them."""
    if model.tally is None:
        return []
    few = step.analysis.ensemble[:, :RESIDUAL_MEMBERS]
    said = judge(model, step, 0, where_seen(model.observe)(few, step.acquisition).mean(1))
    return [] if said is None else [said]


def _block_turn(
    model: Model, state: State, acquisition: Acquisition, rows: Tensor, seed: int
) -> tuple[Step, np.ndarray]:
    """The step of one block, and its comparison with what was about to be assimilated."""
    part = model.error(acquisition)
    device = part.values.device
    held = State(
        state.time,
        state.ensemble[rows].to(device),
        state.pixels[rows],
        {name: values[rows].to(device) for name, values in state.memory.items()},
    )
    draws = model.draws(seed, held.pixels, part.values)
    system = model.system._replace(observe=where_seen(model.observe))
    (step,) = cycle(held, [part], system, draws, model.initial)
    index = ndvi_index(part.sensor, model.channels[part.sensor])
    noise = draws(part.time, "verify background")
    return step, compare(step.predicted, part, part.seen, index, noise)
