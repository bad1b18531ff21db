r"""Densities of single channels and of indices, counted beside the joint density of all channels.

What ten channels say together is mostly how they differ from each other, and the joint density
weighs each such difference as much as the level that all share, or as the contrast of red and near
infrared: what vegetation moves, what is forecast, and what forecasts are judged by. A fit that
climbs it alone trades these for the fine shape of the spectrum. So the density of any function q of
the channels can be counted beside it, times a weight (a composite likelihood):

    log p(y) + sum_q w_q log N(q(y); mean q(H), var q(H) + q'(y) R q'(y)^T)

mean and variance over members; R, with its correlation between channels, enters by the slope of q
at the observation. With q = y the channels count each on its own.

Reference: Varin, Reid and Firth (2011), An overview of composite likelihood methods, Statistica
Sinica 21, 5-42. Cost: that of q per member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.whitening import correlation_matrix
from releo_da.types import Acquisition

Quantity = Callable[[Tensor, str], Tensor | None]
"""``q(values [..., channel], sensor)``: ``[...]``, or None of a sensor that has it not."""


class Margin(NamedTuple):
    """What is counted beside the joint density, and how much; None for each channel on its own."""

    weight: float
    quantity: Quantity | None = None


def margins_likelihood(
    predicted: Tensor,
    acquisition: Acquisition,
    margins: Sequence[Margin],
    correlation: float | Tensor = 0.0,
) -> Tensor:
    """Weighted sum of the log densities, ``[pixel]``; 0 where nothing of it was seen.

    Args:
        predicted: ``[pixel, member, channel]`` H of the background members.
        acquisition: with its full error.
        margins: what is counted.
        correlation: of the errors between channels (`releo_da.assimilation.whitening.checked`).
    """
    total = predicted.new_zeros(len(predicted))
    y, precision = acquisition.values, acquisition.precision
    seen = precision > 0
    variance = 1.0 / torch.where(seen, precision, torch.ones_like(precision))
    between = correlation_matrix(correlation, y)
    for margin in margins:
        if margin.quantity is None:
            each = _log_normal(y - predicted.mean(1), predicted.var(1) + variance)
            total = total + margin.weight * torch.where(seen, each, 0.0).sum(-1)
            continue
        with torch.enable_grad():
            at = y.detach().clone().requires_grad_()
            observed = margin.quantity(at, acquisition.sensor)
            members = margin.quantity(predicted, acquisition.sensor)
            if observed is None or members is None:
                continue
            (slope,) = torch.autograd.grad(observed.sum(), at)
        pull = slope * variance.sqrt()
        whole = members.var(1) + ((pull @ between) * pull).sum(-1)
        one = _log_normal(observed.detach() - members.mean(1), whole)
        known = (seen | (slope == 0.0)).all(-1) & (slope != 0.0).any(-1)
        total = total + margin.weight * torch.where(known, one, 0.0)
    return total


def _log_normal(d: Tensor, variance: Tensor) -> Tensor:
    """Log N(d; 0, variance), value by value."""
    return -0.5 * (d.square() / variance + variance.log() + math.log(2.0 * math.pi))
