r"""Fitting dynamics and observation error by the likelihood through the filter.

Each epoch runs the filter over the training acquisitions and climbs the gradient of

    L = sum_t log p(y_t | y_1..t-1) - penalty            (`likelihood`, `anchors`)

Two things make the fit serve forecasts as well as analyses. Observations are hidden at random, one
by one and in stretches of weeks, but still predicted: so long gaps count. Back-propagation is cut
every ``truncate`` acquisitions, which bounds memory and the length of the gradient's path. What a
scheme remembers between cycles (`adaptive`, `tuned`) goes along and is cut there too.

What is learned of the training pixels may be learned by heart. Pixels can be held out: each epoch
judges them by the same likelihood, always with the same noise and the same gaps, so that epochs can
be compared; what is left behind are the parameters that judged best, and the fit ends when none was
better for ``patience`` epochs.

Cost per epoch: about three operator evaluations per acquisition, training pixel and member, and one
per held-out pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from releo_da.assimilation.screening import remembered
from releo_da.cycling.memory import lent, returned
from releo_da.learning.anchors import Parametrised, anchored
from releo_da.learning.likelihood import CONTAMINATION, innovation_likelihood
from releo_da.types import (
    Acquisition,
    Forecaster,
    Noise,
    ObservationOperator,
    Scheme,
    State,
)


class LearnedForecaster(Parametrised, Forecaster, Protocol):
    """A forecaster with parameters that also draws the first ensemble."""

    def initial(self, time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        """The ensemble before any observation."""
        ...


class LearnedError(Parametrised, Protocol):
    """Completes an acquisition's error by parameters."""

    def __call__(self, acquisition: Acquisition) -> Acquisition:
        """The acquisition with its full error."""
        ...


class Epoch(NamedTuple):
    """What one epoch of the fit reports, of the parameters that it started with.

    Attributes:
        number: from 0.
        log_likelihood: of the training pixels.
        penalty: of the anchors.
        observations: values of the training pixels.
        held_out: log-likelihood of the pixels that are held out; None without any.
        held_out_observations: their values.
    """

    number: int
    log_likelihood: float
    penalty: float
    observations: int
    held_out: float | None = None
    held_out_observations: int = 0


class Gaps(NamedTuple):
    """How observations are hidden while fitting.

    Attributes:
        single: probability that a pixel's acquisition is hidden on its own.
        stretch: probability that a pixel has one long gap.
        days: shortest and longest gap.
    """

    single: float = 0.2
    stretch: float = 0.6
    days: tuple[float, float] = (15.0, 75.0)


JUDGED = 20170
"""Seed of noise and gaps of held-out pixels."""

GAPS = Gaps()
"""What is hidden unless a configuration says otherwise."""


def hidden(times: Sequence[float], pixels: int, gaps: Gaps, generator: torch.Generator) -> Tensor:
    """Which acquisitions are not assimilated in an epoch, ``[time, pixel]`` bool."""
    axis = torch.tensor(times, dtype=torch.float64)[:, None]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    single = uniform(len(times), pixels) < gaps.single
    start = axis[0] + uniform(pixels) * (axis[-1] - axis[0])
    length = gaps.days[0] + uniform(pixels) * (gaps.days[1] - gaps.days[0])
    stretch = (axis >= start) & (axis < start + length) & (uniform(pixels) < gaps.stretch)
    return single | stretch


def filter_likelihood(
    state: State,
    acquisitions: Sequence[Acquisition],
    hide: Tensor,
    forecaster: Forecaster,
    observe: ObservationOperator,
    error: Callable[[Acquisition], Acquisition],
    analyse: Scheme,
    noise: Noise,
    truncate: int,
    contamination: float = CONTAMINATION,
) -> Iterator[Tensor]:
    """Log-likelihood of stretches of ``truncate`` acquisitions, each with its own graph."""
    total = state.ensemble.new_zeros(())
    for k, acquisition in enumerate(acquisitions):
        background = forecaster(state, acquisition.time, noise)
        full = error(acquisition)
        prior = background.ensemble
        predicted = observe(prior, full)
        known = remembered(partial(observe, acquisition=full), prior, predicted)
        terms = innovation_likelihood(predicted, full.values, full.precision, contamination)
        total = total + terms.log_density.sum()
        used = (terms.clean * ~hide[k].to(terms.clean.device))[:, None] * full.precision
        memory = lent(background.memory, [full])
        analysis = analyse(prior, known, full.values, used, noise, memory)
        memory = returned(background.memory, analysis.memory, [full])
        state = background._replace(ensemble=analysis.ensemble, memory=memory)
        if (k + 1) % truncate == 0 or k + 1 == len(acquisitions):
            yield total
            total = total.new_zeros(())
            kept = {name: held.detach() for name, held in state.memory.items()}
            state = state._replace(ensemble=state.ensemble.detach(), memory=kept)


def fit(
    forecaster: LearnedForecaster,
    error: LearnedError,
    observe: ObservationOperator,
    analyse: Scheme,
    acquisitions: Sequence[Acquisition],
    pixels: Tensor,
    generator: torch.Generator,
    epochs: int = 60,
    members: int = 48,
    learning_rate: float = 0.05,
    truncate: int = 10,
    gaps: Gaps = GAPS,
    held_out: Tensor | None = None,
    patience: int = 0,
) -> Iterator[Epoch]:
    """Fit the parameters of a forecaster and of R, in place; yields once per epoch.

    Args:
        forecaster: a module with ``initial(time, pixels, members, noise)``.
        error: a module that completes an acquisition's error.
        observe: the observation operator.
        analyse: the scheme, differentiable: that of the fitted system, without its screening.
        acquisitions: the training acquisitions, in time order, instrument errors only.
        pixels: ``[pixel]`` global ids.
        generator: the source of all randomness of the fit.
        epochs: passes over the data; the learning rate falls to zero as a cosine.
        members: ensemble size while fitting.
        learning_rate: of Adam.
        truncate: acquisitions per stretch of back-propagation.
        gaps: how observations are hidden.
        held_out: ``[pixel]`` bool, what is judged and not learned from; nothing when None.
        patience: epochs without a better judgement after which the fit ends; 0 for never.
    """
    modules: list[Parametrised] = [forecaster, error]
    parameters = [p for module in modules for _, p in module.named_parameters()]
    penalty = anchored(modules)
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.99))
    times = [a.time for a in acquisitions]
    like = acquisitions[0].values
    learned = torch.ones(len(pixels), dtype=torch.bool) if held_out is None else ~held_out
    training, ids = at(acquisitions, learned), pixels[learned]
    judges, others = at(acquisitions, ~learned), pixels[~learned]
    count, judged = seen_in(training), seen_in(judges)
    best: tuple[float, int, list[Tensor]] = (-math.inf, 0, [])

    def passed(
        part: Sequence[Acquisition], ids: Tensor, source: torch.Generator
    ) -> Iterator[Tensor]:
        def noise(shape: Sequence[int]) -> Tensor:
            return torch.randn(tuple(shape), generator=source).to(like)

        hide = hidden(times, len(ids), gaps, source)
        state = forecaster.initial(times[0], ids, members, noise)
        return filter_likelihood(
            state, part, hide, forecaster, observe, error, analyse, noise, truncate
        )

    def judgement() -> float | None:
        if not len(others):
            return None
        with torch.no_grad():
            source = torch.Generator().manual_seed(JUDGED)
            return float(sum(float(stretch) for stretch in passed(judges, others, source)))

    def better(said: float | None, number: int) -> tuple[float, int, list[Tensor]]:
        if said is None or not said > best[0]:
            return best
        return said, number, [p.detach().clone() for p in parameters]

    for number in range(epochs):
        said = judgement()
        best = better(said, number)
        if patience and said is not None and number - best[1] >= patience:
            break
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * 0.5 * (1.0 + math.cos(math.pi * number / epochs))
        optimiser.zero_grad()
        likelihood = 0.0
        for stretch in passed(training, ids, generator):
            (-stretch).backward()
            likelihood += float(stretch.detach())
        anchors = penalty()
        anchors.backward()
        nn.utils.clip_grad_norm_(parameters, 1e4)
        optimiser.step()
        yield Epoch(number, likelihood, float(anchors.detach()), count, said, judged)
    if len(others):
        kept = better(judgement(), epochs)[2]
        with torch.no_grad():
            for parameter, value in zip(parameters, kept, strict=bool(kept)):
                parameter.copy_(value)


def at(acquisitions: Sequence[Acquisition], pixels: Tensor) -> Sequence[Acquisition]:
    """Acquisitions at some of their pixels, ``[pixel]`` bool; as they are where those are all."""
    if bool(pixels.all()):
        return acquisitions
    return [
        a._replace(
            values=a.values[pixels.to(a.values.device)],
            error=a.error[pixels.to(a.values.device)],
            angles=a.angles[pixels.to(a.values.device)],
        )
        for a in acquisitions
    ]


def seen_in(acquisitions: Sequence[Acquisition]) -> int:
    """Number of values that were seen."""
    return int(sum(a.seen.sum() for a in acquisitions))
