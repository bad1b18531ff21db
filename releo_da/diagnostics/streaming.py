"""Scores as sums that grow: a run that never ends keeps eight numbers per channel.

    n, sum d, sum d^2, sum |d|, sum crps, sum sd^2, number inside the 90 % interval, sum crps_fair

with d the prediction minus the observation. They are added over cycles and turned into a row of
scores.json at any time. A median cannot be made this way and is left out. How well calibrated the
distributions are takes more numbers, which `reliability` keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS

TERMS = 8


def sums(numbers: Array) -> Array:
    """The sums of the records of one acquisition.

    Args:
        numbers: ``[pixel, channel, field]`` by `releo_da.diagnostics.verification.FIELDS`, NaN
            where nothing was compared.

    Returns:
        ``[channel, 8]`` float64.
    """
    found = dict(zip(FIELDS, np.moveaxis(np.asarray(numbers, np.float64), -1, 0), strict=True))
    y, d = found["observed"], found["mean"] - found["observed"]
    inside = ((y >= found["q05"]) & (y <= found["q95"])).astype(float)
    terms = [np.ones_like(d), d, d**2, np.abs(d), found["crps"], found["sd"] ** 2]
    terms += [inside, found["crps_fair"]]
    counted = np.isfinite(d)
    return np.stack([np.where(counted, term, 0.0).sum(0) for term in terms], -1)


def total(parts: Sequence[Mapping[str, Sequence[float] | Array]]) -> dict[str, Array]:
    """Sums per channel added over cycles, in their order."""
    found: dict[str, Array] = {}
    for part in parts:
        for name, terms in part.items():
            found[name] = found.get(name, np.zeros(TERMS)) + np.asarray(terms, np.float64)
    return found


def row(terms: Array) -> dict[str, float]:
    """The row of scores.json that the sums of a channel make."""
    n, error, square, absolute, crps, variance, inside, fair = (float(term) for term in terms)
    return {
        "rmse": float(np.sqrt(square / n)),
        "bias": error / n,
        "mae": absolute / n,
        "crps": crps / n,
        "crps_fair": fair / n,
        "spread": float(np.sqrt(variance / n)),
        "coverage_90": inside / n,
        "n": int(n),
    }
