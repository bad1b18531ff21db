r"""Pre-training an encoder: steps down the gradient of what it says of hidden values.

    w(n+1) = Adam(w(n), grad loss(batch(n))),    loss of `releo_da.learning.prediction`

A batch is a part of a series with something hidden; which part, and what is hidden of it, follow
from the number of the step. So do the points at which the operator is evaluated: everything random
of step n comes from a generator of (seed, n) (`releo_da.cycling.draws`), and a training that was
interrupted goes on as if it had not been, to the last bit. Every so many steps the loss of series
that no step is taken on is looked at; what is left at the end are the weights of the best look, and
the training ends early when it gets no better.

Cost: one encoding and the canopies of one batch per step, forward and backward.

Reference: Prechelt (1998), Early stopping, but when?, LNCS 1524, 55-69.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from releo_da.cycling.draws import generator
from releo_da.learning.margins import Margin
from releo_da.learning.prediction import DIVERGED, Batch, Loss, loss_of, simplex
from releo_da.types import InputError, ObservationOperator

CLIP = 10.0
"""Largest norm of a gradient that a step is taken with; longer ones are shortened."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast an encoder is trained.

    Attributes:
        steps: at most.
        learning_rate: of Adam, at its height.
        warm_up: steps over which the rate rises; afterwards it falls to zero as half a cosine.
        beta: weight of the divergence from the prior.
        known: weight of the density of known latents.
        every: steps between two looks at the validation series.
        patience: looks without a better one after which the training ends.
        contamination: probability of undetected cloud.
    """

    steps: int = 6000
    learning_rate: float = 2e-3
    warm_up: int = 200
    beta: float = 0.02
    known: float = 1.0
    every: int = 250
    patience: int = 8
    contamination: float = 1e-3

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rising = min(1.0, (step + 1) / max(1, self.warm_up))
        return self.learning_rate * rising * 0.5 * (1.0 + math.cos(math.pi * step / self.steps))


class Look(NamedTuple):
    """What is told after each look at the validation series.

    Attributes:
        step: steps done.
        train: mean loss of the steps since the last look.
        validation: mean loss of the validation series.
        prediction: the part of it that hidden values have, per value.
        skipped: steps since the last look whose gradient was not finite and was not taken.
    """

    step: int
    train: float
    validation: float
    prediction: float
    skipped: int


@dataclass
class Training:
    """A training as it stands: all that the next step depends on.

    Attributes:
        encoder: with the weights of the last step.
        optimiser: Adam over them.
        step: steps done.
        looks: all so far.
        best: weights of the best look, by name; those at the start before the first.
    """

    encoder: nn.Module
    optimiser: torch.optim.Adam
    step: int = 0
    looks: list[Look] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_look(self) -> Look | None:
        """The look with the lowest validation loss, the first of several."""
        return min(self.looks, key=lambda look: look.validation, default=None)


def begun(encoder: nn.Module, schedule: Schedule) -> Training:
    """A training of which no step is done."""
    adam = torch.optim.Adam(encoder.parameters(), lr=schedule.learning_rate, betas=(0.9, 0.99))
    return Training(encoder, adam, best=weights(encoder))


def weights(encoder: nn.Module) -> dict[str, Tensor]:
    """A copy of what an encoder holds, by name."""
    return {name: held.detach().clone() for name, held in encoder.state_dict().items()}


def pretrain(
    training: Training,
    schedule: Schedule,
    batch: Callable[[int], Batch],
    validation: Sequence[Batch],
    observe: ObservationOperator,
    prior: Any,
    seed: int,
    margins: Sequence[Margin] = (),
) -> Iterator[Look]:
    """Train an encoder in place; yields after each look, when a checkpoint may be written.

    At the end the encoder has the weights of its best look. A training that is at its end already
    does no step.

    Args:
        training: as it stands, of `begun` or of a checkpoint.
        schedule: how long and how fast.
        batch: ``batch(step)``, what a step is taken on; a function of its number alone.
        validation: of series that no step is taken on.
        observe: the observation operator.
        prior: of the state without any observation, as the divergence takes it.
        seed: of the points at which H is evaluated.
        margins: densities of hidden values that count beside the joint one.

    Raises:
        InputError: the loss is no finite number any more.
    """
    encoder, adam = training.encoder, training.optimiser

    def judged(one: Batch, stage: str, number: int) -> Loss:
        q = encoder(one.tokens, one.times, one.statics)
        source = generator(seed, number, 0.0, stage)
        points = simplex(len(one.times), q.mean.shape[-1], source)
        return loss_of(q, one, observe, prior, points, schedule.contamination, margins)

    total, done, skipped = 0.0, 0, 0
    while training.step < schedule.steps and not tired(training, schedule):
        encoder.train()
        loss = judged(batch(training.step), "pretraining", training.step)
        whole = loss.total(schedule.beta, schedule.known)
        adam.zero_grad()
        whole.backward()
        norm = nn.utils.clip_grad_norm_(encoder.parameters(), CLIP)
        for group in adam.param_groups:
            group["lr"] = schedule.rate(training.step)
        if bool(norm.isfinite()):
            adam.step()
            total, done = total + float(whole.detach()), done + 1
        else:
            skipped += 1
        training.step += 1
        if training.step % schedule.every and training.step < schedule.steps:
            continue
        encoder.eval()
        with torch.no_grad():
            found = [judged(one, "validation", k) for k, one in enumerate(validation)]
        each = [float(one.total(schedule.beta, schedule.known)) for one in found]
        mean = sum(each) / len(each)
        if not done or not math.isfinite(mean):
            raise InputError(DIVERGED)
        predicted = sum(float(one.prediction) for one in found) / len(found)
        train = total / done
        before = training.best_look
        training.looks.append(Look(training.step, train, mean, predicted, skipped))
        if before is None or mean < before.validation:
            training.best = weights(encoder)
        total, done, skipped = 0.0, 0, 0
        yield training.looks[-1]
    encoder.eval()
    encoder.load_state_dict(training.best)


def tired(training: Training, schedule: Schedule) -> bool:
    """Whether the last looks, ``patience`` of them, were no better than the best one."""
    best = training.best_look
    return best is not None and len(training.looks) - 1 - training.looks.index(best) >= (
        schedule.patience
    )
