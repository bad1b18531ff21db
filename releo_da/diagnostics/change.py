r"""The probability that something changed abruptly at a pixel, from innovations.

A fire, a felling or a flood shifts what is seen against what was predicted, and keeps it shifted; a
cloud is gone the next time. With v the innovations as white numbers, r their correlation from one
to the next, and e what is new in each (`quiet`),

    nothing happens     e_t = noise,                    noise ~ N(0, a I)        [channel]
    change at s         e_t = x_t delta + noise,        delta ~ N(0, kappa^2 I)

    x_s = 1 / sqrt(1 - r^2),        x_t = (1 - r) / sqrt(1 - r^2) for t > s

where a is the likeness that is left in e. The evidence of a change at s against none is closed,

    log B_s = kappa^2 |S_s|^2 / (2 + 2 kappa^2 X_s) - p/2 log(1 + kappa^2 X_s)
    S_s = sum_{t>=s} x_t e_t / a,        X_s = sum_{t>=s} x_t^2 / a

and with the prior pi_s = ``rate`` x days since the acquisition before s, over the starts s of the
last ``days``,

    odds = sum_s pi_s B_s / (1 - sum_s pi_s),        P = odds / (1 + odds)

where sum_s pi_s has to stay below 1; it is at most 2 ``rate`` x ``days``, for days before the first
of the starts count as well.

While nothing happens every B_s is a martingale of mean 1, so in T days odds exceed A with a
probability of no more than about rate (T + days) / A (Ville's inequality): P > 0.99 is a false
alarm in fewer than rate / 99 pixels a year, for innovations as white and Gaussian as was said.
Real ones are neither: count alarms in quiet years.

Innovations against a filter that believes the first acquisition after a change show it once. Those
against forecasts of ``h`` days and more (the cases ``forecast_h`` of verification.nc) show it for
h days. Cost O(dates x starts x pixel x channel), memory the sums of every start; starts of more
than ``days`` ago are forgotten.

References: Adams and MacKay (2007), Bayesian online changepoint detection, arXiv:0710.3742; Ville
(1939), Etude critique de la notion de collectif, chapter 5; Shiryaev (1963), On optimum methods in
quickest detection problems, Theory Probab. Appl. 8, 22-46.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from releo_da.diagnostics.quiet import alike, clipped, correlations, fresh, reference, whitened
from releo_da.diagnostics.scores import Array
from releo_da.types import InputError

KAPPA = 3.0
"""Prior standard deviation of a shift, in those of an innovation."""

YEAR = 365.25
LARGEST = 600.0
"""Logarithm of an evidence that is certainty."""


class Noise(NamedTuple):
    """How innovations are like those before them.

    Attributes:
        r: correlation of successive values, 0 to below 1.
        alike: how many successive ones count as one beyond that, 1 or more.
    """

    r: float = 0.0
    alike: float = 1.0

    def shifts(self) -> tuple[float, float]:
        """What a shift of 1 is in the first value that has it, and in later ones."""
        root = (1.0 - self.r**2) ** 0.5
        return 1.0 / root, (1.0 - self.r) / root


class Change(NamedTuple):
    """What is said of every acquisition and pixel.

    Attributes:
        times: ``[date]`` days.
        probability: ``[date, pixel]`` that the pixel changed within the last ``days``.
        onset: ``[date, pixel]`` days, the likeliest first acquisition that shows a change.
        noise: how innovations were alike in the quiet period.
    """

    times: Array
    probability: Array
    onset: Array
    noise: Noise

    def first(self, level: float = 0.99) -> Array:
        """When the probability first exceeds a level, ``[pixel]`` days; NaN where it never does."""
        beyond = self.probability > level
        return np.where(beyond.any(0), self.times[beyond.argmax(0)], np.nan)


def changes(
    innovations: Mapping[str, Array],
    times: Array,
    quiet: Array,
    rate: float = 0.02,
    days: float = 120.0,
) -> Change:
    """The probability of an abrupt change at every acquisition, from innovations of any sensors.

    Args:
        innovations: by sensor ``[date, pixel, channel]``, as `quiet.innovations_of` gives them.
        times: ``[date]`` days since 1970-01-01 UTC, ascending.
        quiet: ``[date]`` bool, the dates of the reference.
        rate: changes of a pixel per year that are expected beforehand.
        days: how long a change is looked for; less than a change takes to grow over.

    Raises:
        InputError: shapes or dates that do not fit, a reference that is too short or in which no
            pixel was seen twice, or a ``rate`` that makes a change within ``days`` certain.
    """
    shapes = {name: np.shape(u) for name, u in innovations.items()}
    like = next(iter(shapes.values()), ())
    if len(like) != 3 or like[:1] != np.shape(times) or set(shapes.values()) != {like}:
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()) or "none"
        raise InputError(
            "change: wants innovations [date, pixel, channel] of one sensor or more, all of "
            f"{np.size(times)} dates and with the same pixels and channels; got {told}"
        )
    if np.shape(quiet) != np.shape(times) or (np.diff(times) < 0).any():
        raise InputError("change: `quiet` has one entry per date, and dates ascend")
    v, seen = np.zeros(like), np.zeros(like[:2], bool)
    for u in innovations.values():
        part, there = whitened(u, reference(u[quiet]))
        v, seen = v + part, seen | there
    usual = clipped(v[quiet])
    if seen[quiet].sum(0).max() < 2:
        raise InputError(
            "change: no pixel was seen twice in the reference, so how innovations are alike is not "
            "known; take a longer period"
        )
    r = max(float(correlations(usual, seen[quiet])[1]), 0.0)
    noise = Noise(r, alike(fresh(usual, seen[quiet], r), seen[quiet]))
    return posterior(fresh(v, seen, r, noise.alike), seen, times, rate, days, noise)


def posterior(
    e: Array,
    seen: Array,
    times: Array,
    rate: float,
    days: float,
    noise: Noise = Noise(),  # noqa: B008 (immutable)
    kappa: float = KAPPA,
) -> Change:
    """Probability and begin of a change, from what is new in each acquisition.

    Args:
        e: ``[date, pixel, channel]``, standard normal while nothing happens, 0 where not seen.
        seen: ``[date, pixel]`` bool.
        times: ``[date]`` days, ascending.
        rate: changes per year.
        days: how long a change is looked for.
        noise: how values are alike.
        kappa: prior standard deviation of a shift.

    Raises:
        InputError: ``days`` is not positive, or ``rate`` times ``days``, with the days before the
            first start among them, is no probability.
    """
    if not days > 0.0:
        raise InputError(f"change: days is {days:g}; give a positive number")
    expected = rate * longest(times, days) / YEAR
    if not 0.0 < expected < 1.0:
        raise InputError(
            f"change: {rate:g} changes a year make {expected:.2g} within {days:g} days and the gap "
            "before them; this wants to lie between 0 and 1, give a smaller rate or fewer days"
        )
    pixels, channels = e.shape[1:]
    first, later = noise.shifts()
    sums, squares = np.empty((0, pixels, channels)), np.empty((0, pixels))
    begin, prior = np.empty(0), np.empty(0)
    probability, onset = np.empty((2, len(times), pixels))
    before = times[0] if len(times) else 0.0
    for k, now in enumerate(times):
        begin = np.append(begin, now)
        prior = np.append(prior, rate * min(now - before, days) / YEAR)
        sums = np.concatenate([sums, np.zeros((1, pixels, channels))])
        squares = np.concatenate([squares, np.zeros((1, pixels))])
        recent = begin >= now - days
        begin, prior, sums, squares = (one[recent] for one in (begin, prior, sums, squares))
        x = np.where(squares > 0.0, later, first) * seen[k]
        sums = sums + x[..., None] * e[k] / noise.alike
        squares = squares + x**2 / noise.alike
        precision = 1.0 + kappa**2 * squares
        fit = 0.5 * kappa**2 * (sums**2).sum(-1) / precision
        evidence = fit - 0.5 * channels * np.log(precision)
        weight = prior[:, None] * np.exp(np.minimum(evidence, LARGEST))
        odds = weight.sum(0) / (1.0 - prior.sum())
        probability[k] = odds / (1.0 + odds)
        onset[k] = begin[weight.argmax(0)]
        before = now
    return Change(np.asarray(times, float), probability, onset, noise)


def longest(times: Array, days: float) -> float:
    """Days that all starts looked at together stand for, at most.

    A start stands for the days since the acquisition before it, ``days`` at most, and is looked at
    for ``days``: behind a gap that is up to 2 ``days``. ``days`` itself where nothing is longer.

    Args:
        times: ``[date]`` days, ascending.
        days: how long a change is looked for, positive.
    """
    gaps = np.minimum(np.diff(times, prepend=times[:1]), days)
    until = gaps.cumsum()
    first = np.searchsorted(times, np.subtract(times, days))
    return float((until - until[first] + gaps[first]).max(initial=days))
