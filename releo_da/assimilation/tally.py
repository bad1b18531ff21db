r"""Sums over a run that say whether its errors were right: chi2, information, R of each channel.

Of one acquisition, over the pixels where something was used, `tally` gives

    pixels, values   how many pixels and values were used
    chi2, dfs        sums of d'(S + R)^-1 d and tr(S (S + R)^-1)      (`consistency`)
    within           pixels whose chi2 lies in the central 95 % of its distribution
    assumed          sums of R_cc                                     [channel]
    expected         sums of S_cc + R_cc                              [channel]
    signal           sums of (S (S + R)^-1)_cc                        [channel]
    cases, residual, increment, bias    with themselves only          [channel]    (`desroziers`)
    after, after_squares                sums of d_oa and d_oa^2       [channel]

as float64 tensors by these names. Those of several blocks or acquisitions of one sensor add up, so
a run keeps nine numbers per channel of a sensor, however long it is. `innovation_row` and
`error_rows` turn sums into figures. The sum of d_c^2 is that of residual and increment together,
since d_ob = d_oa + d_ab. Cost per pixel: N C^2 + C^3/3.

Reference: Desroziers, Berre, Chapnik and Poli (2005), Diagnosis of observation, background and
analysis-error statistics in observation space, Q. J. R. Meteorol. Soc. 131, 3385-3396.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from releo_da.assimilation.consistency import innovations
from releo_da.assimilation.desroziers import Desroziers, desroziers, estimate
from releo_da.assimilation.sequence import autocorrelation

Sums = dict[str, Tensor]


@torch.no_grad()
def tally(
    predicted: Tensor,
    analysed: Tensor,
    y: Tensor,
    precision: Tensor,
    correlation: float | Tensor = 0.0,
) -> Sums:
    """The sums of one acquisition; pixels that are not finite count for nothing.

    Args:
        predicted: H of each background member, ``[pixel, member, channel]``.
        analysed: mean H of the analysis, ``[pixel, channel]``.
        y: observations, ``[pixel, channel]``.
        precision: as used, ``[pixel, channel]``, 0 where not seen or refused.
        correlation: of the errors, see `whitening.checked`.
    """
    sound = torch.isfinite(predicted).flatten(1).all(1) & torch.isfinite(analysed).all(1)
    predicted = torch.where(sound[:, None, None], predicted, 0.0).double()
    analysed = torch.where(sound[:, None], analysed, 0.0).double()
    precision, y = torch.where(sound[:, None], precision, 0.0).double(), y.double()
    used = precision > 0
    said = innovations(predicted, y, precision, correlation)
    found = desroziers(predicted.mean(1), analysed, y, precision)
    error = torch.where(used, 1.0 / torch.where(used, precision, 1.0), 0.0)
    after = (y - analysed) * used
    sums = {
        "pixels": used.any(-1).sum().double(),
        "values": used.sum().double(),
        "chi2": said.chi2.sum(),
        "dfs": said.dfs.sum(),
        "within": central(said.chi2, said.used).sum().double(),
        "assumed": error.sum(0),
        "expected": (error + torch.where(used, predicted.var(1), 0.0)).sum(0),
        "signal": said.signal.sum(0),
        **{n: part.diagonal() if part.dim() > 1 else part for n, part in found._asdict().items()},
        "after": after.sum(0),
        "after_squares": after.square().sum(0),
    }
    return {name: part.cpu() for name, part in sums.items()}


def central(chi2: Tensor, number: Tensor, level: float = 0.95) -> Tensor:
    """Whether chi2 of so many values lies in the central part of its distribution, bool.

    Args:
        chi2: ``[pixel]``.
        number: ``[pixel]`` of values, 0 is never inside.
        level: probability of the central part under consistency.
    """
    below = torch.special.gammainc(0.5 * number.clamp(min=1).to(chi2), 0.5 * chi2)
    return (number > 0) & ((below - 0.5).abs() <= 0.5 * level)


def innovation_row(sums: Mapping[str, Tensor]) -> dict[str, float]:
    """Figures of a tally; NaN where nothing was used.

    Returns:
        ``values`` and ``pixels`` used, ``reduced_chi2`` (per value, 1 where errors and spread are
        right), ``chi2_within`` (share of pixels whose chi2 lies in its central 95 %), ``dfs``
        (degrees of freedom for signal per pixel, of values / pixels).
    """
    values, pixels = float(sums["values"]), float(sums["pixels"])
    return {
        "values": int(values),
        "pixels": int(pixels),
        "reduced_chi2": float(sums["chi2"]) / values if values else float("nan"),
        "chi2_within": float(sums["within"]) / pixels if pixels else float("nan"),
        "dfs": float(sums["dfs"]) / pixels if pixels else float("nan"),
    }


def error_rows(
    sums: Mapping[str, Tensor], names: Sequence[str]
) -> dict[str, dict[str, float | int]]:
    """What a run says of each channel: its error, its innovations and its information.

    Args:
        sums: over the acquisitions of one sensor.
        names: of its channels.

    Returns:
        For each channel that was used ``assumed`` and ``estimated`` deviation of the observation
        error (NaN where the estimated variance is negative), ``bias``, the mean innovation, and its
        deviation ``sd``, ``variance_ratio``, mean d^2 over mean S + R (1 where both are right),
        ``expected``, the root of that mean S + R, ``dfs``, degrees of freedom for signal per use (0
        to 1), and ``n`` uses; mean and deviation of the residual d_oa, ``residual_bias`` and
        ``residual_sd``, unless sums are of a time when it was not kept; where the sums of
        `sequence` stand beside them, ``autocorrelation`` of successive innovations of a pixel, 0
        where white.
    """
    held = Desroziers(*(sums[name] for name in Desroziers._fields))
    cases, residual, increment = map(torch.diag, held[:3])
    found, count = estimate(Desroziers(cases, residual, increment, held.bias)), held.cases
    squares = sums["residual"] + sums["increment"]
    columns = {
        "assumed": (sums["assumed"] / count).sqrt(),
        "estimated": found.error.diagonal().sqrt(),
        "bias": found.bias,
        "sd": deviation(sums["bias"], squares, count),
        "expected": (sums["expected"] / count).sqrt(),
        "variance_ratio": squares / sums["expected"],
        "dfs": sums["signal"] / count,
    }
    if "after" in sums:
        columns["residual_bias"] = sums["after"] / count
        columns["residual_sd"] = deviation(sums["after"], sums["after_squares"], count)
    if "pairs" in sums:
        columns["autocorrelation"] = autocorrelation(sums)
    return {
        name: {key: float(column[k]) for key, column in columns.items()} | {"n": int(count[k])}
        for k, name in enumerate(names)
        if count[k] > 0
    }


def deviation(total: Tensor, squares: Tensor, count: Tensor) -> Tensor:
    """Standard deviation of values from their sum and the sum of their squares."""
    return (squares / count - (total / count).square()).clamp(min=0.0).sqrt()
