r"""What an encoder says of a series with every third acquisition withheld, beside simpler answers.

    hidden values   mean and variance of H over the posterior given the other acquisitions, plus R;
                    beside straight lines between the values seen of the same channel
    leaf area       median and 90 % interval of the posterior where the truth is known: from the
                    series at dates that were shown and at those withheld, from each acquisition
                    by itself (per-date retrieval, the same weights), and from the prior alone

Withheld is acquisition i of all pixels where ``i % 3 == 1``. Channels that stand for one wavelength
are one (`releo_da.sensors.labels`). Scores are those of `releo_da.diagnostics.scores`: RMSE, bias,
coverage of 90 % intervals, number. Straight lines of NDVI are between values of NDVI. Cost: one
encoding of the series and of each shown acquisition, V + 1 canopies per hidden one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics import scores
from releo_da.diagnostics.baselines.interpolation import linear
from releo_da.diagnostics.baselines.series import Array, Series
from releo_da.learning.batches import Seen, Tokens
from releo_da.learning.prediction import Normal, simplex
from releo_da.sensors import load_sensor
from releo_da.sensors.indices import find_index, of_channels
from releo_da.types import Acquisition, ObservationOperator

EVERY, OFFSET = 3, 1
"""Which acquisitions are withheld."""

INTERVAL = 1.6448536
"""Half the width of a 90 % interval of a normal distribution, in deviations."""

Row = dict[str, float]


class Parts(NamedTuple):
    """What is needed to ask an encoder.

    Attributes:
        encode: ``encode(tokens, times)``, the posterior ``[pixel, date]``.
        tokens: makes of acquisitions what it takes.
        observe: the observation operator on its coordinates.
        channels: for each sensor, its channels.
        labels: for each sensor, names under which channels are scored.
        quantiles: ``quantiles(posterior, levels)`` of leaf area, ``[level, pixel, date]``.
    """

    encode: Callable[[Any, Tensor], Any]
    tokens: Tokens
    observe: ObservationOperator
    channels: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Sequence[str]]
    quantiles: Callable[[Any, Sequence[float]], Tensor]


def withheld(number: int) -> list[bool]:
    """Which of so many acquisitions are withheld."""
    return [k % EVERY == OFFSET for k in range(number)]


@torch.no_grad()
def encoder_scores(
    parts: Parts, series: Seen, leaf_area: Tensor | None, prior: Any, source: torch.Generator
) -> dict[str, dict[str, Row]]:
    """Scores by variable and method.

    Args:
        parts: what asks the encoder.
        series: with the full R.
        leaf_area: ``[date, pixel]`` of the truth; None where it is unknown.
        prior: the posterior of nothing.
        source: of the points at which H is evaluated.

    Returns:
        ``{variable: {method: {"rmse", "bias", "coverage_90", "n"}}}``; variables are the labels of
        channels, ``channels`` for all of them together, ``ndvi`` and ``lai``.
    """
    acquisitions, hide = series.acquisitions, withheld(len(series.acquisitions))
    shown = [a for a, h in zip(acquisitions, hide, strict=True) if not h]
    times = torch.tensor([a.time for a in acquisitions], dtype=torch.float64)
    q = parts.encode(parts.tokens(shown), times)
    points = simplex(len(acquisitions), q.mean.shape[-1], source).to(q.mean)
    found = _values(_columns(parts, acquisitions, hide, q, points))
    if leaf_area is not None:
        found["lai"] = _leaf_area(parts, acquisitions, hide, q, leaf_area, prior)
    return found


class Column(NamedTuple):
    """One variable along the dates that have it, ``[pixel, date]`` each, and the dates.

    Attributes:
        when: days.
        gone: whether withheld.
        value: what was seen.
        seen: where it was.
        mean: what is predicted of it, at withheld dates.
        variance: of the prediction, R included; NaN where R of the variable is unknown.
    """

    when: Array
    gone: Array
    value: Array
    seen: Array
    mean: Array
    variance: Array


def _columns(
    parts: Parts,
    acquisitions: Sequence[Acquisition],
    hide: Sequence[bool],
    q: Normal,
    points: Tensor,
) -> dict[str, Column]:
    """Channels and NDVI of a series with what the encoder says of the withheld ones."""
    found: dict[str, list[tuple[Array, ...]]] = {}
    for k, a in enumerate(acquisitions):
        names = parts.channels[a.sensor]
        members = a.values[:, None]
        if hide[k]:
            members = parts.observe(q.mean[:, k, None] + points[k] @ q.factor[:, k].mT, a)
        variance = a.error.square() + (members.var(1) if hide[k] else 0.0)
        told = {
            label: (a.values[:, c], a.seen[:, c], members[..., c].mean(1), variance[:, c])
            for c, label in enumerate(parts.labels[a.sensor])
        }
        index = find_index("ndvi", load_sensor(a.sensor), names)
        if index is not None:
            behind = [c for c in index if c is not None]
            value = of_channels(a.values, index)
            unknown = torch.full_like(value, torch.nan)
            seen = a.seen[:, behind].all(1)
            told["ndvi"] = (value, seen, of_channels(members, index).mean(1), unknown)
        for name, four in told.items():
            arrays = [t.cpu().numpy() for t in four]
            found.setdefault(name, []).append((np.array(a.time), np.array(hide[k]), *arrays))
    return {
        name: Column(*(np.stack(one, -1) for one in zip(*rows, strict=True)))
        for name, rows in found.items()
    }


def _values(columns: Mapping[str, Column]) -> dict[str, dict[str, Row]]:
    """Scores of hidden values and of their NDVI."""
    found: dict[str, dict[str, Row]] = {}
    pooled: dict[str, list[Array]] = {"encoder": [], "linear": [], "inside": []}
    for name, c in columns.items():
        lines = linear(Series(c.when, c.value.astype(float), c.seen & ~c.gone)).mean
        use = c.seen & c.gone & np.isfinite(lines)
        if not use.any():
            continue
        value, mean = c.value[use].astype(float), c.mean[use].astype(float)
        found[name] = {"encoder": _row(value, mean), "linear": _row(value, lines[use])}
        if name == "ndvi":
            continue
        half = INTERVAL * np.sqrt(c.variance[use])
        found[name]["encoder"]["coverage_90"] = scores.coverage(value, mean - half, mean + half)
        pooled["encoder"].append(mean - value)
        pooled["linear"].append(lines[use] - value)
        pooled["inside"].append(np.abs(mean - value) <= half)
    if pooled["encoder"]:
        errors = {name: np.concatenate(each) for name, each in pooled.items()}
        found["channels"] = {
            name: _row(np.zeros_like(errors[name]), errors[name]) for name in ("encoder", "linear")
        }
        found["channels"]["encoder"]["coverage_90"] = float(errors["inside"].mean())
    return found


def _leaf_area(
    parts: Parts,
    acquisitions: Sequence[Acquisition],
    hide: Sequence[bool],
    q: Any,
    truth: Tensor,
    prior: Any,
) -> dict[str, Row]:
    """Scores of leaf area at clear dates: shown ones by every method, withheld ones beside."""
    levels = (0.05, 0.5, 0.95)
    series = parts.quantiles(q, levels)
    alone = series.clone()
    for k, a in enumerate(acquisitions):
        if not hide[k]:
            one = parts.encode(parts.tokens([a]), torch.tensor([a.time], dtype=torch.float64))
            alone[:, :, k] = parts.quantiles(one, levels)[:, :, 0]
    nothing = parts.quantiles(prior, levels)[:, None, None].expand_as(series)
    clear = torch.stack([a.seen.any(1) for a in acquisitions], 1)
    gone = torch.tensor(hide)
    asked = {
        "series": (series, clear & ~gone),
        "per_date": (alone, clear & ~gone),
        "prior": (nothing, clear & ~gone),
        "withheld": (series, clear & gone),
    }
    found = {}
    for name, (values, use) in asked.items():
        low, middle, high = (v[use].double().cpu().numpy() for v in values)
        true = truth.T[use].double().cpu().numpy()
        found[name] = _row(true, middle) | {"coverage_90": scores.coverage(true, low, high)}
    return found


def _row(observed: Array, predicted: Array) -> Row:
    """RMSE, bias and number."""
    return {
        "rmse": scores.rmse(observed, predicted),
        "bias": scores.bias(observed, predicted),
        "n": len(observed),
    }
