r"""Are successive innovations of a pixel white? Sums of their products, block by block.

The normalised innovation of a channel is z = (y - mean H(x_b)) / sqrt(S + R). A filter whose model
and errors are right has used all that earlier observations said, so its innovations are white:
z of one acquisition does not correlate with that of the next (Kailath 1968,
doi:10.1109/TAC.1968.1099025; Mehra 1970, doi:10.1109/TAC.1970.1099422). Above 0 the analysis moved
too little (R too large, or the spread too small), or an error of observation lasts; below 0 it
moved too far.

Per sensor, `succession` pairs each used value with the last used one of the same pixel and channel,
however long ago, and gives sums ``[channel]`` of

    pairs, now, before (z), now_square, before_square (z^2), product (z z)

which add up over blocks and acquisitions; `autocorrelation` makes Pearson's correlation of them.
What is carried from one acquisition to the next is one number per pixel and channel of the block.
Correlation between neighbouring pixels does not bias it, but makes it vary more than the number of
pairs promises.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from releo_da.assimilation.linalg import weighted


@torch.no_grad()
def normalised(predicted: Tensor, y: Tensor, precision: Tensor) -> Tensor:
    """Normalised innovations z, ``[pixel, channel]``, NaN where not used.

    Their variance is 1 where the errors are right.

    Args:
        predicted: H of each background member, ``[pixel, member, channel]``.
        y: observations, ``[pixel, channel]``.
        precision: as used, ``[pixel, channel]``, 0 where not seen or refused.
    """
    s, d = weighted(predicted, y, precision)
    z = d / (1.0 + s.square().sum(1)).sqrt()
    return torch.where((precision > 0) & torch.isfinite(z), z, torch.nan)


@torch.no_grad()
def succession(last: Tensor | None, z: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The sums of one acquisition of a sensor in float64, and what the next one needs.

    Args:
        last: ``[pixel, channel]`` the last z of each pixel, NaN where there was none; None before
            the first acquisition of the sensor.
        z: of this acquisition, by `normalised`.

    Returns:
        The sums by name, ``[channel]`` each, on the CPU; ``last`` for the next acquisition.
    """
    before = torch.full_like(z, torch.nan) if last is None else last
    both = torch.isfinite(before) & torch.isfinite(z)
    one, other = (torch.where(both, part, 0.0).double() for part in (z, before))
    sums = {
        "pairs": both.double(),
        "now": one,
        "before": other,
        "now_square": one.square(),
        "before_square": other.square(),
        "product": one * other,
    }
    held = {name: part.sum(0).cpu() for name, part in sums.items()}
    return held, torch.where(torch.isfinite(z), z, before)


def followed(
    last: Tensor | None, predicted: Tensor, y: Tensor, precision: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """`succession` of the innovations of an acquisition; arguments as there and `normalised`."""
    return succession(last, normalised(predicted, y, precision))


def autocorrelation(sums: Mapping[str, Tensor]) -> Tensor:
    """Correlation of successive innovations, ``[channel]``; NaN with fewer than two pairs."""
    pairs = torch.where(sums["pairs"] > 1, sums["pairs"], torch.nan)
    one, other = sums["now"] / pairs, sums["before"] / pairs
    spread = (sums["now_square"] / pairs - one**2) * (sums["before_square"] / pairs - other**2)
    return (sums["product"] / pairs - one * other) / spread.sqrt()
