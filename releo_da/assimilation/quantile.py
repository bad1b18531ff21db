r"""Quantile-conserving update: for observed quantities that are bounded or skewed.

Channels are used one after the other, each in two steps (Anderson 2003): the predicted values h_i
of the channel are updated by Bayes' rule in one dimension, and the state follows by regression.
Here neither step supposes a Gaussian.

1. The background of h is a bounded rank histogram: between neighbours of the sorted h the
   probability 1/(N+1) is spread evenly; beyond the outermost members it is spread evenly up to a
   bound or, where there is none, as the tail of a normal density with the ensemble's deviation. The
   likelihood is constant within an interval, the mean of its values at both ends, and Gaussian as
   it is in a normal tail. The product has the same intervals, and each member moves to its own
   quantile in it,

       h_i <- F_post^-1(F_prior(h_i)),     F_prior(h_(k)) = k / (N+1)

   so the order of members is kept and no member leaves the bounds.

2. The move is expressed in probits, z = Phi^-1(F_prior(h)), in which the background of h is
   Gaussian whatever its shape (evenly spread means: the quantile runs evenly), and the state and
   the channels still to come get

       x_i <- x_i + cov(x, z) / var(z) (z'_i - z_i)

Members with the same h, such as those at a bound, have no order: each of them gets the mean probit
and the mean move of all.

With a Gaussian h and many members it is `ensrf`. Differentiable except where members change order.
The state itself is unbounded already (`releo_da.state.transforms`).

Cost per pixel and channel: N log N for the sort, a search, and N (C + L) for the regression.

Reference: Anderson (2010), A non-Gaussian ensemble filter update for data assimilation, Mon. Wea.
Rev. 138, 4186-4198; Anderson (2022, 2023), A quantile-conserving ensemble filter framework, parts I
and II, Mon. Wea. Rev. 150, 1061-1074 and 151, 2759-2777.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.linalg import anomalies, check_members, precision_root
from releo_da.types import Analysis, InputError, Noise, Observe

SMALLEST = 1e-12
"""Probabilities are kept this far from 0 and 1, that is probits below 7."""


def quantile(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
    *,
    lower: float = -math.inf,
    upper: float = math.inf,
) -> Analysis:
    """Bounded rank histogram update with regression in probits (Anderson 2022, 2023).

    Args:
        prior: background ensemble, ``[pixel, member, latent]``.
        observe: operator bound to the acquisition, evaluated once.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        noise: not used; the scheme is deterministic.
        memory: returned as it is.
        lower: bound of the observed quantities; reflectance has 0.
        upper: the same above; reflectance has 1.

    Raises:
        InputError: ``lower`` is not below ``upper``.
        ValueError: fewer than two members.
    """
    if not lower < upper:
        raise InputError(f"quantile: lower must be below upper, got {lower} and {upper}")
    check_members(prior.shape[1])
    predicted = observe(prior)
    root, latents = precision_root(precision), prior.shape[-1]
    start = torch.cat([prior, predicted], -1)
    moved = torch.zeros_like(start)
    for c in range(y.shape[-1]):
        now = start + moved
        h = now[..., latents + c]
        z, change = probit_move(h, y[:, c : c + 1], root[:, c : c + 1], lower, upper)
        a, deviation = anomalies(now), z - z.mean(1, keepdim=True)
        differ = h.amax(-1) > h.amin(-1)
        spread = torch.where(differ, deviation.square().sum(1), 1.0)
        slope = (deviation[:, None] @ a) / spread[:, None, None]
        used = ((precision[:, c] > 0) & differ)[:, None, None]
        moved = moved + torch.where(used, change[..., None] * slope, 0.0)
    return Analysis(prior + moved[..., :latents], predicted, precision, memory)


def probit_move(
    h: Tensor, y: Tensor, root: Tensor, lower: float, upper: float
) -> tuple[Tensor, Tensor]:
    """Probits of the members of one observed quantity and how far the update moves them.

    Args:
        h: predicted values, ``[pixel, member]``.
        y: observation, ``[pixel, 1]``.
        root: 1 / error, ``[pixel, 1]``, 0 where not seen.
        lower: bound of h.
        upper: bound of h.

    Returns:
        z and z' - z, ``[pixel, member]`` each.
    """
    members = h.shape[-1]
    ordered, order = h.sort(-1)
    deviation = h.std(-1, keepdim=True)
    rank = torch.arange(1, members + 1, dtype=h.dtype, device=h.device) / (members + 1)
    z = torch.special.ndtri(rank)
    low = _tail(-ordered[:, :1], -y, root, deviation, z[-1:], -lower, members)
    high = _tail(ordered[:, -1:], y, root, deviation, z[-1:], upper, members)
    log = -0.5 * (root * (y - ordered)).square()
    inner = torch.logaddexp(log[:, 1:], log[:, :-1]) - math.log(2.0 * (members + 1))
    mass = torch.cat([low.log_mass, inner, high.log_mass], -1).softmax(-1)
    total = mass.cumsum(-1)
    # the interval of the posterior in which each member's quantile lies, 0 .. N
    quantiles = rank.expand_as(h).contiguous()
    place = torch.searchsorted(total.detach().contiguous(), quantiles).clamp(max=members)
    own = mass.gather(-1, place).clamp(min=torch.finfo(h.dtype).tiny)
    share = ((quantiles - total.gather(-1, place)) / own + 1.0).clamp(0.0, 1.0)
    middle = torch.special.ndtri((place + share) / (members + 1))
    moved = torch.where(place == 0, -low.probit(1.0 - share), middle)
    moved = torch.where(place == members, high.probit(share), moved)
    back, tied = order.argsort(-1), _tied(ordered)
    return tied(z.expand_as(h)).gather(-1, back), tied(moved - z).gather(-1, back)


def _tied(ordered: Tensor) -> Callable[[Tensor], Tensor]:
    """The mean over equal neighbours of sorted values, as a function, ``[pixel, member]``."""
    first = torch.cat([torch.zeros_like(ordered[:, :1]), ordered.diff(dim=-1)], -1) != 0
    group, nothing = first.cumsum(-1), torch.zeros_like(ordered)
    count = nothing.scatter_add(-1, group, torch.ones_like(ordered)).gather(-1, group)
    return lambda x: nothing.scatter_add(-1, group, x).gather(-1, group) / count


class _Tail(NamedTuple):
    """The background beyond the outermost member, upwards, after the observation.

    Attributes:
        log_mass: logarithm of its probability, not normalised, ``[pixel, 1]``.
        centre: mean of the normal density that it is a part of, in probits of the background.
        width: deviation of that density; 1 with ``centre`` 0 is the background itself.
        end: probit of the outermost member.
    """

    log_mass: Tensor
    centre: Tensor
    width: Tensor
    end: Tensor

    def probit(self, share: Tensor) -> Tensor:
        """Probit of the background at a share, 0 to 1, of the probability of the tail."""
        beyond = torch.special.ndtr((self.centre - self.end) / self.width)
        left = ((1.0 - share) * beyond).clamp(SMALLEST, 1.0 - SMALLEST)
        return self.centre - self.width * torch.special.ndtri(left)


def _tail(
    outermost: Tensor,
    y: Tensor,
    root: Tensor,
    deviation: Tensor,
    end: Tensor,
    bound: float,
    members: int,
) -> _Tail:
    """The tail above ``outermost``; mirror the arguments for the one below."""
    if math.isfinite(bound):
        logs = [-0.5 * (root * (y - x)).square() for x in (outermost, torch.full_like(y, bound))]
        log_mass = torch.logaddexp(*logs) - math.log(2.0 * (members + 1))
        return _Tail(log_mass, torch.zeros_like(y), torch.ones_like(y), end)
    # in probits h = outermost + deviation (z - end): a Gaussian likelihood of z, times N(0, 1)
    weight = (root * deviation).square()
    spread = torch.where(deviation > 0, deviation, 1.0)
    target = end + (y - outermost) / spread
    width = (1.0 + weight).rsqrt()
    centre = weight * target * width.square()
    log_mass = (
        width.log()
        - 0.5 * weight * (target * width).square()
        + torch.special.log_ndtr((centre - end) / width)
    )
    return _Tail(log_mass, centre, width, end)
