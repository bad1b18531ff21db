"""What is known of the pixels of a twin experiment: their truth, and what was seen of it.

Made once for all pixels of a piece of work, of which portions are taken (`Known.part`). Memory:
some numbers per pixel and date, ``[pixel, channel]`` and ``[pixel, name]``; no ensemble.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.runs.acquire import Derive, Nature
from releo_da.runs.block import Task
from releo_da.runs.joined import statistics
from releo_da.runs.model import Model, on
from releo_da.runs.timeline import requests
from releo_da.state.variables import deviations
from releo_da.types import Acquisition


@dataclass(frozen=True)
class Known:
    """Acquisitions of some pixels and the truth behind them.

    Attributes:
        acquisitions: in time order, with full errors, on the run's device.
        exact: ``[pixel, channel]`` per acquisition, H of the truth.
        names: of the variables that are compared with the truth.
        targets: ``[pixel, name]`` per acquisition, what they are.
        scale: ``[name]``, the deviation of the prior in the table of variables, 0 of what is no
            variable of it.
    """

    acquisitions: list[Acquisition]
    exact: list[Tensor]
    names: tuple[str, ...]
    targets: list[Tensor]
    scale: Tensor

    def part(self, rows: Tensor) -> Known:
        """The same of some of the pixels, ``rows [row]`` of them."""
        acquisitions = [on(a, a.values.device, rows) for a in self.acquisitions]
        exact, targets = [e[rows] for e in self.exact], [t[rows] for t in self.targets]
        return Known(acquisitions, exact, self.names, targets, self.scale)


def known(
    model: Model,
    nature: Nature,
    compared: Derive,
    task: Task,
    pixels: Tensor,
    device: torch.device | str,
) -> Known:
    """Truth and acquisitions on a device, with the variables that estimates are compared with.

    Args:
        model: the system that assimilates.
        nature: truth and acquisitions of the pixels.
        compared: an ensemble and angles to the variables that are compared with the truth, those
            of them that it has.
        task: members, seed, product times, horizons.
        pixels: ``[pixel]`` global ids.
        device: where tensors live.
    """
    acquisitions = [model.error(on(a, device)) for a in nature.acquisitions]
    first, like = acquisitions[0], acquisitions[0].values
    told = [_variables(nature, a) for a in acquisitions]
    one = model.initial(task.start, pixels[:1], 2, lambda shape: like.new_zeros(tuple(shape)))
    mine = compared(one.ensemble, first.angles[:1])
    names = tuple(name for name in told[0] if name in mine)
    state = nature.truth.decode(_states(nature, first))
    table = {name: deviation for name, deviation in deviations().items() if name in state}
    return Known(
        acquisitions,
        [exact.to(device) for exact in nature.exact],
        names,
        [torch.stack([one[name][:, 0] for name in names], -1) for one in told],
        torch.tensor([table.get(name, 0.0) for name in names], device=device),
    )


def true_products(nature: Nature, task: Task, acquisitions: list[Acquisition]) -> dict[str, Array]:
    """Output variables of the truth at the requested dates, ``{name: [statistic, time, pixel]}``.

    Args:
        nature: the truth.
        task: with the dates.
        acquisitions: whose angles are taken, of the nearest in time.
    """
    derived = [
        nature.truth.derive(_states(nature, a).expand(-1, 2, -1), a.angles)
        for a in requests(task.asked, acquisitions)
    ]
    return stacked(derived)


def stacked(derived: list[dict[str, Tensor]]) -> dict[str, Array]:
    """Statistics of output variables of several dates, ``{name: [statistic, time, pixel]}``.

    Args:
        derived: per date, ``[pixel, member]`` by name.
    """
    return {
        name: statistics(np.stack([one[name].float().cpu().numpy() for one in derived]))
        for name in (derived[0] if derived else ())
    }


def _states(nature: Nature, a: Acquisition) -> Tensor:
    """The truth at the time of an acquisition, ``[pixel, 1, latent]``."""
    return nature.states[a.time].to(a.angles.device)


def _variables(nature: Nature, a: Acquisition) -> dict[str, Tensor]:
    """Variables of the truth at an acquisition, ``[pixel, 1]`` each."""
    states = _states(nature, a)
    return {**nature.truth.decode(states), **nature.truth.derive(states, a.angles)}
