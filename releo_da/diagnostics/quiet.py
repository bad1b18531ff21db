r"""Innovations as white numbers: what they are while nothing happens, and each against that.

With u the innovations in their predicted standard deviations, and m and C their mean and covariance
in years that were quiet (`reference`),

    v_t = C^-1/2 (u_t - m)                                           [channel]   `whitened`
    e_t = clip((clip(v_t) - r clip(v_t-1)) / sqrt(1 - r^2))          [channel]   `fresh`

Both are standard normal while nothing happens. Innovations of a filter that is not optimal, or
against forecasts whose targets overlap, are like those before them, by the correlation r of
successive ones of a pixel; e is what is new in each. ``clip`` bounds the length: one acquisition,
however cloudy, says no more than a rare innovation does. The root is the symmetric one, so that a
channel stays that channel. What likeness is left in e is told by `alike`, 1 + 2 sum_k r_k: how many
successive ones count as one.

References: Bayley and Hammersley (1946), The effective number of independent observations in an
autocorrelated time series, J. R. Stat. Soc. Suppl. 8, 184-197; Geyer (1992), Practical Markov chain
Monte Carlo, Stat. Sci. 7, 473-483, section 3.3 (the pairs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from releo_da.diagnostics.scores import Array
from releo_da.types import InputError

FEWEST = 5
"""Innovations per channel that a reference needs."""

TRIM = 0.99
"""Quantile of chi2 beyond which an innovation is left out of its own reference."""

RARE = 0.99999
"""Quantile of chi2 at which the length of an innovation is clipped: with one change in fifty years
expected, one acquisition five days after the last makes it about as likely as not, and no more."""

ROUNDING = 1e-10
"""Smallest over largest variance below which channels are taken for one."""

LAGS = 11
"""Acquisitions over which innovations may be alike."""


class Reference(NamedTuple):
    """What innovations are while nothing happens.

    Attributes:
        centre: ``[channel]``.
        whiten: ``[channel, channel]`` symmetric, C^-1/2.
        number: of innovations behind it.
    """

    centre: Array
    whiten: Array
    number: int


def innovations_of(
    verification: xr.Dataset, case: str, channels: Mapping[str, Sequence[str]]
) -> dict[str, Array]:
    """Innovations in predicted standard deviations by sensor, ``[date, pixel, channel]``.

    Args:
        verification: verification.nc of a hindcast, opened.
        case: ``background``, or ``forecast_30`` for predictions of 30 days and more.
        channels: by sensor, names along its channel axis; those at one position of several sensors
            should be of one wavelength, for a change shifts them alike.

    Returns:
        All dates of the file for each sensor, NaN on those of the others and where not compared.

    Raises:
        InputError: no such case, sensor or channel.
    """
    there = list(map(str, verification.case.values))
    if case not in there:
        raise InputError(f"change: no case '{case}' in verification.nc; it has {', '.join(there)}")
    part = verification.sel(case=case)
    found = {}
    for sensor, names in channels.items():
        mine = verification.sensor.values == sensor
        missing = [n for n in names if n not in verification.channel.values]
        if not mine.any() or missing:
            what = f"channel '{missing[0]}'" if missing else f"sensor '{sensor}'"
            raise InputError(f"change: verification.nc has no {what}")
        some = part.sel(channel=list(names)).transpose(..., "time", "pixel", "channel")
        u = ((some["observed"] - some["mean"]) / some["sd"]).values.astype(float)
        found[sensor] = np.where(mine[:, None, None], u, np.nan)
    return found


def reference(innovations: Array) -> Reference:
    """Mean and covariance of innovations of quiet years, pixels pooled.

    The furthest per cent (`TRIM`) is left out, so that clouds that passed do not hide changes; the
    covariance is multiplied by what that takes from it where all is Gaussian.

    Args:
        innovations: ``[date, pixel, channel]``; a pixel counts on dates with all channels.

    Raises:
        InputError: fewer than five per channel.
    """
    channels = innovations.shape[-1]
    seen = np.isfinite(innovations).all(-1)
    u = innovations[seen]
    if len(u) < FEWEST * channels:
        raise InputError(
            f"change: {len(u)} innovations of {channels} channels in the reference; take a longer "
            f"period or more pixels, {FEWEST * channels} are needed"
        )
    limit = float(stats.chi2.ppf(TRIM, channels))
    taken = stats.chi2.cdf(limit, channels + 2) / TRIM  # of the covariance, by leaving out
    centre = np.median(u, 0)
    kept = (abs(u - centre) < 4.0 * 1.4826 * np.median(abs(u - centre), 0)).all(-1)
    whiten, share = np.eye(channels), 1.0
    for _ in range(3):
        centre = u[kept].mean(0)
        whiten = _inverse_root(np.cov(u[kept].T).reshape(channels, channels) / share)
        kept, share = (((u - centre) @ whiten) ** 2).sum(-1) < limit, taken
    return Reference(centre, whiten, int(kept.sum()))


def whitened(innovations: Array, usual: Reference) -> tuple[Array, Array]:
    """C^-1/2 (u - m), ``[date, pixel, channel]``, 0 where not seen, and where it was seen."""
    seen = np.asarray(np.isfinite(innovations).all(-1))
    v = (np.where(seen[..., None], innovations, usual.centre) - usual.centre) @ usual.whiten
    return v, seen


def clipped(v: Array, alike: float = 1.0) -> Array:
    """Vectors ``[..., channel]`` no longer than one in 100,000 of variance ``alike``."""
    longest = np.sqrt(alike * stats.chi2.ppf(RARE, v.shape[-1]))
    length = np.sqrt((v**2).sum(-1, keepdims=True))
    return v * (longest / np.maximum(length, longest))


def fresh(v: Array, seen: Array, r: float, alike: float = 1.0) -> Array:
    """The e above, ``[date, pixel, channel]``, 0 where not seen; the first of a pixel is its v.

    Args:
        v: ``[date, pixel, channel]``, 0 where not seen.
        seen: ``[date, pixel]`` bool.
        r: correlation of successive values that a pixel saw.
        alike: how many successive e count as one; one of them then says less, and may be longer.
    """
    v = clipped(v, alike)
    date = np.arange(len(v))[:, None]
    latest = np.maximum.accumulate(np.where(seen, date, -1), axis=0)
    last = np.concatenate([np.full((1, v.shape[1]), -1), latest[:-1]])
    before = np.take_along_axis(v, np.maximum(last, 0)[..., None], 0)
    e = np.where((last >= 0)[..., None], (v - r * before) / np.sqrt(1.0 - r**2), v)
    return clipped(e, alike) * seen[..., None]


def correlations(v: Array, seen: Array) -> Array:
    """Correlation of values of a pixel ``k`` acquisitions apart, ``[k]`` from 0, channels pooled.

    Args:
        v: ``[date, pixel, channel]`` of mean 0, and 0 where not seen.
        seen: ``[date, pixel]`` bool.
    """
    order = np.argsort(~seen, axis=0, kind="stable")  # what was seen first, in order
    packed = np.take_along_axis(v, order[..., None], 0)
    count = seen.sum(0)
    pairs = [np.maximum(count - lag, 0).sum() for lag in range(LAGS + 1)]
    sums = [
        (packed[lag:] * packed[: len(packed) - lag]).sum() / number
        for lag, number in enumerate(pairs)
        if number
    ]
    return np.array(sums) / sums[0]


def alike(v: Array, seen: Array) -> float:
    """Successive values of a pixel that count as one: 1 + 2 sum_k r_k, 1 or more.

    Lags are taken in pairs, r_0 + r_1, r_2 + r_3, ..., up to the first sum that is not positive:
    what is new in each value may differ from the one before it and be like those further back.

    Args:
        v: ``[date, pixel, channel]``, as of `correlations`.
        seen: ``[date, pixel]`` bool.
    """
    r = correlations(v, seen)
    pairs = r[: len(r) // 2 * 2].reshape(-1, 2).sum(-1)
    ends = np.flatnonzero(pairs <= 0.0)
    return float(max(2.0 * pairs[: ends[0] if len(ends) else None].sum() - 1.0, 1.0))


def _inverse_root(covariance: Array) -> Array:
    """C^-1/2, symmetric: a channel stays that channel."""
    values, vectors = np.linalg.eigh(covariance)
    if not values[0] > ROUNDING * values[-1]:
        raise InputError(
            "change: innovations of the reference do not vary in all channels; leave one out"
        )
    return (vectors / np.sqrt(values)) @ vectors.T
