r"""Do innovations come out as they were said to? A few numbers for each analysis.

With the innovation d = y - mean H(x_b), the ensemble covariance S of H(x_b) and the error
covariance R, a consistent system has E dd' = S + R. Of one acquisition at one pixel `innovations`
says

    chi2     d'(S + R)^-1 d, of mean p, the number of channels used
    dfs      tr(S (S + R)^-1), degrees of freedom for signal: how many of the p numbers the
             observations determined, against the background; 0 to p
    signal   the diagonal of S (S + R)^-1: the share of dfs that each channel brought
    reduced  chi2 / p: above 1 the errors are larger than said, below 1 smaller

It needs what a `Step` holds, so a finished run can be gone through afterwards. What was refused,
and why, is said by `screening.screen` from the same arguments; whose errors are wrong, those of the
background or of which channel, by `desroziers`. Cost per pixel: N C^2 + C^3/3.

Reference: Cardinali, Pezzulli and Andersson (2004), Influence-matrix diagnostic of a data
assimilation system, Q. J. R. Meteorol. Soc. 130, 2767-2786; Talagrand (1999), A posteriori
verification of analysis and assimilation algorithms, ECMWF workshop proceedings, 17-28.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.linalg import (
    innovation_factor,
    solve_lower,
    solve_lower_transposed,
    weighted,
)
from releo_da.assimilation.whitening import error_factor, independent


class Innovations(NamedTuple):
    """One acquisition's innovations in a few numbers, ``[pixel]`` each unless said otherwise.

    Attributes:
        chi2: d'(S + R)^-1 d.
        dfs: degrees of freedom for signal.
        used: number of channels used.
        signal: degrees of freedom for signal of each channel, ``[pixel, channel]``.
    """

    chi2: Tensor
    dfs: Tensor
    used: Tensor
    signal: Tensor

    @property
    def reduced(self) -> Tensor:
        """Chi-square over the number of channels used; NaN where none was."""
        return self.chi2 / torch.where(self.used > 0, self.used.to(self.chi2), torch.nan)


@torch.no_grad()
def innovations(
    predicted: Tensor, y: Tensor, precision: Tensor, correlation: float | Tensor = 0.0
) -> Innovations:
    """Consistency of one acquisition with the background, from what a `Step` holds.

    Args:
        predicted: H of each background member, ``[pixel, member, channel]``.
        y: observations, ``[pixel, channel]``.
        precision: as used, ``[pixel, channel]``, 0 where not seen or refused.
        correlation: of the errors, see `whitening.checked`.
    """
    s, d = weighted(predicted, y, precision)
    errors = error_factor(correlation, precision)
    s, d = independent(s, d, errors)
    lower = innovation_factor(s)
    eye = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
    inverse = solve_lower(lower, eye)
    chi2 = (inverse @ d[..., None]).square().sum((-2, -1))
    dfs = lower.shape[-1] - inverse.square().sum((-2, -1))
    # R (S + R)^-1 = L G^-1 L^-1 in weighted channels, with L of the correlation, 1 without one
    left = right = inverse
    if errors is not None:
        left, right = inverse @ errors.mT, solve_lower_transposed(errors, inverse.mT).mT
    signal = 1.0 - (left * right).sum(-2)
    return Innovations(chi2, dfs, (precision > 0).sum(-1), signal)
