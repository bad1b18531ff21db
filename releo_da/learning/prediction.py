r"""What an encoder says of values it was not shown: the loss of its pre-training.

An encoder turns what is shown of a series into a normal distribution of the latent state at any
date, q(z_t) = N(m_t, L_t L_t'). What it was not shown is predicted through the observation operator
H and judged by the likelihood of the forecast ensemble that this makes, as in a filter:

    loss = mean over hidden [ - log N(y; mean H(z), cov H(z) + R) + beta KL(q || N(0, C)) ]
           - known  mean log q(z_t)                  of the coordinates of z_t that are known

    z_i = m + L u_i,    u [V + 1, V] a rotated simplex: zero mean, unit covariance, exactly

The score of a *prediction* is proper: for a linear H of full rank and Gaussian errors its optimum
is the exact posterior, mean and covariance, with no term beside it. Reconstruction, E_q log p(y|z)
- KL, is the bound of a posterior that was shown y; of hidden values it would only want the mean
right and leave the spread at what one more observation would give, and of shown values the
likelihood above would copy their noise. So hidden values are scored, and nothing else. What H does
not see is held by the divergence from the prior N(0, C), whose weight beta is small. Draws of one's
own forecaster have latents that are known; their density (Papamakarios and Murray 2016) makes q
the posterior under that prior also at dates that were seen. Of a simulation by other models some
coordinates mean the same, such as leaf area: the density is then that of the marginal of q.

z may hold more than the state. With the modes of a discrepancy behind it, H is the physical model
times what no state of it explains (`releo_da.representation.discrepancy`), slow and alike in
neighbouring channels, and only what is neither is left to R. The modes have to be coordinates of q:
a covariance of theirs added to R would take for independent of z what the data cannot tell from it,
and a proper score would then want q narrower, not wider. The leading
block of q is then the posterior of the state whatever the discrepancy is; for a linear H the
optimum is the Gaussian conditional under the prior N(0, diag(C, I)), as is tested.

The simplex has as many points as are needed for moments of second order, so a step has V + 1
canopies per pixel and date, and a linear operator is predicted without noise of sampling. The
likelihood is that of `releo_da.learning.likelihood`, robust to undetected cloud; densities of
single channels and of indices can be counted beside it (`releo_da.learning.margins`).

References: Gneiting and Raftery (2007), JASA 102, 359-378 (proper scores); Papamakarios and Murray
(2016), NeurIPS, arXiv:1605.06376; Zérah, Valero and Inglada (2024), Remote Sens. Environ. 312,
114309 (a canopy model as the decoder of an encoder of reflectances).
Shapes: pixel P, query date T, variable V. Cost: one encoding of P series and P T (V + 1) canopies
per step, forward and backward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from releo_da.learning.likelihood import CONTAMINATION, innovation_likelihood
from releo_da.learning.margins import Margin, margins_likelihood
from releo_da.types import Acquisition, InputError, ObservationOperator

DIVERGED = "the training diverged: a number is not finite; give a smaller train.learning_rate"


class Normal(Protocol):
    """A normal distribution of the state of each pixel at each date.

    Attributes:
        mean: ``[pixel, date, variable]``.
        factor: lower factor of the covariance, ``[pixel, date, variable, variable]``.
    """

    mean: Tensor
    factor: Tensor

    def kl(self, prior: Any) -> Tensor:
        """Divergence from the prior, ``[pixel, date]``."""
        ...

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density at ``[pixel, date, variable]``, ``[pixel, date]``."""
        ...


class Batch(NamedTuple):
    """A part of a series: what is shown of it, and what is asked.

    Attributes:
        tokens: what is shown, as the encoder takes it.
        times: ``[date]`` float64 days, ascending.
        targets: for each date an acquisition, with the full R where it is to be predicted and an
            infinite error elsewhere.
        statics: what does not change at a pixel, as the encoder takes it; None where nothing of
            it is known.
        latents: ``[pixel, date, variable]`` where any are known, else None; NaN in columns of
            variables that are not.
    """

    tokens: Any
    times: Tensor
    targets: Sequence[Acquisition]
    statics: Any = None
    latents: Tensor | None = None


class Loss(NamedTuple):
    """The parts of the loss of a batch, each a scalar.

    Attributes:
        prediction: minus the log-likelihood of the hidden values, margins included, per value.
        divergence: of the posterior from the prior, per pixel and date with something hidden.
        known: minus the log-density of known latents per known variable; 0 without any.
    """

    prediction: Tensor
    divergence: Tensor
    known: Tensor

    def total(self, beta: float, known: float) -> Tensor:
        """The weighted sum that is minimised."""
        return self.prediction + beta * self.divergence + known * self.known


def simplex(dates: int, variables: int, source: torch.Generator) -> Tensor:
    """Rotated simplexes ``[date, variables + 1, variables]`` float64, of exact moments.

    Their mean is zero and their sample covariance (N - 1) the identity, since the columns
    are orthogonal to the vector of ones and to each other, and of one length.
    """
    shape = (dates, variables + 1, variables + 1)
    random = torch.randn(shape, generator=source, dtype=torch.float64)
    random[..., 0] = 1.0
    return torch.linalg.qr(random)[0][..., 1:] * math.sqrt(variables)


def loss_of(
    q: Normal,
    batch: Batch,
    observe: ObservationOperator,
    prior: Any,
    points: Tensor,
    contamination: float = CONTAMINATION,
    margins: Sequence[Margin] = (),
) -> Loss:
    """The loss of a batch.

    Args:
        q: what the encoder makes of the tokens.
        batch: what is asked.
        observe: the observation operator, rows by rows.
        prior: of the state, as the divergence takes it.
        points: ``[date, point, variable]`` of zero mean and unit sample covariance.
        contamination: prior probability that an acquisition is cloud or otherwise wrong.
        margins: densities that count beside the joint one (`releo_da.learning.margins`).

    Raises:
        InputError: a prediction is not a finite number.
    """
    z = q.mean[:, :, None] + points.to(q.mean) @ q.factor.mT
    pixels = len(z)
    total, values = z.new_zeros(()), 0
    asked = z.new_zeros(pixels, len(batch.targets))
    for sensor in sorted({a.sensor for a in batch.targets}):
        dates = [k for k, a in enumerate(batch.targets) if a.sensor == sensor]
        joined = _joined([batch.targets[k] for k in dates])
        predicted = observe(z[:, dates].transpose(0, 1).flatten(0, 1), joined)
        if not bool(predicted.isfinite().all()):
            raise InputError(DIVERGED)
        terms = innovation_likelihood(predicted, joined.values, joined.precision, contamination)
        hidden = joined.seen.sum(1)
        density = terms.log_density + terms.clean * margins_likelihood(predicted, joined, margins)
        total = total - density[hidden > 0].sum()
        values += int(hidden.sum())
        asked[:, dates] = (hidden > 0).to(asked).unflatten(0, (len(dates), pixels)).T
    divergence = (q.kl(prior) * asked).sum() / asked.sum().clamp_min(1.0)
    known = z.new_zeros(())
    if batch.latents is not None:
        known = -known_density(q, batch.latents)
    return Loss(total / max(values, 1), divergence, known)


def known_density(q: Normal, latents: Tensor) -> Tensor:
    """Mean log-density of known latents per known variable, a scalar.

    Args:
        q: the posterior.
        latents: ``[pixel, date, variable]``, NaN in columns that are not known; the density is of
            the marginal of the others, and 0 where none is known.
    """
    told = torch.isfinite(latents).flatten(0, -2).all(0)
    if not bool(told.any()):
        return q.mean.new_zeros(())
    if bool(told.all()):
        return q.log_prob(latents).mean() / latents.shape[-1]
    index = told.nonzero()[:, 0]
    rows = q.factor[..., index, :]
    lower = torch.linalg.cholesky(rows @ rows.mT)
    d = (latents - q.mean)[..., index, None]
    white = torch.linalg.solve_triangular(lower, d, upper=False)[..., 0]
    logs = lower.diagonal(dim1=-2, dim2=-1).log() + 0.5 * math.log(2.0 * math.pi)
    return -(0.5 * white.square() + logs).mean()


def _joined(targets: Sequence[Acquisition]) -> Acquisition:
    """Acquisitions of one sensor as one, their pixels one after the other."""
    return targets[0]._replace(
        values=torch.cat([a.values for a in targets]),
        error=torch.cat([a.error for a in targets]),
        angles=torch.cat([a.angles for a in targets]),
    )
