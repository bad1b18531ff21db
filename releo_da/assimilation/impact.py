r"""What each channel did to an analysis: which error it took away.

With background members X_b, their predicted observations Y_b = H(X_b), anomalies marked ', N
members and errors R, the gain is read off the background ensemble,

    K = X_b' Y_b'^T (Y_b' Y_b'^T / (N - 1) + R)^-1 / (N - 1)           [quantity, channel]

which is the gain A H' R^-1 of a linear filter in another form. That of Liu and Kalnay (2008,
doi:10.1002/qj.280) takes A from the analysis ensemble; inflation and relaxation change that one
after the mean was moved, and relaxation most where observations were strong: with a spread of 20
errors, relaxed by 0.4, it gives 75 times the impact. The background is what the increment was made
of, whatever happens to the anomalies afterwards. No adjoint is needed, and every scheme has one.

    impact          K_qj d_j (e_a + e_b)_q,   d = y - mean H(x_b)     error of the mean before: e_b,
                                                                      after: e_a, of any quantity q

The impact of the channels on a quantity adds up to e_a^2 - e_b^2, exactly where K d is the
increment (a linear H), since e_a - e_b = K d: below 0 a channel made the analysis better. A curved
H, neighbours, and inflation of the background inside of the scheme leave a remainder, which
`impact_rows` tells as ``explained``, the sum over its target. Where what single pixels gain and
lose cancels, the target is a small difference of large numbers and the ratio says nothing, so it is
left out (`CANCELLED`). What the channels told of their own (degrees of freedom for signal) is said
by `consistency`. The errors may be

    against the truth           of a twin: any state variable, derived variable or channel
    against the observations    `observation_impact`: sum over channels of R^-1 (o_a^2 - o_b^2); an
                                analysis always draws closer to what it used, so this says whose
                                word counted, not whether it was true
    against later observations  quantity H of the forecast from each background member, e_a and e_b
                                the forecasts from analysis and background against the next
                                acquisition (EFSOI: Kalnay et al. 2012,
                                doi:10.3402/tellusa.v64i0.18462)

Cost per pixel: N C (Q + C) + C^3/3 for Q quantities and C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from releo_da.assimilation.linalg import (
    anomalies,
    innovation_factor,
    precision_root,
    solve_lower_transposed,
    weighted,
)
from releo_da.assimilation.whitening import error_factor, independent

CANCELLED = 0.1
"""A change of the squared error below this share of what single pixels change by is what is left
of gains and losses: no ratio to it is told."""


def gain(
    quantity: Tensor, predicted: Tensor, precision: Tensor, correlation: float | Tensor = 0.0
) -> Tensor:
    """The ensemble's gain from each channel to each quantity, ``[pixel, quantity, channel]``.

    Args:
        quantity: of each background member, ``[pixel, member, quantity]``.
        predicted: H of each background member, ``[pixel, member, channel]``.
        precision: as used, ``[pixel, channel]``, 0 where not seen or refused.
        correlation: of the errors, see `whitening.checked`.

    Returns:
        0 for a channel that was not used, and for a pixel that `linalg.factor` could not factor.

    Raises:
        ValueError: fewer than two members.
    """
    s, d = weighted(predicted, torch.zeros_like(precision), precision)
    errors = error_factor(correlation, precision)
    s, _ = independent(s, d, errors)
    covariance = s.mT @ anomalies(quantity) * (predicted.shape[1] - 1) ** -0.5
    by = torch.cholesky_solve(covariance, innovation_factor(s))
    if errors is not None:
        by = solve_lower_transposed(errors, by)
    return by.mT * precision_root(precision)[:, None]


@torch.no_grad()
def impact(
    quantity: Tensor,
    predicted: Tensor,
    innovation: Tensor,
    precision: Tensor,
    before: Tensor,
    after: Tensor,
    correlation: float | Tensor = 0.0,
) -> Tensor:
    """Change of the squared error of each quantity by each channel, ``[pixel, quantity, channel]``.

    Args:
        quantity: of each background member (or forecast from it), ``[pixel, member, quantity]``.
        predicted: H of each background member, ``[pixel, member, channel]``.
        innovation: y - mean H of the background, ``[pixel, channel]``, finite.
        precision: as used, ``[pixel, channel]``, 0 where not seen or refused.
        before: error of the background's mean quantity, ``[pixel, quantity]``.
        after: error of the analysis's.
        correlation: of the errors, see `whitening.checked`.

    Returns:
        In the squared unit of the quantity; negative where the channel took error away.
    """
    by = gain(quantity, predicted, precision, correlation)
    return by * innovation[:, None] * (before + after)[..., None]


@torch.no_grad()
def observation_impact(
    predicted: Tensor,
    analysed: Tensor,
    y: Tensor,
    precision: Tensor,
    correlation: float | Tensor = 0.0,
) -> Tensor:
    """Change of the weighted misfit sum_i (y - H)_i^2 / R_ii by each channel, ``[pixel, channel]``.

    Args:
        predicted: H of each background member, ``[pixel, member, channel]``.
        analysed: H of each analysis member, likewise.
        y: observations, ``[pixel, channel]``, finite also where not seen.
        precision: as used, ``[pixel, channel]``, 0 where not seen or refused.
        correlation: of the errors, see `whitening.checked`; the misfit stays that of the diagonal.
    """
    before, after = predicted.mean(1) - y, analysed.mean(1) - y
    found = impact(predicted, predicted, -before, precision, before, after, correlation)
    return (precision[..., None] * found).sum(1)


@torch.no_grad()
def impact_sums(
    found: Tensor, before: Tensor, after: Tensor, precision: Tensor
) -> dict[str, Tensor]:
    """The sums of one acquisition in float64; those of blocks and acquisitions add up.

    Args:
        found: of `impact`, ``[pixel, quantity, channel]``.
        before: as there, ``[pixel, quantity]``.
        after: as there.
        precision: as there.

    Returns:
        ``pixels`` with anything used, ``uses`` ``[channel]``, ``impact`` and ``beneficial`` (cases
        below 0) ``[quantity, channel]``, ``change`` of the squared error ``[quantity]`` and
        ``moved``, its size whichever its sign, likewise. Pixels that are not finite count for
        nothing.
    """
    used = (precision > 0) & is_sound(found, before, after)[:, None]
    change = torch.where(used.any(-1)[:, None], after.square() - before.square(), 0.0)
    held = torch.where(used[:, None], found, 0.0)
    sums = {
        "pixels": used.any(-1).sum(),
        "uses": used.sum(0),
        "impact": held.double().sum(0),
        "beneficial": (held < 0).sum(0),
        "change": change.double().sum(0),
        "moved": change.double().abs().sum(0),
    }
    return {name: part.double().cpu() for name, part in sums.items()}


def is_sound(found: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Where impacts and errors are finite, ``[pixel]`` bool; arguments as in `impact_sums`."""
    return torch.isfinite(found).flatten(1).all(1) & torch.isfinite(before + after).all(1)


@torch.no_grad()
def told(
    quantity: Tensor,
    analysed: Tensor,
    predicted: Tensor,
    y: Tensor,
    precision: Tensor,
    before: Tensor,
    after: Tensor,
    correlation: float | Tensor = 0.0,
) -> dict[str, Tensor]:
    """What one acquisition did to quantities whose truth is known, and to the misfit.

    Args:
        quantity: of each background member, ``[pixel, member, quantity]``.
        analysed: H of each analysis member, ``[pixel, member, channel]``.
        predicted: H of each background member, likewise.
        y: observations, ``[pixel, channel]``, finite also where not seen.
        precision: as used, ``[pixel, channel]``.
        before: error of the background's mean quantity, ``[pixel, quantity]``.
        after: error of the analysis's.
        correlation: of the errors, see `whitening.checked`.

    Returns:
        The sums of `impact_sums`, and ``observations`` ``[channel]``, those of
        `observation_impact`, over the same pixels; only those of which something was used are
        worked on, and those of which any number is not finite count for nothing.
    """
    used = (precision > 0).any(-1)
    parts = (quantity, analysed, predicted, y, precision, before, after)
    quantity, analysed, predicted, y, precision, before, after = (part[used] for part in parts)
    innovation = y - predicted.mean(1)
    found = impact(quantity, predicted, innovation, precision, before, after, correlation)
    misfit = observation_impact(predicted, analysed, y, precision, correlation)
    sound = is_sound(found, before, after) & torch.isfinite(misfit).all(1)
    found, misfit, before, after, precision = (
        part[sound] for part in (found, misfit, before, after, precision)
    )
    sums = impact_sums(found, before, after, precision)
    return sums | {"observations": misfit.double().sum(0).cpu()}


def impact_rows(
    sums: Mapping[str, Tensor], quantities: Sequence[str], channels: Sequence[str]
) -> dict[str, dict[str, object]]:
    """What scores.json says of one sensor's impact.

    Args:
        sums: over its acquisitions.
        quantities: their names.
        channels: of the sensor.

    Returns:
        For each quantity ``change`` (mean of e_a^2 - e_b^2 per pixel where anything was used),
        ``moved`` (mean of its size, whichever its sign), ``explained`` (sum of the impacts over the
        change, NaN where this is less than `CANCELLED` of ``moved``) and ``channels``: for each
        that was used its ``impact`` (mean over the same pixels, so that channels add up),
        ``beneficial`` (share of its uses that took error away) and ``n`` uses. ``observations``,
        where the sums have it: mean change of the weighted misfit per pixel, by channel.
    """
    pixels, uses = float(sums["pixels"]), sums["uses"]
    if not pixels:
        return {}
    found: dict[str, dict[str, object]] = {}
    for q, quantity in enumerate(quantities):
        change, moved, each = float(sums["change"][q]), float(sums["moved"][q]), sums["impact"][q]
        clear = abs(change) > CANCELLED * moved
        found[quantity] = {
            "change": change / pixels,
            "moved": moved / pixels,
            "explained": float(each.sum()) / change if clear else float("nan"),
            "channels": {
                name: {
                    "impact": float(each[c]) / pixels,
                    "beneficial": float(sums["beneficial"][q, c] / uses[c]),
                    "n": int(uses[c]),
                }
                for c, name in enumerate(channels)
                if uses[c] > 0
            },
        }
    if "observations" in sums:
        found["observations"] = {
            name: float(sums["observations"][c]) / pixels
            for c, name in enumerate(channels)
            if uses[c] > 0
        }
    return found
