r"""The likelihood of a series through the filter, stretch after stretch.

    L = sum_t log p(y_t | y_1..t-1)                       terms of `releo_da.learning.likelihood`

Back-propagation is cut every ``truncate`` acquisitions, which bounds memory and the length of the
gradient's path: a stretch is a number with a graph of its own. What a scheme remembers between
cycles (`adaptive`, `tuned`) goes along and is cut there too. Who takes a step of ascent between two
stretches finds the filter going on with the new parameters.

Cost: one operator evaluation per acquisition, pixel and member, two more with a gradient.

Reference: Chen, Sanz-Alonso and Willett (2022), Autodifferentiable ensemble Kalman filters, SIAM J.
Math. Data Sci. 4, 801-833, algorithm 4.1 (AD-EnKF with truncation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.screening import remembered
from releo_da.cycling.memory import lent, returned
from releo_da.learning.gaps import Gaps, hidden
from releo_da.learning.likelihood import CONTAMINATION, innovation_likelihood
from releo_da.learning.margins import Margin, margins_likelihood
from releo_da.types import (
    Acquisition,
    Forecaster,
    InputError,
    Noise,
    ObservationOperator,
    Scheme,
    State,
)


class Diverged(InputError):
    """The model that was learned so far carries the ensemble to infinity."""

    def __init__(self, of: str) -> None:
        super().__init__(
            f"train: the likelihood is no number any more {of}, since the model that was learned "
            "so far diverges; give a lower learning_rate, more members, or forecast.noise_variance"
        )


class Part(NamedTuple):
    """Acquisitions in time order, and the ids of their pixels ``[pixel]``."""

    acquisitions: Sequence[Acquisition]
    pixels: Tensor

    @property
    def values(self) -> int:
        """Number of values that were seen."""
        return int(sum(a.seen.sum() for a in self.acquisitions))

    def at(self, rows: Tensor) -> Part:
        """The part at some of its pixels, by position or as ``[pixel]`` bool."""
        return Part([_rows(a, rows) for a in self.acquisitions], self.pixels[rows])


class Problem(NamedTuple):
    """The filter through which the likelihood of a series is taken.

    Attributes:
        forecaster: carries the ensemble.
        start: ``start(time, pixels, noise)``, the ensemble before any observation.
        observe: the observation operator.
        analyse: the scheme, differentiable, without screening.
        error: completes an acquisition's error.
        contamination: probability that a pixel's acquisition is cloud or otherwise wrong.
        margins: densities that count beside the joint one (`releo_da.learning.margins`).
        correlation: of the errors between channels, as ``analyse`` has it.
    """

    forecaster: Forecaster
    start: Callable[[float, Tensor, Noise], State]
    observe: ObservationOperator
    analyse: Scheme
    error: Callable[[Acquisition], Acquisition]
    contamination: float = CONTAMINATION
    margins: Sequence[Margin] = ()
    correlation: float | Tensor = 0.0


def stretches(
    problem: Problem, part: Part, gaps: Gaps, truncate: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Log-likelihood of stretches of ``truncate`` acquisitions in one pass of the filter."""
    like, times = part.acquisitions[0].values, [a.time for a in part.acquisitions]

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.randn(tuple(shape), generator=generator).to(like)

    hide = hidden(times, len(part.pixels), gaps, generator)
    state = problem.start(times[0], part.pixels, noise)
    return filter_likelihood(
        state, part.acquisitions, hide, problem.forecaster, problem.observe, problem.error,
        problem.analyse, noise, truncate, problem.contamination,
        problem.margins, problem.correlation,
    )  # fmt: skip


@torch.no_grad()
def log_likelihood(problem: Problem, part: Part, gaps: Gaps, generator: torch.Generator) -> float:
    """Log-likelihood of a part with the parameters as they are.

    Raises:
        Diverged: it is no number.
    """
    found = stretches(problem, part, gaps, len(part.acquisitions), generator)
    return sum(float(s) for s in numbers(found, "of values that are not learned from"))


def numbers(stretches: Iterator[Tensor], of: str) -> Iterator[Tensor]:
    """The likelihoods of stretches, as long as the model that was learned so far holds.

    Args:
        stretches: their likelihoods.
        of: of what, or when, for the message.

    Raises:
        Diverged: an ensemble or a covariance is not finite.
    """
    try:
        for stretch in stretches:
            if not torch.isfinite(stretch):
                break
            yield stretch
        else:
            return
    except torch.linalg.LinAlgError:  # the factor of a covariance that is not finite
        pass
    raise Diverged(of)


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
    margins: Sequence[Margin] = (),
    correlation: float | Tensor = 0.0,
) -> Iterator[Tensor]:
    """Log-likelihood of stretches of ``truncate`` acquisitions, each with its own graph."""
    total = state.ensemble.new_zeros(())
    for k, acquisition in enumerate(acquisitions):
        background = forecaster(state, acquisition.time, noise)
        full = error(acquisition)
        prior = background.ensemble
        predicted = observe(prior, full)
        known = remembered(partial(observe, acquisition=full), prior, predicted)
        terms = innovation_likelihood(
            predicted, full.values, full.precision, contamination, correlation
        )
        beside = terms.clean * margins_likelihood(predicted, full, margins, correlation)
        total = total + (terms.log_density + beside).sum()
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


def _rows(acquisition: Acquisition, rows: Tensor) -> Acquisition:
    """An acquisition at some of its pixels."""
    rows = rows.to(acquisition.values.device)
    return acquisition._replace(
        values=acquisition.values[rows],
        error=acquisition.error[rows],
        angles=acquisition.angles[rows],
    )
