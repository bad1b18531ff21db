"""Baselines on the very values that the assimilation is scored on.

A baseline is fitted on a training part and predicts the scored part; what it said of each value is
kept (mean and CRPS), so that folds can be pooled and losses paired with the assimilation's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from releo_da.diagnostics.baselines import (
    BASELINES,
    Baseline,
    Series,
    determined,
    from_others,
    partners,
    predict,
    predict_between,
)
from releo_da.diagnostics.baselines import series as baseline_series
from releo_da.diagnostics.baselines.interpolation import persistence
from releo_da.diagnostics.leads import Leads, label
from releo_da.diagnostics.scores import Array
from releo_da.runs.compare import ndvi_index, with_index
from releo_da.runs.withhold import Held
from releo_da.sensors import labels
from releo_da.types import Acquisition

Said = dict[tuple[str, str, str], tuple[Array, Array, Array]]
"""``{(baseline, case, variable): (observed, mean, crps)}``, each ``[pixel, date]``, NaN where not
scored; of forecasts by bins of lead ``[pair]``, the pairs of one bin."""

OTHERS, MEAN = "other_channels", "mean"
"""Baselines of a hidden channel."""


def tables(
    acquisitions: Sequence[Acquisition], channels: Mapping[str, tuple[str, ...]]
) -> dict[str, Series]:
    """Per channel, and for NDVI, the table of values ``[pixel, date]`` that baselines work on.

    Channels are pooled as scores pool them (`releo_da.sensors.labels`); NDVI is one for all.
    """
    named = labels(channels)
    times = np.array([a.time for a in acquisitions])
    pixels = len(acquisitions[0].values)
    names = list(dict.fromkeys(n for a in acquisitions for n in (*named[a.sensor], "ndvi")))
    values = {n: np.full((pixels, len(times)), np.nan) for n in names}
    for date, a in enumerate(acquisitions):
        index = ndvi_index(a.sensor, channels[a.sensor])
        masked = a.values.masked_fill(~a.seen, torch.nan)
        whole = with_index(masked, index).cpu().numpy()
        for column, name in enumerate((*named[a.sensor], "ndvi")):
            values[name][:, date] = whole[:, column]
    return {n: baseline_series(times, v) for n, v in values.items() if np.isfinite(v).any()}


def said(
    training: Mapping[str, Series],
    scored: Mapping[str, Series],
    withheld: Mapping[str, Held],
    horizons: Iterable[float],
    targets: Array,
    every: int = 3,
    leads: Leads | None = None,
    first: float = np.inf,
    baselines: Iterable[Baseline] = BASELINES,
) -> Said:
    """What every baseline says of withheld values and of forecast targets.

    Args:
        training: per variable, what baselines are fitted on.
        scored: per variable, the series that is scored.
        withheld: what is hidden and what of it is scored, by case.
        horizons: lead times (days); rivals forecast one variable, NDVI, or what the run observes
            first where it has none (leaf area of a product).
        targets: ``[pixel, date]`` bool, forecast targets.
        every: the withholding rule, for the residual distribution of smoothing baselines.
        leads: origins and targets of NDVI forecasts by bins of lead.
        first: when forecast targets begin. A climatology of the place has a past before it only,
            and is left out where it has no past at all, with targets from -inf on.
        baselines: the methods.
    """
    found: Said = {}
    chosen = "ndvi" if "ndvi" in scored else next(iter(scored), "")
    for baseline in baselines:
        for variable, table in scored.items():
            if variable not in training or not training[variable].seen.any():
                continue
            part = training[variable]
            cases: list[tuple[str, float | None, Array, Series]] = []
            if baseline.smooth is not None:
                for case, held in withheld.items():
                    rest = table._replace(seen=table.seen & ~held.hidden)
                    if held.of(variable) and rest.seen.any():
                        cases.append((case, None, held.scored & table.seen, rest))
            if variable == chosen and baseline.forecast is not None:
                cases += [
                    (f"forecast_{h:g}", h, targets & table.seen & older(table, h), table)
                    for h in horizons
                ]
            ahead = leads if variable == "ndvi" and baseline.between is not None else None
            if baseline.until is not None and first == -np.inf:
                ahead = None
            if not cases and ahead is None:
                continue
            fitted = baseline.fit(part)
            for case, horizon, target, usable in cases:
                predicted = predict(baseline, fitted, part, usable, horizon, every)
                fields = table.values, predicted.prediction.mean, predicted.crps(table.values)
                kept = [np.where(target, field, np.nan) for field in fields]
                found[baseline.name, case, variable] = (kept[0], kept[1], kept[2])
            if ahead is not None:
                found |= said_between(baseline, fitted, part, table, ahead, first)
    for case, held in withheld.items():
        found |= said_of_channel(training, scored, case, held)
    return found


def said_of_channel(
    training: Mapping[str, Series], scored: Mapping[str, Series], case: str, held: Held
) -> Said:
    """What is told of a hidden channel by the others of its acquisition, and by its mean.

    Both have seen the channel in the training part. One for which that has too few values (none of
    the channel, or hardly any seen together with the others) says nothing.
    """
    channel = held.channel
    if not channel or not {channel} <= set(training) & set(scored):
        return {}
    known = {n: t for n, t in training.items() if n in scored and n != "ndvi"}
    asked, observed = held.scored, scored[channel].values
    found: Said = {}
    for name, others in ((OTHERS, partners(known, channel)), (MEAN, [])):
        if not determined(known, channel, others):
            continue
        predicted = from_others(known, scored, channel, others)
        told = predicted.prediction.mean
        fields = observed, told, predicted.crps(observed)
        kept = [np.where(asked & np.isfinite(told), field, np.nan) for field in fields]
        found[name, case, channel] = (kept[0], kept[1], kept[2])
    return found


def said_between(
    baseline: Baseline,
    fitted: Any,
    training: Series,
    table: Series,
    leads: Leads,
    first: float,
) -> Said:
    """What a baseline says of NDVI forecasts by bins of lead, one case per bin."""
    found: Said = {}
    pairs, bins = leads.pairs, leads.bins
    predicted = predict_between(baseline, fitted, training, table, pairs, bins, first)
    for number, one in enumerate(predicted):
        here = pairs.bin == number
        observed = table.values[pairs.pixel[here], pairs.target[here]]
        case = f"forecast_{label(bins[number])}"
        found[baseline.name, case, "ndvi"] = observed, one.prediction.mean, one.crps(observed)
    return found


def older(table: Series, horizon: float) -> Array:
    """Where a value at least `horizon` days older was seen, without which nobody forecasts."""
    return np.isfinite(persistence(table, horizon).mean)


def rows(found: Said) -> dict[str, Any]:
    """The ``baselines`` of scores.json; cases of several offsets are averaged."""
    result: dict[str, Any] = {}
    for (name, case, variable), (observed, mean, crps) in found.items():
        d = (mean - observed)[np.isfinite(mean - observed)]
        if not len(d):
            continue
        row = {
            "rmse": float(np.sqrt(np.mean(d**2))),
            "bias": float(np.mean(d)),
            "mae": float(np.mean(np.abs(d))),
            "median_abs": float(np.median(np.abs(d))),
            "crps": float(np.nanmean(crps)),
            "n": len(d),
        }
        result.setdefault(name, {}).setdefault(case, {})[variable] = row
    return {name: by_part(cases) for name, cases in result.items()}


def by_part(cases: Mapping[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Rows by case as scores.json nests them: smoothed, forecast by horizon, anything else."""
    parts: dict[str, Any] = {}
    offsets = []
    for case, table in cases.items():
        part, _, rest = case.partition("_")
        if part == "forecast":
            parts.setdefault(part, {})[rest] = table
        elif part == "smoothed" and rest:
            offsets.append(table)
        else:
            parts[case] = table
    if offsets:
        parts["smoothed"] = averaged(offsets)
    return parts


def averaged(tables: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Means over tables of rows; ``n`` is the sum."""
    return {
        variable: {
            key: total if key == "n" else total / len(tables)
            for key in row
            for total in [sum(t[variable][key] for t in tables)]
        }
        for variable, row in tables[0].items()
        if all(variable in t for t in tables)
    }
