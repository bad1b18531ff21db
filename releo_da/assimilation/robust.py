r"""Huber's robust weights: large innovations count, but not with the square of their size.

With the innovation d_c of a channel in its standard deviations, r_c = d_c / (S_cc + R_cc)^1/2, the
cost of a channel is quadratic up to a threshold k and linear beyond:

    rho(r) = r^2 / 2                  |r| <= k
             k |r| - k^2 / 2          |r| >  k

which is the same as a precision multiplied by min(1, k / |r|): one step of iteratively reweighted
least squares, from the background. Between using a value as it is and refusing it (`screened`):
something that is merely unlikely keeps a bounded influence, where a refusal would jump. Gross
errors (clouds) are better refused first: ``screened(huber(etkf))``.

Cost per pixel: N C. H of the background is evaluated once and shared with the scheme.

Reference: Huber (1964), Robust estimation of a location parameter, Ann. Math. Stat. 35, 73-101;
Tavolato and Isaksen (2015), On the use of a Huber norm for observation quality control in the ECMWF
4D-Var, Q. J. R. Meteorol. Soc. 141, 1514-1527.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.linalg import weighted
from releo_da.assimilation.screening import remembered
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme


def huber_weights(predicted: Tensor, y: Tensor, precision: Tensor, threshold: float) -> Tensor:
    """Factors of the precision, in (0, 1], ``[pixel, channel]``.

    Args:
        predicted: H of each background member, ``[pixel, member, channel]``.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        threshold: k, in standard deviations of the innovation.
    """
    s, d = weighted(predicted, y, precision)
    size = d.abs() / (1.0 + s.square().sum(1)).sqrt()
    return threshold / size.clamp(min=threshold)


def huber(scheme: Scheme, threshold: float = 2.0) -> Scheme:
    """Bound the influence of values that the background makes unlikely.

    The ``precision`` of the result is that of the acquisition where a value was used, so that only
    refusals show as 0.

    Args:
        scheme: meets the reduced precision.
        threshold: innovation in standard deviations from which influence grows no more.

    Raises:
        InputError: ``threshold`` is not positive.
    """
    if not threshold > 0.0:
        raise InputError(f"huber: threshold must be positive, got {threshold}")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        predicted = observe(prior)
        reduced = precision * huber_weights(predicted, y, precision, threshold)
        known = remembered(observe, prior, predicted)
        result = scheme(prior, known, y, reduced, noise, memory)
        used = torch.where(result.precision > 0, precision, 0.0)
        return result._replace(precision=used)

    return analyse
