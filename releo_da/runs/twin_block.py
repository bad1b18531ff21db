"""Some pixels of a twin experiment: every estimate beside the truth, told as it is made.

    background, analysis, smoothed    the run itself
    free_run                          the same ensemble without any observation
    retrieval                         what one acquisition says alone: the free run of its time,
                                      which knows nothing of earlier acquisitions, analysed with it
    network                           what a network reads from that acquisition, if one is given
    forecast_h                        from acquisitions at least h days older

A retrieval exists where its acquisition saw something. Cost: H of every estimate and date is most
of a run. Per date it is evaluated once for background, smoothed, free run and each horizon; of
pixels that were seen also for the analysis and the retrieval, and as often as the scheme asks
beyond the first time. Without a smoother the last estimate is the analysis, which is not evaluated
twice. Memory: the steps of the pixels (`releo_da.runs.portions`); comparisons are handed on at once
(`releo_da.runs.beside_truth`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from releo_da.cycling.cycle import cycle
from releo_da.cycling.recovery import diverged
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.seasons import Dates
from releo_da.runs.acquire import Derive
from releo_da.runs.beside_truth import BesideTruth, Keep, Tell
from releo_da.runs.block import Task, Tick
from releo_da.runs.joined import joined_state
from releo_da.runs.judged import Judged, joined_judged, judge
from releo_da.runs.model import Model
from releo_da.runs.retrieved import CASE, Reading
from releo_da.runs.seasons import joined, of_members
from releo_da.runs.timeline import merged, on_rows, requests, where_seen
from releo_da.runs.twin_truth import Known, stacked
from releo_da.types import Acquisition, Analysis, Noise, Observe, State, Step


@dataclass
class TwinBlockResult:
    """What some pixels leave behind, beside their comparisons.

    Attributes:
        state: the last analysis.
        estimated: statistics of output variables, ``{name: [statistic, time, pixel]}``.
        diverged: number of pixels whose ensemble stopped being finite.
        judged: what each analysis said of its innovations.
        dates: of the seasons of every member, where they are wanted.
    """

    state: State
    estimated: dict[str, Array] = field(default_factory=dict)
    diverged: int = 0
    judged: list[Judged] = field(default_factory=list)
    dates: Dates | None = None


class TwinBlock:
    """Some pixels of one piece of work, their truth and their acquisitions.

    Args:
        model: the system that assimilates.
        known: truth and acquisitions of the pixels.
        compared: an ensemble and angles to the variables that are compared with the truth, those
            of them that it has.
        task: members, seed, product times, horizons.
        pixels: ``[pixel]`` global ids.
        keep: takes every comparison.
        tick: called after each piece of work.
        tell: takes variables together, of all estimates but the retrieval.
        reading: a network that reads single acquisitions, or None.
    """

    def __init__(
        self,
        model: Model,
        known: Known,
        compared: Derive,
        task: Task,
        pixels: Tensor,
        keep: Keep,
        tick: Tick,
        tell: Tell = lambda case, date, truth, members, scale: None,
        reading: Reading | None = None,
    ) -> None:
        self.model, self.known, self.task = model, known, task
        self.pixels, self.tick, self.reading = pixels, tick, reading
        self.acquisitions = known.acquisitions
        self.draws = model.draws(task.seed, pixels, self.acquisitions[0].values)
        self.prior = self._prior()
        self.truth = BesideTruth(model, known, compared, task.scored, keep, tell)

    def run(self) -> TwinBlockResult:
        """All estimates of the pixels beside the truth."""
        asked = requests(self.task.asked, self.acquisitions)
        steps = self._filter(merged(self.acquisitions, asked), "analysis")
        smoothed = [s.analysis.ensemble for s in steps]
        if self.model.smooth is not None:
            smoothed = self.model.smooth(steps)
        found = TwinBlockResult(steps[-1].analysis, diverged=int(diverged(steps).sum()))
        date = -1
        last: dict[str, Tensor] = {}
        for step, late in zip(steps, smoothed, strict=True):
            if not step.acquisition.sensor:
                continue
            date += 1
            refused = (step.acquisition.precision > 0) & (step.precision == 0)
            before, analysis = step.background.ensemble, step.analysis.ensemble
            step = step._replace(predicted=self._everywhere(step))
            moved = (analysis != before).flatten(1).any(1)
            a, predicted = step.acquisition, step.predicted
            after = on_rows(self.model.observe, analysis, a, moved, predicted)
            said = judge(self.model, step, date, after.mean(1), last)
            prior = self.truth.compare("background", date, before, predicted, refused)
            posterior = self.truth.compare("analysis", date, analysis, after, None, moved, prior)
            if said is not None:
                impact = self._impact(step, date, after, prior, posterior)
                found.judged.append(said._replace(impact=impact))
            if self.model.smooth is None:
                continue  # a copy of the analysis would read as a smoother that brings nothing
            if late is analysis:
                nowhere = torch.zeros_like(moved)
                self.truth.compare("smoothed", date, late, after, None, nowhere, posterior)
            else:
                self.truth.compare("smoothed", date, late)
        for date, step in enumerate(self._free()):
            ensemble = step.background.ensemble
            self.truth.compare("free_run", date, ensemble, step.predicted)
            self._retrieve(date, ensemble, step.predicted)
            self._read(date)
        for horizon in self.task.horizons:
            self._forecasts(steps, horizon)
        derived = self._derived(steps, smoothed)
        found.estimated = stacked(derived)
        wanted = self.task.seasons
        if wanted is not None:
            curves = np.stack([one[wanted.variable].float().cpu().numpy() for one in derived])
            found.dates = of_members(sorted(set(self.task.asked)), curves, wanted)
        return found

    def _prior(self) -> State:
        start = self.task.start
        noise = self.draws(start, "initial")
        return self.model.initial(start, self.pixels, self.task.members, noise)

    def _filter(self, timeline: Sequence[Acquisition], label: str) -> list[Step]:
        steps = []
        system = self.model.system._replace(observe=where_seen(self.model.observe))
        for step in cycle(self.prior, timeline, system, self.draws, self.model.initial):
            steps.append(step)
            if step.acquisition.sensor:
                self.tick(label)
        return steps

    def _everywhere(self, step: Step) -> Tensor:
        """H of a background, of the pixels that were not seen as well."""
        a, background = step.acquisition, step.background.ensemble
        return on_rows(self.model.observe, background, a, ~a.seen.any(-1), step.predicted)

    def _free(self) -> Iterator[Step]:
        """The run without observations, step by step."""
        system = self.model.system._replace(analyse=untouched)
        for step in cycle(self.prior, self.acquisitions, system, self.draws, self.model.initial):
            self.tick("free run")
            yield step

    def _impact(
        self, step: Step, date: int, after: Tensor, prior: Tensor, posterior: Tensor
    ) -> dict[str, Tensor]:
        """What the channels of a step did to the error of each variable."""
        if self.model.impact is None:
            return {}
        values, truth = step.acquisition.values, self.known.targets[date]
        errors = prior.mean(1) - truth, posterior.mean(1) - truth
        return self.model.impact(prior, after, step.predicted, values, step.precision, *errors)

    def _retrieve(self, date: int, free: Tensor, predicted: Tensor) -> None:
        """Tell what an acquisition says by itself, where it saw something.

        Args:
            date: position of the acquisition.
            free: the free run at its time.
            predicted: H of it.
        """
        a = self.acquisitions[date]
        seen = a.seen.any(-1)
        alone = self.prior._replace(time=a.time, ensemble=free)
        some = where_seen(self.model.observe)

        def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
            return predicted if ensemble is free else some(ensemble, acquisition)

        system = self.model.system._replace(observe=observe)

        def draws(time: float, stage: str) -> Noise:
            return self.draws(time, f"retrieval {stage}")

        for step in cycle(alone, [a], system, draws, self.model.initial):
            found = step.analysis.ensemble
            self.truth.compare("retrieval", date, found, some(found, a), rows=seen)

    def _read(self, date: int) -> None:
        """Tell what a network reads from an acquisition, at the pixels of which it saw all."""
        if self.reading is None:
            return
        a, names = self.acquisitions[date], self.reading.network.names
        complete = self.reading.complete(a)
        members = a.values.new_full((len(complete), self.task.members, len(names)), torch.nan)
        if complete.any():
            rows = complete.nonzero()[:, 0].to(members.device)
            members[rows] = self.reading.members(a, rows, self.task.members).to(members)
        self.truth.read(CASE, date, members, names)

    def _forecasts(self, steps: list[Step], horizon: float) -> None:
        """Tell every acquisition's time, forecast from ``horizon`` days before or longer."""
        observed = [step for step in steps if step.acquisition.sensor]
        for date, a in enumerate(self.acquisitions):
            self.tick("forecast")
            latest = math.floor(a.time) - horizon
            usable = [s for s in observed if math.floor(s.acquisition.time) <= latest]
            if usable:
                case = f"forecast_{horizon:g}"
                noise = self.draws(a.time, case)
                ahead = self.model.forecast(usable[-1].analysis, a.time, noise)
                self.truth.compare(case, date, ahead.ensemble)

    def _derived(self, steps: list[Step], smoothed: list[Tensor]) -> list[dict[str, Tensor]]:
        """Output variables of the members at each requested date, ``[pixel, member]`` by name."""
        pairs = zip(steps, smoothed, strict=True)
        return [
            self.model.derive(ensemble, step.acquisition.angles)
            for step, ensemble in pairs
            if not step.acquisition.sensor
        ]


def untouched(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
) -> Analysis:
    """The scheme of a run without observations."""
    return Analysis(prior, observe(prior), torch.zeros_like(precision), memory)


def joined_results(parts: Sequence[TwinBlockResult]) -> TwinBlockResult:
    """What all portions of a piece of work leave behind, in their order along its pixels."""
    if len(parts) == 1:
        return parts[0]
    place = np.arange(sum(len(part.state.pixels) for part in parts))
    first = parts[0]
    return TwinBlockResult(
        joined_state([part.state for part in parts], place),
        {n: np.concatenate([part.estimated[n] for part in parts], -1) for n in first.estimated},
        sum(part.diverged for part in parts),
        joined_judged([part.judged for part in parts]),
        None if first.dates is None else joined([p.dates for p in parts if p.dates is not None]),
    )
