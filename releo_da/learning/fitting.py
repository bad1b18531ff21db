"""A fit as it stands: how long and how fast it climbs, what it has reached, what it reports.

`releo_da.learning.fit` takes the steps. All that the next epoch depends on is in `Fitting`, so a
checkpoint of it is where a fit goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from releo_da.learning.anchors import Parametrised, anchored
from releo_da.learning.gaps import GAPS, Gaps

Parts = tuple[Sequence[nn.Parameter], Sequence[nn.Parameter]]
"""Parameters of the physics, and of what stands beside it."""


class Epoch(NamedTuple):
    """What one epoch of a fit reports.

    Attributes:
        number: from 0.
        log_likelihood: of the training values, each by the parameters that met it.
        penalty: of the anchors, of the first parameters.
        observations: training values.
        held_out: log-likelihood of what is held out, by the first parameters; None without any,
            and where it is no number.
        held_out_observations: values held out.
    """

    number: int
    log_likelihood: float
    penalty: float
    observations: int
    held_out: float | None = None
    held_out_observations: int = 0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a fit climbs.

    Attributes:
        epochs: passes over the data, at most.
        learning_rate: of Adam, at the start.
        truncate: acquisitions per stretch.
        stretches: per step; 0 for all.
        batch: pixels per step, at most; 0 for all.
        gaps: how observations are hidden.
        patience: epochs without a better judgement after which the fit ends; 0 for never.
        physics_first: epochs in which what stands beside the physics rests, and after which the
            physics rests; 0 for all at once.
    """

    epochs: int = 60
    learning_rate: float = 0.05
    truncate: int = 10
    stretches: int = 0
    batch: int = 0
    gaps: Gaps = GAPS
    patience: int = 0
    physics_first: int = 0

    def rate(self, epochs: float) -> float:
        """The learning rate when so many epochs are done, in parts of one."""
        first = self.physics_first if epochs >= self.physics_first else 0
        last = self.epochs if epochs >= self.physics_first else self.physics_first
        done = (epochs - first) / (last - first)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


class Best(NamedTuple):
    """The highest judgement so far, the number of its epoch, and the parameters by name."""

    judgement: float = -math.inf
    number: int = 0
    values: Mapping[str, Tensor] = {}


@dataclass
class Fitting:
    """A fit as it stands: all that the next epoch depends on.

    Attributes:
        parameters: what is learned, by name.
        penalty: of the anchors, which are the parameters before the first epoch.
        optimiser: Adam over them.
        number: epochs done.
        best: the best judged parameters.
        last: what judged the parameters after ``number`` epochs once the fit has ended; None where
            nothing did.
        parts: the parameters of the physics, and those of what stands beside it.
    """

    parameters: dict[str, nn.Parameter]
    penalty: Callable[[], Tensor]
    optimiser: torch.optim.Adam
    number: int = 0
    best: Best = field(default_factory=Best)
    last: float | None = None
    parts: Parts = ((), ())

    def move(self, part: int) -> None:
        """Let one of the parts move and the other rest."""
        for k, parameters in enumerate(self.parts):
            for parameter in parameters:
                parameter.requires_grad_(k == part)


def begun(
    modules: Mapping[str, Parametrised], anchors: bool = True, parts: Parts = ((), ())
) -> Fitting:
    """A fit of which no epoch is done.

    Args:
        modules: what is learned, in place, of what needs a gradient; a parameter is named
            ``module.parameter``.
        anchors: whether parameters have priors about their present values.
        parts: those of the physics, and of what stands beside it, for ``physics_first``.

    Raises:
        KeyError: a parameter has no scale of its prior.
    """
    parameters = {
        f"{module}.{name}": parameter
        for module, held in modules.items()
        for name, parameter in held.named_parameters()
        if parameter.requires_grad
    }
    penalty = anchored(list(modules.values()) if anchors else [])
    optimiser = torch.optim.Adam(parameters.values(), betas=(0.9, 0.99))
    first, second = ([p for p in part if p.requires_grad] for part in parts)
    return Fitting(parameters, penalty, optimiser, parts=(first, second))
