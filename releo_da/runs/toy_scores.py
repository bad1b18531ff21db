r"""Scores and files of a twin experiment of a toy model.

Per replicate a score is a mean over time (`releo_da.runs.toy`), over replicates the median, as in
published tables, which a diverged replicate does not move. Beside it stand two references that know
the truth's climatology, mean m and covariance B over the scored times, and no model:

    climatology              x = m
    optimal_interpolation    x = m + K (y - H m),    K = B H' (H B H' + R)^-1

A replicate is counted as diverged where its ensemble stopped being finite or where, over all scored
times or over their last tenth, its error is nearer to that of climatology than to that of optimal
interpolation: it follows a trajectory that is not the truth's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS, Record, summaries, verification
from releo_da.io.products import Product
from releo_da.runs.block import Task
from releo_da.runs.compare import QUANTILES
from releo_da.runs.judged import reasons_in_all
from releo_da.runs.toy import SENSOR, Case, ToyNature, ToyOutcome, means

VARIABLE = "state"
"""Name of what is scored and written: all components together."""

LAST = 0.1
"""Share of the scored times over which divergence is judged, beside all of them."""


class References(NamedTuple):
    """Time means of the errors of the two references, ``[replicate]`` each."""

    climatology: Array
    optimal_interpolation: Array


def references(nature: ToyNature, scored: Array) -> References:
    """Errors of climatology and of optimal interpolation over the scored times.

    Args:
        nature: truth and acquisitions.
        scored: ``[date]`` bool.
    """
    held = [a for a, keep in zip(nature.acquisitions, scored, strict=True) if keep]
    truth = torch.stack([nature.states[a.time][:, 0] for a in held], 1)  # [replicate, date, n]
    mean = truth.mean(1, keepdim=True)
    away = truth - mean
    covariance = away.mT @ away / max(truth.shape[1] - 1, 1)
    weight, departure = (torch.zeros_like(truth) for _ in range(2))
    network = observed(nature)
    weight[..., network] = torch.stack([a.precision for a in held], 1)
    seen = torch.stack([torch.where(a.seen, a.values, 0.0) for a in held], 1)
    departure[..., network] = seen - mean[..., network]
    error = interpolated(covariance, weight, departure) - away
    return References(time_mean(away), time_mean(error))


def observed(nature: ToyNature) -> list[int]:
    """Components that the channels see: where H puts the numbers 0..n-1."""
    first = nature.acquisitions[0]
    size = nature.states[first.time].shape[-1]
    return nature.model.observe(torch.arange(size)[None, None], first)[0, 0].tolist()


def interpolated(covariance: Tensor, weight: Tensor, departure: Tensor) -> Tensor:
    """B (I + W B)^-1 W d, the increment of optimal interpolation, ``[replicate, date, n]``.

    Written with the precision W of every component, 0 where it is not seen, so that gaps need no
    other form; one n x n system per date.
    """
    eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    result = torch.empty_like(departure)
    for date in range(departure.shape[1]):
        w = weight[:, date, :, None]
        right = w * departure[:, date, :, None]
        result[:, date] = (covariance @ torch.linalg.solve(eye + w * covariance, right))[..., 0]
    return result


def time_mean(error: Tensor) -> Array:
    """Mean over dates of the root of the mean square over components, ``[replicate]``."""
    return error.square().mean(-1).sqrt().mean(1).cpu().numpy()


def diverged(outcome: ToyOutcome, scored: Array, beside: References) -> Array:
    """Which replicates lost the truth, ``[replicate]`` bool."""
    error = np.stack(outcome.cases["analysis"].rmse)[scored]
    late = error[-max(1, round(LAST * len(error))) :].mean(0)
    limit = 0.5 * (beside.climatology + beside.optimal_interpolation)
    return ~outcome.finite | ~(late < limit) | ~(error.mean(0) < limit)


def scores_of(outcome: ToyOutcome, nature: ToyNature, task: Task, burn_in: float) -> dict[str, Any]:
    """scores.json of the experiment.

    Args:
        outcome: with the numbers of every component.
        nature: truth and acquisitions.
        task: start, seed, members.
        burn_in: model time that is not scored.
    """
    scored = outcome.times > task.start + burn_in
    per_replicate = means(outcome, burn_in, task.start)
    said = comparison(outcome, task.members).isel(time=np.flatnonzero(scored))
    found: dict[str, Any] = {}
    for case, (rmse, spread) in per_replicate.items():
        row = summaries(said, case).get(VARIABLE, {})
        row |= {"rmse": float(np.median(rmse)), "spread": float(np.median(spread))}
        if case.startswith("forecast_"):
            found.setdefault("forecast", {})[case.removeprefix("forecast_")] = {VARIABLE: row}
        else:
            found[case] = {VARIABLE: row}
    beside = references(nature, scored)
    found["baselines"] = {
        name: {"analysis": {VARIABLE: {"rmse": float(np.median(rmse))}}}
        for name, rmse in beside._asdict().items()
    }
    found["replicates"] = {
        case: {"rmse": rmse.tolist(), "spread": spread.tolist()}
        for case, (rmse, spread) in per_replicate.items()
    }
    names = nature.model.channels[SENSOR]
    found["rejected"] = {n: int(k) for n, k in zip(names, outcome.rejected, strict=True) if k}
    found["rejected_by_reason"] = reasons_in_all(outcome.judged)
    found["diverged"] = int(diverged(outcome, scored, beside).sum())
    found["seeds"] = [task.seed]
    return found


def comparison(outcome: ToyOutcome, members: int, points: xr.Dataset | None = None) -> xr.Dataset:
    """verification.nc: every component of every replicate as a point, one variable `state`."""
    records = [
        Record(name, date, (VARIABLE,), flat(numbers))
        for name, case in outcome.cases.items()
        for date, numbers in zip(case.date, case.numbers, strict=True)
    ]
    number = len(records[0].numbers)
    ids = np.arange(number) if points is None else points["id"].values
    sensors = ["components"] * len(outcome.times)
    return verification(outcome.times, sensors, ids, records, members)


def flat(numbers: Array) -> Array:
    """``[replicate, component, field]`` as ``[point, 1, field]``."""
    return numbers.reshape(-1, 1, numbers.shape[-1])


def best_estimate(outcome: ToyOutcome) -> str:
    """The estimate that analysis.nc holds: the smoothed one where every time has one."""
    smoothed = outcome.cases.get("smoothed")
    whole = smoothed is not None and len(smoothed.date) == len(outcome.times)
    return "smoothed" if whole else "analysis"


def estimates(outcome: ToyOutcome, nature: ToyNature) -> dict[str, dict[str, Product]]:
    """analysis.nc and truth.nc as products: the smoother's estimate, or the filter's."""
    case = outcome.cases[best_estimate(outcome)]
    told = "components of a toy model"
    values = fields(case)
    levels = {q: values[f"q{round(100 * q):02d}"] for q in QUANTILES}
    mean = Product(values["mean"], "1", told, values["sd"], levels)
    return {
        "analysis": {VARIABLE: mean},
        "truth": {VARIABLE: Product(values["observed"], "1", told)},
    }


def fields(case: Case) -> dict[str, Array]:
    """The numbers of a case by name, ``[date, point]`` each."""
    numbers = np.stack([flat(one)[:, 0] for one in case.numbers])
    return dict(zip(FIELDS, np.moveaxis(numbers, -1, 0), strict=True))
