r"""Slow latents of a place: how late its season is, and how much it makes of unusual weather.

Standard normal, with scales that are learned: tau = s_1 h_1 (days), v = s_2 h_2 (a logarithm). The
season of a place that is tau days late,

    m(t + tau) = a_0 + sum_k a_k cos(k w (t + tau)) + b_k sin(k w (t + tau)),     w = 2 pi / year
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from releo_da.dynamics.mean_reverting import YEAR

SLOW = {"timing": math.log(10.0), "vigour": math.log(0.3)}
"""Slow latents, and the logarithms of their scales before fitting: days; a logarithm."""


def scaled(hidden: Tensor, slow: Sequence[str], log_scale: Tensor, name: str) -> Tensor:
    """A slow latent in its unit, ``[pixel, member]``; 0 where there is none.

    Args:
        hidden: ``[pixel, member, latent]``, slow latents first.
        slow: their names.
        log_scale: ``[slow]``.
        name: of the one that is asked for.
    """
    if name not in slow:
        return hidden.new_zeros(hidden.shape[:-1])
    place = slow.index(name)
    return log_scale[place].exp().to(hidden) * hidden[..., place]


def seasons(season: Tensor, time: float, late: Tensor) -> Tensor:
    """The season of places that are so many days late, ``[pixel, member, variable]``.

    Args:
        season: ``[1 + 2 harmonic, variable]``: a_0, a_1, b_1, a_2, ..
        time: days.
        late: ``[pixel, member]``.
    """
    now = 2.0 * math.pi * math.fmod(time / YEAR, 1.0)
    phase = now + 2.0 * math.pi / YEAR * late
    harmonics = (len(season) - 1) // 2
    waves = [w(k * phase) for k in range(1, harmonics + 1) for w in (torch.cos, torch.sin)]
    return torch.stack([torch.ones_like(phase), *waves], -1) @ season
