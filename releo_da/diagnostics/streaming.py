"""Scores as sums that grow: a run that never ends keeps nine numbers per channel.

    n, sum d, sum d^2, sum |d|, sum crps, sum sd^2, number inside the 90 % interval, sum crps_fair,
    number compared and not finite

with d the prediction minus the observation. They are added over cycles and turned into a row of
scores.json at any time. A median cannot be made this way and is left out. A prediction that is not
finite beside a value that is enters none of the sums, so scores are those of the predictions that
are left; it is counted at the end. An observed value of NaN was not asked. How well calibrated the
distributions are takes more numbers, which `reliability` keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS

TERMS = 9


def sums(numbers: Array) -> Array:
    """The sums of the records of one acquisition.

    Args:
        numbers: ``[pixel, channel, field]`` by `releo_da.diagnostics.verification.FIELDS`, NaN
            where nothing was compared.

    Returns:
        ``[channel, 9]`` float64.
    """
    found = dict(zip(FIELDS, np.moveaxis(np.asarray(numbers, np.float64), -1, 0), strict=True))
    y, d = found["observed"], found["mean"] - found["observed"]
    inside = ((y >= found["q05"]) & (y <= found["q95"])).astype(float)
    terms = [np.ones_like(d), d, d**2, np.abs(d), found["crps"], found["sd"] ** 2]
    terms += [inside, found["crps_fair"]]
    counted = np.isfinite(d)
    lost = (np.isfinite(y) & ~counted).sum(0).astype(float)
    return np.stack([*(np.where(counted, term, 0.0).sum(0) for term in terms), lost], -1)


def total(parts: Sequence[Mapping[str, Sequence[float] | Array]]) -> dict[str, Array]:
    """Sums per channel added over cycles, in their order; last ones that a part lacks are 0."""
    found: dict[str, Array] = {}
    for part in parts:
        for name, terms in part.items():
            new = np.asarray(terms, np.float64)
            known = found.setdefault(name, np.zeros(TERMS))
            known[: new.size] += new
    return found


def row(terms: Array) -> dict[str, float]:
    """The row of scores.json that the sums of a channel make."""
    n, error, square, absolute, crps, variance, inside, fair = (float(term) for term in terms[:8])
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
