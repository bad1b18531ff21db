r"""Dynamics learned while filtering: one step of ascent per stretch of observations.

    theta <- theta + Adam(d/dtheta sum_(t in stretch) log p(y_t | y_1..t-1; theta))

The likelihood is that of `releo_da.learning.likelihood`, without a broad part. Parameters move
after each stretch of ``truncate`` observations, and the filter goes on with the new ones: an epoch
is one pass over the data with as many steps of ascent as it has stretches. That suits long records
of a model whose coefficients the data determine; `releo_da.learning.fit` takes one step per epoch,
with anchors and hidden observations, for what reflectances leave open.

The learning rate falls to zero as a cosine over all steps. Gradients are scaled to a norm of at
most ``clip`` per step, since chaos makes a few of them very large.

Reference: Chen, Sanz-Alonso and Willett (2022), Autodifferentiable ensemble Kalman filters, SIAM J.
Math. Data Sci. 4, 801-833, algorithm 4.1 (AD-EnKF with truncation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from releo_da.learning.fit import Epoch, filter_likelihood
from releo_da.types import (
    Acquisition,
    Forecaster,
    InputError,
    Noise,
    ObservationOperator,
    Scheme,
    State,
)


class Problem(NamedTuple):
    """A record, and the filter through which its likelihood is taken.

    Attributes:
        forecaster: carries the ensemble.
        start: the ensemble before any observation.
        observe: the observation operator.
        analyse: the scheme, differentiable, without screening.
        acquisitions: in time order, with their full error.
    """

    forecaster: Forecaster
    start: Callable[[Noise], State]
    observe: ObservationOperator
    analyse: Scheme
    acquisitions: Sequence[Acquisition]

    @property
    def values(self) -> int:
        """Number of observed values."""
        return int(sum(a.seen.sum() for a in self.acquisitions))

    def stretches(self, generator: torch.Generator, truncate: int) -> Iterator[Tensor]:
        """Log-likelihood of stretches of ``truncate`` acquisitions, in one pass of the filter."""
        like = self.acquisitions[0].values

        def noise(shape: Sequence[int]) -> Tensor:
            return torch.randn(tuple(shape), generator=generator).to(like)

        nothing = torch.zeros(len(self.acquisitions), len(like), dtype=torch.bool)
        return filter_likelihood(
            self.start(noise), self.acquisitions, nothing, self.forecaster, self.observe,
            lambda a: a, self.analyse, noise, truncate, contamination=0.0,
        )  # fmt: skip


@torch.no_grad()
def log_likelihood(problem: Problem, generator: torch.Generator) -> float:
    """Log-likelihood per observed value, with the parameters as they are.

    Args:
        problem: the record and its filter.
        generator: the source of the filter's randomness.
    """
    return float(sum(problem.stretches(generator, len(problem.acquisitions)))) / problem.values


def climb(
    problem: Problem,
    parameters: Sequence[nn.Parameter],
    generator: torch.Generator,
    epochs: int = 60,
    learning_rate: float = 0.05,
    truncate: int = 10,
    clip: float = 10.0,
) -> Iterator[Epoch]:
    """Fit parameters in place; yields once per epoch.

    Args:
        problem: the record and its filter, of which the parameters are part.
        parameters: what is learned.
        generator: the source of all randomness of the fit.
        epochs: passes over the data, each from a new first ensemble.
        learning_rate: of Adam at the start.
        truncate: observations per stretch.
        clip: largest norm of the gradient of the log-likelihood per observed value.

    Raises:
        InputError: the model of some step of ascent carries the ensemble to infinity.
    """
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.99))
    steps = math.ceil(len(problem.acquisitions) / truncate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    for number in range(epochs):
        likelihood = 0.0
        for stretch in _numbers(problem.stretches(generator, truncate), number):
            optimiser.zero_grad()
            (-stretch * steps / problem.values).backward()
            nn.utils.clip_grad_norm_(parameters, clip)
            optimiser.step()
            schedule.step()
            likelihood += float(stretch.detach())
        yield Epoch(number, likelihood, 0.0, problem.values)


def _numbers(stretches: Iterator[Tensor], epoch: int) -> Iterator[Tensor]:
    """The likelihoods of stretches, as long as the model that was learned so far holds.

    Raises:
        InputError: an ensemble or a covariance is not finite.
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
    raise InputError(
        f"train: the likelihood is no number any more in epoch {epoch}, since the model that was "
        "learned so far diverges; give a lower learning_rate, more members, or "
        "forecast.noise_variance"
    )
