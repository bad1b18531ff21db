r"""Bounded variables as Gaussian anamorphoses of an unbounded coordinate.

The filter works on z, which is standard normal under the prior; the physical variable is

    x = F^-1(Phi(z)),      F the distribution function of the truncated normal prior,
      = mu + sigma Phi^-1(Phi(a) + Phi(z) (Phi(b) - Phi(a))),   a = (lower - mu) / sigma, ...

so no member can leave its bounds, and the skew of the prior near a bound is carried exactly.
Shapes: ``z [..., variable] -> x [..., variable]``. Cost: one normal distribution function and one
quantile function per value. Both tails are evaluated from their own side, so that float32 keeps
its relative accuracy next to either bound.

Reference: Bertino, Evensen and Wackernagel (2003), Int. Stat. Rev. 71, 223-241, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.special import ndtri

from releo_da.state.variables import Variable


def ndtr(z: Tensor) -> Tensor:
    """Normal distribution function; torch's own loses the lower tail in float32."""
    return 0.5 * torch.erfc(-math.sqrt(0.5) * z)


class Anamorphosis:
    """Maps standard-normal coordinates to bounded variables and back.

    Args:
        table: the variables, in the order of the last axis.
    """

    def __init__(self, table: Sequence[Variable]) -> None:
        column = torch.tensor(
            [[v.lower, v.upper, v.mean, v.sd] for v in table], dtype=torch.float64
        ).T
        self.lower, self.upper, self.mean, self.sd = column
        below = ndtr((self.lower - self.mean) / self.sd)
        above = ndtr((self.mean - self.upper) / self.sd)
        self.below, self.above, self.inside = below, above, 1.0 - below - above

    def decode(self, z: Tensor) -> Tensor:
        """Physical values of unbounded coordinates, ``[..., variable]``, inside their bounds."""
        lower, upper, mean, sd, below, above, inside = (
            t.to(z)
            for t in (
                self.lower, self.upper, self.mean, self.sd, self.below, self.above, self.inside
            )
        )  # fmt: skip
        tiny = torch.finfo(z.dtype).tiny
        p = below + inside * ndtr(z)
        q = above + inside * ndtr(-z)
        left = p < q
        tail = torch.where(left, p, q).clamp_min(tiny)
        standard = torch.where(left, 1.0, -1.0).to(z) * ndtri(tail)
        return torch.minimum(torch.maximum(mean + sd * standard, lower), upper)

    def encode(self, x: Tensor) -> Tensor:
        """Unbounded coordinates of physical values; values at a bound map to about +-5."""
        double = x.double()
        u = (double - self.mean.to(x.device)) / self.sd.to(x.device)
        inside = self.inside.to(x.device)
        p = ((ndtr(u) - self.below.to(x.device)) / inside).clamp_min(3e-7)
        q = ((ndtr(-u) - self.above.to(x.device)) / inside).clamp_min(3e-7)
        return torch.where(p < q, ndtri(p), -ndtri(q)).to(x.dtype)
