r"""Fitting a network to a table of inputs and targets.

    minimise  mean over rows of  cost(f(x), y),    such as  sum_k weight_k (f(x)_k - y_k)^2

by Muon for the hidden matrices and Adam for the rest, over shuffled batches. The rate rises over
the first steps and falls to zero as half a cosine. What is kept is not the last iterate but an
average over the last few hundred steps, with the weight 1 - 1 / steps for what came before, which
removes the noise of the batches.

Everything random comes from the generator; on one thread of one kind of processor the result is the
same to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from releo_da.learning.muon import Muon

WARM_UP = 200
"""Steps over which the rate rises, or a tenth of all."""

HIDDEN_RATE = 5.0
"""Rate of Muon in units of Adam's."""


class Pass(NamedTuple):
    """What one pass over the table reports.

    Attributes:
        number: from 0.
        loss: mean over the batches of the pass, of the weights at the time.
    """

    number: int
    loss: float


Cost = Callable[[Tensor, Tensor], Tensor]
"""``cost(outputs [n, out], targets [n, ..]) -> []``, a mean over rows."""


def squares(weight: Tensor) -> Cost:
    """The mean over rows of weighted squared errors, ``weight [out]``."""
    return lambda outputs, targets: ((outputs - targets).square() @ weight).mean()


def regress(
    network: nn.Module,
    hidden: Sequence[Tensor],
    inputs: Tensor,
    targets: Tensor,
    cost: Cost,
    generator: torch.Generator,
    passes: int,
    batch: int,
    learning_rate: float,
    average: int,
) -> Iterator[Pass]:
    """Fit a network in place; yields once per pass, and leaves the averaged weights at the end.

    Args:
        network: ``[n, in] -> [n, out]``.
        hidden: its hidden weight matrices.
        inputs: ``[row, in]``.
        targets: ``[row, out]``.
        cost: of outputs and targets.
        generator: shuffles the rows.
        passes: over the table.
        batch: rows per step; what is left over in a pass is dropped.
        learning_rate: of Adam.
        average: steps over which weights are averaged.
    """
    parameters: list[Tensor] = list(network.parameters())
    inside = {id(p) for p in hidden}
    rest = [p for p in parameters if id(p) not in inside]
    muon, adam = Muon(hidden), torch.optim.Adam(rest, lr=learning_rate, betas=(0.9, 0.99))
    averages = [p.detach().clone() for p in parameters]
    batch = min(batch, len(inputs))
    steps = len(inputs) // batch
    done, warm = 0, min(WARM_UP, max(1, passes * steps // 10))
    for number in range(passes):
        order = torch.randperm(len(inputs), generator=generator)
        total = 0.0
        for rows in order[: steps * batch].split(batch):
            share = done / (passes * steps)
            rate = min(1.0, (done + 1) / warm) * 0.5 * (1.0 + math.cos(math.pi * share))
            loss = cost(network(inputs[rows]), targets[rows])
            network.zero_grad()
            loss.backward()
            for group in adam.param_groups:
                group["lr"] = rate * learning_rate
            adam.step()
            muon.step(rate * learning_rate * HIDDEN_RATE)
            done += 1
            with torch.no_grad():
                # Early on the average is over what there is.
                share = 1.0 / min(average, 1 + done // 2)
                torch._foreach_lerp_(averages, parameters, share)
            total += float(loss.detach())
        if number + 1 == passes:
            with torch.no_grad():
                for p, mean in zip(parameters, averages, strict=True):
                    p.copy_(mean)
        yield Pass(number, total / steps)
