r"""Attention of query dates to acquisitions, where what is absent weighs exactly nothing.

With query q of a date, key k_a and value v_a of an acquisition, both of unit length in the scores,

    w_a = seen_a exp(s cos(q, k_a) + b(t - t_a)),    out = sum_a w_a (v_a, r_a) / (1 + sum_a w_a)

in each of H heads: b is a decay with a rate of its own plus a bounded function of the lag, r_a some
moments of the lag. The 1 in the denominator stands for "nothing": where no acquisition is near or
alike, out and the weight sum_a w_a go to 0, and both are 0 where none is there. Scores are bounded,
so no maximum is taken off.

The sum runs over acquisitions one after the other in the order of the tokens. Adding 0 changes no
bit, so an acquisition that is masked is one that was never there; scores are sums in order as well
(`releo_da.representation.products`). While a network is trained both are products of matrices,
equal up to rounding. Shapes: queries ``[P, T, D]``,
acquisitions ``[P, A, D]``; cost P T A D.

Reference: Vaswani et al. (2017), Attention is all you need, NeurIPS 30, section 3.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from releo_da.representation.features import LAG_SIZE, MOMENTS, lag_features, lag_moments
from releo_da.representation.products import in_order

SHARPEST = 10.0
"""Largest factor of the cosine in a score."""

BENT = 4.0
"""Bound of what the lag adds to a score beside its decay."""

NEAREST, FARTHEST = 4.0, 250.0
"""Days over which the heads decay before training, the first and the last."""


class Attention(nn.Module):
    """One layer.

    Args:
        width: D.
        heads: H, a divisor of D.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width + heads * MOMENTS, width)
        self.lag = nn.Linear(LAG_SIZE, heads)
        self.sharpness = nn.Parameter(torch.zeros(heads))
        days = torch.logspace(math.log10(NEAREST), math.log10(FARTHEST), heads)
        self.rate = nn.Parameter(torch.log(torch.expm1(1.0 / days)))

    def forward(
        self, x: Tensor, acquisitions: Tensor, seen: Tensor, lag: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What query dates take from acquisitions, and how much weight they found.

        Args:
            x: ``[P, T, D]``.
            acquisitions: ``[P, A, D]``, finite.
            seen: ``[P, A]``, 1 where an acquisition is there, else 0.
            lag: ``[T, A]`` days from the acquisition to the query, float64.

        Returns:
            ``[P, T, D]`` and the weight over all heads ``[P, T]``.
        """
        query = normalize(self._split(self.query(x)), dim=-1)
        key = normalize(self._split(self.key(acquisitions)), dim=-1)
        value = self._split(self.value(acquisitions))
        sharp = SHARPEST * torch.sigmoid(self.sharpness)
        query = query * sharp[:, None, None]
        scores = query @ key.mT if self.training else in_order(query, key.mT)
        weights = torch.exp(scores + self._of_lag(lag).to(scores)) * seen[:, None, None]
        held = torch.cat([value, torch.ones_like(value[..., :1])], -1)
        moments = lag_moments(lag).to(x)
        if self.training:  # the same sums in any order: faster, and not exact for what is masked
            taken, lags = weights @ held, torch.einsum("phta,tam->phtm", weights, moments)
        else:
            taken = x.new_zeros((*query.shape[:3], held.shape[-1]))
            lags = x.new_zeros((*query.shape[:3], MOMENTS))
            each = weights.permute(3, 0, 1, 2).contiguous()
            for a in range(lag.shape[1]):
                one = each[a, ..., None]
                taken = taken + one * held[:, :, a, None]
                lags = lags + one * moments[:, a]
        weight = taken[..., -1:]
        mixed = torch.cat([taken[..., :-1], lags], -1) / (1.0 + weight)
        return self.out(mixed.transpose(1, 2).flatten(2)), weight[..., 0].sum(1)

    def _split(self, x: Tensor) -> Tensor:
        """``[P, N, D] -> [P, H, N, D / H]``."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _of_lag(self, lag: Tensor) -> Tensor:
        """What the lag adds to the scores, ``[H, T, A]`` float64."""
        double = torch.float64
        weight, offset = self.lag.weight.to(double), self.lag.bias.to(double)
        shape = BENT * torch.tanh((lag_features(lag) @ weight.mT + offset) / BENT)
        decay = lag.abs()[..., None] * softplus(self.rate.to(double))
        return (shape - decay).permute(2, 0, 1)
