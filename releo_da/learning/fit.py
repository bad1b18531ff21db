r"""Fitting dynamics and observation error by the likelihood through the filter.

An epoch passes over the training pixels in batches, drawn anew each time. A step is taken after
each batch, or after every so many stretches of its acquisitions, when the filter goes on with the
new parameters:

    theta <- theta + Adam(grad of (S sum_(its stretches) L - penalty) / n)

with L the likelihood of a stretch (`releo_da.learning.stretches`), S steps per epoch, n values, and
the penalty of `releo_da.learning.anchors`: on the mean over an epoch the ascent of the likelihood
per value, the penalty counted once. The learning rate falls to zero as half a cosine over all
steps. What the data of a stretch leave open, as those of an autumn the coefficients of a spring,
goes astray where a step is taken on it alone; a long record of a model without seasons gains by
more steps. Observations are hidden at random but still predicted
(`releo_da.learning.gaps`).

A network beside an equation explains what the equation could, and fitted together with it takes the
equation elsewhere. With ``physics_first`` epochs what stands beside the equation is held as it
starts in these, and the equation is held after them; the learning rate falls to zero in each of the
two parts.

What is learned of the training values may be learned by heart. Pixels and years can be held out:
each epoch judges them by the same likelihood, always with the same noise and the same gaps, so that
epochs can be compared; what is left behind are the parameters that judged best, and the fit ends
when none was better for ``patience`` epochs. What diverges judges worse than anything: a fit ends
there with the best parameters, or is refused where nothing has judged any.

Everything random of an epoch comes from a generator of (seed, epoch), so that a fit that goes on
from what `Fitting` holds takes the steps that it would have taken.

Cost per epoch: about three operator evaluations per acquisition, training pixel and member, and one
per value that is held out.

Reference: Chen, Sanz-Alonso and Willett (2022), SIAM J. Math. Data Sci. 4, 801-833, algorithm 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from releo_da.cycling.draws import generator
from releo_da.learning.fitting import Best, Epoch, Fitting, Schedule
from releo_da.learning.stretches import Diverged, Part, Problem, log_likelihood, numbers, stretches

CLIP = 10.0
"""Largest norm of the gradient per value of a step; longer ones are shortened."""

JUDGED = 20170
"""Seed of noise and gaps of what is held out."""


def fit(
    fitting: Fitting,
    problem: Problem,
    training: Part,
    schedule: Schedule,
    seed: int,
    judges: Sequence[Part] = (),
) -> Iterator[Epoch]:
    """Fit parameters in place; yields once per epoch, when a checkpoint may be written.

    Args:
        fitting: as it stands, of `begun` or of a checkpoint.
        problem: the filter, of which the parameters are part.
        training: what is learned from, with instrument errors.
        schedule: how long and how fast.
        seed: of all randomness of the fit.
        judges: what is held out; nothing when empty.

    Raises:
        Diverged: the model of some step carries the ensemble to infinity, and nothing has judged
            any parameters.
    """
    observations, held = training.values, sum(part.values for part in judges)

    def judged() -> float | None:
        if not judges:
            return None
        source = torch.Generator().manual_seed(JUDGED)
        try:
            said = sum(log_likelihood(problem, part, schedule.gaps, source) for part in judges)
        except Diverged:
            if not fitting.best.values:
                raise
            return None
        if said > fitting.best.judgement:
            values = {name: p.detach().clone() for name, p in fitting.parameters.items()}
            fitting.best = Best(said, fitting.number, values)
        return said

    while fitting.number < schedule.epochs:
        number, said = fitting.number, judged()
        fitting.last, penalty = said, float(fitting.penalty().detach())
        waited = number - max(fitting.best.number, schedule.physics_first)
        if schedule.patience and judges and waited >= schedule.patience:
            break
        if schedule.physics_first:
            fitting.move(int(number >= schedule.physics_first))
        try:
            likelihood = _climb(fitting, problem, training, schedule, seed)
        except Diverged:
            if not fitting.best.values:
                raise
            break
        fitting.number += 1
        yield Epoch(number, likelihood, penalty, observations, said, held)
    else:
        fitting.last = judged()
    with torch.no_grad():
        for name, value in fitting.best.values.items():
            fitting.parameters[name].copy_(value)


def _climb(
    fitting: Fitting, problem: Problem, training: Part, schedule: Schedule, seed: int
) -> float:
    """The steps of one epoch; the log-likelihood that they met."""
    source = generator(seed, fitting.number, 0.0, "fit")
    batches = _batches(len(training.pixels), schedule.batch, source)
    last = math.ceil(len(training.acquisitions) / schedule.truncate)
    every = schedule.stretches or last
    steps, observations = len(batches) * math.ceil(last / every), training.values
    likelihood, done, now = 0.0, 0, f"in epoch {fitting.number}"
    for rows in batches:
        part = training.at(rows)
        found = stretches(problem, part, schedule.gaps, schedule.truncate, source)
        fitting.optimiser.zero_grad()
        for k, stretch in enumerate(numbers(found, now), 1):
            (-steps / observations * stretch).backward()
            likelihood += float(stretch.detach())
            if k % every == 0 or k == last:
                done += 1
                rate = schedule.rate(fitting.number + (done - 1) / steps)
                _step(fitting, fitting.penalty() / observations, rate)
    if not all(bool(torch.isfinite(p).all()) for p in fitting.parameters.values()):
        raise Diverged(now)  # a gradient was not finite where the likelihood was
    return likelihood


def _step(fitting: Fitting, penalty: Tensor, rate: float) -> None:
    """One step of Adam along the gradient that is there and that of the penalty."""
    if penalty.requires_grad:
        penalty.backward()
    nn.utils.clip_grad_norm_(fitting.parameters.values(), CLIP)
    for group in fitting.optimiser.param_groups:
        group["lr"] = rate
    fitting.optimiser.step()
    fitting.optimiser.zero_grad()


def _batches(pixels: int, size: int, source: torch.Generator) -> Sequence[Tensor]:
    """Positions of pixels in random parts of about the same number, each in order."""
    if not size or size >= pixels:
        return [torch.arange(pixels)]
    parts = torch.randperm(pixels, generator=source).tensor_split(math.ceil(pixels / size))
    return [part.sort().values for part in parts]
