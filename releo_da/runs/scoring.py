"""scores.json of a hindcast: the assimilation and its baselines on the same values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from releo_da.diagnostics.baselines import BASELINES, part, rivals
from releo_da.diagnostics.baselines import Series as Table
from releo_da.diagnostics.leads import lead_summaries
from releo_da.diagnostics.verification import summaries, within
from releo_da.runs.baselines import MEAN, OTHERS, Said, by_part, rows, said, tables
from releo_da.runs.block import Task
from releo_da.runs.field import FieldRows, score_field
from releo_da.runs.hindcast import Outcome
from releo_da.runs.withhold import clear
from releo_da.types import Acquisition


def score(
    outcome: Outcome,
    task: Task,
    baselines: Said,
    periods: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, Any]:
    """The scores of one hindcast in the shape of scores.json.

    Args:
        outcome: the hindcast.
        task: what it was asked.
        baselines: what they said of the same values.
        periods: first and last time of parts that are scored by themselves, by name.
    """
    held = outcome.verification
    found = _of_cases(held)
    if periods:
        found["periods"] = {name: _of_cases(within(held, *part)) for name, part in periods.items()}
    if outcome.leads is not None:
        found.setdefault("forecast", {}).update(lead_summaries(outcome.leads.told))
    found["baselines"] = rows(baselines)
    found["in_situ"] = field_scores(outcome.field, task.seed)
    refused = outcome.verification.rejected.sum(("time", "pixel"))
    found["rejected"] = {
        str(name): int(count)
        for name, count in zip(refused.channel.values, refused.values, strict=True)
        if count
    }
    found["rejected_by_reason"] = outcome.refused
    if outcome.biases:
        found["biases"] = outcome.biases
    found["diverged"] = outcome.diverged
    found["seeds"] = [task.seed]
    return found


def _of_cases(held: xr.Dataset) -> dict[str, Any]:
    """Rows of every case; the analysis at what it used is called the residual."""
    found = by_part({case: summaries(held, case) for case in map(str, held.case.values)})
    if "analysis" in found:
        found["residual"] = found.pop("analysis")
    return found


def field_scores(field: Sequence[FieldRows], seed: int) -> dict[str, Any]:
    """Scores against each table of field measurements, by variable; by column where one repeats."""
    single = {r.variable for r in field if sum(o.variable == r.variable for o in field) == 1}
    return {r.variable if r.variable in single else r.title: score_field(r, seed) for r in field}


def score_baselines(
    acquisitions: Sequence[Acquisition],
    channels: Mapping[str, tuple[str, ...]],
    outcome: Outcome,
    task: Task,
    training: Mapping[str, Table] | None = None,
    train_period: tuple[float, float] = (-np.inf, np.inf),
    every: int = 3,
    also: Sequence[str] = (),
) -> Said:
    """What baselines say of the values that a hindcast was scored on.

    Args:
        acquisitions: of the scored series.
        channels: for each sensor, the channels of its acquisitions.
        outcome: the hindcast, for what it withheld.
        task: its horizons and forecast period.
        training: tables that baselines are fitted on; when None, what is not scored of the series:
            for each withheld case the other dates, for forecasts the dates before the scored ones.
        train_period: the part of them that is used.
        every: the withholding rule.
        also: names of baselines beside those that every run has.
    """
    methods = rivals(also)
    scored = tables(acquisitions, channels)
    first, last = task.forecast_period
    times = np.array([a.time for a in acquisitions])
    targets = np.broadcast_to((times >= first) & (times <= last), clear(acquisitions).shape)

    def limited(given: Mapping[str, Table], end: float = np.inf) -> dict[str, Table]:
        period = train_period[0], min(train_period[1], end)
        return {name: part(table, period=period) for name, table in given.items()}

    leads = outcome.leads
    if training is not None:
        part_ = limited(training)
        held = outcome.withheld
        return said(part_, scored, held, task.horizons, targets, every, leads, first, methods)
    found: Said = {}
    for case, one in outcome.withheld.items():
        rest = {
            n: t._replace(seen=t.seen & ~one.hidden) if one.of(n) else t for n, t in scored.items()
        }
        found |= said(limited(rest), scored, {case: one}, (), targets, every, baselines=methods)
    if task.horizons or leads:
        targeted = in_sample(acquisitions, task, train_period)
        before = limited(scored, np.inf if targeted else np.nextafter(first, -np.inf))
        found |= said(before, scored, {}, task.horizons, targets, every, leads, first, methods)
    return found


def in_sample(
    acquisitions: Sequence[Acquisition], task: Task, train_period: tuple[float, float]
) -> bool:
    """Whether nothing is older than the forecasts that are scored.

    Then `score_baselines`, which takes the same, fits baselines of forecasts on their targets.
    """
    times = np.array([a.time for a in acquisitions])
    older = (times < task.forecast_period[0]) & (times <= train_period[1])
    past = (times >= train_period[0]) & older
    return bool(task.horizons or task.bins) and not bool(clear(acquisitions)[:, past].any())


def rivals_left_out(outcome: Outcome, baselines: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For the log: rivals of forecasts and of a hidden channel that had nothing to learn from.

    Args:
        outcome: the hindcast, for what it was asked and what it withheld.
        baselines: their rows by name, as scores.json has them.
    """
    found = []
    past = [b.name for b in BASELINES if b.until is not None and b.name not in baselines]
    if outcome.leads is not None and past:
        message = (
            f"{' and '.join(past)} are left out: every date is a target of forecasts, so the place "
            "has no past outside of what is scored; give score.forecast_period to have them"
        )
        found.append({"kind": "left_out", "baselines": past, "message": message})
    hidden = dict.fromkeys(held.channel for held in outcome.withheld.values() if held.channel)
    lines = [name for name in (OTHERS, MEAN) if name not in baselines]
    if hidden and lines:
        message = (
            f"{' and '.join(lines)} of {', '.join(hidden)} left out: what baselines are fitted on "
            "saw it too rarely together with other channels; fit on more pixels or dates"
        )
        found.append({"kind": "left_out", "baselines": lines, "message": message})
    return found
