r"""Whether a series is like those that the encoder was trained on.

The mean of the posterior at the date of an acquisition is observed again; what it misses, in units
of the error,

    r_a = ( mean over seen channels of (y - H(mean))^2 / error^2 )^1/2          [pixel, acquisition]

is about 1 where the encoder has understood what it saw. Its distribution over series held back from
training comes with the weights, as quantiles; `Domain.level` says which share of them was smaller,
and beyond the last quantile a series is out of the domain: another surface (water, snow, a roof), a
cloud, a sensor that is wrong. The error is the whole of R: of the instrument, the operator and what
is not represented.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.types import Acquisition


def misfit(predicted: Tensor, acquisition: Acquisition) -> Tensor:
    """The misfit r of one acquisition, ``[pixel]``, 0 where nothing was seen.

    Args:
        predicted: ``[pixel, channel]``, H of the mean of the posterior at its date.
        acquisition: what was seen, its error complete.
    """
    seen = acquisition.seen
    error = torch.where(seen, acquisition.error, 1.0)
    departure = torch.where(seen, acquisition.values - predicted, 0.0) / error
    number = seen.sum(-1).clamp_min(1)
    return (departure.square().sum(-1) / number).sqrt()


class Domain(NamedTuple):
    """Misfits of series that were held back from training.

    Attributes:
        levels: probabilities, ascending.
        misfits: the quantiles of r at these, ascending.
    """

    levels: tuple[float, ...]
    misfits: tuple[float, ...]

    def level(self, r: Tensor) -> Tensor:
        """The share of held-back acquisitions with a smaller misfit, linear between quantiles.

        0 below the first quantile and 1 beyond the last.
        """
        levels = r.new_tensor((0.0, *self.levels))
        misfits = r.new_tensor((0.0, *self.misfits))
        above = torch.bucketize(r, misfits).clamp(1, len(self.misfits))
        low, high = misfits[above - 1], misfits[above]
        share = ((r - low) / (high - low).clamp_min(1e-12)).clamp(0.0, 1.0)
        between = levels[above - 1] + share * (levels[above] - levels[above - 1])
        return torch.where(r > self.misfits[-1], 1.0, between)

    def outside(self, r: Tensor) -> Tensor:
        """True beyond the last quantile."""
        return r > self.misfits[-1]


def domain_of(misfits: Tensor, levels: Sequence[float] = (0.5, 0.9, 0.95, 0.99)) -> Domain:
    """The domain that misfits of held-back acquisitions describe.

    Args:
        misfits: ``[N]``, of acquisitions with something seen.
        levels: probabilities of the quantiles to keep, ascending.
    """
    at = torch.tensor(levels, dtype=torch.float64)
    quantiles = torch.quantile(misfits.detach().double().cpu(), at)
    return Domain(tuple(levels), tuple(quantiles.tolist()))
